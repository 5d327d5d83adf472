"""DeleteMessage and ChangeMessageVisibility."""

import time

import pytest
from row_catalogue import rows

GONE = "Message does not exist or is not available for visibility timeout change."


def outcome(refused):
    return refused.status, refused.code, refused.message


def about_handle(handle, reason):
    return 400, "InvalidParameterValue", f"Value {handle} for parameter ReceiptHandle is invalid. Reason: {reason}"


@pytest.fixture
def bad_handles(api, make):
    """(queue, handle) that DeleteMessage and ChangeMessageVisibility must not know."""
    queue, other = make(), make()
    api.post(other)
    foreign = api.take_one(other)["ReceiptHandle"]
    turned = foreign[:-6] + ("A" if foreign[-6] != "A" else "B") + foreign[-5:]
    return [(queue, "garbage"), (queue, foreign), (other, turned), (other, foreign[:-4]), (queue, "AQEB" + "x" * 300), (queue, "é")]


@rows("delete.handle-missing")
@pytest.mark.parametrize("members", [{}, {"ReceiptHandle": ""}])
def test_delete_without_a_handle(api, queue, members):
    assert outcome(api.refuses("DeleteMessage", QueueUrl=queue, **members)) == (
        400, "MissingParameter", "The request must contain the parameter ReceiptHandle.")


@rows("delete.handle-invalid", "visibility.handle-invalid")
def test_handles_that_are_none(api, bad_handles):
    for queue, handle in bad_handles:
        expected = (404, "ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.')
        assert outcome(api.refuses("DeleteMessage", QueueUrl=queue, ReceiptHandle=handle)) == expected
        assert outcome(api.refuses("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)) == expected


@rows("delete.again")
def test_delete_twice(api, queue):
    api.post(queue)
    handle = api.take_one(queue)["ReceiptHandle"]
    api.delete(queue, handle)
    api.delete(queue, handle)
    assert api.counts(queue) == (0, 0, 0)


@rows("delete.expired", "visible.old-handles-delete")
def test_delete_with_an_older_handle(api, queue):
    api.post(queue)
    older = api.take_one(queue, VisibilityTimeout=0)["ReceiptHandle"]
    api.delete(queue, older)  # visible again
    api.post(queue)
    older = api.take_one(queue, VisibilityTimeout=0)["ReceiptHandle"]
    api.take_one(queue)
    api.delete(queue, older)  # received again
    assert api.counts(queue) == (0, 0, 0)


@rows("delete.fifo-expired")
def test_delete_with_an_expired_handle_on_fifo(api, fifo):
    api.post(fifo, MessageGroupId="g")
    expired = api.take_one(fifo, VisibilityTimeout=1)["ReceiptHandle"]
    kept = api.take_one(fifo, VisibilityTimeout=1)  # waits for the timeout
    assert outcome(api.refuses("DeleteMessage", QueueUrl=fifo, ReceiptHandle=expired)) == about_handle(expired, "The receipt handle has expired.")
    api.hide(fifo, kept["ReceiptHandle"], 20)
    time.sleep(1.2)
    assert api.counts(fifo) == (0, 1, 0)
    api.delete(fifo, kept["ReceiptHandle"])
    assert api.counts(fifo) == (0, 0, 0)
    api.delete(fifo, kept["ReceiptHandle"])


@rows("delete.fifo-zero")
def test_a_receive_that_hides_nothing_on_fifo(api, fifo):
    api.post(fifo, MessageGroupId="g")
    handle = api.take_one(fifo, VisibilityTimeout=0)["ReceiptHandle"]
    assert outcome(api.refuses("DeleteMessage", QueueUrl=fifo, ReceiptHandle=handle)) == about_handle(handle, "The receipt handle has expired.")
    assert api.counts(fifo) == (1, 0, 0)


@rows("visibility.missing")
def test_change_without_a_parameter(api, queue):
    api.post(queue)
    handle = api.take_one(queue)["ReceiptHandle"]
    for members, missing in (({"ReceiptHandle": handle}, "VisibilityTimeout"), ({"VisibilityTimeout": 1}, "ReceiptHandle"),
                             ({"VisibilityTimeout": 1, "ReceiptHandle": ""}, "ReceiptHandle")):
        assert outcome(api.refuses("ChangeMessageVisibility", QueueUrl=queue, **members)) == (
            400, "MissingParameter", f"The request must contain the parameter {missing}.")


@rows("visibility.range", "visibility.total")
def test_change_out_of_range(api, queue):
    api.post(queue)
    handle = api.take_one(queue)["ReceiptHandle"]
    for value in (-1, 43201):
        assert outcome(api.refuses("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=value)) == (
            400, "InvalidParameterValue", f"Value {value} for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.")
    time.sleep(1.1)
    assert outcome(api.refuses("ChangeMessageVisibility", QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=43200)) == (
        400, "InvalidParameterValue", "Value 43200 for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is "
        "beyond the limit [43200 seconds].")
    api.hide(queue, handle, 43190)
    assert api.counts(queue) == (0, 1, 0)


@rows("visibility.deleted")
def test_change_of_a_deleted_message(api, queue, fifo):
    for target, members in ((queue, {}), (fifo, {"MessageGroupId": "g"})):
        api.post(target, **members)
        handle = api.take_one(target)["ReceiptHandle"]
        api.delete(target, handle)
        assert outcome(api.refuses("ChangeMessageVisibility", QueueUrl=target, ReceiptHandle=handle, VisibilityTimeout=1)) == about_handle(handle, GONE)


@rows("visibility.expired", "visible.old-handles")
def test_change_with_an_older_handle(api, queue):
    api.post(queue)
    first = api.take_one(queue, VisibilityTimeout=0)["ReceiptHandle"]
    api.hide(queue, first, 600)
    assert api.counts(queue) == (0, 1, 0) and api.take(queue) == []
    api.hide(queue, first, 0)
    api.take_one(queue, VisibilityTimeout=600)
    api.hide(queue, first, 0)
    assert len(api.take(queue)) == 1


@rows("visibility.fifo-expired")
def test_change_with_an_expired_handle_on_fifo(api, fifo):
    api.post(fifo, MessageGroupId="g")
    expired = api.take_one(fifo, VisibilityTimeout=0)["ReceiptHandle"]
    expected = about_handle(expired, GONE)
    assert outcome(api.refuses("ChangeMessageVisibility", QueueUrl=fifo, ReceiptHandle=expired, VisibilityTimeout=600)) == expected
    assert api.counts(fifo) == (1, 0, 0)
    api.take_one(fifo, VisibilityTimeout=600)
    assert outcome(api.refuses("ChangeMessageVisibility", QueueUrl=fifo, ReceiptHandle=expired, VisibilityTimeout=0)) == expected
    assert api.counts(fifo) == (0, 1, 0)


@rows("visibility.zero", "poll.wakes")
@pytest.mark.parametrize("kind", ["standard", "fifo"])
def test_zero_wakes_a_poll(api, make, background, kind):
    queue = make() if kind == "standard" else make.fifo()
    api.post(queue, "again", **({} if kind == "standard" else {"MessageGroupId": "g"}))
    handle = api.take_one(queue, VisibilityTimeout=600)["ReceiptHandle"]
    poll = background(lambda: api.bodies(queue, WaitTimeSeconds=20))
    time.sleep(0.2)
    begun = time.monotonic()
    api.hide(queue, handle, 0)
    assert poll() == ["again"] and time.monotonic() - begun < 5


@rows("visibility.not-remembered")
def test_the_next_receive_uses_the_queue_s_timeout(api, make):
    queue = make(VisibilityTimeout=1)
    api.post(queue)
    handle = api.take_one(queue)["ReceiptHandle"]
    api.hide(queue, handle, 600)
    api.hide(queue, handle, 0)
    api.take_one(queue)
    begun = time.monotonic()
    api.take_one(queue, WaitTimeSeconds=20)
    assert time.monotonic() - begun < 5
