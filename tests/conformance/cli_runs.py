"""Runs the commands against a server of the test, as a person at a shell without a terminal does."""

import json
import subprocess

from ferry_server import binary
from wire import call_json


class Shell:
    def __init__(self, url, folder):
        self.url, self.folder = url, folder

    def environment(self, **more):
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self.folder), "XDG_STATE_HOME": str(self.folder / "state"),
                "AWS_ENDPOINT_URL_SQS": self.url, "AWS_EC2_METADATA_DISABLED": "true", **more}

    def start(self, *arguments, **more):
        return subprocess.Popen([binary(), *arguments], cwd=self.folder, env=self.environment(**more), stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments, expect=0, **more):
        """Its standard output; self.err has the rest."""
        process = self.start(*arguments, **more)
        out, self.err = process.communicate(timeout=60)
        assert process.returncode == expect, f"{arguments} ended with {process.returncode}\n{out}\n{self.err}"
        return out

    def _output(self, form, arguments):
        at = arguments.index("--") if "--" in arguments else len(arguments)
        return [*arguments[:at], "-o", form, *arguments[at:]]

    def json(self, *arguments, expect=0, **more):
        return json.loads(self.run(*self._output("json", arguments), expect=expect, **more))

    def lines(self, *arguments, expect=0, **more):
        return [json.loads(line) for line in self.run(*self._output("jsonl", arguments), expect=expect, **more).splitlines()]

    def call(self, action, **members):
        answer = call_json(self.url, action, members)
        assert answer.status == 200, answer
        return answer.json if answer.body else {}

    def queue_url(self, name):
        return f"{self.url}/000000000000/{name}"

    def create(self, name, **attributes):
        fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        self.call("CreateQueue", QueueName=name, Attributes={**fifo, **{key: str(value) for key, value in attributes.items()}})

    def create_pair(self, source, dead, receives=1, **attributes):
        """A queue and its dead-letter queue."""
        self.create(dead, MessageRetentionPeriod=1209600)
        policy = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:000000000000:{dead}", "maxReceiveCount": receives})
        self.create(source, RedrivePolicy=policy, **attributes)

    def send(self, name, *bodies, **members):
        return [self.call("SendMessage", QueueUrl=self.queue_url(name), MessageBody=body, **members)["MessageId"] for body in bodies]

    def receive(self, name, visibility=0):
        return self.call("ReceiveMessage", QueueUrl=self.queue_url(name), MaxNumberOfMessages=10, VisibilityTimeout=visibility,
                         MessageAttributeNames=["All"], AttributeNames=["All"]).get("Messages", [])

    def take_all(self, name):
        """Receives and deletes until nothing is left; the messages in order."""
        taken = []
        while messages := self.receive(name, 30):
            for message in messages:
                self.call("DeleteMessage", QueueUrl=self.queue_url(name), ReceiptHandle=message["ReceiptHandle"])
            taken += messages
        return taken

    def bodies(self, name):
        return [message["Body"] for message in self.take_all(name)]

    def count(self, name):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.call("GetQueueAttributes", QueueUrl=self.queue_url(name), AttributeNames=names)["Attributes"]
        return tuple(int(found[key]) for key in names)

    def bury(self, name, dead, count):
        """Receives until `count` messages have become dead letters."""
        for _ in range(20):
            self.receive(name)
            if sum(self.count(dead)) >= count:
                return
        raise AssertionError(f"{dead} holds {self.count(dead)}")
