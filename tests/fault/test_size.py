"""Much data: more than fits into memory, and more than the folder may keep."""

import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import threading
import time
import urllib.request
import uuid

from ferry_server import FerryServer
from sqs_wire import Sqs
from torture_report import record

MIB = 1024 * 1024
LIMIT = 256 * MIB
HANDLE = re.compile(rb'"ReceiptHandle":"([^"]+)"')
BODY = re.compile(rb'"Body":"([^"]*)"')


class MemoryLimit:
    """256 MiB for a process and all that the kernel keeps for it: a control group where we may make one, else its address
    space. `prefix` starts a command inside; check() fails when the limit killed something."""

    def __init__(self):
        self.group = None
        name = f"ferry-test-{uuid.uuid4().hex[:8]}"
        for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
            group = pathlib.Path(root) / name
            try:
                group.mkdir()
                (group / limit).write_text(str(LIMIT))
                swap = group / ("memory.memsw.limit_in_bytes" if "limit" in limit else "memory.swap.max")
                if swap.exists():
                    swap.write_text(str(LIMIT) if "limit" in limit else "0")
                self.group = group
                self.prefix = ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"]
                return
            except OSError:
                if group.is_dir():
                    group.rmdir()
        self.prefix = ["prlimit", f"--as={LIMIT * 4}", f"--data={LIMIT}"]

    def check(self, pid):
        if self.group is None:
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) * 1024
            assert peak <= LIMIT, f"{peak} bytes were resident"
            return f"peak of {peak // MIB} MiB resident"
        for name in ("memory.oom_control", "memory.events"):
            if (self.group / name).exists():
                assert not re.search(r"oom_kill [1-9]", (self.group / name).read_text())
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return f"peak of {int(re.search(r'VmHWM:.*?([0-9]+) kB', status).group(1)) // 1024} MiB resident, in a control group"

    def close(self):
        if self.group is not None:
            try:
                self.group.rmdir()
            except OSError:
                pass


def real_folder(name):
    """A folder on a disk: tmp may be memory, which would count against the limit and hide the file system."""
    root = pathlib.Path(__file__).resolve().parents[2] / "build" / "fault"
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"{name}-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def big_body(number):
    """1 MiB, different for each number, cheap to make and to check."""
    line = f"{number:08d} {hashlib.sha256(str(number).encode()).hexdigest()} "
    return (line * (MIB // len(line) + 1))[:MIB]


def patiently(sqs, action, body, refused):
    """As an SDK does: a client that outruns the disk may be told to come again. Counted, and not for ever."""
    status, _, answer = sqs.raw(action, body)
    while status == 503 and refused[0] < 1000:
        refused[0] += 1
        time.sleep(0.02)
        status, _, answer = sqs.raw(action, body)
    assert status == 200, answer[:500]
    return answer


def in_threads(server, count, work):
    """work(number) on so many threads; when one fails, also what became of the server."""
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        futures = [pool.submit(work, number) for number in range(count)]
    try:
        return [future.result() for future in futures]
    except Exception as error:
        status = server.process.poll()
        state = "runs" if status is None else f"ended with {status}"
        raise AssertionError(f"{error!r}; the server {state}; it said:\n{server.words()}") from error


def test_a_gibibyte_waits_under_a_limit_of_256_mebibytes(tmp_path):
    """896 messages of 1 MiB and 131,072 of 1 KiB, then a restart, then every one of them read to its last byte."""
    big, small_batches, per_batch = 896, 13_108, 10
    limit, folder = MemoryLimit(), real_folder("gibibyte")
    server = FerryServer(folder, "--cache-mib", 32, prefix=limit.prefix)
    pad, refused = "y" * 1010, [0]
    try:
        server.start()
        Sqs(server.url).create("big")
        for worker in range(2):  # at most 120,000 messages of one queue may be in flight
            Sqs(server.url).create(f"small-{worker}")

        def send(worker):
            sqs = Sqs(server.url)
            for number in range(worker, big, 2):
                patiently(sqs, "SendMessage", json.dumps({"QueueUrl": "big", "MessageBody": big_body(number)}).encode(), refused)
            for batch in range(worker, small_batches, 2):
                entries = [{"Id": str(n), "MessageBody": f"{batch * per_batch + n:08d} {pad}"} for n in range(per_batch)]
                answer = patiently(sqs, "SendMessageBatch", json.dumps({"QueueUrl": f"small-{worker}", "Entries": entries}).encode(), refused)
                assert len(json.loads(answer)["Successful"]) == per_batch

        in_threads(server, 2, send)
        assert Sqs(server.url).counts("big") == (big, 0, 0)
        assert sum(Sqs(server.url).counts(f"small-{worker}")[0] for worker in range(2)) == small_batches * per_batch
        print("after sending:", limit.check(server.pid), f"; {refused[0]} sends were asked to come again")
        assert server.stop() == 0, server.words()
        server.start(seconds=120)
        seen_big, seen_small, lock = set(), set(), threading.Lock()

        def receive(worker):
            sqs = Sqs(server.url)
            while True:
                status, _, answer = sqs.raw("ReceiveMessage", b'{"QueueUrl":"big","MaxNumberOfMessages":10,"VisibilityTimeout":3600}')
                assert status == 200, answer[:500]
                bodies = [body.decode() for body in BODY.findall(answer)]
                if not bodies:
                    break
                for body in bodies:
                    number = int(body[:8])
                    assert body == big_body(number), f"message {number} is not as it was"
                    with lock:
                        assert number not in seen_big
                        seen_big.add(number)
            while True:
                answer = sqs.call("ReceiveMessage", QueueUrl=f"small-{worker}", MaxNumberOfMessages=10, VisibilityTimeout=3600)
                if "Messages" not in answer:
                    break
                for message in answer["Messages"]:
                    number, _, rest = message["Body"].partition(" ")
                    assert rest == pad
                    with lock:
                        seen_small.add(int(number))

        in_threads(server, 2, receive)
        assert len(seen_big) == big
        assert len(seen_small) == small_batches * per_batch
        print("after reading:", limit.check(server.pid))
        assert server.stop() == 0, server.words()
    finally:
        server.close()
        limit.close()
        shutil.rmtree(folder, ignore_errors=True)


def test_sends_are_not_refused_while_the_disk_has_room(tmp_path):
    """One client, one request at a time, from an empty folder on: segments are prepared before they are needed."""
    folder = real_folder("room")
    try:
        with FerryServer(folder) as server:
            sqs = Sqs(server.url)
            sqs.create("q")
            for number in range(600):
                status, _, answer = sqs.raw("SendMessage", b'{"QueueUrl":"q","MessageBody":"' + b"x" * 200_000 + b'"}')
                assert status == 200, f"message {number}: {answer[:500]}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def folder_bytes(folder):
    """What the files take on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def rest_bound(server):
    """What the folder may take at rest: docs/durability.md, "Space"."""
    text = urllib.request.urlopen(f"{server.url}/metrics", timeout=10).read().decode()
    live = float(re.search(r"^ferry_store_live_body_bytes ([\d.e+]+)", text, re.MULTILINE).group(1))
    others = sum(path.stat().st_size for path in server.data.iterdir() if path.name.startswith(("checkpoint", "ballast", "control")))
    return 2 * live + 4 * 64 * MIB + others


def test_churn_around_old_messages_stays_within_the_bound(tmp_path):
    """Everything is sent, received and deleted, but for one message of 1 MiB in 512, which stays. 10 GiB; FERRY_CHURN_GIB says more."""
    total, per_round, workers = int(os.environ.get("FERRY_CHURN_GIB", "10")) * 1024, 10, 2
    folder = real_folder("churn")
    server = FerryServer(folder)
    largest, refused, kept = [0], [0], {}
    done = threading.Event()
    lock = threading.Lock()

    def watch():
        while not done.wait(0.25):
            try:
                largest[0] = max(largest[0], folder_bytes(server.data) - 4 * len(kept) * MIB)
            except FileNotFoundError:
                pass  # a file went while it was looked at

    watcher = threading.Thread(target=watch, daemon=True)
    try:
        server.start()
        keeper = Sqs(server.url)
        keeper.create("churn", VisibilityTimeout=43_200)
        keeper.create("old")
        watcher.start()
        send = json.dumps({"QueueUrl": "churn", "MessageBody": big_body(1)}).encode()

        def churn(worker):
            sqs = Sqs(server.url)
            for number in range(total // per_round // workers):
                if number % (512 // per_round) == 0:
                    body = big_body(2 + number * workers + worker)
                    answer = json.loads(patiently(sqs, "SendMessage", json.dumps({"QueueUrl": "old", "MessageBody": body}).encode(), refused))
                    with lock:
                        kept[answer["MessageId"]] = hashlib.sha256(body.encode()).hexdigest()
                for _ in range(per_round):
                    patiently(sqs, "SendMessage", send, refused)
                left = per_round
                while left > 0:
                    status, _, answer = sqs.raw("ReceiveMessage", b'{"QueueUrl":"churn","MaxNumberOfMessages":10}')
                    assert status == 200, answer[:500]
                    handles = HANDLE.findall(answer)
                    if not handles:
                        break  # another worker took more than its share
                    entries = [{"Id": str(n), "ReceiptHandle": handle.decode()} for n, handle in enumerate(handles)]
                    assert len(sqs.call("DeleteMessageBatch", QueueUrl="churn", Entries=entries)["Successful"]) == len(handles)
                    left -= len(handles)

        in_threads(server, workers, churn)
        done.set()
        watcher.join()
        print(f"{total // 1024} GiB: beside 4 x {len(kept)} MiB of old messages the folder had at most {largest[0] // MIB} MiB; "
              f"{refused[0]} sends were asked to come again")
        assert 0 < largest[0] < 1024 * MIB
        bound, deadline = rest_bound(server), time.monotonic() + 60
        while folder_bytes(server.data) > bound and time.monotonic() < deadline:
            time.sleep(0.2)
        assert folder_bytes(server.data) <= bound, "a backlog that is gone gives its space back"
        server.kill()
        server.start(seconds=120)
        left = dict(kept)
        sqs = Sqs(server.url)
        while left:
            for message in sqs.call("ReceiveMessage", QueueUrl="old", MaxNumberOfMessages=10)["Messages"]:
                assert left.pop(message["MessageId"]) == hashlib.sha256(message["Body"].encode()).hexdigest()
        record("much data goes through", "GiB sent, received and deleted around old messages", total // 1024, 0)
        assert server.stop() == 0
    finally:
        done.set()
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
