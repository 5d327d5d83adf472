"""What a server that was killed still knows when it is started again."""

import json

import pytest
from ferry_server import FerryServer, wait_until
from row_catalogue import rows
from two_protocols import Api


@pytest.fixture
def server(tmp_path):
    with FerryServer(tmp_path) as running:
        yield running


@pytest.fixture
def again(server, protocol):
    """again() kills the server, starts it anew, and gives an Api for it."""
    def restart():
        server.kill()
        server.start()
        return Api(protocol, server.url)
    return restart


@rows("restart.fifo", "restart.deduplication")
def test_groups_and_deduplication(server, protocol, again):
    api = Api(protocol, server.url)
    api.create("q.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    sent = [api.post("q.fifo", body, MessageGroupId=body[0]) for body in ("a1", "a2", "b1", "b2", "c1")]
    held = api.take("q.fifo", 1, VisibilityTimeout=600)[0]
    gone = api.take("q.fifo", 1, VisibilityTimeout=600)
    assert [message["Body"] for message in gone] == ["b1"]
    api.delete("q.fifo", gone[0]["ReceiptHandle"])
    api = again()
    assert api.post("q.fifo", "b1", MessageGroupId="b")["MessageId"] == sent[2]["MessageId"]
    assert api.post("q.fifo", "a1", MessageGroupId="z")["SequenceNumber"] == sent[0]["SequenceNumber"]
    assert sorted(api.bodies("q.fifo", VisibilityTimeout=600)) == ["b2", "c1"]  # a1 is in flight and blocks a2
    api.delete("q.fifo", held["ReceiptHandle"])
    message = api.take_one("q.fifo", AttributeNames=["SequenceNumber"])
    assert (message["Body"], message["Attributes"]["SequenceNumber"]) == ("a2", sent[1]["SequenceNumber"])
    assert api.post("q.fifo", "new", MessageGroupId="n")["SequenceNumber"] > sent[-1]["SequenceNumber"]


@rows("restart.queues")
def test_attributes_tags_and_permissions(server, protocol, again):
    api = Api(protocol, server.url)
    target = api.create("dead", tags={"a": "b"}, KmsMasterKeyId="alias/k")
    api.create("q", RedrivePolicy=json.dumps({"deadLetterTargetArn": api.arn("dead"), "maxReceiveCount": 2}), DelaySeconds=0)
    api.call("AddPermission", QueueUrl="q", Label="l", AWSAccountIds=["111122223333"], Actions=["SendMessage"])
    before = api.attributes("q"), api.attributes("dead")
    api = again()
    assert (api.attributes("q"), api.attributes("dead")) == before
    assert api.call("ListQueueTags", QueueUrl="dead")["Tags"] == {"a": "b"}
    assert [url.rsplit("/", 1)[1] for url in api.call("ListDeadLetterSourceQueues", QueueUrl="dead")["queueUrls"]] == ["q"]
    assert target.rsplit("/", 1)[1] == "dead"


@rows("restart.dead-letters", "restart.move-task")
def test_dead_letters_and_a_move_task(server, protocol, again):
    api = Api(protocol, server.url)
    api.create("dead")
    api.create("q", RedrivePolicy=json.dumps({"deadLetterTargetArn": api.arn("dead"), "maxReceiveCount": 1}))
    for n in range(5):
        api.post("q", f"m{n}")
    api.take("q", VisibilityTimeout=0)
    assert api.take("q") == []
    arn = api.arn("dead")
    api = again()
    assert api.counts("dead") == (5, 0, 0)
    found = {message["Body"]: message["Attributes"] for message in api.take("dead", VisibilityTimeout=0, AttributeNames=["All"])}
    assert {body: (held["ApproximateReceiveCount"], held["DeadLetterQueueSourceArn"]) for body, held in found.items()} == {
        f"m{n}": ("2", api.arn("q")) for n in range(5)}
    handle = api.call("StartMessageMoveTask", SourceArn=arn, MaxNumberOfMessagesPerSecond=2)["TaskHandle"]
    api = again()
    task = api.call("ListMessageMoveTasks", SourceArn=arn)["Results"][0]
    assert task["Status"] == "COMPLETED" or task["TaskHandle"] == handle
    wait_until(lambda: api.call("ListMessageMoveTasks", SourceArn=arn)["Results"][0]["Status"] == "COMPLETED", 20, "the task goes on")
    assert sorted(api.bodies("q")) == [f"m{n}" for n in range(5)] and api.counts("dead") == (0, 0, 0)
