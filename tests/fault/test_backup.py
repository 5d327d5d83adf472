"""Backups of the real server under load, what comes back from them, and the check of a store that is in use or damaged.

It is known of each message when its send was invoked and answered, and its delete. For a backup that ran from `begin` to `end`:
what was acknowledged before `begin` and whose delete was not begun by `end` must be in it; what was deleted before `begin` must
not; what is in it was sent before `end`. Nothing else can be said of what happened meanwhile.
"""

import collections
import json
import os
import pathlib
import random
import shutil
import subprocess
import threading
import time

from ferry_server import FerryServer, binary
from load import body_of
from sqs_wire import Refused, Sqs
from torture_report import record

ROUNDS = int(os.environ.get("FERRY_BACKUP_ROUNDS", "4"))
SEED = int(os.environ.get("FERRY_SEED", "0")) or random.SystemRandom().getrandbits(32)
QUEUES = ("busy", "busy.fifo")
LEASE = 2
BACKLOG_MAX = 3000

Outcome = collections.namedtuple("Outcome", "status report words")


def run(*arguments, seconds=120):
    done = subprocess.run([binary(), *map(str, arguments), "--output", "json"], stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    text = done.stdout.decode()
    return Outcome(done.returncode, json.loads(text) if text.strip() else None, done.stderr.decode())


def check(data, *options):
    return run("store", "check", "--data", data, *options)


class Client(threading.Thread):
    """Runs step() until it is told to stop. What it raises must fail the test, not shorten it."""

    def __init__(self, url, number):
        super().__init__(daemon=True)
        self.sqs, self.chance = Sqs(url), random.Random(f"{SEED}/{number}")
        self.stopping, self.failure = threading.Event(), None

    def run(self):
        try:
            while not self.stopping.is_set():
                self.step()
        except Exception as error:
            self.failure = error


class Call:
    """When something was asked for, when it was answered, and with what."""

    def __init__(self, token):
        self.token, self.invoked, self.answered, self.message_id = token, time.time(), None, None


class Sender(Client):
    def __init__(self, url, number, sent, backlog):
        super().__init__(url, number)
        self.number, self.sent, self.backlog = number, sent, backlog

    def step(self):
        if len(self.sent) - self.backlog["deleted"] > BACKLOG_MAX:
            return time.sleep(0.002)
        queue = self.chance.choice(QUEUES)
        calls = [Call(f"{self.number}-{self.chance.getrandbits(64):016x}-{self.chance.choice((60, 300, 1024, 4000, 30_000))}") for _ in range(10)]
        own = {"MessageGroupId": f"g{self.chance.randrange(50)}"} if queue.endswith(".fifo") else {}
        entries = [{"Id": str(n), "MessageBody": body_of(call.token), **own, **({"MessageDeduplicationId": call.token} if own else {})}
                   for n, call in enumerate(calls)]
        self.sent.extend(calls)  # before the answer: it may be in a backup already
        try:
            answer = self.sqs.call("SendMessageBatch", QueueUrl=queue, Entries=entries)
        except Refused as error:
            assert error.status == 503, error
            return None
        for entry in answer.get("Successful", []):
            call = calls[int(entry["Id"])]
            call.message_id, call.answered = entry["MessageId"], time.time()


class Receiver(Client):
    def __init__(self, url, number, deleted, backlog):
        super().__init__(url, number)
        self.deleted, self.backlog = deleted, backlog

    def step(self):
        queue = self.chance.choice(QUEUES)
        messages = self.sqs.call("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=LEASE).get("Messages", [])
        chosen = [message for message in messages if self.chance.random() < 0.8]
        if not chosen:
            return time.sleep(0.002)
        calls = [Call(message["Body"].partition(" ")[0]) for message in chosen]
        self.deleted.extend(calls)
        answer = self.sqs.call("DeleteMessageBatch", QueueUrl=queue,
                               Entries=[{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(chosen)])
        for entry in answer.get("Successful", []):
            calls[int(entry["Id"])].answered = time.time()
            self.backlog["deleted"] += 1


class Purger(Client):
    """A queue of its own that is filled and purged, so that whole segments die while backups run."""

    purges = 0

    def step(self):
        for _ in range(30):
            try:
                self.sqs.call("SendMessage", QueueUrl="purged", MessageBody="p" * 250_000)
            except Refused as error:
                assert error.status == 503, error
        self.sqs.call("PurgeQueue", QueueUrl="purged")
        self.purges += 1


def contents(folder):
    """token -> message id, as a server on that folder serves them."""
    server = FerryServer(folder / "server", data=folder / "data")
    try:
        server.start()
        sqs, found, deadline = Sqs(server.url), {}, time.time() + LEASE + 1
        while True:
            begun, came = time.time(), 0
            for queue in QUEUES:
                while messages := sqs.call("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600).get("Messages"):
                    for message in messages:
                        token = message["Body"].partition(" ")[0]
                        assert message["Body"] == body_of(token), f"wrong bytes for {token}"
                        assert token not in found, f"{token} twice"
                        found[token] = message["MessageId"]
                    sqs.call("DeleteMessageBatch", QueueUrl=queue, Entries=[
                        {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)])
                    came += len(messages)
            if not came and begun > deadline:
                break
            time.sleep(0.05)
        assert server.stop() == 0, server.words()
        return found
    finally:
        server.close()


def faults_of(found, sent, deleted, begin, end):
    deletes = collections.defaultdict(list)
    for call in deleted:
        deletes[call.token].append(call)
    by_token = {call.token: call for call in sent}
    for token, send in by_token.items():
        begun = min((call.invoked for call in deletes[token]), default=None)
        if send.answered and send.answered < begin and (begun is None or begun > end) and token not in found:
            yield f"{token} was acknowledged {begin - send.answered:.3f} s before the backup began, and is not in it"
        if token not in found:
            continue
        if any(call.answered and call.answered < begin for call in deletes[token]):
            yield f"{token} was deleted before the backup began, and is in it"
        if send.message_id and send.message_id != found[token]:
            yield f"{token} has another id"
        if send.invoked > end:
            yield f"{token} was sent after the backup had ended, and is in it"
    for token in found.keys() - by_token.keys():
        yield f"{token} was never sent"


def test_backups_under_load(tmp_path):
    print(f"seed {SEED}, {ROUNDS} rounds (FERRY_SEED, FERRY_BACKUP_ROUNDS)")
    server = FerryServer(tmp_path, "--no-purge-wait")
    sent, deleted, backlog, moments, clients = [], [], {"deleted": 0}, [], []
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("busy")
        sqs.create("purged")
        sqs.create("busy.fifo", FifoQueue="true")
        purger = Purger(server.url, "purger")
        clients = [*(Sender(server.url, n, sent, backlog) for n in range(4)), *(Receiver(server.url, n, deleted, backlog) for n in range(4, 8)), purger]
        for client in clients:
            client.start()
        time.sleep(0.5)
        for number in range(ROUNDS):
            begin = time.time()
            taken = run("backup", "--data", server.data, tmp_path / f"backup-{number}")
            end = time.time()
            assert taken.status == 0, taken
            moments.append((begin, end, taken.report["Position"]))
            online = check(server.data)
            assert online.status == 0 and online.report["Faults"] == [], online
            assert online.report["Position"] >= taken.report["Position"]
            stat = run("store", "stat", "--data", server.data)
            assert stat.status == 0 and stat.report["SegmentBytes"] > 0, stat
            time.sleep(0.3)
        killed = kill_a_backup(server, tmp_path)
        for client in clients:
            client.stopping.set()
        for client in clients:
            client.join(60)
            assert client.failure is None, repr(client.failure)
        assert server.stop() == 0, server.words()
    finally:
        for client in clients:
            client.stopping.set()
        server.close()

    assert purger.purges > 0
    assert [position for _, _, position in moments] == sorted({position for _, _, position in moments}), "a backup stood still"
    compared = 0
    for number, (begin, end, position) in enumerate(moments):
        folder = tmp_path / f"restored-{number}"
        restored = run("restore", tmp_path / f"backup-{number}", "--data", folder / "data")
        assert restored.status == 0 and restored.report["Position"] == position, restored
        found = contents(folder)
        faults = list(faults_of(found, sent, deleted, begin, end))
        assert not faults, f"seed {SEED}, backup {number}: {len(faults)} faults, the first:\n" + "\n".join(faults[:10])
        compared += len(found)
        shutil.rmtree(folder)
    offline = check(server.data)
    assert offline.status == 0, offline
    print(f"{len(sent)} sends, {len(deleted)} deletes, {purger.purges} purges; {compared} messages compared, {killed} backups killed")
    assert compared > 0 and killed > 0
    record(fault="a backup under load", done="backups restored and compared with what clients had seen", n=ROUNDS, failures=0, seed=SEED)
    record(fault="SIGKILL of a backup", done="the server and the next backup go on", n=killed, failures=0, seed=SEED)


def kill_a_backup(server, tmp_path):
    """SIGKILL at several moments: the server notices nothing, and another backup to the same target succeeds."""
    target, killed = tmp_path / "again", 0
    for pause in (0.005, 0.02, 0.05, 0.1):
        process = subprocess.Popen([binary(), "backup", "--data", str(server.data), str(target)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(pause)
        process.kill()
        killed += process.wait() == -9
        if target.exists():
            shutil.rmtree(target)
    assert {path.name for path in server.data.iterdir() if path.is_dir()} == set(), "a folder was left in the data folder"
    again = run("backup", "--data", server.data, target)
    assert again.status == 0, again
    assert not pathlib.Path(f"{target}.unfinished").exists()
    return killed


def small_store(folder, count=300):
    server = FerryServer(folder)
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("q")
        for number in range(count):
            sqs.call("SendMessage", QueueUrl="q", MessageBody=body_of(f"m-{number}-{(60, 3000, 20_000)[number % 3]}"))
        assert server.stop() == 0, server.words()
    finally:
        server.close()
    return server.data


def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 4]))


def test_the_check_says_where(tmp_path):
    data = small_store(tmp_path / "store")
    assert check(data).status == 0
    segment = data / "segment-00000001.log"
    at = segment.read_bytes().find(b"m-101-20000 ")
    flip(segment, at + 9000)
    found = check(data)
    assert found.status == 1
    [fault] = found.report["Faults"]
    assert fault["File"] == segment.name and at - 25_000 < fault["Offset"] <= at and fault["Effect"] == "a start is refused", fault
    flip(segment, at + 9000)
    assert check(data).status == 0
    flip(data / "control", 4096 + 700)
    [fault] = check(data).report["Faults"]
    assert fault["File"] == "control" and fault["Offset"] == 4096 and fault["Effect"] == "nothing is lost", fault
    flip(data / "control", 4096 + 700)
    segment.rename(data / "aside")
    assert any(fault["File"] == segment.name for fault in check(data).report["Faults"])
    assert check(tmp_path / "nowhere").status == 3
    assert run("store", "chekc").status == 2


def test_damaged_backups_are_refused(tmp_path):
    data, backup, target = small_store(tmp_path / "store"), tmp_path / "backup", tmp_path / "restored"
    assert run("backup", "--data", data, backup).status == 0
    chance = random.Random(SEED)
    for path in sorted(backup.iterdir()):
        at = chance.randrange(path.stat().st_size)
        flip(path, at)
        refused = run("restore", backup, "--data", target)
        assert refused.status == 1 and str(path) in refused.words, (path, at, refused)
        assert not target.exists()
        flip(path, at)
        path.rename(tmp_path / "aside")
        refused = run("restore", backup, "--data", target)
        assert refused.status == (3 if path.name == "backup.json" else 1) and path.name in refused.words, refused
        assert not target.exists()
        (tmp_path / "aside").rename(path)
    (backup / "segment-00000077.log").write_bytes(b"more")
    assert "segment-00000077.log" in run("restore", backup, "--data", target).words
    (backup / "segment-00000077.log").unlink()
    target.mkdir()
    (target / "letter").write_text("precious")
    assert run("restore", backup, "--data", target).status == 1
    (target / "letter").unlink()
    assert run("restore", backup, "--data", target).status == 0
    assert run("backup", "--data", data, backup).status == 1, "the target was not empty"
    again = check(target)
    assert again.status == 0 and again.report["Messages"] == 300, again
