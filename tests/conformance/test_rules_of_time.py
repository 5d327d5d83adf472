"""The 60-second rules as they are without the switches that turn them off."""

import pytest
from ferry_server import FerryServer
from row_catalogue import rows
from sqs_wire import Refused, Sqs


@pytest.fixture
def sqs(tmp_path):
    with FerryServer(tmp_path) as server:
        yield Sqs(server.url)


@rows("create.deleted-recently")
def test_a_name_is_taken_for_60_seconds_after_deletion(sqs):
    url = sqs.create("again")
    sqs.call("DeleteQueue", QueueUrl=url)
    with pytest.raises(Refused) as caught:
        sqs.create("again")
    assert (caught.value.status, caught.value.code) == (400, "AWS.SimpleQueueService.QueueDeletedRecently")
    assert caught.value.message == "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    sqs.create("another")


@rows("purge.in-progress")
def test_a_second_purge_within_60_seconds(sqs):
    url = sqs.create("q")
    sqs.call("PurgeQueue", QueueUrl=url)
    sqs.call("SendMessage", QueueUrl=url, MessageBody="stays")
    with pytest.raises(Refused) as caught:
        sqs.call("PurgeQueue", QueueUrl=url)
    assert (caught.value.status, caught.value.code) == (403, "AWS.SimpleQueueService.PurgeQueueInProgress")
    assert caught.value.message == "Only one PurgeQueue operation on q is allowed every 60 seconds."
    assert sqs.counts(url) == (1, 0, 0)
