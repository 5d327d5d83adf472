"""SIGKILL in the middle of everything that eight senders, eight receivers and a keeper of queues do, again and again; then
every rule of history_check.py. A long run is cut into rounds on one folder, each drained and checked."""

import random
import time

from campaign import OPTIONS, Campaign, check, new_seed, times, told
from ferry_server import FerryServer
from sqs_wire import Sqs
from torture_report import record

CYCLES = times(150, 2500, "FERRY_KILL_CYCLES")
ROUND = 250


def kill_again_and_again(campaign, chance, cycles):
    campaign.up()
    for cycle in range(cycles):
        time.sleep(chance.uniform(0.3, 1.5))
        campaign.kill()
        if cycle % 5 == 4:
            campaign.kill_while_it_recovers(chance.uniform(0.0, 0.1))
        campaign.up()
        if cycle % 25 == 24:
            print(f"{cycle + 1} of {cycles} cycles", flush=True)


def test_nothing_acknowledged_is_lost_and_nothing_deleted_returns(tmp_path):
    seed = new_seed()
    print(f"{CYCLES} cycles (FERRY_KILL_CYCLES)")
    chance = random.Random(seed)
    server = FerryServer(tmp_path, *OPTIONS)
    left, kills, seconds = CYCLES, 0, time.monotonic()
    try:
        while left > 0:
            cycles = min(ROUND, left)
            campaign = Campaign(server, chance.getrandbits(32))
            kill_again_and_again(campaign, chance, cycles)
            found, facts = campaign.finish()
            left -= cycles
            kills += cycles + cycles // 5
            print(f"{kills} kills: {told(facts)}", flush=True)
            record("process killed", "SIGKILL under load, then every invariant", cycles + cycles // 5, bool(found), seed, facts=facts)
            check(seed, found, facts)
            # A run that did not hit anything proves nothing.
            for what, least in (("acknowledged", 40 * cycles), ("deleted", 20 * cycles), ("unknown", cycles), ("dead letters", cycles), ("moved back", cycles // 2),
                                ("purges", cycles // 4), ("queues deleted", cycles // 4), ("sent again", cycles // 2), ("visibility changes", cycles)):
                assert facts[what] >= least, f"too few: {what}, {told(facts)}"
        print(f"{time.monotonic() - seconds:.0f} s")
    finally:
        server.close()


def test_leases_delays_and_counts_survive_a_kill(tmp_path):
    """One message of each kind, exactly: what was in flight stays hidden for what is left of its lease, and no longer."""
    server = FerryServer(tmp_path)
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("q", VisibilityTimeout=600)
        for body in ("long lease", "short lease", "visible", "deleted"):
            sqs.call("SendMessage", QueueUrl="q", MessageBody=body)
        sqs.call("SendMessage", QueueUrl="q", MessageBody="delayed", DelaySeconds=6)
        sent = time.time()
        held = {message["Body"]: message for message in
                sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]}
        sqs.call("ChangeMessageVisibility", QueueUrl="q", ReceiptHandle=held["short lease"]["ReceiptHandle"], VisibilityTimeout=5)
        leased = time.time()
        sqs.call("ChangeMessageVisibility", QueueUrl="q", ReceiptHandle=held["visible"]["ReceiptHandle"], VisibilityTimeout=0)
        sqs.call("DeleteMessage", QueueUrl="q", ReceiptHandle=held["deleted"]["ReceiptHandle"])
        server.kill()
        time.sleep(1)
        server.start()
        sqs = Sqs(server.url)
        assert sqs.counts("q") == (1, 2, 1)
        attributes = sqs.call("GetQueueAttributes", QueueUrl="q", AttributeNames=["VisibilityTimeout"])["Attributes"]
        assert attributes == {"VisibilityTimeout": "600"}
        come = {}
        while time.time() < sent + 9:
            for message in sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10, WaitTimeSeconds=1, AttributeNames=["All"]).get("Messages", []):
                come[message["Body"]] = (time.time(), message)
        assert set(come) == {"visible", "short lease", "delayed"}
        assert 4.8 < come["short lease"][0] - leased < 7
        assert 5.8 < come["delayed"][0] - sent < 8
        for body in ("visible", "short lease"):
            before, after = held[body]["Attributes"], come[body][1]["Attributes"]
            assert after["ApproximateReceiveCount"] == "2"
            for name in ("SentTimestamp", "ApproximateFirstReceiveTimestamp", "SenderId"):
                assert after[name] == before[name], name
            assert come[body][1]["MessageId"] == held[body]["MessageId"]
        # A handle from before the kill still works.
        sqs.call("DeleteMessage", QueueUrl="q", ReceiptHandle=held["long lease"]["ReceiptHandle"])
        assert sqs.counts("q") == (0, 3, 0)
    finally:
        server.close()
