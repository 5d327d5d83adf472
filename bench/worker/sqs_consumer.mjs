// sqs-consumer as its documentation uses it, in batches: the fastest way it has. QUEUE_URL, HANDLER (none, http, program), ENDPOINT_URL.

import { spawn } from "node:child_process";
import { Agent, request } from "node:http";
import { createRequire } from "node:module";

const load = createRequire(process.env.NODE_ENV_FOLDER + "/");
const { SQSClient } = load("@aws-sdk/client-sqs");
const { Consumer } = load("sqs-consumer");
const url = process.env.QUEUE_URL;
const sqs = new SQSClient({ endpoint: new URL(url).origin });
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

const post = (body) =>
  new Promise((resolve, reject) => {
    const headers = { "content-type": "text/plain", "content-length": Buffer.byteLength(body) };
    const call = request(process.env.ENDPOINT_URL, { method: "POST", agent, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => (answer.statusCode === 200 ? resolve() : reject(new Error(`HTTP ${answer.statusCode}`))));
    });
    call.on("error", reject);
    call.end(body);
  });

const run = () =>
  new Promise((resolve, reject) => {
    const child = spawn("/bin/true", [], { stdio: "ignore" });
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`exit ${code}`))));
  });

const handlers = { none: async () => {}, http: (message) => post(message.Body), program: run };
const handle = handlers[process.env.HANDLER];
const consumers = Array.from({ length: Number(process.env.CONSUMERS) }, () =>
  Consumer.create({
    queueUrl: url, sqs, batchSize: 10, waitTimeSeconds: 20,
    handleMessageBatch: async (messages) => {
      await Promise.all(messages.map(handle));
      return messages;
    },
  }));
for (const consumer of consumers) {
  for (const event of ["error", "processing_error", "timeout_error"]) {
    consumer.on(event, (error) => {
      console.error(error);
      process.exit(1);
    });
  }
  consumer.start();
}
