"""SIGKILL in the middle of concurrent sends, receives and deletes, again and again; then every rule of history.py."""

import os
import random
import time

from ferry_server import FerryServer
from history import OK, UNKNOWN, held_too_long, violations
from load import LEASES, Load, drain
from sqs_wire import Sqs

CYCLES = int(os.environ.get("FERRY_KILL_CYCLES", "60"))
SEED = int(os.environ.get("FERRY_SEED", "0")) or random.SystemRandom().getrandbits(32)
BACK_SLACK = 3.0


def test_nothing_acknowledged_is_lost_and_nothing_deleted_returns(tmp_path):
    print(f"seed {SEED}, {CYCLES} cycles (FERRY_SEED, FERRY_KILL_CYCLES)")
    chance = random.Random(SEED)
    server = FerryServer(tmp_path)
    load = Load("killed", seed=SEED)
    try:
        server.start()
        Sqs(server.url).create("killed")
        load.start()
        for cycle in range(CYCLES):
            load.serving(server.url)
            time.sleep(chance.uniform(0.1, 0.9))
            server.kill()
            load.gone()
            if cycle % 5 == 4:  # and once more while it recovers
                server.launch()
                time.sleep(chance.uniform(0.0, 0.1))
                server.kill()
            server.start()
        load.serving(server.url)
        time.sleep(0.5)
        history = load.finish()
        rounds = drain(server.url, "killed", max(LEASES) + 1)
        drained = {delivery.token for receive in rounds for delivery in receive.deliveries}
        for receive in rounds:
            history.add(receive)
        found = violations(history, rounds[0].invoked) + held_too_long(history, rounds, BACK_SLACK)
        summary = (f"{len(history.sends)} sends, {len(history.receives)} receives, {len(history.deletes)} deletes, "
                   f"{sum(send.outcome == UNKNOWN for send in history.sends)} sends and "
                   f"{sum(delete.outcome == UNKNOWN for delete in history.deletes)} deletes unknown, {len(drained)} left")
        print(summary)
        assert not found, f"seed {SEED}; {summary}; {len(found)} violations, the first:\n" + "\n".join(found[:10])

        # A run that did not hit anything proves nothing.
        assert sum(send.outcome == OK for send in history.sends) > 20 * CYCLES, summary
        assert sum(delete.outcome == OK for delete in history.deletes) > 10 * CYCLES, summary
        assert any(send.outcome == UNKNOWN for send in history.sends), summary

        assert Sqs(server.url).counts("killed") == (0, len(drained), 0)
        assert server.stop() == 0, server.words()
        server.start()
        assert Sqs(server.url).counts("killed") == (0, len(drained), 0)
    finally:
        load.stopping.set()
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
