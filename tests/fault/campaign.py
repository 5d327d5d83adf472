"""A server under load that something is done to: started, killed, paused and at last drained and checked."""

import collections
import os
import random
import signal
import time

from history import OK, UNKNOWN, Quiet, Restart
from history_check import held_too_long, longest_wait, violations
from load import LONGEST, Load, drain
from sqs_wire import Sqs

BACK_SLACK = 4.0
OPTIONS = ("--no-purge-wait", "--no-deletion-wait")


def new_seed():
    """Of a whole test; FERRY_SEED repeats one, as far as threads and disks let it."""
    seed = int(os.environ.get("FERRY_SEED", "0")) or random.SystemRandom().getrandbits(32)
    print(f"FERRY_SEED={seed}", flush=True)
    return seed


def long_run():
    return os.environ.get("FERRY_TORTURE") == "long"


def times(otherwise, long, variable):
    """How often: from the variable, or by the length of the run."""
    return int(os.environ.get(variable, "0")) or (long if long_run() else otherwise)


class Campaign:
    """`server` has OPTIONS and has not been started. Times are of this process's monotonic clock."""

    def __init__(self, server, seed, **load):
        self.server = server
        self.load = Load(seed=seed, **load)
        self.restarts, self.serving, self.leaps = [], [], []
        self.since = None
        self.begun = False

    def up(self):
        """Starts the server; the first time also makes the queues and starts the clients."""
        data_bytes = sum(file.stat().st_blocks * 512 for file in self.server.data.iterdir()) if self.server.data.exists() else 0
        launched = time.monotonic()
        self.server.start()
        self.since = time.monotonic()
        self.restarts.append(Restart(launched, self.since, data_bytes))
        if not self.begun:
            self.begun = True
            self.load.create_queues(Sqs(self.server.url))
            self.load.start()
        self.load.serving(self.server.url)

    def _served(self):
        assert self.server.process.poll() is None, f"the server ended by itself:\n{self.server.words()}"
        assert not self.load.failures, f"a client failed: {self.load.failures[0]!r}"
        self.serving.append((self.since, time.monotonic()))

    def kill(self):
        self._served()
        self.server.kill()
        self.load.gone()

    def kill_while_it_recovers(self, after):
        self.server.launch()
        time.sleep(after)
        self.server.kill()

    def pause(self, seconds):
        self._served()
        self.server.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.server.process.send_signal(signal.SIGCONT)
        self.since = time.monotonic()

    def _count_quiet(self, sqs, names, history):
        """When two readings agree: dead letters may still be on their way."""
        earlier, deadline = None, time.monotonic() + 20
        while True:
            counts = [sqs.counts(name) for name in names]
            if earlier == sum(map(sum, counts)):
                break
            assert time.monotonic() < deadline, "messages move on without an end"
            earlier = sum(map(sum, counts))
            time.sleep(0.3)
        for name, told in zip(names, counts):
            history.add(Quiet(told, name))

    def finish(self, last_life=0.7):
        """Ends the load while the server serves, drains and checks everything, and starts once more. (violations, facts)."""
        time.sleep(last_life)
        history = self.load.finish()
        self._served()
        history.restarts, history.serving, history.leaps = self.restarts, self.serving, self.leaps
        sqs = Sqs(self.server.url)
        names = [url.rsplit("/", 1)[1] for url in sqs.call("ListQueues").get("QueueUrls", [])]
        history.listed = set(names)
        self._count_quiet(sqs, names, history)
        rounds = drain(self.server.url, names, LONGEST + 1, history)
        found = violations(history, rounds[0].invoked) + held_too_long(history, rounds, BACK_SLACK)
        assert self.server.stop() == 0, self.server.words()
        self.server.start()
        left = {name: counts for name in names if sum(counts := Sqs(self.server.url).counts(name))}
        if left:
            found.append(f"counts: after a drain and a clean restart there are {left}")
        assert self.server.stop() == 0, self.server.words()
        return found, facts_of(history, rounds, self.load.refused)


def facts_of(history, rounds, refused):
    ids = collections.defaultdict(set)
    for receive in history.receives:
        for delivery in receive.deliveries:
            ids[delivery.token].add(delivery.message_id)
    tokens = collections.Counter(send.token for send in history.sends if send.outcome == OK)
    took = sorted(restart.ready - restart.launched for restart in history.restarts)
    return {
        "requests": sum(history.requests.values()), "unknown": history.requests[UNKNOWN], "refused": refused,
        "acknowledged": len(tokens), "sent again": sum(count > 1 for count in tokens.values()),
        "delivered": sum(len(receive.deliveries) for receive in history.receives),
        "deleted": sum(delete.outcome == OK for delete in history.deletes),
        "visibility changes": sum(change.outcome == OK for change in history.changes),
        "dead letters": len({delivery.token for receive in history.receives if receive.queue.startswith("dead") for delivery in receive.deliveries}),
        "moved back": sum(len(each) > 1 for each in ids.values()),
        "purges": sum(purge.outcome == OK for purge in history.purges),
        "queues deleted": sum(change.outcome == OK and not change.exists for change in history.queue_changes),
        "drained": sum(len(receive.deliveries) for receive in rounds),
        "median start ms": round(took[len(took) // 2] * 1000), "longest start ms": round(took[-1] * 1000),
        "largest folder MiB": max(restart.data_bytes for restart in history.restarts) // 1024 // 1024,
        "longest wait for progress s": round(max(longest_wait(history, events) for events in (history.sends, history.receives, history.deletes)), 2),
    }


def told(facts):
    return ", ".join(f"{value} {name}" for name, value in facts.items())


def check(seed, found, facts):
    assert not found, f"FERRY_SEED={seed}; {told(facts)}; {len(found)} violations, the first:\n" + "\n".join(found[:12])
