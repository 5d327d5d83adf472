"""What takes a minute to be seen: retention, and the end of the 60-second rules. One wait for all of it."""

import time

from ferry_server import FerryServer
from row_catalogue import rows
from two_protocols import Api


class Minute:
    """The queues of one protocol: set up before the minute, looked at after it."""

    def __init__(self, api):
        self.api, self.start = api, api.protocol
        self.short = api.create(f"{self.start}-short", MessageRetentionPeriod=60)
        self.fifo = api.create(f"{self.start}-short.fifo", MessageRetentionPeriod=60, FifoQueue="true")
        self.long = api.create(f"{self.start}-long")
        self.purged = api.create(f"{self.start}-purged")
        for body in ("in-flight", "visible"):
            api.post(self.short, body)
            api.post(self.fifo, body, MessageGroupId="g", MessageDeduplicationId=body)
            api.post(self.long, body)
        api.post(self.short, "delayed", DelaySeconds=900)
        self.handle = api.take_one(self.short, VisibilityTimeout=43200)["ReceiptHandle"]
        self.fifo_handle = api.take_one(self.fifo, VisibilityTimeout=43200)["ReceiptHandle"]
        assert (api.counts(self.short), api.counts(self.fifo)) == ((1, 1, 1), (1, 1, 0))
        api.call("PurgeQueue", QueueUrl=self.purged)
        api.create(f"{self.start}-deleted")
        api.call("DeleteQueue", QueueUrl=f"{self.start}-deleted")
        assert api.refuses("CreateQueue", QueueName=f"{self.start}-deleted").code == "AWS.SimpleQueueService.QueueDeletedRecently"
        assert api.refuses("PurgeQueue", QueueUrl=self.purged).code == "AWS.SimpleQueueService.PurgeQueueInProgress"

    def look(self):
        api = self.api
        for queue, handle in ((self.short, self.handle), (self.fifo, self.fifo_handle)):
            assert api.counts(queue) == (0, 0, 0) and api.take(queue) == []
            api.delete(queue, handle)
        api.post(self.fifo, "next", MessageGroupId="g", MessageDeduplicationId="next")
        assert api.bodies(self.fifo) == ["next"]
        again = api.post(self.fifo, "again", MessageGroupId="g", MessageDeduplicationId="visible")
        assert api.counts(self.fifo) == (0, 1, 0) and again["MessageId"]  # its id is remembered for longer than the message was
        assert api.counts(self.long) == (2, 0, 0)
        api.set(self.long, MessageRetentionPeriod=60)
        assert api.take(self.long) == [] and api.counts(self.long) == (0, 0, 0)
        api.call("PurgeQueue", QueueUrl=self.purged)
        api.create(f"{self.start}-deleted")


@rows("retention.gone", "retention.in-flight", "retention.lowered", "create.deleted-recently", "purge.in-progress")
def test_a_minute_later(tmp_path):
    with FerryServer(tmp_path) as server:
        minutes = [Minute(Api(protocol, server.url)) for protocol in ("json", "query")]
        time.sleep(61)
        for minute in minutes:
            minute.look()
