// sqs-consumer, a hundred jobs on a standard and on a FIFO queue: job 42 fails once and is tried again, job 13 fails until it is a
// dead letter. FERRY_URL is a recording proxy in front of the server.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { test } from "node:test";

const load = createRequire(process.env.FERRY_NODE_ENV + "/");
const sdk = load("@aws-sdk/client-sqs");
const { Consumer } = load("sqs-consumer");
const credentials = { accessKeyId: process.env.FERRY_ACCESS_KEY, secretAccessKey: process.env.FERRY_SECRET_KEY };
const sqs = new sdk.SQSClient({ endpoint: process.env.FERRY_URL, region: "us-east-1", credentials });
const call = (action, input) => sqs.send(new sdk[`${action}Command`](input));
const JOBS = 100;

const attributesOf = async (QueueUrl) => (await call("GetQueueAttributes", { QueueUrl, AttributeNames: ["All"] })).Attributes;
const left = async (QueueUrl) => {
  const found = await attributesOf(QueueUrl);
  return Number(found.ApproximateNumberOfMessages) + Number(found.ApproximateNumberOfMessagesNotVisible);
};

async function jobs(suffix, options) {
  const name = `consumer-${randomUUID()}`;
  const kind = suffix ? { FifoQueue: "true" } : {};
  const dead = (await call("CreateQueue", { QueueName: `${name}-d${suffix}`, Attributes: kind })).QueueUrl;
  const deadLetterTargetArn = (await attributesOf(dead)).QueueArn;
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 3 });
  const Attributes = { ...kind, RedrivePolicy, VisibilityTimeout: "30" };
  const queue = (await call("CreateQueue", { QueueName: `${name}${suffix}`, Attributes })).QueueUrl;
  const all = Array.from({ length: JOBS }, (_, n) => n);
  for (let first = 0; first < JOBS; first += 10) {
    const Entries = all.slice(first, first + 10).map((n) => ({
      Id: `j${n}`,
      MessageBody: JSON.stringify({ n }),
      MessageAttributes: { number: { DataType: "Number", StringValue: `${n}` } },
      ...(suffix ? { MessageGroupId: `g${n % 7}`, MessageDeduplicationId: `j${n}` } : {}),
    }));
    assert.equal((await call("SendMessageBatch", { QueueUrl: queue, Entries })).Successful.length, 10);
  }
  const tried = new Map(), done = [], errors = [];
  const work = (message) => {
    const { n } = JSON.parse(message.Body);
    assert.equal(message.MessageAttributes.number.StringValue, `${n}`);
    tried.set(n, (tried.get(n) ?? 0) + 1);
    assert.equal(message.Attributes.ApproximateReceiveCount, `${tried.get(n)}`);
    if (n === 13 || (n === 42 && tried.get(n) === 1)) throw new Error(`job ${n} fails`);
    done.push(n);
    return message;
  };
  const consumer = Consumer.create({
    queueUrl: queue, sqs, batchSize: 10, waitTimeSeconds: 1, terminateVisibilityTimeout: true, suppressFifoWarning: true,
    messageAttributeNames: ["All"], messageSystemAttributeNames: ["All"], ...options(work, queue),
  });
  for (const event of ["error", "processing_error", "timeout_error"]) consumer.on(event, (error) => errors.push(error.message));
  consumer.start();
  const deadline = Date.now() + 40_000;
  while (Date.now() < deadline && !(done.length >= JOBS - 1 && (await left(dead)) === 1 && (await left(queue)) === 0))
    await new Promise((resolve) => setTimeout(resolve, 50));
  await new Promise((resolve) => {
    consumer.on("stopped", resolve);
    consumer.stop({ abort: true });
  });
  assert.deepEqual([...done].sort((a, b) => a - b), all.filter((n) => n !== 13));
  assert.equal(tried.get(42), 2);
  assert.equal(tried.get(13), 3);
  assert.equal(await left(queue), 0);
  const [message] = (await call("ReceiveMessage", { QueueUrl: dead, WaitTimeSeconds: 5 })).Messages;
  assert.equal(message.Body, '{"n":13}');
  assert.ok(errors.every((text) => /job (13|42) fails|Request aborted/.test(text)), errors.join("\n"));
}

test("a hundred jobs one by one", () => jobs("", (work) => ({ handleMessage: async (message) => work(message) })));

test("a hundred jobs of seven groups", () => jobs(".fifo", (work) => ({ handleMessage: async (message) => work(message) })));

test("a hundred jobs in batches", () =>
  jobs("", (work, QueueUrl) => ({
    handleMessageBatch: async (messages) => {
      const ready = [];
      for (const message of messages) {
        try {
          ready.push(work(message));
        } catch {
          await call("ChangeMessageVisibility", { QueueUrl, ReceiptHandle: message.ReceiptHandle, VisibilityTimeout: 0 });
        }
      }
      return ready;
    },
  })));
