"""SendMessageBatch, DeleteMessageBatch, ChangeMessageVisibilityBatch."""

import hashlib

import pytest
from row_catalogue import rows

MIB = 1024 * 1024
PREFIX = "AWS.SimpleQueueService."


def outcome(refused):
    return refused.status, refused.code, refused.message


def entries_for(action, ids):
    """Entries that are good but for their ids."""
    extra = {"SendMessageBatch": {"MessageBody": "x"}, "DeleteMessageBatch": {"ReceiptHandle": "h"},
             "ChangeMessageVisibilityBatch": {"ReceiptHandle": "h", "VisibilityTimeout": 1}}[action]
    return [{"Id": id, **extra} for id in ids]


BATCHES = ["SendMessageBatch", "DeleteMessageBatch", "ChangeMessageVisibilityBatch"]


@rows("batch.empty", "batch.empty-visibility")
@pytest.mark.parametrize("action", BATCHES)
def test_empty(api, queue, action):
    assert outcome(api.refuses(action, QueueUrl=queue, Entries=[])) == (
        400, PREFIX + "EmptyBatchRequest", f"There should be at least one {action}RequestEntry in the request.")


@rows("batch.entries-absent")
@pytest.mark.parametrize("action", BATCHES)
def test_entries_absent(api, queue, protocol, action):
    refused = api.refuses(action, QueueUrl=queue)
    if protocol == "json":
        assert outcome(refused) == (400, "MissingParameter", "The request must contain the parameter Entries.")
    else:  # a form cannot tell an absent list from an empty one
        assert refused.code == PREFIX + "EmptyBatchRequest"


@rows("batch.too-many")
@pytest.mark.parametrize("action", BATCHES)
def test_too_many(api, queue, action):
    entries = entries_for(action, [f"e{n}" for n in range(11)])
    assert outcome(api.refuses(action, QueueUrl=queue, Entries=entries)) == (
        400, PREFIX + "TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent 11.")
    api.call(action, QueueUrl=queue, Entries=entries[:10])
    assert api.counts(queue)[0] == (10 if action == "SendMessageBatch" else 0)


@rows("batch.id")
@pytest.mark.parametrize("action", BATCHES)
def test_ids(api, queue, action):
    for bad in ("", "a b", "x" * 81, "é", "a.b"):
        assert outcome(api.refuses(action, QueueUrl=queue, Entries=entries_for(action, ["good", bad]))) == (
            400, PREFIX + "InvalidBatchEntryId",
            "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."), repr(bad)
    assert api.counts(queue) == (0, 0, 0)
    api.call(action, QueueUrl=queue, Entries=entries_for(action, ["x" * 80, "AZaz09_-"]))


@rows("batch.id-absent")
@pytest.mark.parametrize("action", BATCHES)
def test_an_id_that_is_absent(api, queue, action):
    entries = entries_for(action, ["a", "b"])
    del entries[1]["Id"]
    assert outcome(api.refuses(action, QueueUrl=queue, Entries=entries)) == (
        400, "MissingParameter", f"The request must contain the parameter {action}RequestEntry.2.Id.")


@rows("batch.ids-distinct")
@pytest.mark.parametrize("action", BATCHES)
def test_ids_are_distinct(api, queue, action):
    refused = api.refuses(action, QueueUrl=queue, Entries=entries_for(action, ["a", "b", "c", "c", "a", "b"]))
    assert outcome(refused) == (400, PREFIX + "BatchEntryIdsNotDistinct", "Id c repeated.")
    assert api.counts(queue) == (0, 0, 0)


@rows("batch.size")
def test_size(api, queue):
    half = MIB // 2
    attribute = {"k": {"DataType": "String", "StringValue": "x"}}  # 8 bytes
    entries = [{"Id": "a", "MessageBody": "x" * half}, {"Id": "b", "MessageBody": "y" * (half - 8), "MessageAttributes": attribute}]
    assert len(api.call("SendMessageBatch", QueueUrl=queue, Entries=entries)["Successful"]) == 2
    entries[0]["MessageBody"] += "x"
    expected = (400, PREFIX + "BatchRequestTooLong", f"Batch requests cannot be longer than {MIB} bytes. You have sent {MIB + 1} bytes.")
    assert outcome(api.refuses("SendMessageBatch", QueueUrl=queue, Entries=entries)) == expected
    api.set(queue, MaximumMessageSize=1024)
    assert outcome(api.refuses("SendMessageBatch", QueueUrl=queue, Entries=entries)) == expected
    assert api.counts(queue) == (2, 0, 0)


@rows("batch.order-of-checks")
def test_the_order_of_the_checks(api, queue):
    def code(entries):
        return api.refuses("SendMessageBatch", QueueUrl=queue, Entries=entries).code.removeprefix(PREFIX)

    big = "x" * (MIB // 2 + 1)
    assert code([{"Id": "a b", "MessageBody": ""}] * 11) == "TooManyEntriesInBatchRequest"
    assert code([{"Id": "a", "MessageBody": big}, {"Id": "a", "MessageBody": big}, {"Id": "a b", "MessageBody": "x"}]) == "InvalidBatchEntryId"
    assert code([{"Id": "a", "MessageBody": big}, {"Id": "a", "MessageBody": big}]) == "BatchEntryIdsNotDistinct"
    assert code([{"Id": "a", "MessageBody": big}, {"Id": "b", "MessageBody": big}, {"Id": "c", "MessageBody": ""}]) == "BatchRequestTooLong"


@rows("batch.entry-too-long", "batch.entry-characters", "batch.entry-body-empty", "batch.entry-delay", "batch.entry-deduplication")
def test_bad_entries_leave_the_others(api, make):
    queue = make(MaximumMessageSize=1024)
    entries = [{"Id": "good", "MessageBody": "first"}, {"Id": "long", "MessageBody": "x" * 1025}, {"Id": "odd", "MessageBody": "\x01"},
               {"Id": "empty", "MessageBody": ""}, {"Id": "late", "MessageBody": "x", "DelaySeconds": 901},
               {"Id": "fifo", "MessageBody": "x", "MessageDeduplicationId": "d"}, {"Id": "last", "MessageBody": "last"}]
    answer = api.call("SendMessageBatch", QueueUrl=queue, Entries=entries)
    assert [(entry["Id"], entry["MD5OfMessageBody"]) for entry in answer["Successful"]] == [
        (id, hashlib.md5(body).hexdigest()) for id, body in (("good", b"first"), ("last", b"last"))]
    assert all(set(entry) == {"Id", "MessageId", "MD5OfMessageBody"} for entry in answer["Successful"])
    failed = {entry["Id"]: entry for entry in answer["Failed"]}
    assert list(failed) == ["long", "odd", "empty", "late", "fifo"]
    assert {entry["SenderFault"] for entry in failed.values()} == {True}
    assert {id: entry["Code"] for id, entry in failed.items()} == {
        "long": "InvalidParameterValue", "odd": "InvalidMessageContents", "empty": "MissingParameter", "late": "InvalidParameterValue",
        "fifo": "InvalidParameterValue"}
    assert failed["long"]["Message"] == "One or more parameters cannot be validated. Reason: Message must be shorter than 1024 bytes."
    assert failed["odd"]["Message"].startswith("Invalid characters found.")
    assert failed["empty"]["Message"] == "The request must contain the parameter SendMessageBatchRequestEntry.4.MessageBody."
    assert failed["fifo"]["Message"] == "The request include parameter that is not valid for this queue type"
    assert sorted(api.bodies(queue)) == ["first", "last"]


@rows("batch.fifo-whole", "batch.fifo-any")
@pytest.mark.parametrize("bad,words", [
    ({"MessageBody": "x"}, "The request must contain the parameter MessageGroupId."),
    ({"MessageBody": "x", "MessageGroupId": "g"},
     "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"),
    ({"MessageBody": "", "MessageGroupId": "g", "MessageDeduplicationId": "e"}, None),
    ({"MessageBody": "x" * 1025, "MessageGroupId": "g", "MessageDeduplicationId": "e"}, None),
    ({"MessageBody": "\x01", "MessageGroupId": "g", "MessageDeduplicationId": "e"}, None),
    ({"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "e", "DelaySeconds": 1}, None),
    ({"MessageBody": "x", "MessageGroupId": "g h", "MessageDeduplicationId": "e"}, None)], ids=range(7))
def test_a_bad_entry_refuses_a_fifo_batch(api, make, bad, words):
    fifo = make.fifo(ContentBasedDeduplication="false", MaximumMessageSize=1024)
    good = {"Id": "good", "MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    refused = api.refuses("SendMessageBatch", QueueUrl=fifo, Entries=[good, {"Id": "bad", **bad}])
    assert refused.status == 400
    if words:
        assert outcome(refused) == (400, "InvalidParameterValue", words)
    assert api.counts(fifo) == (0, 0, 0)
    assert api.call("SendMessageBatch", QueueUrl=fifo, Entries=[good])["Successful"][0]["Id"] == "good"
    assert api.counts(fifo) == (1, 0, 0)


@rows("batch.fifo-order", "batch.lists-absent")
def test_a_fifo_batch(api, fifo):
    entries = [{"Id": f"e{n}", "MessageBody": f"m{n}", "MessageGroupId": "g"} for n in (3, 1, 2)]
    answer = api.call("SendMessageBatch", QueueUrl=fifo, Entries=entries)
    assert set(answer) == {"Successful"}
    numbers = [entry["SequenceNumber"] for entry in answer["Successful"]]
    assert numbers == sorted(numbers) and len(set(numbers)) == 3
    assert api.bodies(fifo) == ["m3", "m1", "m2"]


@rows("batch.lists-absent")
def test_only_failures(api, queue):
    answer = api.call("SendMessageBatch", QueueUrl=queue, Entries=[{"Id": "a", "MessageBody": "\x01"}])
    assert set(answer) == {"Failed"}


@rows("delete-batch.entries", "delete-batch.handle-missing")
def test_delete(api, queue):
    for n in range(2):
        api.post(queue, f"m{n}")
    one, two = [message["ReceiptHandle"] for message in api.take(queue)]
    answer = api.call("DeleteMessageBatch", QueueUrl=queue, Entries=[
        {"Id": "a", "ReceiptHandle": one}, {"Id": "b", "ReceiptHandle": "garbage"}, {"Id": "c", "ReceiptHandle": two}, {"Id": "d"}])
    assert answer["Successful"] == [{"Id": "a"}, {"Id": "c"}]
    assert [(entry["Id"], entry["Code"], entry["SenderFault"]) for entry in answer["Failed"]] == [
        ("b", "ReceiptHandleIsInvalid", True), ("d", "MissingParameter", True)]
    assert answer["Failed"][0]["Message"] == 'The input receipt handle "garbage" is not a valid receipt handle.'
    assert api.counts(queue) == (0, 0, 0)


@rows("visibility-batch.entries", "visibility-batch.missing", "visibility-batch.range")
def test_change_visibility(api, queue):
    api.post(queue)
    handle = api.take_one(queue)["ReceiptHandle"]
    answer = api.call("ChangeMessageVisibilityBatch", QueueUrl=queue, Entries=[
        {"Id": "none", "ReceiptHandle": handle}, {"Id": "bad", "ReceiptHandle": "garbage", "VisibilityTimeout": 0},
        {"Id": "far", "ReceiptHandle": handle, "VisibilityTimeout": 43201}, {"Id": "good", "ReceiptHandle": handle, "VisibilityTimeout": 0}])
    assert answer["Successful"] == [{"Id": "good"}]
    failed = {entry["Id"]: (entry["Code"], entry["Message"]) for entry in answer["Failed"]}
    assert {entry["SenderFault"] for entry in answer["Failed"]} == {True}
    assert failed["none"] == (
        "MissingParameter", "The request must contain the parameter ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout.")
    assert failed["bad"][0] == "ReceiptHandleIsInvalid"
    assert failed["far"][0] == "InvalidParameterValue"
    assert failed["far"][1].endswith("Reason: VisibilityTimeout must be an integer between 0 and 43200."), failed
    assert api.counts(queue) == (1, 0, 0)
