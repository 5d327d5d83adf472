// The AWS SDK for JavaScript v3: every action, and an error of each. It checks MD5s itself and fails on a wrong one.
// FERRY_URL is a recording proxy in front of the server; the last case asks it which protocol was spoken.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

const sdk = createRequire(process.env.FERRY_NODE_ENV + "/")("@aws-sdk/client-sqs");
const url = process.env.FERRY_URL;
const credentials = { accessKeyId: process.env.FERRY_ACCESS_KEY, secretAccessKey: process.env.FERRY_SECRET_KEY };
const client = new sdk.SQSClient({ endpoint: url, region: "us-east-1", credentials, maxAttempts: 1 });
const call = (action, input) => client.send(new sdk[`${action}Command`](input));
const fails = (action, input, name) =>
  assert.rejects(call(action, input), (error) => {
    assert.ok(error instanceof sdk.SQSServiceException, String(error));
    assert.equal(error.name, name, `${error.name}: ${error.message}`);
    return true;
  });
const receive = async (QueueUrl, options = {}) => (await call("ReceiveMessage", { QueueUrl, WaitTimeSeconds: 5, ...options })).Messages ?? [];

let queue;
before(async () => {
  await fetch(`${url}/__record`);
  queue = (await call("CreateQueue", { QueueName: `js-${randomUUID()}`, Attributes: { VisibilityTimeout: "45" } })).QueueUrl;
});
after(() => client.destroy());

test("CreateQueue", async () => {
  const QueueName = queue.split("/").pop();
  assert.equal((await call("CreateQueue", { QueueName })).QueueUrl, queue);
  await fails("CreateQueue", { QueueName, Attributes: { VisibilityTimeout: "46" } }, "QueueNameExists");
});

test("GetQueueUrl", async () => {
  assert.equal((await call("GetQueueUrl", { QueueName: queue.split("/").pop() })).QueueUrl, queue);
  await fails("GetQueueUrl", { QueueName: "nothing" }, "QueueDoesNotExist");
});

test("ListQueues", async () => {
  const found = [];
  for await (const page of sdk.paginateListQueues({ client, pageSize: 1 }, { QueueNamePrefix: "js-" })) found.push(...(page.QueueUrls ?? []));
  assert.ok(found.includes(queue));
  await assert.rejects(call("ListQueues", { MaxResults: 1001 }), /MaxResults/);
});

test("GetQueueAttributes and SetQueueAttributes", async () => {
  await call("SetQueueAttributes", { QueueUrl: queue, Attributes: { DelaySeconds: "0", VisibilityTimeout: "50" } });
  const { Attributes } = await call("GetQueueAttributes", { QueueUrl: queue, AttributeNames: ["All"] });
  assert.equal(Attributes.VisibilityTimeout, "50");
  await fails("GetQueueAttributes", { QueueUrl: queue, AttributeNames: ["Colour"] }, "InvalidAttributeName");
  await fails("SetQueueAttributes", { QueueUrl: queue, Attributes: { DelaySeconds: "901" } }, "InvalidAttributeValue");
});

test("SendMessage, ReceiveMessage, DeleteMessage", async () => {
  const MessageAttributes = {
    blob: { DataType: "Binary", BinaryValue: new Uint8Array([1, 2, 3]) },
    color: { DataType: "String", StringValue: "blue" },
    count: { DataType: "Number", StringValue: "3" },
  };
  const MessageBody = 'é€😀 <&> " \\ \r\n\t';
  const sent = await call("SendMessage", { QueueUrl: queue, MessageBody, MessageAttributes });
  assert.equal(sent.MD5OfMessageAttributes, "d838729972a4b70e2d2acd9d59ac847c");
  const [message] = await receive(queue, { MessageAttributeNames: ["All"], MessageSystemAttributeNames: ["All"] });
  assert.equal(message.MessageId, sent.MessageId);
  assert.equal(message.Body, MessageBody);
  assert.equal(message.Attributes.ApproximateReceiveCount, "1");
  assert.deepEqual([...message.MessageAttributes.blob.BinaryValue], [1, 2, 3]);
  assert.equal(message.MessageAttributes.count.StringValue, "3");
  await call("DeleteMessage", { QueueUrl: queue, ReceiptHandle: message.ReceiptHandle });
  assert.deepEqual(await receive(queue, { WaitTimeSeconds: 0 }), []);
  await fails("SendMessage", { QueueUrl: queue, MessageBody: "\u0001" }, "InvalidMessageContents");
  await assert.rejects(call("ReceiveMessage", { QueueUrl: queue, MaxNumberOfMessages: 11 }), /MaxNumberOfMessages/);
  await fails("DeleteMessage", { QueueUrl: queue, ReceiptHandle: "h" }, "ReceiptHandleIsInvalid");
});

test("a message of 1 MiB", async () => {
  const MessageBody = "x".repeat(1024 * 1024);
  await call("SendMessage", { QueueUrl: queue, MessageBody });
  const [message] = await receive(queue);
  assert.equal(message.Body, MessageBody);
  await call("DeleteMessage", { QueueUrl: queue, ReceiptHandle: message.ReceiptHandle });
});

test("a long poll answers when a message comes", async () => {
  const poll = receive(queue, { WaitTimeSeconds: 20 });
  await call("SendMessage", { QueueUrl: queue, MessageBody: "wake" });
  const [message] = await poll;
  assert.equal(message.Body, "wake");
  await call("DeleteMessage", { QueueUrl: queue, ReceiptHandle: message.ReceiptHandle });
});

test("ChangeMessageVisibility", async () => {
  await call("SendMessage", { QueueUrl: queue, MessageBody: "x" });
  const [first] = await receive(queue);
  await call("ChangeMessageVisibility", { QueueUrl: queue, ReceiptHandle: first.ReceiptHandle, VisibilityTimeout: 0 });
  const [second] = await receive(queue);
  assert.equal(second.MessageId, first.MessageId);
  await call("DeleteMessage", { QueueUrl: queue, ReceiptHandle: second.ReceiptHandle });
  await fails("ChangeMessageVisibility", { QueueUrl: queue, ReceiptHandle: "h", VisibilityTimeout: 1 }, "ReceiptHandleIsInvalid");
});

test("batches", async () => {
  const entries = Array.from({ length: 10 }, (_, n) => ({ Id: `e${n}`, MessageBody: `b${n}` }));
  const sent = await call("SendMessageBatch", { QueueUrl: queue, Entries: [...entries.slice(0, 9), { Id: "bad", MessageBody: "\u0001" }] });
  assert.equal(sent.Successful.length, 9);
  assert.deepEqual(sent.Failed.map((entry) => [entry.Id, entry.Code, entry.SenderFault]), [["bad", "InvalidMessageContents", true]]);
  const messages = await receive(queue, { MaxNumberOfMessages: 10 });
  assert.equal(messages.length, 9);
  const handles = messages.map((message, n) => ({ Id: `${n}`, ReceiptHandle: message.ReceiptHandle }));
  const changed = await call("ChangeMessageVisibilityBatch", {
    QueueUrl: queue,
    Entries: handles.map((entry) => ({ ...entry, VisibilityTimeout: 60 })),
  });
  assert.equal(changed.Successful.length, 9);
  const deleted = await call("DeleteMessageBatch", { QueueUrl: queue, Entries: [...handles, { Id: "g", ReceiptHandle: "garbage" }] });
  assert.equal(deleted.Successful.length, 9);
  assert.deepEqual(deleted.Failed.map((entry) => entry.Code), ["ReceiptHandleIsInvalid"]);
  await fails("SendMessageBatch", { QueueUrl: queue, Entries: [] }, "EmptyBatchRequest");
  await fails("DeleteMessageBatch", { QueueUrl: queue, Entries: [handles[0], handles[0]] }, "BatchEntryIdsNotDistinct");
  await fails("ChangeMessageVisibilityBatch", { QueueUrl: queue, Entries: [{ Id: "a b", ReceiptHandle: "h", VisibilityTimeout: 0 }] }, "InvalidBatchEntryId");
});

test("a client without an endpoint goes to the queue's URL", async () => {
  const plain = new sdk.SQSClient({ region: "us-east-1", credentials, maxAttempts: 1 });
  const sent = await plain.send(new sdk.SendMessageCommand({ QueueUrl: queue, MessageBody: "by URL" }));
  assert.ok(sent.MessageId);
  plain.destroy();
});

const arnOf = async (QueueUrl) => (await call("GetQueueAttributes", { QueueUrl, AttributeNames: ["QueueArn"] })).Attributes.QueueArn;
const eventually = async (look) => {
  for (let n = 0; n < 200; n++) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return assert.fail("not in time");
};

test("a FIFO queue", async () => {
  const Attributes = { FifoQueue: "true", ContentBasedDeduplication: "true" };
  const fifo = (await call("CreateQueue", { QueueName: `js-${randomUUID()}.fifo`, Attributes })).QueueUrl;
  const send = (MessageBody, MessageGroupId) => call("SendMessage", { QueueUrl: fifo, MessageBody, MessageGroupId });
  const first = await send("m1", "g");
  await send("m2", "g");
  await send("n1", "h");
  const again = await send("m1", "g");
  assert.deepEqual([again.MessageId, again.SequenceNumber], [first.MessageId, first.SequenceNumber]);
  const [head] = await receive(fifo, { MessageSystemAttributeNames: ["All"] });
  assert.deepEqual([head.Body, head.Attributes.SequenceNumber, head.Attributes.MessageGroupId], ["m1", first.SequenceNumber, "g"]);
  assert.deepEqual((await receive(fifo, { MaxNumberOfMessages: 10 })).map((message) => message.Body), ["n1"]);
  await call("DeleteMessage", { QueueUrl: fifo, ReceiptHandle: head.ReceiptHandle });
  assert.deepEqual((await receive(fifo, { MaxNumberOfMessages: 10 })).map((message) => message.Body), ["m2"]);
  await assert.rejects(call("SendMessage", { QueueUrl: fifo, MessageBody: "x" }), /MessageGroupId/);
});

test("dead letters and move tasks", async () => {
  const target = (await call("CreateQueue", { QueueName: `js-${randomUUID()}` })).QueueUrl;
  const SourceArn = await arnOf(target);
  const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: SourceArn, maxReceiveCount: 1 });
  const source = (await call("CreateQueue", { QueueName: `js-${randomUUID()}`, Attributes: { RedrivePolicy } })).QueueUrl;
  assert.deepEqual((await call("ListDeadLetterSourceQueues", { QueueUrl: target })).queueUrls, [source]);
  const sent = await call("SendMessage", { QueueUrl: source, MessageBody: "worn" });
  await receive(source, { VisibilityTimeout: 0 });
  assert.deepEqual(await receive(source, { WaitTimeSeconds: 0 }), []);
  const [dead] = await receive(target, { VisibilityTimeout: 0, MessageSystemAttributeNames: ["All"] });
  assert.deepEqual([dead.MessageId, dead.Attributes.DeadLetterQueueSourceArn], [sent.MessageId, await arnOf(source)]);
  const { TaskHandle } = await call("StartMessageMoveTask", { SourceArn });
  assert.equal((await receive(source))[0].Body, "worn");
  const task = await eventually(async () => {
    const [newest] = (await call("ListMessageMoveTasks", { SourceArn })).Results;
    return newest.Status !== "RUNNING" && newest;
  });
  assert.deepEqual([task.Status, task.ApproximateNumberOfMessagesMoved], ["COMPLETED", 1]);
  await fails("CancelMessageMoveTask", { TaskHandle }, "ResourceNotFoundException");
  await fails("StartMessageMoveTask", { SourceArn: `${SourceArn}x` }, "ResourceNotFoundException");
});

test("tags and permissions", async () => {
  await call("TagQueue", { QueueUrl: queue, Tags: { a: "1", b: "" } });
  await call("UntagQueue", { QueueUrl: queue, TagKeys: ["a"] });
  assert.deepEqual((await call("ListQueueTags", { QueueUrl: queue })).Tags, { b: "" });
  await call("AddPermission", { QueueUrl: queue, Label: "l", AWSAccountIds: ["111122223333"], Actions: ["SendMessage"] });
  const policy = async () => (await call("GetQueueAttributes", { QueueUrl: queue, AttributeNames: ["Policy"] })).Attributes?.Policy;
  assert.match(await policy(), /SQS:SendMessage/);
  await call("RemovePermission", { QueueUrl: queue, Label: "l" });
  assert.equal(await policy(), undefined);
  const Actions = ["SendMessage", "ReceiveMessage", "DeleteMessage", "PurgeQueue", "GetQueueUrl", "GetQueueAttributes", "ChangeMessageVisibility", "*"];
  await fails("AddPermission", { QueueUrl: queue, Label: "l", AWSAccountIds: ["111122223333"], Actions }, "OverLimit");
});

test("PurgeQueue and DeleteQueue", async () => {
  await call("PurgeQueue", { QueueUrl: queue });
  assert.deepEqual(await receive(queue, { WaitTimeSeconds: 0 }), []);
  await call("DeleteQueue", { QueueUrl: queue });
  await fails("PurgeQueue", { QueueUrl: queue }, "QueueDoesNotExist");
  await fails("DeleteQueue", { QueueUrl: queue }, "QueueDoesNotExist");
});

test("it spoke JSON, and called every action", async () => {
  const seen = await (await fetch(`${url}/__record`)).json();
  assert.deepEqual([...new Set(seen.map((request) => request.protocol))], ["json"]);
  assert.equal(new Set(seen.map((request) => request.action)).size, 23);
});
