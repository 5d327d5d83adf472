"""SIGKILL at the N-th call of each kind that changes the disk, for N spread over a scripted run; then every invariant.

strace delivers the signal when the call is entered, before it is carried out; it counts the calls of each thread by itself. The
scripted run starts on a prepared folder, does a bit of everything, and stops the server: so starts and stops are hit too.
"""

import collections
import concurrent.futures
import re
import shutil
import signal
import subprocess
import time

import pytest
from campaign import OPTIONS, check, long_run, times
from ferry_server import FerryServer
from history import Change, Delete, History, Move, Purge, QueueChange, Restart
from history_check import violations
from load import DEAD, LINE, PLAIN, QUEUES, SWEPT, TRIED, Client, Load, Wire, drain
from sqs_wire import Sqs
from test_damage import metric
from torture_report import record

CALLS = ("pwrite64", "fdatasync", "fsync", "rename", "unlink", "ftruncate")
POINTS = times(40, 100_000, "FERRY_SYSCALL_POINTS")
SIDE_BY_SIDE = 4
LEASE = 1
BIG = 1_000_000


class Script(Client):
    """One client that does the same each time, until the server is gone."""

    def steps(self):
        for number in range(3):
            yield lambda: self.send(PLAIN, [(self.token(60), 0, "")])
            yield lambda: self.send(LINE, [(self.token(300), 0, f"g{each % 2}") for each in range(6)])
        yield lambda: self.send(TRIED, [(self.token(300), 0, "") for _ in range(5)])
        yield lambda: self.send(SWEPT, [(self.token(300), 0, "") for _ in range(5)])
        yield lambda: self.send(PLAIN, [(self.token(1024), 0, "") for _ in range(10)])
        yield lambda: self.take(PLAIN, LEASE, Delete)
        yield lambda: self.take(LINE, LEASE, Delete)
        yield lambda: self.take(LINE, LEASE, Change)
        for _ in range(3):
            yield lambda: self.take(TRIED, 0, None)
        yield lambda: self.move()
        yield lambda: self.purge()
        yield from (lambda: self.send(PLAIN, [(self.token(BIG), 0, "")]) for _ in range(75))  # several segments, a checkpoint
        yield lambda: self.brief_life()
        for _ in range(3):
            yield lambda: self.take(PLAIN, LEASE, Delete)
        yield lambda: self.take(DEAD, LEASE, Delete)
        yield lambda: self.take(TRIED, LEASE, Delete)

    def token(self, size):
        return f"script-{self.chance.getrandbits(64):016x}-{size}"

    def take(self, queue, lease, kind):
        held = self.receive(queue, lease, 10, 0)
        if held and kind and not self.broken:
            self.settle(queue, kind, held[:6])

    def move(self):
        outcome, _, invoked, returned = self.attempt("StartMessageMoveTask", True, SourceArn=f"arn:aws:sqs:us-east-1:000000000000:{DEAD}")
        self.history.add(Move(invoked, returned, outcome, DEAD))

    def purge(self):
        outcome, _, invoked, returned = self.attempt("PurgeQueue", QueueUrl=SWEPT)
        self.history.add(Purge(invoked, returned, outcome, SWEPT))

    def brief_life(self):
        for name, deleted in (("brief-0", True), ("brief-1", False)):
            if not self.broken:
                outcome, _, invoked, returned = self.attempt("CreateQueue", QueueName=name)
                self.history.add(QueueChange(invoked, returned, outcome, True, name))
            if not self.broken:
                self.send(name, [(self.token(60), 0, "")])
            if deleted and not self.broken:
                outcome, _, invoked, returned = self.attempt("DeleteQueue", QueueUrl=name)
                self.history.add(QueueChange(invoked, returned, outcome, False, name))
                self.history.add(Purge(invoked, returned, outcome, name))

    def run(self, url):
        self.sqs, self.broken = Wire(url, timeout=40), False
        for step in self.steps():
            step()
            if self.broken:
                break
        self.sqs.close()
        history = History(QUEUES)
        history.extend(self.history)
        return history


def run_script(server):
    """Starts the server, runs the script and stops it again; any of that may be cut short by its death. (history, died)"""
    server.launch()
    deadline = time.monotonic() + 60
    while not (server.ready_file.exists() and server.ready_file.read_text().strip()) and server.process.poll() is None:
        assert time.monotonic() < deadline, f"not ready:\n{server.words()}"
        time.sleep(0.005)
    history = History(QUEUES)
    if server.ready_file.exists() and (url := server.ready_file.read_text().strip()):
        history = Script(Load(0, 0), "script").run(url)
        if server.process.poll() is None:
            server.process.send_signal(signal.SIGTERM)
    status = server.process.wait(60)
    assert status in (0, -signal.SIGKILL), f"exit {status}:\n{server.words()}"
    return history, status != 0


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A data folder with the queues and two checkpoints, stopped by SIGKILL."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode != 0:
        pytest.skip("strace may not trace here")
    server = FerryServer(tmp_path_factory.mktemp("prepared"), *OPTIONS)
    try:
        server.start()
        sqs = Sqs(server.url)
        Load.create_queues(sqs)
        for count in (1, 2):
            client = Client(Load(0, 0, seed=count), "prepares")
            client.sqs, client.broken = Wire(server.url), False
            while metric(server.url, "ferry_store_checkpoints_total") < count:
                client.send(PLAIN, [(f"prepares-{client.chance.getrandbits(64):016x}-{BIG}", 0, "")])
                drain(server.url, [PLAIN], 0, client.history)
        settled = [0, 1]
        while settled[-1] != settled[-2]:  # what is not needed goes within a second
            time.sleep(1.2)
            settled.append(sum(file.stat().st_size for file in server.data.iterdir()))
        print(f"the prepared folder has {settled[-1] >> 20} MiB")
        server.kill()
    finally:
        server.close()
    return server.data


def points(prepared, folder):
    """(call, N) for as many N as there are, or POINTS of them, spread evenly over each kind of call."""
    shutil.copytree(prepared, folder / "data")
    trace = folder / "trace"
    server = FerryServer(folder, *OPTIONS, prefix=["strace", "-D", "-f", "-o", trace, "-e", f"trace={','.join(CALLS)}"])
    try:
        _, died = run_script(server)
    finally:
        server.close()
    assert not died, "the server died without any injection"
    counts = collections.Counter(re.findall(r"^(\d+) +(\w+)\(", trace.read_text(), re.MULTILINE))
    most = {call: sorted((count for (_, name), count in counts.items() if name == call), reverse=True) for call in CALLS}
    print("calls by thread:", most)
    assert all(most.values()), most
    chosen = set()
    for call, threads in most.items():
        for count in threads[:2]:  # of the thread that writes the log, and of the one that prepares segments
            wanted = min(count, max(4, POINTS // 3) if call == "pwrite64" else max(4, POINTS // 12))
            chosen |= {(call, 1 + number * (count - 1) // max(1, wanted - 1)) for number in range(wanted)}
    return sorted(chosen)


def kill_at(prepared, folder, call, number):
    """Violations after a kill at this point, or None when the run came to its end without."""
    shutil.copytree(prepared, folder / "data")
    server = FerryServer(folder, *OPTIONS, prefix=["strace", "-D", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                                                   f"inject={call}:signal=KILL:when={number}"])
    try:
        history, died = run_script(server)
        if not died:
            return None
        server.prefix = []
        launched = time.monotonic()
        server.start()
        history.restarts.append(Restart(launched, time.monotonic()))
        names = [url.rsplit("/", 1)[1] for url in Sqs(server.url).call("ListQueues")["QueueUrls"]]
        history.listed = set(names)
        rounds = drain(server.url, names, LEASE + 0.5, history)
        history.requests.clear()  # so short a run has a large share of unknown outcomes
        found = violations(history, rounds[0].invoked)
        if server.stop() != 0:
            found.append(f"the server did not stop well:\n{server.words()}")
        return [f"{call} {number}: {sentence}" for sentence in found]
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_kill_at_each_call_that_changes_the_disk(tmp_path, prepared):
    chosen = points(prepared, tmp_path / "count")
    shutil.rmtree(tmp_path / "count")
    with concurrent.futures.ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        results = list(pool.map(lambda point: kill_at(prepared, tmp_path / f"{point[0]}-{point[1]}", *point), chosen))
    hit = [each for each in results if each is not None]
    found = [sentence for each in hit for sentence in each]
    print(f"{len(hit)} of {len(chosen)} points were reached{', all there are' if long_run() else ''}")
    record("process killed", "SIGKILL at the N-th call that changes the disk, in a scripted run; then every invariant", len(hit), sum(map(bool, hit)))
    check("none", found, {"points": len(hit)})
    assert len(hit) > 0.7 * len(chosen), "the runs differ too much"
