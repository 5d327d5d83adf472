"""What an unmodified boto3 sees: every action, and at least one error of each. The protocol is the SDK's choice.

test_boto3.py runs these with the SDK of today, query_era/test_boto3.py with one from before the JSON protocol. A fixture
`sqs` is the client, `spoken` the protocol that each request has to be in, checked in front of the server.
"""

import hashlib
import json
import time
import uuid

import botocore.exceptions
import pytest

MIB = 1024 * 1024


def unique(prefix="q"):
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def queue(sqs):
    url = sqs.create_queue(QueueName=unique())["QueueUrl"]
    yield url
    try:
        sqs.delete_queue(QueueUrl=url)
    except sqs.exceptions.QueueDoesNotExist:
        pass


@pytest.fixture
def gone(sqs):
    """The URL of a queue that does not exist."""
    url = sqs.create_queue(QueueName=unique("gone"))["QueueUrl"]
    sqs.delete_queue(QueueUrl=url)
    return url


def code_of(call, **members):
    """The error code of a call that must fail."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"]


def receive_one(sqs, queue, **members):
    messages = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5, **members).get("Messages", [])
    assert len(messages) == 1
    return messages[0]


class TestQueues:
    def test_create_get_list_delete(self, sqs):
        name = unique("life")
        url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "45"})["QueueUrl"]
        assert url.endswith(f"/000000000000/{name}")
        assert sqs.get_queue_url(QueueName=name)["QueueUrl"] == url
        assert sqs.list_queues(QueueNamePrefix=name)["QueueUrls"] == [url]
        sqs.delete_queue(QueueUrl=url)
        assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix=name)

    def test_create_again_is_the_same_queue(self, sqs, queue):
        name = queue.rsplit("/", 1)[1]
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "77"})
        assert sqs.create_queue(QueueName=name)["QueueUrl"] == queue
        assert sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "77"})["QueueUrl"] == queue

    def test_create_with_other_attributes(self, sqs, queue):
        with pytest.raises(sqs.exceptions.QueueNameExists):
            sqs.create_queue(QueueName=queue.rsplit("/", 1)[1], Attributes={"VisibilityTimeout": "78"})

    @pytest.mark.parametrize("name", ["a b", "x" * 81, "ü", "a.b"])
    def test_create_with_an_impossible_name(self, sqs, name):
        assert code_of(sqs.create_queue, QueueName=name) == "InvalidParameterValue"

    def test_a_name_of_80_characters(self, sqs):
        url = sqs.create_queue(QueueName=unique("n").ljust(80, "x"))["QueueUrl"]
        sqs.delete_queue(QueueUrl=url)

    @pytest.mark.parametrize("attribute,value,code", [
        ("Colour", "blue", "InvalidAttributeName"), ("QueueArn", "x", "InvalidAttributeName"),
        ("VisibilityTimeout", "43201", "InvalidAttributeValue"), ("VisibilityTimeout", "-1", "InvalidAttributeValue"),
        ("VisibilityTimeout", "1.5", "InvalidAttributeValue"), ("DelaySeconds", "901", "InvalidAttributeValue"),
        ("MaximumMessageSize", "1023", "InvalidAttributeValue"), ("MaximumMessageSize", "1048577", "InvalidAttributeValue"),
        ("MessageRetentionPeriod", "59", "InvalidAttributeValue"), ("MessageRetentionPeriod", "1209601", "InvalidAttributeValue"),
        ("ReceiveMessageWaitTimeSeconds", "21", "InvalidAttributeValue"),
    ])
    def test_attributes_that_cannot_be(self, sqs, queue, attribute, value, code):
        assert code_of(sqs.create_queue, QueueName=unique(), Attributes={attribute: value}) == code
        assert code_of(sqs.set_queue_attributes, QueueUrl=queue, Attributes={attribute: value}) == code

    @pytest.mark.parametrize("attribute,value", [
        ("VisibilityTimeout", "43200"), ("DelaySeconds", "900"), ("MaximumMessageSize", "1024"), ("MaximumMessageSize", "1048576"),
        ("MessageRetentionPeriod", "60"), ("MessageRetentionPeriod", "1209600"), ("ReceiveMessageWaitTimeSeconds", "20"),
    ])
    def test_attributes_at_their_limits(self, sqs, queue, attribute, value):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={attribute: value})
        assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[attribute])["Attributes"] == {attribute: value}

    def test_all_attributes(self, sqs, queue):
        attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        expected = {"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesDelayed": "0", "ApproximateNumberOfMessagesNotVisible": "0",
                    "DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600",
                    "ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true", "VisibilityTimeout": "30"}
        assert {name: attributes.get(name) for name in expected} == expected
        assert attributes["QueueArn"].endswith(":000000000000:" + queue.rsplit("/", 1)[1])
        assert set(attributes) == set(expected) | {"QueueArn", "CreatedTimestamp", "LastModifiedTimestamp"}
        assert abs(int(attributes["CreatedTimestamp"]) - time.time()) < 60

    def test_attributes_not_asked_for(self, sqs, queue):
        assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue)

    def test_unknown_attribute_asked_for(self, sqs, queue):
        with pytest.raises(sqs.exceptions.InvalidAttributeName):
            sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Colour"])

    def test_list_in_pages(self, sqs):
        prefix = unique("page")
        urls = sorted(sqs.create_queue(QueueName=f"{prefix}-{n}")["QueueUrl"] for n in range(5))
        first = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=2)
        assert first["QueueUrls"] == urls[:2]
        rest = sqs.list_queues(QueueNamePrefix=prefix, MaxResults=10, NextToken=first["NextToken"])
        assert rest["QueueUrls"] == urls[2:]
        assert "NextToken" not in rest
        for url in urls:
            sqs.delete_queue(QueueUrl=url)

    def test_list_out_of_range(self, sqs):
        assert code_of(sqs.list_queues, MaxResults=1001) == "InvalidParameterValue"
        sqs.list_queues(MaxResults=1000)
        assert code_of(sqs.list_queues, MaxResults=2, NextToken="no token") == "InvalidParameterValue"

    def test_what_does_not_exist(self, sqs, gone):
        missing = sqs.exceptions.QueueDoesNotExist
        entries = [{"Id": "a", "ReceiptHandle": "h"}]
        for call in (lambda: sqs.get_queue_url(QueueName=gone.rsplit("/", 1)[1]),
                     lambda: sqs.delete_queue(QueueUrl=gone),
                     lambda: sqs.purge_queue(QueueUrl=gone),
                     lambda: sqs.get_queue_attributes(QueueUrl=gone, AttributeNames=["All"]),
                     lambda: sqs.set_queue_attributes(QueueUrl=gone, Attributes={"DelaySeconds": "1"}),
                     lambda: sqs.send_message(QueueUrl=gone, MessageBody="x"),
                     lambda: sqs.send_message_batch(QueueUrl=gone, Entries=[{"Id": "a", "MessageBody": "x"}]),
                     lambda: sqs.receive_message(QueueUrl=gone),
                     lambda: sqs.delete_message(QueueUrl=gone, ReceiptHandle="h"),
                     lambda: sqs.delete_message_batch(QueueUrl=gone, Entries=entries),
                     lambda: sqs.change_message_visibility(QueueUrl=gone, ReceiptHandle="h", VisibilityTimeout=1),
                     lambda: sqs.change_message_visibility_batch(QueueUrl=gone, Entries=[{**entries[0], "VisibilityTimeout": 1}])):
            with pytest.raises(missing) as caught:
                call()
            assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400

    def test_purge(self, sqs, queue):
        for n in range(3):
            sqs.send_message(QueueUrl=queue, MessageBody=f"m{n}")
        sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=900)
        held = receive_one(sqs, queue)
        sqs.purge_queue(QueueUrl=queue)
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible"]
        assert set(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"].values()) == {"0"}
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=held["ReceiptHandle"])
        sqs.send_message(QueueUrl=queue, MessageBody="after")
        assert receive_one(sqs, queue)["Body"] == "after"


class TestSend:
    @pytest.mark.parametrize("body", ["hello", "é€😀", " \t\n\r<>&\"'\\&quot;\r", "x" * MIB, "\x7f\x85", '{"a": [1, null]}', "+ %2B =&"])
    def test_bodies_come_back_as_they_were(self, sqs, queue, body):
        digest = hashlib.md5(body.encode()).hexdigest()
        sent = sqs.send_message(QueueUrl=queue, MessageBody=body)
        assert sent["MD5OfMessageBody"] == digest
        message = receive_one(sqs, queue)
        assert message["Body"] == body
        assert message["MD5OfBody"] == digest
        assert message["MessageId"] == sent["MessageId"]
        assert "Attributes" not in message and "MessageAttributes" not in message and "MD5OfMessageAttributes" not in message

    def test_a_body_too_long(self, sqs, queue):
        assert code_of(sqs.send_message, QueueUrl=queue, MessageBody="x" * (MIB + 1)) == "InvalidParameterValue"
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
        sqs.send_message(QueueUrl=queue, MessageBody="x" * 1024)
        assert code_of(sqs.send_message, QueueUrl=queue, MessageBody="x" * 1025) == "InvalidParameterValue"
        attribute = {"k": {"DataType": "String", "StringValue": "x"}}  # 8 bytes
        sqs.send_message(QueueUrl=queue, MessageBody="x" * 1016, MessageAttributes=attribute)
        assert code_of(sqs.send_message, QueueUrl=queue, MessageBody="x" * 1017, MessageAttributes=attribute) == "InvalidParameterValue"

    @pytest.mark.parametrize("body", ["\x00", "a\x0bb", "\ufffe", "\uffff", "\x1f"])
    def test_characters_that_cannot_be(self, sqs, queue, body):
        with pytest.raises(sqs.exceptions.InvalidMessageContents):
            sqs.send_message(QueueUrl=queue, MessageBody=body)

    def test_an_empty_body(self, sqs, queue):
        assert code_of(sqs.send_message, QueueUrl=queue, MessageBody="") == "MissingParameter"

    def test_attributes_of_all_types(self, sqs, queue):
        attributes = {
            "blob": {"DataType": "Binary", "BinaryValue": b"\x01\x02\x03"},
            "color": {"DataType": "String", "StringValue": "blue"},
            "count": {"DataType": "Number", "StringValue": "3"},
        }
        sent = sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
        assert sent["MD5OfMessageAttributes"] == "d838729972a4b70e2d2acd9d59ac847c"
        message = receive_one(sqs, queue, MessageAttributeNames=["All"])
        assert message["MessageAttributes"] == attributes
        assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]

    def test_attributes_with_labels_and_every_byte(self, sqs, queue):
        attributes = {
            "timestamp": {"DataType": "Number.java.lang.Long", "StringValue": "1493147359900"},
            "text.of-all_kinds": {"DataType": "String.json", "StringValue": "<&>\"'\r\né😀"},
            "bytes": {"DataType": "Binary.png", "BinaryValue": bytes(range(256))},
        }
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
        assert receive_one(sqs, queue, MessageAttributeNames=["All"])["MessageAttributes"] == attributes

    @pytest.mark.parametrize("names,expected", [
        ([], set()), (["All"], {"color", "colour", "count"}), ([".*"], {"color", "colour", "count"}), (["col.*"], {"color", "colour"}),
        (["count", "nothing"], {"count"}), (["nothing"], set()),
    ])
    def test_attribute_filters(self, sqs, queue, names, expected):
        value = {"DataType": "String", "StringValue": "v"}
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes={"color": value, "colour": value, "count": value})
        message = receive_one(sqs, queue, MessageAttributeNames=names)
        assert set(message.get("MessageAttributes", {})) == expected
        assert ("MD5OfMessageAttributes" in message) == bool(expected)

    @pytest.mark.parametrize("attributes", [
        {"k": {"DataType": "Text", "StringValue": "x"}}, {"k": {"DataType": "Number", "StringValue": "three"}},
        {"k": {"DataType": "String", "StringValue": ""}}, {"k": {"DataType": "String"}}, {"k": {"DataType": "String", "StringValue": "\x00"}},
        {"AWS.k": {"DataType": "String", "StringValue": "x"}}, {"amazon.k": {"DataType": "String", "StringValue": "x"}},
        {".k": {"DataType": "String", "StringValue": "x"}}, {"k.": {"DataType": "String", "StringValue": "x"}},
        {"k..k": {"DataType": "String", "StringValue": "x"}}, {"k(k": {"DataType": "String", "StringValue": "x"}},
        {"k" * 257: {"DataType": "String", "StringValue": "x"}},
        {f"k{n}": {"DataType": "String", "StringValue": "x"} for n in range(11)},
    ], ids=lambda attributes: next(iter(attributes))[:8])
    def test_attributes_that_cannot_be(self, sqs, queue, attributes):
        assert code_of(sqs.send_message, QueueUrl=queue, MessageBody="x", MessageAttributes=attributes) == "InvalidParameterValue"

    def test_ten_attributes_and_a_name_of_256(self, sqs, queue):
        value = {"DataType": "String", "StringValue": "x"}
        attributes = {"k" * 256: value, **{f"k{n}": value for n in range(9)}}
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
        assert receive_one(sqs, queue, MessageAttributeNames=["All"])["MessageAttributes"] == attributes

    def test_trace_header(self, sqs, queue):
        header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
        sent = sqs.send_message(QueueUrl=queue, MessageBody="x",
                                MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": header}})
        assert sent["MD5OfMessageSystemAttributes"] == "5ae4d5d7636402d80f4eb6d213245a88"
        assert receive_one(sqs, queue, AttributeNames=["AWSTraceHeader"])["Attributes"] == {"AWSTraceHeader": header}

    def test_delay(self, sqs, queue):
        sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=1)
        begun = time.monotonic()
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)
        names = ["ApproximateNumberOfMessagesDelayed"]
        assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"][names[0]] == "1"
        assert receive_one(sqs, queue)["Body"] == "later"
        assert 0.8 < time.monotonic() - begun < 5

    def test_delay_out_of_range(self, sqs, queue):
        assert code_of(sqs.send_message, QueueUrl=queue, MessageBody="x", DelaySeconds=901) == "InvalidParameterValue"
        assert code_of(sqs.send_message, QueueUrl=queue, MessageBody="x", DelaySeconds=-1) == "InvalidParameterValue"
        sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=900)

    def test_batch(self, sqs, queue):
        value = {"k": {"DataType": "String", "StringValue": "x"}}
        entries = [{"Id": f"e{n}", "MessageBody": f"b{n}", "MessageAttributes": value} for n in range(10)]
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        assert "Failed" not in answer
        assert [entry["Id"] for entry in answer["Successful"]] == [entry["Id"] for entry in entries]
        assert {entry["MD5OfMessageAttributes"] for entry in answer["Successful"]} == {"a45daa70926828a2f0a1db3418e6feb4"}
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        assert sorted(message["Body"] for message in messages) == [f"b{n}" for n in range(10)]

    def test_batch_in_which_some_fail(self, sqs, queue):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"MaximumMessageSize": "1024"})
        answer = sqs.send_message_batch(QueueUrl=queue, Entries=[
            {"Id": "good", "MessageBody": "x"}, {"Id": "long", "MessageBody": "x" * 1025}, {"Id": "bad", "MessageBody": "\x01"},
            {"Id": "late", "MessageBody": "x", "DelaySeconds": 901}])
        assert [entry["Id"] for entry in answer["Successful"]] == ["good"]
        assert {entry["Id"]: (entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]} == {
            "long": ("InvalidParameterValue", True), "bad": ("InvalidMessageContents", True), "late": ("InvalidParameterValue", True)}
        assert receive_one(sqs, queue, MaxNumberOfMessages=10)["Body"] == "x"

    def test_batches_that_cannot_be(self, sqs, queue):
        errors = sqs.exceptions
        one = {"Id": "a", "MessageBody": "x"}
        for entries, error in (([], errors.EmptyBatchRequest), ([{**one, "Id": f"e{n}"} for n in range(11)], errors.TooManyEntriesInBatchRequest),
                               ([one, one], errors.BatchEntryIdsNotDistinct), ([{**one, "Id": "a b"}], errors.InvalidBatchEntryId),
                               ([{**one, "Id": "x" * 81}], errors.InvalidBatchEntryId),
                               ([{**one, "MessageBody": "x" * MIB}, {"Id": "b", "MessageBody": "x"}], errors.BatchRequestTooLong)):
            with pytest.raises(error):
                sqs.send_message_batch(QueueUrl=queue, Entries=entries)
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)

    def test_a_batch_of_1_mib(self, sqs, queue):
        entries = [{"Id": "a", "MessageBody": "x" * (MIB // 2)}, {"Id": "b" * 80, "MessageBody": "y" * (MIB // 2)}]
        assert len(sqs.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == 2
        bodies = [message["Body"] for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]]
        assert sorted(bodies) == [entry["MessageBody"] for entry in entries]


class TestReceive:
    def test_system_attributes(self, sqs, queue):
        before = time.time() * 1000
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        attributes = receive_one(sqs, queue, AttributeNames=["All"], VisibilityTimeout=0)["Attributes"]
        assert attributes["ApproximateReceiveCount"] == "1"
        assert before - 5000 < int(attributes["SentTimestamp"]) < time.time() * 1000 + 5000
        assert int(attributes["ApproximateFirstReceiveTimestamp"]) >= int(attributes["SentTimestamp"])
        assert attributes["SenderId"]
        again = receive_one(sqs, queue, AttributeNames=["ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"])["Attributes"]
        assert again == {"ApproximateReceiveCount": "2",
                         "ApproximateFirstReceiveTimestamp": attributes["ApproximateFirstReceiveTimestamp"]}

    def test_out_of_range(self, sqs, queue):
        for members in ({"MaxNumberOfMessages": 11}, {"MaxNumberOfMessages": 0}, {"WaitTimeSeconds": 21}, {"WaitTimeSeconds": -1},
                        {"VisibilityTimeout": 43201}, {"VisibilityTimeout": -1}):
            assert code_of(sqs.receive_message, QueueUrl=queue, **members) == "InvalidParameterValue", members

    def test_counts(self, sqs, queue):
        for _ in range(3):
            sqs.send_message(QueueUrl=queue, MessageBody="x")
        sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=900)
        receive_one(sqs, queue)
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"]
        values = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        assert [values[name] for name in names] == ["2", "1", "1"]

    def test_long_poll_answers_when_a_message_comes(self, sqs, queue, background):
        poll = background(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20))
        time.sleep(0.3)
        begun = time.monotonic()
        sqs.send_message(QueueUrl=queue, MessageBody="wake")
        assert poll()["Messages"][0]["Body"] == "wake"
        assert time.monotonic() - begun < 5

    def test_long_poll_ends_empty(self, sqs, queue):
        begun = time.monotonic()
        assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1)
        assert 0.9 < time.monotonic() - begun < 5

    def test_the_queue_s_own_wait_time(self, sqs, queue):
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"ReceiveMessageWaitTimeSeconds": "1"})
        begun = time.monotonic()
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)
        assert time.monotonic() - begun > 0.9
        begun = time.monotonic()
        assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0)
        assert time.monotonic() - begun < 0.9

    def test_visibility_timeout_passes(self, sqs, queue):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        first = receive_one(sqs, queue, VisibilityTimeout=1)
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)
        second = receive_one(sqs, queue)
        assert second["MessageId"] == first["MessageId"]
        assert second["ReceiptHandle"] != first["ReceiptHandle"]


class TestDeleteAndVisibility:
    def test_delete(self, sqs, queue):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        handle = receive_one(sqs, queue, VisibilityTimeout=0)["ReceiptHandle"]
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)  # a second time is no error

    def test_handles_that_are_none(self, sqs, queue):
        other = sqs.create_queue(QueueName=unique())["QueueUrl"]
        sqs.send_message(QueueUrl=other, MessageBody="x")
        foreign = receive_one(sqs, other)["ReceiptHandle"]
        turned = foreign[:-6] + ("A" if foreign[-6] != "A" else "B") + foreign[-5:]
        for queue_url, handle in ((queue, "garbage"), (queue, foreign), (other, turned), (queue, "x" * 2000)):
            with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid) as caught:
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=handle)
            assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
            with pytest.raises(sqs.exceptions.ReceiptHandleIsInvalid):
                sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=0)
        assert code_of(sqs.delete_message, QueueUrl=queue, ReceiptHandle="") == "MissingParameter"
        sqs.delete_queue(QueueUrl=other)

    def test_delete_batch(self, sqs, queue):
        for n in range(2):
            sqs.send_message(QueueUrl=queue, MessageBody=f"m{n}")
        messages = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        answer = sqs.delete_message_batch(QueueUrl=queue, Entries=[
            {"Id": "a", "ReceiptHandle": messages[0]["ReceiptHandle"]}, {"Id": "b", "ReceiptHandle": "garbage"},
            {"Id": "c", "ReceiptHandle": messages[1]["ReceiptHandle"]}])
        assert [entry["Id"] for entry in answer["Successful"]] == ["a", "c"]
        assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [("b", "ReceiptHandleIsInvalid", True)]
        with pytest.raises(sqs.exceptions.EmptyBatchRequest):
            sqs.delete_message_batch(QueueUrl=queue, Entries=[])
        with pytest.raises(sqs.exceptions.BatchEntryIdsNotDistinct):
            sqs.delete_message_batch(QueueUrl=queue, Entries=[{"Id": "a", "ReceiptHandle": "h"}] * 2)

    def test_change_visibility(self, sqs, queue):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        handle = receive_one(sqs, queue)["ReceiptHandle"]
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
        message = receive_one(sqs, queue, VisibilityTimeout=1)
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=600)
        assert "Messages" not in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=2)

    def test_change_visibility_wakes_a_long_poll(self, sqs, queue, background):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        handle = receive_one(sqs, queue)["ReceiptHandle"]
        poll = background(lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20))
        time.sleep(0.2)
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
        assert poll()["Messages"][0]["Body"] == "x"

    def test_change_visibility_that_cannot_be(self, sqs, queue):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        handle = receive_one(sqs, queue)["ReceiptHandle"]
        for value in (-1, 43201):
            assert code_of(sqs.change_message_visibility, QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=value) == "InvalidParameterValue"
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=handle)
        assert code_of(sqs.change_message_visibility, QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=1) == "InvalidParameterValue"

    def test_change_visibility_batch(self, sqs, queue):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        handle = receive_one(sqs, queue)["ReceiptHandle"]
        answer = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=[
            {"Id": "a", "ReceiptHandle": handle, "VisibilityTimeout": 0}, {"Id": "b", "ReceiptHandle": "garbage", "VisibilityTimeout": 0},
            {"Id": "c", "ReceiptHandle": handle, "VisibilityTimeout": 43201}])
        assert [entry["Id"] for entry in answer["Successful"]] == ["a"]
        assert {entry["Id"]: entry["Code"] for entry in answer["Failed"]} == {"b": "ReceiptHandleIsInvalid", "c": "InvalidParameterValue"}
        assert receive_one(sqs, queue)["Body"] == "x"
        with pytest.raises(sqs.exceptions.EmptyBatchRequest):
            sqs.change_message_visibility_batch(QueueUrl=queue, Entries=[])


@pytest.fixture
def make(sqs):
    """make(ATTRIBUTE=…) -> the URL of a new queue; a FIFO queue when FifoQueue is among them."""
    made = []

    def new(**attributes):
        suffix = ".fifo" if "FifoQueue" in attributes else ""
        made.append(sqs.create_queue(QueueName=unique() + suffix, Attributes=attributes)["QueueUrl"])
        return made[-1]
    yield new
    for url in made:
        sqs.delete_queue(QueueUrl=url)


def arn_of(sqs, queue):
    return sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def redrive_to(sqs, queue, count):
    return json.dumps({"deadLetterTargetArn": arn_of(sqs, queue), "maxReceiveCount": count})


class TestFifo:
    @pytest.fixture
    def fifo(self, make):
        return make(FifoQueue="true", ContentBasedDeduplication="true")

    def test_order_in_a_group(self, sqs, fifo):
        for n in range(4):
            sqs.send_message(QueueUrl=fifo, MessageBody=f"m{n}", MessageGroupId=f"g{n % 2}")
        first = receive_one(sqs, fifo, AttributeNames=["All"])
        assert first["Body"] == "m0" and first["Attributes"]["MessageGroupId"] == "g0"
        others = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"]
        assert [message["Body"] for message in others] == ["m1", "m3"]
        sqs.delete_message(QueueUrl=fifo, ReceiptHandle=first["ReceiptHandle"])
        assert receive_one(sqs, fifo)["Body"] == "m2"

    def test_duplicates(self, sqs, fifo):
        first = sqs.send_message(QueueUrl=fifo, MessageBody="same", MessageGroupId="g")
        again = sqs.send_message(QueueUrl=fifo, MessageBody="same", MessageGroupId="g")
        assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
        other = sqs.send_message(QueueUrl=fifo, MessageBody="same", MessageGroupId="g", MessageDeduplicationId="another")
        assert other["SequenceNumber"] > first["SequenceNumber"]
        assert len(sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)["Messages"]) == 2

    def test_a_batch_fails_as_a_whole(self, sqs, fifo):
        entries = [{"Id": "a", "MessageBody": "x", "MessageGroupId": "g"}, {"Id": "b", "MessageBody": "x"}]
        assert code_of(sqs.send_message_batch, QueueUrl=fifo, Entries=entries) == "InvalidParameterValue"
        assert "Messages" not in sqs.receive_message(QueueUrl=fifo)
        assert code_of(sqs.send_message, QueueUrl=fifo, MessageBody="x") == "MissingParameter"

    def test_an_expired_handle(self, sqs, fifo):
        sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="g")
        expired = receive_one(sqs, fifo, VisibilityTimeout=0)["ReceiptHandle"]
        assert code_of(sqs.delete_message, QueueUrl=fifo, ReceiptHandle=expired) == "InvalidParameterValue"

    def test_a_receive_attempt_again(self, sqs, fifo):
        sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="g")
        first = receive_one(sqs, fifo, ReceiveRequestAttemptId="try")
        assert receive_one(sqs, fifo, ReceiveRequestAttemptId="try") == first

    def test_attributes(self, sqs, make, queue):
        fast = make(FifoQueue="true", DeduplicationScope="messageGroup", FifoThroughputLimit="perMessageGroupId")
        found = sqs.get_queue_attributes(QueueUrl=fast, AttributeNames=["All"])["Attributes"]
        assert (found["FifoQueue"], found["DeduplicationScope"], found["FifoThroughputLimit"]) == ("true", "messageGroup", "perMessageGroupId")
        assert code_of(sqs.send_message, QueueUrl=queue, MessageBody="x", MessageDeduplicationId="d") == "InvalidParameterValue"
        assert code_of(sqs.create_queue, QueueName=unique(), Attributes={"FifoQueue": "true"}) == "InvalidParameterValue"


class TestDeadLetters:
    def test_moved_listed_and_moved_back(self, sqs, make):
        target = make()
        source = make(RedrivePolicy=redrive_to(sqs, target, 1))
        assert sqs.list_dead_letter_source_queues(QueueUrl=target)["queueUrls"] == [source]
        sent = sqs.send_message(QueueUrl=source, MessageBody="worn")
        receive_one(sqs, source, VisibilityTimeout=0)
        assert "Messages" not in sqs.receive_message(QueueUrl=source)
        dead = receive_one(sqs, target, AttributeNames=["All"], VisibilityTimeout=0)
        assert dead["MessageId"] == sent["MessageId"] and dead["Attributes"]["ApproximateReceiveCount"] == "2"
        assert dead["Attributes"]["DeadLetterQueueSourceArn"] == arn_of(sqs, source)
        handle = sqs.start_message_move_task(SourceArn=arn_of(sqs, target))["TaskHandle"]
        assert receive_one(sqs, source)["Body"] == "worn"
        for _ in range(100):
            task = sqs.list_message_move_tasks(SourceArn=arn_of(sqs, target))["Results"][0]
            if task["Status"] != "RUNNING":
                break
            time.sleep(0.05)
        assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
        assert code_of(sqs.cancel_message_move_task, TaskHandle=handle) == "ResourceNotFoundException"

    def test_a_task_is_cancelled(self, sqs, make):
        target = make()
        source = make(RedrivePolicy=redrive_to(sqs, target, 1))
        sqs.send_message_batch(QueueUrl=source, Entries=[{"Id": f"e{n}", "MessageBody": "x"} for n in range(10)])
        sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10, VisibilityTimeout=0)
        assert "Messages" not in sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10)
        handle = sqs.start_message_move_task(SourceArn=arn_of(sqs, target), MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
        assert code_of(sqs.start_message_move_task, SourceArn=arn_of(sqs, target)) == "InvalidParameterValue"
        assert sqs.list_message_move_tasks(SourceArn=arn_of(sqs, target))["Results"][0]["TaskHandle"] == handle
        assert sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"] < 10

    def test_what_cannot_be(self, sqs, queue, make):
        fifo = make(FifoQueue="true")
        for value in ("x", "{}", redrive_to(sqs, queue, 0), redrive_to(sqs, queue, 1001), redrive_to(sqs, fifo, 3),
                      redrive_to(sqs, queue, 3).replace('3}', '3, "colour": 1}')):
            assert code_of(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"RedrivePolicy": value}) == "InvalidParameterValue", value
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedriveAllowPolicy": '{"redrivePermission":"denyAll"}'})
        assert code_of(make, RedrivePolicy=redrive_to(sqs, queue, 3)) == "InvalidParameterValue"
        with pytest.raises(sqs.exceptions.ResourceNotFoundException):
            sqs.start_message_move_task(SourceArn=arn_of(sqs, queue) + "x")
        assert code_of(sqs.start_message_move_task, SourceArn=arn_of(sqs, queue)) == "InvalidParameterValue"
        assert code_of(sqs.cancel_message_move_task, TaskHandle="x") == "InvalidParameterValue"


class TestTagsAndPermissions:
    def test_tags(self, sqs):
        queue = sqs.create_queue(QueueName=unique(), tags={"team": "blue"})["QueueUrl"]
        sqs.tag_queue(QueueUrl=queue, Tags={"Team": "red", "empty": ""})
        assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"team": "blue", "Team": "red", "empty": ""}
        sqs.untag_queue(QueueUrl=queue, TagKeys=["team", "Team", "nothing", "empty"])
        assert "Tags" not in sqs.list_queue_tags(QueueUrl=queue)
        assert code_of(sqs.tag_queue, QueueUrl=queue, Tags={f"k{n}": "v" for n in range(51)}) == "InvalidParameterValue"
        sqs.delete_queue(QueueUrl=queue)

    def test_permissions(self, sqs, queue):
        sqs.add_permission(QueueUrl=queue, Label="l", AWSAccountIds=["111122223333"], Actions=["SendMessage", "ReceiveMessage"])
        policy = json.loads(sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])["Attributes"]["Policy"])
        assert policy["Statement"][0]["Action"] == ["SQS:SendMessage", "SQS:ReceiveMessage"]
        assert code_of(sqs.add_permission, QueueUrl=queue, Label="l", AWSAccountIds=["1"], Actions=["SendMessage"]) == "InvalidParameterValue"
        sqs.remove_permission(QueueUrl=queue, Label="l")
        assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
        assert code_of(sqs.remove_permission, QueueUrl=queue, Label="l") == "InvalidParameterValue"

    def test_policies_and_encryption_attributes(self, sqs, queue):
        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"SQS:SendMessage","Resource":"*"}]}'
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy, "KmsMasterKeyId": "alias/k"})
        names = ["Policy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"]
        assert sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"] == {
            "Policy": policy, "KmsMasterKeyId": "alias/k", "KmsDataKeyReusePeriodSeconds": "300", "SqsManagedSseEnabled": "false"}
        assert code_of(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"Policy": "x"}) == "InvalidAttributeValue"

    def test_a_tenant_on_a_standard_queue(self, sqs, queue):
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageGroupId="tenant")
        assert receive_one(sqs, queue, AttributeNames=["MessageGroupId"])["Attributes"] == {"MessageGroupId": "tenant"}


class TestSignatures:
    def test_presigned_get(self, sqs, queue, fetch):
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        url = sqs.generate_presigned_url("get_queue_attributes", Params={"QueueUrl": queue, "AttributeNames": ["ApproximateNumberOfMessages"]},
                                         HttpMethod="GET")
        status, body = fetch(url)
        if "Action=GetQueueAttributes" in url:  # the JSON protocol puts nothing into a presigned URL but its signature
            assert status == 200, body
            assert "<Name>ApproximateNumberOfMessages</Name>" in body and "<Value>1</Value>" in body
            status, body = fetch(url.replace("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"))
            assert (status, "SignatureDoesNotMatch" in body) == (403, True)

    def test_wrong_secret(self, client, queue):
        assert code_of(client("admin", secret="wrong").list_queues) in ("SignatureDoesNotMatch", "InvalidSignatureException")

    def test_unknown_key(self, client):
        assert code_of(client("admin", access_key="AKIAUNKNOWN000000001").list_queues) == "InvalidClientTokenId"

    def test_no_signature(self, client):
        assert code_of(client(None).list_queues) in ("AccessDenied", "AccessDeniedException", "MissingAuthenticationToken")

    def test_grants(self, sqs, queue, client):
        sender, receiver = client("sender"), client("receiver")
        denied = ("AccessDenied", "AccessDeniedException")
        sender.send_message(QueueUrl=queue, MessageBody="x")
        sender.send_message_batch(QueueUrl=queue, Entries=[{"Id": "a", "MessageBody": "y"}])
        assert code_of(sender.receive_message, QueueUrl=queue) in denied
        assert code_of(sender.purge_queue, QueueUrl=queue) in denied
        assert code_of(sender.create_queue, QueueName=unique()) in denied
        assert code_of(sender.list_queues) in denied
        assert code_of(receiver.send_message, QueueUrl=queue, MessageBody="x") in denied
        assert code_of(receiver.send_message_batch, QueueUrl=queue, Entries=[{"Id": "a", "MessageBody": "y"}]) in denied
        assert code_of(receiver.delete_queue, QueueUrl=queue) in denied
        assert code_of(receiver.set_queue_attributes, QueueUrl=queue, Attributes={"DelaySeconds": "1"}) in denied
        messages = receiver.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        assert len(messages) == 2
        entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
        assert len(receiver.delete_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == 2
        assert receiver.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]["ApproximateNumberOfMessages"] == "0"

    def test_accounts_are_apart(self, sqs, queue, client):
        name = queue.rsplit("/", 1)[1]
        other = client("other")
        assert code_of(other.get_queue_url, QueueName=name) == "AWS.SimpleQueueService.NonExistentQueue"
        url = other.create_queue(QueueName=name)["QueueUrl"]
        assert url.endswith(f"/111122223333/{name}")
        other.send_message(QueueUrl=url, MessageBody="theirs")
        assert "Messages" not in sqs.receive_message(QueueUrl=queue)
        assert code_of(other.receive_message, QueueUrl=queue) in ("AWS.SimpleQueueService.NonExistentQueue", "AccessDenied")
        other.delete_queue(QueueUrl=url)

    def test_regions_are_apart(self, sqs, queue, client):
        elsewhere = client("admin", region="eu-central-1")
        assert code_of(elsewhere.get_queue_url, QueueName=queue.rsplit("/", 1)[1]) == "AWS.SimpleQueueService.NonExistentQueue"
