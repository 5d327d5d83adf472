"""The real server on a disk whose calls fail: it stops at the first failed write or sync, with a sentence and exit code 1, never
touches that file again, and nothing that it had acknowledged is missing after the next start. What the system may do without
anything being wrong (short writes, interruptions, no O_DIRECT) changes nothing.

faulty_disk.cpp stands between the server and the system, and says what it did.
"""

import os
import pathlib
import random
import re
import subprocess
import threading
import time
import urllib.request

import pytest
from ferry_server import FerryServer, wait_until
from load import body_of
from sqs_wire import NotSent, Refused, Sqs, Unknown
from torture_report import record

HERE = pathlib.Path(__file__).resolve().parent
SEED = int(os.environ.get("FERRY_SEED", "0")) or random.SystemRandom().getrandbits(32)
NO_DIRECT = "open-direct::1+:EINVAL;"
SIZES = (60, 900, 4000, 60_000, 200_000)


@pytest.fixture(scope="session")
def faulty_disk(tmp_path_factory):
    library = tmp_path_factory.mktemp("faulty-disk") / "faulty_disk.so"
    subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library),
                    str(HERE / "faulty_disk.cpp"), "-ldl"], check=True)
    return library


class FaultyServer(FerryServer):
    """With a plan of faults for its next start; `told` is what faulty_disk.cpp said."""

    def __init__(self, folder, library):
        super().__init__(folder)
        self.library, self.report = library, self.folder / "faults.log"

    def begin(self, plan, trace=False):
        self.log.unlink(missing_ok=True)
        self.report.unlink(missing_ok=True)
        environment = {**os.environ, "LD_PRELOAD": str(self.library), "FERRY_FAULT_FOLDER": str(self.data.resolve()), "FERRY_FAULT_PLAN": plan,
                       "FERRY_FAULT_LOG": str(self.report), "FERRY_FAULT_TRACE": "1" if trace else ""}
        return self.launch(env=environment)

    def ready(self, seconds=30):
        """Whether it is; False when it has ended instead."""
        wait_until(lambda: self.process.poll() is not None or (self.ready_file.exists() and self.ready_file.read_text().strip()), seconds, "ready")
        if self.process.poll() is None:
            self.url = self.ready_file.read_text().strip()
        return self.process.poll() is None

    @property
    def told(self):
        return self.report.read_text().splitlines() if self.report.exists() else []


class Clients:
    """Senders and receivers of queue "q", and what they know for certain."""

    def __init__(self, seed):
        self.seed = seed
        self.attempted, self.acknowledged, self.deleted, self.perhaps_deleted, self.failures = set(), set(), {}, set(), []
        self.stopping = threading.Event()

    def run_while(self, url, condition, seconds, what):
        """Works until `condition` answers True."""
        self.stopping.clear()
        threads = [threading.Thread(target=self._run, args=(work, url, number), daemon=True)
                   for number, work in enumerate((self._send, self._send, self._send, self._receive))]
        for thread in threads:
            thread.start()
        try:
            wait_until(condition, seconds, what)
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join(60)
        assert not self.failures, self.failures[0]

    def _run(self, work, url, number):
        chance = random.Random(f"{self.seed}/{number}/{len(self.attempted)}")
        sqs = Sqs(url, timeout=20)
        try:
            while not self.stopping.is_set():
                work(sqs, chance)
        except (Unknown, NotSent):
            pass
        except Exception as error:  # a client that dies must fail the test, not shorten it
            self.failures.append(error)
        finally:
            sqs.close()

    def _send(self, sqs, chance):
        tokens = [f"{chance.getrandbits(64):016x}-{chance.choice(SIZES)}" for _ in range(chance.choice((1, 1, 4)))]
        self.attempted.update(tokens)
        try:
            answer = sqs.call("SendMessageBatch", QueueUrl="q", Entries=[{"Id": str(n), "MessageBody": body_of(token)} for n, token in enumerate(tokens)])
            self.acknowledged.update(tokens[int(entry["Id"])] for entry in answer["Successful"])
        except Refused as refused:
            assert refused.status == 503, refused
            time.sleep(0.01)

    def _receive(self, sqs, chance):
        invoked = time.monotonic()
        try:
            messages = sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10, VisibilityTimeout=1).get("Messages", [])
        except Refused as refused:
            assert refused.status == 503, refused
            return
        for message in messages:
            token = self.check(message, invoked)
            if chance.random() < 0.5:
                self._delete(sqs, token, message["ReceiptHandle"])

    def _delete(self, sqs, token, handle):
        self.perhaps_deleted.add(token)
        try:
            sqs.call("DeleteMessage", QueueUrl="q", ReceiptHandle=handle)
            self.deleted[token] = time.monotonic()
        except Refused as refused:  # for want of space, or while the server fails: the deletion may or may not be on disk
            assert refused.status == 503, refused

    def check(self, message, invoked):
        token = message["Body"].partition(" ")[0]
        assert token in self.attempted, f"{token} was never sent"
        assert message["Body"] == body_of(token), f"wrong bytes were served for {token}"
        assert token not in self.deleted or self.deleted[token] > invoked, f"{token} was deleted and came back"
        return token

    def check_all(self, url):
        """Everything that is there, against what must be and what must not."""
        sqs = Sqs(url)
        found = set()
        until = time.monotonic() + 1.5  # the longest lease
        while True:
            invoked = time.monotonic()
            messages = sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10, VisibilityTimeout=3600, WaitTimeSeconds=1).get("Messages", [])
            found.update(self.check(message, invoked) for message in messages)
            if not messages and invoked > until:
                break
        lost = self.acknowledged - self.perhaps_deleted - found
        assert not lost, f"{len(lost)} acknowledged messages are lost, one of them {min(lost)}"
        return found


# What fails, and the words of the system that the operator must be told. {n} is drawn anew in each run.
FAULTS = {
    "a write of a group": ("write:segment-:{n}:EIO", "Input/output error"),
    "every write from one on, torn": ("write:segment-:{n}+:half,EIO", "Input/output error"),
    "a write of a group, for want of space": ("write:segment-:{n}:half,ENOSPC", "No space left on device"),
    "a write of a group through the cache": (NO_DIRECT + "write:segment-:{n}:half,EIO", "Input/output error"),
    "a sync of a group": (NO_DIRECT + "sync:segment-:{n}:EIO", "Input/output error"),
    "every sync from one on": (NO_DIRECT + "sync:segment-:{n}+:EIO", "Input/output error"),
    "a sync that is interrupted": (NO_DIRECT + "sync:segment-:{n}:EINTR", "Interrupted system call"),
    "the control file's write at the first group": ("write:control:4:EIO", "Input/output error"),
    "the control file's sync at the second segment": ("sync:control:4:EIO", "Input/output error"),
    "the zeros of a new segment": ("write:preparing:130:EIO", "Input/output error"),
    "the sync of a new segment": ("sync:preparing:4:EIO", "Input/output error"),
    "the renaming of a new segment": ("rename:preparing:4:EIO", "Input/output error"),
    "the sync of the folder": ("sync-folder::6:EIO", "Input/output error"),
}


@pytest.mark.parametrize("what", FAULTS)
def test_a_failed_call_stops_the_server_and_loses_nothing(tmp_path, faulty_disk, what):
    plan, reason = FAULTS[what]
    chance = random.Random(f"{SEED}/{what}")
    plan = plan.format(n=chance.randrange(10, 120))
    print(f"FERRY_SEED={SEED}: {plan}")
    server = FaultyServer(tmp_path, faulty_disk)
    clients = Clients(chance.random())
    try:
        server.begin(plan)
        if server.ready():
            try:
                Sqs(server.url).create("q")
                clients.run_while(server.url, lambda: server.process.poll() is not None, 60, f"the server ends: {what}")
                assert clients.acknowledged, "nothing had been acknowledged before it ended"
            except (Unknown, NotSent):
                server.process.wait(30)
        words = server.words(20_000)
        assert server.process.returncode == 1, words
        assert reason in words and str(server.data) in words, words
        assert "the store failed" in words or not clients.attempted, words
        faults = [line for line in server.told if line.startswith("fault") and "open-direct" not in line]
        assert faults, "the plan met nothing"
        assert not [line for line in server.told if line.startswith("after")], "a file was used again after a failed write or sync of it"

        server.start()
        if clients.attempted:
            clients.check_all(server.url)
        else:
            Sqs(server.url).create("q")
        assert server.stop() == 0, server.words()
        record("a write or sync fails", "a call fails under load, a restart, everything read", 1, 0, SEED, acknowledged=len(clients.acknowledged))
    finally:
        server.close()


HARMLESS = "write::/5:half;write::/7:EINTR;read::/3:half;read::/5:EINTR;open::/4:EINTR;"


@pytest.mark.parametrize("mode", ["direct", "through the cache"])
def test_short_and_interrupted_calls_change_nothing(tmp_path, faulty_disk, mode):
    plan = HARMLESS if mode == "direct" else NO_DIRECT + HARMLESS
    server = FaultyServer(tmp_path, faulty_disk)
    clients = Clients(SEED)
    try:
        for life in range(3):
            server.begin(plan)
            assert server.ready(), server.words()
            if life == 0:
                Sqs(server.url).create("q")
            until = time.monotonic() + 1.5
            clients.run_while(server.url, lambda until=until: time.monotonic() > until, 10, "")
            assert server.process.poll() is None, server.words()
            calls = {line.split()[1] for line in server.told}
            assert calls >= ({"write", "read", "open"} if life > 0 else {"write", "open"}), f"only {calls} were met"
            server.kill()
        server.start()
        found = clients.check_all(server.url)
        assert len(found) > 20
        assert server.stop() == 0, server.words()
    finally:
        server.close()


@pytest.mark.parametrize("refused_at", ["open-direct", "write-direct"])
def test_a_file_system_without_direct_access_is_used_through_the_cache(tmp_path, faulty_disk, refused_at):
    server = FaultyServer(tmp_path, faulty_disk)
    try:
        server.begin(f"{refused_at}::1+:EINVAL")
        assert server.ready(), server.words()
        sqs = Sqs(server.url)
        sqs.create("q")
        sqs.call("SendMessage", QueueUrl="q", MessageBody="kept")
        metrics = urllib.request.urlopen(f"{server.url}/metrics", timeout=30).read().decode()
        assert 'ferry_store_sync_method_info{method="pwrite+fdatasync"} 1' in metrics
        server.kill()
        server.begin(f"{refused_at}::1+:EINVAL")
        assert server.ready(), server.words()
        assert Sqs(server.url).call("ReceiveMessage", QueueUrl="q")["Messages"][0]["Body"] == "kept"
        assert server.stop() == 0, server.words()
    finally:
        server.close()


@pytest.mark.parametrize("mode", ["direct", "through the cache"])
def test_every_acknowledgement_follows_a_durable_write(tmp_path, faulty_disk, mode):
    """What the system was asked for: nothing counts as on disk that was only handed to a cache."""
    server = FaultyServer(tmp_path, faulty_disk)
    try:
        server.begin("" if mode == "direct" else NO_DIRECT, trace=True)
        assert server.ready(), server.words()
        sqs = Sqs(server.url)
        sqs.create("q")

        def pending():
            """Files that were written and not synced, in the order of the trace up to now."""
            names = {}
            for line in server.told:
                written = re.fullmatch(r"write (\S+) (durable|cached)", line)
                if written and written.group(2) == "cached":
                    names[written.group(1)] = True
                elif line.startswith("sync "):
                    names.pop(line.split()[1], None)
            return names

        writes = 0
        for number in range(20):
            sqs.call("SendMessage", QueueUrl="q", MessageBody=f"number {number}")
            asked = [line for line in server.told if line.startswith("write segment-")]
            assert len(asked) > writes, f"number {number} was acknowledged without a write"
            writes = len(asked)
            left = {name for name in pending() if name.startswith(("segment-", "control"))}
            assert not left, f"acknowledged while {left} was written and not synced"
        assert server.stop() == 0, server.words()
        durable = [line for line in server.told if line.startswith("write segment-") and line.endswith(" durable")]
        if mode != "direct":
            assert not durable
            assert sum(line.startswith("sync segment-") for line in server.told) >= 20
        assert not [name for name in pending() if name.startswith(("segment-", "control", "checkpoint-", "preparing"))]
    finally:
        server.close()
