"""The same calls over both protocols, each on queues of its own: every outcome must be the same, errors and texts included."""

import random
import re

import pytest
from row_catalogue import rows
from two_protocols import Api, Refused

STEPS = 150
TEXT = {"DataType": "String", "StringValue": "v"}


class Player:
    """Plays calls that a seed decides, and writes down what came of each with all that is unique to a run replaced."""

    def __init__(self, api, seed, prefix):
        self.api, self.random, self.prefix = api, random.Random(seed), prefix
        self.words, self.handles, self.outcomes = {}, ["garbage", ""], []

    def plain(self, value):
        if isinstance(value, dict):
            return {name: "T" if name.endswith("Timestamp") else self.plain(part) for name, part in sorted(value.items())}
        if isinstance(value, list):
            return [self.plain(part) for part in value]
        if not isinstance(value, str):
            return value
        value = value.replace(self.prefix, "NAME").replace(self.api.url, "URL").replace(" for this wsdl version.", ".")
        for handle in self.handles[2:]:
            value = value.replace(handle, self.words[handle])
        return re.sub(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", lambda found: self.word(found.group(), "id"), value)

    def word(self, value, kind):
        return self.words.setdefault(value, f"{kind}{len(self.words)}")

    def call(self, action, **members):
        try:
            answer = self.api.call(action, **members)
            for message in answer.get("Messages", []):
                self.word(message["ReceiptHandle"], "handle")
                self.handles.append(message["ReceiptHandle"])
            self.outcomes.append((action, self.plain(answer)))
        except Refused as refused:
            self.outcomes.append((action, refused.status, refused.code, refused.fault, self.plain(refused.message)))

    def create(self):
        self.queues = [f"{self.prefix}-standard", f"{self.prefix}.fifo"]
        self.call("CreateQueue", QueueName=self.queues[0], Attributes={"VisibilityTimeout": "600"}, tags={"a": "b"})
        self.call("CreateQueue", QueueName=self.queues[1], Attributes={"FifoQueue": "true", "VisibilityTimeout": "600"})

    def step(self):
        pick = self.random.choice
        queue = pick(self.queues)
        fifo = {"MessageGroupId": pick(["g", "h", "a b"]), "MessageDeduplicationId": pick(["d1", "d2", "d3", "", "é"])} if pick([0, 1, 1]) else {}
        if queue == self.queues[0] and pick([0, 1, 1, 1]):
            fifo = {}
        body = pick(["one", "", "\x01", "é😀<&>\"'\r\n", "two", "x" * 2000])
        attributes = pick([{}, {}, {"k": TEXT, "b": {"DataType": "Binary.x", "BinaryValue": b"\x00\xff"}}, {"AWS.k": TEXT},
                           {"n": {"DataType": "Number", "StringValue": pick(["3", "x"])}}])
        name = pick(["DelaySeconds", "VisibilityTimeout", "MaximumMessageSize", "FifoQueue", "Policy", "Colour", "KmsMasterKeyId", "RedrivePolicy",
                     "ContentBasedDeduplication", "SqsManagedSseEnabled"])
        value = pick(["0", "600", "1024", "2048", "true", "x", ""])
        entries = [{"Id": pick(["a", "b", "c", "d", "e"]), "MessageBody": pick(["one", "two", "\x01", ""]), **fifo} for _ in range(pick([0, 1, 2, 3]))]
        handles = [pick(self.handles) for _ in range(2)]
        timeout = pick([0, 0, 600, 43201, -1])
        action, members = pick([
            ("SendMessage", {"MessageBody": body, "MessageAttributes": attributes, "DelaySeconds": pick([None, 0, 900, 901]), **fifo}),
            ("SendMessage", {"MessageBody": pick(["one", "two", "three"]), **fifo}),
            ("SendMessageBatch", {"Entries": entries}),
            ("ReceiveMessage", {"MaxNumberOfMessages": pick([1, 2, 10, 11, 0]), "VisibilityTimeout": pick([None, 0, 600]),
                                "AttributeNames": pick([[], ["All"], ["SenderId", "MessageGroupId"], ["Colour"]]),
                                "MessageAttributeNames": pick([[], ["All"], ["k"], ["n.*"]])}),
            ("ReceiveMessage", {"MaxNumberOfMessages": 3, "AttributeNames": ["All"]}),
            ("DeleteMessage", {"ReceiptHandle": handles[0]}),
            ("DeleteMessageBatch", {"Entries": [{"Id": pick(["a", "b"]), "ReceiptHandle": handle} for handle in handles]}),
            ("ChangeMessageVisibility", {"ReceiptHandle": handles[0], "VisibilityTimeout": timeout}),
            ("ChangeMessageVisibilityBatch", {"Entries": [{"Id": f"e{n}", "ReceiptHandle": handle, "VisibilityTimeout": timeout}
                                                          for n, handle in enumerate(handles)]}),
            ("GetQueueAttributes", {"AttributeNames": pick([["All"], [], ["Policy"], ["Colour"]])}),
            ("SetQueueAttributes", {"Attributes": {name: value}}),
            ("TagQueue", {"Tags": pick([{}, {"a": "c"}, {"": "x"}, {"ü": ""}])}),
            ("UntagQueue", {"TagKeys": pick([[], ["a"], ["nothing", "ü"]])}),
            ("ListQueueTags", {}),
            ("AddPermission", {"Label": pick(["l", "m", "a b"]), "AWSAccountIds": ["111122223333"], "Actions": [pick(["SendMessage", "Explode"])]}),
            ("RemovePermission", {"Label": pick(["l", "m", "n"])}),
            ("ListDeadLetterSourceQueues", {"MaxResults": pick([None, 1, 1001])}),
            ("PurgeQueue", {}),
            ("GetQueueUrl", {"QueueName": pick([queue, "nothing", ""])}),
            ("ListQueues", {"QueueNamePrefix": self.prefix, "MaxResults": pick([None, 1, 1001]), "NextToken": pick([None, None, "x"])}),
            ("StartMessageMoveTask", {"SourceArn": pick(["x", f"arn:aws:sqs:us-east-1:000000000000:{queue}"])}),
            ("ListMessageMoveTasks", {"SourceArn": f"arn:aws:sqs:us-east-1:000000000000:{queue}"}),
            ("CancelMessageMoveTask", {"TaskHandle": "x"}),
        ])
        takes_queue = action not in ("GetQueueUrl", "ListQueues", "StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask")
        self.call(action, **({"QueueUrl": pick([queue] * 19 + ["nothing"])} if takes_queue else {}), **members)


@rows("same.both")
@pytest.mark.parametrize("seed", range(8))
def test_the_same_calls_have_the_same_outcome(server_url, name, seed):
    players = [Player(Api(protocol, server_url), seed, f"{name}-{letter}") for protocol, letter in (("json", "j"), ("query", "q"))]
    for player in players:
        player.create()
    for step in range(STEPS):
        for player in players:
            player.step()
        one, other = (player.outcomes[-1] for player in players)
        assert without_tokens(one) == without_tokens(other), f"seed {seed}, step {step}"
    assert len({outcome[0] for outcome in players[0].outcomes}) > 15


def without_tokens(outcome):
    """A token names the queue where its list goes on, so it is another one for each player."""
    return tuple({**part, "NextToken": "token"} if isinstance(part, dict) and "NextToken" in part else part for part in outcome)
