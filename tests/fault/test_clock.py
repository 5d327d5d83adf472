"""The wall clock is set while the server runs and between its starts; the clock that counts the seconds stays as it is.

While the server runs, leases, delays and the deduplication window do not follow the wall clock. A start cannot know how long the
server was down but from the wall clock: one that was set back is noticed from the log; one that was set forward ends what would
have ended by then.
"""

import os
import pathlib
import random
import time

import pytest
from campaign import OPTIONS, Campaign, check, new_seed, times, told
from ferry_server import FerryServer
from sqs_wire import Sqs
from torture_report import record

JUMPS = times(8, 200, "FERRY_CLOCK_JUMPS")
ROUND = 40
OFFSETS = (-3600, -600, 0, 1800, 3600)
LIBRARIES = list(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class WallClock:
    """A prefix for a command whose wall clock is `offset` seconds off; set() while it runs."""

    def __init__(self, folder):
        if not LIBRARIES:
            pytest.skip("libfaketime is not installed (Debian package faketime)")
        self.file = folder / "wall-clock"
        self.set(0)
        self.prefix = ["env", f"LD_PRELOAD={LIBRARIES[0]}", f"FAKETIME_TIMESTAMP_FILE={self.file}", "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1",
                       "FAKETIME_DONT_RESET=1"]

    def set(self, offset):
        self.offset = offset
        beside = self.file.with_suffix(".new")
        beside.write_text(f"{offset:+d}\n")
        os.replace(beside, self.file)


def seen_offset(server):
    """How far the server's wall clock is from ours."""
    sqs = Sqs(server.url)
    sqs.create("clock", VisibilityTimeout=0)
    sqs.call("SendMessage", QueueUrl="clock", MessageBody="x")
    now = time.time()
    message = sqs.call("ReceiveMessage", QueueUrl="clock", AttributeNames=["SentTimestamp"])["Messages"][0]
    sqs.call("DeleteQueue", QueueUrl="clock")
    return int(message["Attributes"]["SentTimestamp"]) / 1000 - now


@pytest.mark.parametrize("between_starts", [False, True], ids=["while it runs", "between starts too"])
def test_the_wall_clock_is_set(tmp_path, between_starts):
    """Sets the clock again and again, under load, with kills. `engine` is the offset of the server's own time."""
    seed = new_seed()
    chance = random.Random(seed)
    clock = WallClock(tmp_path)
    server = FerryServer(tmp_path, *OPTIONS, prefix=clock.prefix)
    left, engine = JUMPS // 2, 0
    try:
        while left > 0:
            jumps = min(ROUND, left)
            campaign = Campaign(server, chance.getrandbits(32), sends_again=not between_starts)
            campaign.up()
            for number in range(jumps):
                time.sleep(chance.uniform(0.3, 1.0))
                clock.set(chance.choice([offset for offset in OFFSETS if offset != clock.offset]))
                time.sleep(chance.uniform(0.3, 1.0))
                if number == 0:
                    assert abs(seen_offset(server) - clock.offset) < 60, "the server does not see the clock that was set"
                if number % 2 == 1:
                    campaign.kill()
                    # The server's own time may have been led behind the clock meanwhile: an equal offset sets it forward, too.
                    clock.set(chance.choice([offset for offset in OFFSETS if between_starts or offset < engine]))
                    if clock.offset >= engine:
                        campaign.leaps.append(time.monotonic())
                        engine = clock.offset
                    campaign.up()
            found, facts = campaign.finish()
            left -= jumps
            print(told(facts))
            record("wall clock set", f"±1 h {'between starts and ' if between_starts else ''}under load, then every invariant", jumps, bool(found), seed,
                   facts=facts)
            check(seed, found, facts)
            assert facts["acknowledged"] > 20 * jumps and facts["deleted"] > 10 * jumps, told(facts)
    finally:
        server.close()


def test_leases_delays_and_duplicates_do_not_follow_the_wall_clock(tmp_path):
    """One of each, exactly: an hour forward while it runs, then back by two over a restart."""
    clock = WallClock(tmp_path)
    server = FerryServer(tmp_path, *OPTIONS, prefix=clock.prefix)
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("q", VisibilityTimeout=4)
        sqs.create("f.fifo", FifoQueue="true")
        sqs.call("SendMessage", QueueUrl="q", MessageBody="held")
        sqs.call("ReceiveMessage", QueueUrl="q")
        sqs.call("SendMessage", QueueUrl="q", MessageBody="delayed", DelaySeconds=4)
        begun = time.monotonic()
        once = sqs.call("SendMessage", QueueUrl="f.fifo", MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
        for offset, restart in ((3600, False), (-3600, True)):
            clock.set(offset)
            if restart:
                server.kill()
                server.start()
                sqs = Sqs(server.url)
            assert abs(seen_offset(server) - offset) < 60
            assert sqs.counts("q") == (0, 1, 1)
            again = sqs.call("SendMessage", QueueUrl="f.fifo", MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
            assert (again["MessageId"], again["SequenceNumber"]) == (once["MessageId"], once["SequenceNumber"])
        came = {}
        while len(came) < 2:
            for message in sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10, WaitTimeSeconds=2, VisibilityTimeout=60).get("Messages", []):
                came[message["Body"]] = time.monotonic() - begun
            assert time.monotonic() < begun + 20, came
        assert all(3.8 < seconds < 8 for seconds in came.values()), came
    finally:
        server.close()
