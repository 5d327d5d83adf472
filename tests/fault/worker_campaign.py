"""Two workers with one ledger on a queue of a real server; workers and server are killed while requests are sent and carried out.

Three kinds of request. `Once` has an effect that its handler makes at most once for a key: a file whose name is made of what was asked for and
the key. So a key that differed between attempts or duplicates would leave two files, and a lost request none. `Count` has an effect each time.
`Plain` is sent without a key. Requests whose parameter ends in 77 fail at their first attempt. What was asked for is its parameter, never the same twice.
"""

import collections
import json
import os
import random
import signal
import subprocess
import threading
import time

from ferry_server import FerryServer, binary, wait_until
from sqs_wire import NotSent, Sqs, Unknown

SLOTS = 8
VISIBILITY = 3
# Nothing but what the shell does itself: a request costs one process. Each line is one write.
HANDLER = """#!/bin/sh
echo "$FERRY_HANDLER $1 $FERRY_IDEMPOTENCY_KEY $FERRY_FENCE $FERRY_ATTEMPT" >>runs || exit 75
case $1.$FERRY_ATTEMPT in *77.1) exit 75 ;; esac
[ "$FERRY_HANDLER" = Count ] && exit 0
set -C
true 2>/dev/null >"effects/$1.$FERRY_IDEMPOTENCY_KEY"
[ -e "effects/$1.$FERRY_IDEMPOTENCY_KEY" ] || exit 75
"""
CONFIGURATION = f"""
[worker]
concurrency = {SLOTS}
visibility = "{VISIBILITY}s"
wait = "1s"
[backoff]
base = "1s"
max = "2s"
[ledger]
path = "ledger.db"
""" + "".join(f'[request.{name}]\nhandler = ["./handle", "{{attr:{name}}}"]\n' for name in ("Once", "Count", "Plain"))


def minds(pid, number):
    """Whether the process has made arrangements for a signal."""
    masks = [int(line.split()[1], 16) for line in open(f"/proc/{pid}/status") if line.startswith(("SigBlk:", "SigCgt:"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


class Sender(threading.Thread):
    """Sends until everything is acknowledged; what may or may not have arrived is sent again, with its key. Some is sent twice on purpose."""

    def __init__(self, world, messages, chance):
        super().__init__(daemon=True)
        self.world, self.chance = world, chance
        self.waiting = collections.deque(self._request(number) for number in range(messages))
        self.acknowledged = []  # (kind, parameter, key)
        self.again = collections.deque()  # acknowledged, to be sent once more later
        self.resent = self.unknown = 0
        self.in_call = False
        self.failure = None

    def _request(self, number):
        kind = self.chance.choices(("Once", "Count", "Plain"), (6, 3, 1))[0]
        return kind, f"p{number}", None if kind == "Plain" else f"key-{number}"

    def run(self):
        try:
            while self.waiting or self.again:
                if self.world.ahead() > 100:
                    time.sleep(0.01)
                    continue
                batch = [self.waiting.popleft() for _ in range(min(10, len(self.waiting)))]
                while self.again and (not self.waiting or self.again[0][0] < len(self.acknowledged)) and len(batch) < 10:
                    batch.append(self.again.popleft()[1])
                if batch:
                    self._send(batch)
        except Exception as error:  # a sender that dies must fail the test, not shorten it
            self.failure = error

    def _send(self, batch):
        entries = []
        for number, (kind, parameter, key) in enumerate(batch):
            attributes = {kind: {"DataType": "String", "StringValue": parameter}}
            if key:
                attributes["idempotency-key"] = {"DataType": "String", "StringValue": key}
            entries.append({"Id": str(number), "MessageBody": f"please {parameter}", "MessageAttributes": attributes})
        self.in_call = True
        try:
            answer = Sqs(self.world.address).call("SendMessageBatch", QueueUrl=self.world.queue_url, Entries=entries)
        except NotSent:
            self.waiting.extendleft(reversed(batch))
            time.sleep(0.02)
            return
        except Unknown:
            # What has no key of its sender's would be another request, so its fate stays unknown: it is asked for anew.
            self.unknown += len(batch)
            for kind, parameter, key in reversed(batch):
                self.waiting.appendleft((kind, parameter if key else parameter + "x", key))
            return
        finally:
            self.in_call = False
        assert not answer.get("Failed"), answer
        ids = {entry["Id"]: entry["MessageId"] for entry in answer["Successful"]}
        for number, (kind, parameter, key) in enumerate(batch):
            request = (kind, parameter, key or ids[str(number)])
            if request in self.world.sent:
                self.resent += 1
                continue
            self.world.sent.add(request)
            self.acknowledged.append(request)
            if key and self.chance.random() < 0.2:
                self.again.append((len(self.acknowledged) + self.chance.choice((5, 100, 600)), (kind, parameter, key)))


class World:
    """Folder, server, workers, and who was killed how often."""

    def __init__(self, folder, seed, messages, workers=2):
        self.folder = folder
        self.chance = random.Random(seed)
        self.messages = messages
        self.server = FerryServer(folder / "server")
        (folder / "effects").mkdir()
        for name, text, mode in (("handle", HANDLER, 0o755), ("handoff.toml", CONFIGURATION, 0o644)):
            (folder / name).write_text(text)
            (folder / name).chmod(mode)
        self.server.start()
        self.server.listen = f"127.0.0.1:{self.server.port}"  # it comes back where it was
        self.address = self.server.url
        self.queue_url = Sqs(self.address).create("work", VisibilityTimeout=30)
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", "AWS_ENDPOINT_URL_SQS": self.address}
        self.sent = set()
        self.workers = [None] * workers
        self.worker_kills = self.server_kills = self.runs_begun = 0
        self._read_to = 0
        self.sender = Sender(self, messages, random.Random(seed + 1))

    def begin(self):
        for number in range(len(self.workers)):
            self.start_worker(number)
        self.sender.start()

    def start_worker(self, number):
        log = self.folder / f"worker-{number}.log"
        with open(log, "ab") as out:
            self.workers[number] = subprocess.Popen([binary(), "work", self.queue_url, "-q"], env=self.environment, cwd=self.folder,
                                                    stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def words(self):
        return "\n".join((self.folder / f"worker-{number}.log").read_text(errors="replace")[-2000:] for number in range(len(self.workers)))

    def count_runs(self):
        """Attempts begun so far; reads only what is new."""
        path = self.folder / "runs"
        if path.exists():
            with open(path, "rb") as file:
                file.seek(self._read_to)
                new = file.read()
            self._read_to += len(new)
            self.runs_begun += new.count(b"\n")
        return self.runs_begun

    def ahead(self):
        return len(self.sender.acknowledged) - self.runs_begun

    def check_alive(self):
        assert self.server.process.poll() is None, f"the server ended by itself:\n{self.server.words()}"
        assert self.sender.failure is None, f"the sender failed: {self.sender.failure!r}"
        for number, worker in enumerate(self.workers):
            assert worker.poll() is None, f"worker {number} ended by itself with {worker.returncode}:\n{self.words()}"

    def kill_somebody(self):
        self.check_alive()
        if (self.worker_kills + self.server_kills) % 5 == 2 or self.chance.random() < 0.1:
            until = time.monotonic() + 0.3  # rather while somebody is being answered
            while not self.sender.in_call and time.monotonic() < until:
                time.sleep(0)
            self.server.kill()
            self.server_kills += 1
            self.server.start()
        else:
            number = self.chance.randrange(len(self.workers))
            self.workers[number].send_signal(signal.SIGKILL)
            self.workers[number].wait()
            self.worker_kills += 1
            self.start_worker(number)

    def wait(self, seconds, enough=None):
        """Watches for so long, or until so many attempts were begun."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and (enough is None or self.count_runs() < enough):
            self.check_alive()
            self.count_runs()
            time.sleep(0.01)

    def all_sent(self):
        return not self.sender.is_alive()

    def counts(self):
        return Sqs(self.address).counts(self.queue_url)

    def drain(self, seconds):
        """Until nothing is left in the queue; then the workers are stopped."""
        def drained():
            self.check_alive()
            self.count_runs()
            return self.all_sent() and sum(self.counts()) == 0

        wait_until(drained, seconds, f"the queue is drained ({self.counts()} left)")
        for worker in self.workers:
            wait_until(lambda worker=worker: minds(worker.pid, signal.SIGTERM), 30, "a worker that has just been started minds signals")
            worker.send_signal(signal.SIGTERM)
        for number, worker in enumerate(self.workers):
            status = worker.wait(60)
            assert status == 0, f"worker {number} ended with {status}:\n{self.words()}"
        self.count_runs()

    def ledger(self, *words):
        done = subprocess.run([binary(), "ledger", *words, "--ledger", "ledger.db", "-o", "json"], env=self.environment, cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def close(self):
        for worker in self.workers:
            if worker is not None and worker.poll() is None:
                worker.kill()
                worker.wait()
        self.server.close()


def violations(world):
    """What was promised and did not happen, a sentence each, and numbers about the run."""
    found = []
    runs = collections.defaultdict(list)
    for line in (world.folder / "runs").read_text().splitlines():
        kind, parameter, key, fence, attempt = line.split()
        runs[kind, parameter, key].append((int(fence), int(attempt)))
    effects = collections.Counter(name.partition(".")[0] for name in os.listdir(world.folder / "effects"))
    made = set(os.listdir(world.folder / "effects"))
    for kind, parameter, key in world.sent:
        if not runs[kind, parameter, key]:
            found.append(f"lost: {kind} {parameter} {key} was acknowledged and never begun")
        if kind != "Count" and (effects[parameter] != 1 or f"{parameter}.{key}" not in made):
            found.append(f"effects: {kind} {parameter} {key} has {effects[parameter]}")
    for request, begun in runs.items():
        for earlier, later in zip(begun, begun[1:]):
            if later[0] <= earlier[0] or later[1] < earlier[1]:
                found.append(f"fences: {request} was begun with (fence, attempt) {earlier}, then {later}")
    unasked = {request for request in runs if request not in world.sent and request[0] != "Plain"}
    if unasked:
        found.append(f"nobody asked for {sorted(unasked)[:3]}")
    failed_once = sum(request[1].endswith("77") for request in runs)
    again = sum(len(begun) - 1 for begun in runs.values()) - failed_once
    # Only what was in hand when its worker was killed may run again, and nothing that was done.
    if again > world.worker_kills * SLOTS:
        found.append(f"{again} attempts too many after {world.worker_kills} kills of workers with {SLOTS} slots each")
    statistics = world.ledger("stat")
    states = collections.Counter()
    for one in statistics["Counts"]:
        states[one["State"]] += one["Count"]
    if states != {"done": len(runs)} or statistics["LostClaims"] != 0:
        found.append(f"the ledger has {dict(states)} and {statistics['LostClaims']} lost claims after {len(runs)} requests")
    facts = {"requests": len(world.sent), "begun": sum(map(len, runs.values())), "run again": again, "failed once": failed_once,
             "sent twice": world.sender.resent, "unknown": world.sender.unknown, "workers killed": world.worker_kills,
             "servers killed": world.server_kills}
    return found, facts
