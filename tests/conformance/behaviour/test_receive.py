"""ReceiveMessage: its parameters, system attributes, long polls."""

import hashlib
import http.client
import json
import re
import time
import urllib.parse

import pytest
from row_catalogue import rows
from two_protocols import Refused

NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"


def outcome(refused):
    return refused.status, refused.code, refused.message


@rows("receive.max", "receive.wait", "receive.visibility")
@pytest.mark.parametrize("parameter,values,words", [
    ("MaxNumberOfMessages", (0, 11, -1), "Must be between 1 and 10, if provided."),
    ("WaitTimeSeconds", (-1, 21), "Must be >= 0 and <= 20, if provided."),
    ("VisibilityTimeout", (-1, 43201), "Must be >= 0 and <= 43200, if provided.")])
def test_out_of_range(api, queue, parameter, values, words):
    api.post(queue)
    for value in values:
        assert outcome(api.refuses("ReceiveMessage", QueueUrl=queue, **{parameter: value})) == (
            400, "InvalidParameterValue", f"Value {value} for parameter {parameter} is invalid. Reason: {words}")
    assert api.counts(queue) == (1, 0, 0)


@rows("receive.max", "receive.empty")
def test_how_many(api, queue):
    for n in range(12):
        api.post(queue, f"m{n}")
    assert len(api.call("ReceiveMessage", QueueUrl=queue)["Messages"]) == 1
    assert len(api.take(queue, 10)) == 10
    assert len(api.take(queue, 10)) == 1
    assert api.call("ReceiveMessage", QueueUrl=queue) == {}


@rows("receive.attempt-id-standard", "receive.attempt-id")
def test_attempt_ids_that_cannot_be(api, queue, fifo):
    assert outcome(api.refuses("ReceiveMessage", QueueUrl=queue, ReceiveRequestAttemptId="a")) == (
        400, "InvalidParameterValue",
        "Value a for parameter ReceiveRequestAttemptId is invalid. The request include parameter that is not valid for this queue type")
    for value in ("", "x" * 129, "a b", "é"):
        refused = api.refuses("ReceiveMessage", QueueUrl=fifo, ReceiveRequestAttemptId=value)
        assert (refused.status, refused.code) == (400, "InvalidParameterValue"), repr(value)
    assert api.call("ReceiveMessage", QueueUrl=fifo, ReceiveRequestAttemptId="x" * 128) == {}


@rows("message.attributes-asked", "receive.both-lists", "receive.unknown-attribute", "visible.receive")
def test_system_attributes(api, queue, protocol):
    before = time.time() * 1000
    api.post(queue)
    all_names = {"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"}
    assert "Attributes" not in api.take_one(queue, VisibilityTimeout=0)
    found = api.take_one(queue, AttributeNames=["All"], VisibilityTimeout=0)["Attributes"]
    assert set(found) == all_names and all(isinstance(value, str) for value in found.values())
    assert found["ApproximateReceiveCount"] == "2" and found["SenderId"]
    assert before - 5000 < int(found["SentTimestamp"]) <= int(found["ApproximateFirstReceiveTimestamp"]) < time.time() * 1000 + 5000
    both = api.take_one(queue, AttributeNames=["SenderId"], MessageSystemAttributeNames=["ApproximateReceiveCount"], VisibilityTimeout=0)
    assert set(both["Attributes"]) == {"SenderId", "ApproximateReceiveCount"}
    both = api.take_one(queue, AttributeNames=["SenderId"], MessageSystemAttributeNames=["All"], VisibilityTimeout=0)
    assert set(both["Attributes"]) == all_names
    assert both["Attributes"]["ApproximateFirstReceiveTimestamp"] == found["ApproximateFirstReceiveTimestamp"]
    inapplicable = ["SequenceNumber", "MessageGroupId", "MessageDeduplicationId", "AWSTraceHeader", "DeadLetterQueueSourceArn"]
    assert "Attributes" not in api.take_one(queue, AttributeNames=inapplicable, VisibilityTimeout=0)
    assert outcome(api.refuses("ReceiveMessage", QueueUrl=queue, AttributeNames=["Colour"])) == (
        400, "InvalidAttributeName", "Unknown Attribute Colour.")


@rows("message.attributes-asked", "message.content-id", "message.sequence")
def test_system_attributes_of_fifo(api, fifo):
    sent = [api.post(fifo, body, MessageGroupId="g") for body in ("same", "other")]
    first, second = api.take(fifo, AttributeNames=["All"])
    assert set(first["Attributes"]) == {"SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "MessageGroupId",
                                        "MessageDeduplicationId", "SequenceNumber"}
    assert first["Attributes"]["MessageDeduplicationId"] == "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5"
    assert second["Attributes"]["MessageDeduplicationId"] == hashlib.sha256(b"other").hexdigest()
    numbers = [message["Attributes"]["SequenceNumber"] for message in (first, second)]
    assert numbers == [answer["SequenceNumber"] for answer in sent]
    assert all(re.fullmatch(r"\d{20}", number) for number in numbers) and numbers[0] < numbers[1]


@rows("message.id", "message.handle", "visible.zero", "visible.receive")
def test_ids_and_handles(api, queue):
    sent = api.post(queue)
    received = [api.take_one(queue, VisibilityTimeout=0, AttributeNames=["ApproximateReceiveCount"]) for _ in range(3)]
    assert {message["MessageId"] for message in received} == {sent["MessageId"]}
    assert len({message["ReceiptHandle"] for message in received}) == 3
    assert all(len(message["ReceiptHandle"]) <= 1024 for message in received)
    assert [message["Attributes"]["ApproximateReceiveCount"] for message in received] == ["1", "2", "3"]
    api.take_one(queue)
    assert api.take(queue) == [] and api.counts(queue) == (0, 1, 0)


@rows("visible.order")
def test_what_is_visible_again_comes_first(api, queue):
    api.post(queue, "m1")
    handle = api.take_one(queue)["ReceiptHandle"]
    api.post(queue, "m2")
    api.hide(queue, handle, 0)
    assert api.bodies(queue, 1) == ["m1"]


@rows("poll.wakes", "poll.not-full")
def test_a_send_wakes_a_poll(api, queue, background):
    poll = background(lambda: api.bodies(queue, 10, WaitTimeSeconds=20))
    time.sleep(0.2)
    begun = time.monotonic()
    api.post(queue, "wake")
    assert poll() == ["wake"] and time.monotonic() - begun < 5


@rows("poll.wakes")
def test_a_delay_that_is_over_wakes_a_poll(api, queue):
    begun = time.monotonic()
    api.post(queue, "later", DelaySeconds=1)
    assert api.bodies(queue, WaitTimeSeconds=20) == ["later"]
    assert 0.9 < time.monotonic() - begun < 5


@rows("poll.wakes")
def test_a_visibility_timeout_that_is_over_wakes_a_poll(api, queue):
    api.post(queue)
    begun = time.monotonic()
    api.take_one(queue, VisibilityTimeout=1)
    assert len(api.take(queue, WaitTimeSeconds=20)) == 1
    assert 0.9 < time.monotonic() - begun < 5


@rows("poll.fifo-unblocked")
def test_a_delete_that_unblocks_a_group_wakes_a_poll(api, fifo, background):
    for body in ("m1", "m2"):
        api.post(fifo, body, MessageGroupId="g")
    first = api.take_one(fifo)
    poll = background(lambda: api.bodies(fifo, WaitTimeSeconds=20))
    time.sleep(0.2)
    begun = time.monotonic()
    api.delete(fifo, first["ReceiptHandle"])
    assert poll() == ["m2"] and time.monotonic() - begun < 5


@rows("poll.own-wait")
def test_the_wait_of_the_request_wins(api, make):
    queue = make(ReceiveMessageWaitTimeSeconds=1)
    begun = time.monotonic()
    assert api.take(queue) == []
    assert 0.9 < time.monotonic() - begun < 5
    begun = time.monotonic()
    assert api.take(queue, WaitTimeSeconds=0) == []
    assert time.monotonic() - begun < 0.9


@rows("poll.closed")
def test_a_closed_connection_takes_nothing(api, queue, protocol):
    parts = urllib.parse.urlsplit(api.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    if protocol == "json":
        connection.request("POST", "/", json.dumps({"QueueUrl": queue, "WaitTimeSeconds": 20}),
                           {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": "AmazonSQS.ReceiveMessage"})
    else:
        connection.request("GET", "/?" + urllib.parse.urlencode({"Action": "ReceiveMessage", "QueueUrl": queue, "WaitTimeSeconds": 20}))
    time.sleep(0.2)
    connection.close()
    time.sleep(0.2)
    api.post(queue, "not lost")
    message = api.take_one(queue, AttributeNames=["ApproximateReceiveCount"])
    assert (message["Body"], message["Attributes"]["ApproximateReceiveCount"]) == ("not lost", "1")


@rows("poll.queue-deleted")
def test_a_queue_deleted_during_a_poll(api, queue, background):
    def poll():
        try:
            return api.take(queue, WaitTimeSeconds=20)
        except Refused as refused:
            return refused.code

    answer = background(poll)
    time.sleep(0.2)
    begun = time.monotonic()
    api.call("DeleteQueue", QueueUrl=queue)
    assert answer() in ([], NO_QUEUE) and time.monotonic() - begun < 5


@rows("retention.kept")
def test_retention(api, make):
    queue = make(MessageRetentionPeriod=60)
    api.post(queue, "kept")
    api.set(queue, MessageRetentionPeriod=1209600)
    api.set(queue, MessageRetentionPeriod=60)
    assert api.bodies(queue) == ["kept"]
