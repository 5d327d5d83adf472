"""120,000 messages in flight: what one more receive is answered."""

import concurrent.futures

import pytest
from row_catalogue import rows
from sqs_wire import Sqs
from two_protocols import Api

LIMIT = 120_000
WORKERS = 4


def fill(url, queue, groups):
    """Puts the queue at its limit, with a few messages more waiting behind."""
    def work(number):
        sqs = Sqs(url)
        for batch in range(number, LIMIT // 10 + WORKERS, WORKERS):
            extra = [{"MessageGroupId": f"g{batch}", "MessageDeduplicationId": f"{batch}-{n}"} if groups else {} for n in range(10)]
            sqs.call("SendMessageBatch", QueueUrl=queue, Entries=[{"Id": f"e{n}", "MessageBody": "x", **extra[n]} for n in range(10)])
        for _ in range(number, LIMIT // 10, WORKERS):
            assert len(sqs.call("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=43200)["Messages"]) == 10
        sqs.close()

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))


@pytest.fixture(scope="module")
def standard(server_url):
    queue = Api("json", server_url).create("limit-standard")
    fill(server_url, queue, False)
    return queue


@pytest.fixture(scope="module")
def grouped(server_url):
    queue = Api("json", server_url).create("limit.fifo", FifoQueue="true")
    fill(server_url, queue, True)
    return queue


@rows("receive.in-flight-standard")
def test_a_standard_queue(api, standard):
    assert api.counts(standard) == (10 * WORKERS, LIMIT, 0)
    refused = api.refuses("ReceiveMessage", QueueUrl=standard)
    assert (refused.status, refused.code) == (403, "OverLimit")
    assert api.counts(standard) == (10 * WORKERS, LIMIT, 0)


@rows("receive.in-flight-fifo")
def test_a_fifo_queue(api, grouped):
    assert api.counts(grouped) == (10 * WORKERS, LIMIT, 0)
    assert api.call("ReceiveMessage", QueueUrl=grouped) == {}
