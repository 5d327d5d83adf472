"""FIFO queues: order, groups, deduplication, receive attempts, delay; and groups on standard queues."""

import hashlib
import time

import pytest
from row_catalogue import rows


@pytest.fixture
def send(api, fifo):
    """send("g1-m1") sends that body to group g1 of the fixture `fifo`."""
    def post(*bodies):
        return [api.post(fifo, body, MessageGroupId=body.partition("-")[0], MessageDeduplicationId=body) for body in bodies]
    return post


def by_body(messages):
    return {message["Body"]: message["ReceiptHandle"] for message in messages}


@rows("fifo.order")
def test_order(api, fifo, send):
    bodies = [f"g-m{n}" for n in range(25)]
    send(*bodies)
    seen = []
    while messages := api.take(fifo, 4):
        seen += [message["Body"] for message in messages]
        assert api.take(fifo) == []
        for message in messages:
            api.delete(fifo, message["ReceiptHandle"])
    assert seen == bodies


@rows("fifo.order", "fifo.counts")
def test_a_group_waits_for_what_is_in_flight(api, fifo, send):
    send("g-m1", "h-m1")
    held = by_body(api.take(fifo, 1))
    assert list(held) == ["g-m1"]
    send("g-m2", "g-m3")
    assert api.counts(fifo) == (3, 1, 0)
    assert api.bodies(fifo) == ["h-m1"]
    api.delete(fifo, held["g-m1"])
    assert api.bodies(fifo) == ["g-m2", "g-m3"]


@rows("fifo.prefix")
def test_only_the_visible_prefix(api, fifo, send):
    send("g-m1", "g-m2", "g-m3")
    held = by_body(api.take(fifo, 2))
    api.hide(fifo, held["g-m1"], 0)
    again = api.take(fifo)
    assert [message["Body"] for message in again] == ["g-m1"]
    api.delete(fifo, again[0]["ReceiptHandle"])
    assert api.take(fifo) == []  # m2 is in flight and blocks m3
    api.delete(fifo, held["g-m2"])
    assert api.bodies(fifo) == ["g-m3"]


@rows("fifo.prefix")
def test_a_longer_timeout_in_the_middle(api, fifo, send):
    send("g-m1", "g-m2", "g-m3")
    held = by_body(api.take(fifo, 2, VisibilityTimeout=1))
    api.hide(fifo, held["g-m2"], 600)
    again = api.take(fifo, WaitTimeSeconds=10)
    assert [message["Body"] for message in again] == ["g-m1"]
    assert api.take(fifo) == []


@rows("fifo.order")
def test_the_order_after_timeouts(api, fifo, send):
    send("g-m1", "g-m2", "g-m3")
    api.take(fifo, 2, VisibilityTimeout=1)
    assert api.bodies(fifo, WaitTimeSeconds=10) == ["g-m1", "g-m2", "g-m3"]


@rows("fifo.several")
def test_one_group_after_the_other(api, fifo, send):
    send("g1-m1", "g2-m1", "g1-m2", "g1-m3", "g2-m2")
    assert api.bodies(fifo, 4) == ["g1-m1", "g1-m2", "g1-m3", "g2-m1"]
    assert api.take(fifo) == []  # both are locked


@rows("fifo.groups")
def test_the_group_that_waits_longest_comes_first(api, fifo, send):
    send("g1-m1", "g2-m1", "g3-m1")
    assert api.bodies(fifo, 2, VisibilityTimeout=0) == ["g1-m1", "g2-m1"]
    assert api.bodies(fifo) == ["g3-m1", "g1-m1", "g2-m1"]


@rows("dedup.window", "dedup.md5", "message.sequence")
def test_duplicates(api, make):
    queue = make.fifo(ContentBasedDeduplication="false")
    first = api.post(queue, "first", MessageGroupId="g", MessageDeduplicationId="d")
    attributes = {"k": {"DataType": "String", "StringValue": "x"}}
    again = api.post(queue, "second", MessageGroupId="g", MessageDeduplicationId="d", MessageAttributes=attributes)
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    assert again["MD5OfMessageBody"] == hashlib.md5(b"second").hexdigest()
    assert again["MD5OfMessageAttributes"] == "a45daa70926828a2f0a1db3418e6feb4"
    message = api.take_one(queue)
    assert message["Body"] == "first"
    api.delete(queue, message["ReceiptHandle"])
    assert api.post(queue, "third", MessageGroupId="g", MessageDeduplicationId="d")["MessageId"] == first["MessageId"]
    assert api.counts(queue) == (0, 0, 0)
    other = api.post(queue, "first", MessageGroupId="g", MessageDeduplicationId="e")
    assert other["MessageId"] != first["MessageId"] and other["SequenceNumber"] > first["SequenceNumber"]


@rows("dedup.scope-queue", "dedup.scope-group")
@pytest.mark.parametrize("attributes,messages", [
    ({}, 1), ({"DeduplicationScope": "queue"}, 1), ({"DeduplicationScope": "messageGroup"}, 2),
    ({"DeduplicationScope": "messageGroup", "FifoThroughputLimit": "perMessageGroupId"}, 2)])
def test_scopes(api, make, attributes, messages):
    queue = make.fifo(**attributes)
    for group in ("g1", "g2", "g1"):
        api.post(queue, "same", MessageGroupId=group)
    assert api.counts(queue) == (messages, 0, 0)


@rows("dedup.content")
def test_deduplication_by_content(api, fifo):
    first = api.post(fifo, "body", MessageGroupId="g")
    attributes = {"k": {"DataType": "String", "StringValue": "x"}}
    assert api.post(fifo, "body", MessageGroupId="h", MessageAttributes=attributes)["MessageId"] == first["MessageId"]
    assert api.post(fifo, "body", MessageGroupId="g", MessageDeduplicationId="explicit")["MessageId"] != first["MessageId"]
    digest = hashlib.sha256(b"body").hexdigest()
    assert api.post(fifo, "another body", MessageGroupId="g", MessageDeduplicationId=digest)["MessageId"] == first["MessageId"]
    assert api.counts(fifo) == (2, 0, 0)


@rows("dedup.refused", "dedup.batch")
def test_refused_sends_and_batches(api, make):
    queue = make.fifo(MaximumMessageSize=1024)
    assert api.refuses("SendMessage", QueueUrl=queue, MessageBody="x" * 1025, MessageGroupId="g", MessageDeduplicationId="d").status == 400
    api.post(queue, "good", MessageGroupId="g", MessageDeduplicationId="d")
    assert api.bodies(queue, VisibilityTimeout=0) == ["good"]
    entries = [{"Id": f"e{n}", "MessageBody": body, "MessageGroupId": "h"} for n, body in enumerate(("one", "two", "one"))]
    answer = api.call("SendMessageBatch", QueueUrl=queue, Entries=entries)["Successful"]
    assert [entry["Id"] for entry in answer] == ["e0", "e1", "e2"]
    assert answer[0]["MessageId"] == answer[2]["MessageId"] and answer[0]["SequenceNumber"] == answer[2]["SequenceNumber"]
    assert api.counts(queue) == (3, 0, 0)


@rows("attempt.same", "attempt.changed")
def test_receive_attempts(api, fifo, send):
    send("g1-m1", "g1-m2", "g2-m1")
    options = {"ReceiveRequestAttemptId": "try", "AttributeNames": ["ApproximateReceiveCount"]}
    first = api.take(fifo, 2, **options)
    assert [message["Body"] for message in first] == ["g1-m1", "g1-m2"]
    assert api.take(fifo, 2, **options) == first
    assert api.counts(fifo) == (1, 2, 0)
    api.hide(fifo, first[0]["ReceiptHandle"], 500)
    assert api.take(fifo, 2, **options) == []
    assert api.bodies(fifo, 2, ReceiveRequestAttemptId="another") == ["g2-m1"]


@rows("attempt.same", "attempt.changed")
def test_a_receive_attempt_hides_anew(api, fifo, send):
    send("g-m1")
    first = api.take(fifo, ReceiveRequestAttemptId="try", VisibilityTimeout=1)
    assert api.take(fifo, ReceiveRequestAttemptId="try", VisibilityTimeout=600) == first
    time.sleep(1.3)
    assert api.counts(fifo) == (0, 1, 0)
    api.delete(fifo, first[0]["ReceiptHandle"])
    assert api.take(fifo, ReceiveRequestAttemptId="try") == []
    assert api.counts(fifo) == (0, 0, 0)


@rows("delay.fifo")
def test_the_queue_s_delay_is_retroactive(api, make):
    queue = make.fifo(DelaySeconds=900)
    api.post(queue, "m1", MessageGroupId="g")
    assert api.counts(queue) == (0, 0, 1) and api.take(queue) == []
    api.set(queue, DelaySeconds=0)
    assert api.counts(queue) == (1, 0, 0)
    assert api.bodies(queue) == ["m1"]
    api.post(queue, "m2", MessageGroupId="h")
    api.set(queue, DelaySeconds=900)
    assert api.counts(queue) == (1, 1, 0)  # what was visible stays visible
    api.post(queue, "m3", MessageGroupId="i")
    assert api.counts(queue) == (1, 1, 1)


@rows("fair.no-lock")
def test_groups_on_a_standard_queue_lock_nothing(api, queue):
    sent = [api.post(queue, "same", MessageGroupId="tenant") for _ in range(3)]
    assert len({answer["MessageId"] for answer in sent}) == 3
    assert len(api.take(queue, 1)) == 1 and len(api.take(queue, 10)) == 2


@rows("fair.order")
def test_a_noisy_tenant_stands_back(api, queue):
    for start in range(0, 60, 10):
        api.call("SendMessageBatch", QueueUrl=queue, Entries=[
            {"Id": f"e{n}", "MessageBody": f"noisy-{n}", "MessageGroupId": "noisy"} for n in range(start, start + 10)])
    for _ in range(4):
        assert len(api.take(queue)) == 10
    for n in range(3):
        api.post(queue, f"quiet-{n}", MessageGroupId=f"quiet{n}")
    bodies = api.bodies(queue, 5)
    assert bodies[:3] == ["quiet-0", "quiet-1", "quiet-2"] and all(body.startswith("noisy") for body in bodies[3:]), bodies
    assert len(bodies) == 5
