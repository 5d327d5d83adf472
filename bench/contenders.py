"""The workers that scripts/bench worker measures: ferry's, and their nearest relatives, each as its own documentation has it."""

import base64
import itertools
import json
import os
import pathlib
import subprocess
import sys

from servers import BUILD, ROOT, Process

HERE = ROOT / "bench/worker"
ENVIRONMENTS = ROOT / "build/test-env"
KEY, SECRET = "AKIAFERRYBENCH000001", "bench-secret"
BODY = "x" * 100


def environment(**more):
    """Everybody signs, with the same key. Nobody asks this machine for a role."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", **more}


def entries_of(message):
    """Endless batches of ten: lists of entries of SendMessageBatch."""
    for first in itertools.count(0, 10):
        yield [{"Id": str(i), **message(first + i)} for i in range(10)]


def plain_message(_):
    return {"MessageBody": BODY, "MessageAttributes": {"Work": {"DataType": "String", "StringValue": "x"}}}


class Worker(Process):
    """A worker that runs; CPU time of it and of all that it has started."""

    def __init__(self, command, log, variables, folder):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=variables, cwd=folder)
        self.pids = [self.process.pid]

    def _family(self):
        found, look = [], [self.process.pid]
        while look:
            pid = look.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    look += [int(child) for child in task.read_text().split()]
                except OSError:
                    pass  # it has ended since
        return found

    def cpu_seconds(self):
        ticks = 0
        for pid in self._family():
            try:
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            ticks += sum(map(int, fields[11:15]))  # with children that were waited for
        return ticks / os.sysconf("SC_CLK_TCK")

    def status_bytes(self, name):
        """VmRSS or VmHWM, of its own process."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise ValueError(name)

    def alive(self):
        return self.process.poll() is None


class Endpoint:
    """Answers 200 to everything, after `delay_ms`."""

    def __init__(self, delay_ms=0):
        self.process = subprocess.Popen([str(BUILD / "ferry_bench_endpoint"), "--delay", str(delay_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def stop(self):
        self.process.stdin.close()
        self.process.wait(10)


class Contender:
    """What is measured. `handlers` it has; start() begins to work on a queue."""

    handlers = ("none", "http", "program")
    message = staticmethod(plain_message)

    def prepare(self, server, folder):
        """Once, before anything is measured."""

    def start(self, server, queue, handler, endpoint, folder):
        raise NotImplementedError


class FerryFunction(Contender):
    name = "ferry, C++ function"
    handlers = ("none",)

    def __init__(self, slots):
        self.slots = slots
        self.what = f"{slots} slots, ledger on"

    def start(self, server, queue, handler, endpoint, folder):
        return Worker([str(BUILD / "ferry_bench_worker"), "drain", queue, "--ledger", str(folder / "ledger.db"), "--concurrency", str(self.slots)],
                      folder / "log", environment(), folder)


def ferry_work(queue, slots, handler, endpoint, folder):
    """`ferry work` with its ledger in `folder`, as it would be configured for real."""
    what = f'http = "{endpoint.url}/work"' if handler == "http" else 'handler = ["/bin/true"]'
    (folder / "handoff.toml").write_text(
        f'[worker]\nconcurrency = {slots}\n[ledger]\npath = "ledger.db"\n[request.Work]\nconcurrency = {slots}\n{what}\n')
    return Worker([str(BUILD / "ferry"), "work", queue, "-q"], folder / "log", environment(), folder)


class FerryWork(Contender):
    name = "ferry work"
    handlers = ("http", "program")

    def __init__(self, slots, programs):
        self.slots = {"http": slots, "program": programs}
        self.what = f"{slots} slots, {programs} with programs; ledger on"

    def start(self, server, queue, handler, endpoint, folder):
        return ferry_work(queue, self.slots[handler], handler, endpoint, folder)


class SqsConsumer(Contender):
    def __init__(self, consumers):
        self.consumers = consumers
        self.name = f"sqs-consumer ×{consumers}"
        version = json.loads((ENVIRONMENTS / "node/node_modules/sqs-consumer/package.json").read_text())["version"]
        self.what = f"{version}, Node.js, {consumers} consumers in one process, handleMessageBatch of 10, no ledger"

    def start(self, server, queue, handler, endpoint, folder):
        variables = environment(QUEUE_URL=queue, HANDLER=handler, ENDPOINT_URL=endpoint.url, CONSUMERS=str(self.consumers),
                                NODE_ENV_FOLDER=str(ENVIRONMENTS / "node"))
        return Worker([str(ENVIRONMENTS / "node/node"), str(HERE / "sqs_consumer.mjs")], folder / "log", variables, folder)


class Celery(Contender):
    def __init__(self, pool, size):
        self.pool, self.size = pool, size
        self.name = f"Celery, {pool} {size}"
        self.what = f"celery -P {pool} -c {size}, acks_late, no ledger" + ("; parent and children count as one" if pool == "prefork" else "")

    def _variables(self, server, queue, handler, endpoint):
        name = queue.rsplit("/", 1)[1]
        return environment(BROKER=f"sqs://{KEY}:{SECRET}@127.0.0.1:{server.port}", QUEUE=name, HANDLER=handler, ENDPOINT_URL=endpoint,
                           PYTHONPATH=str(HERE), PYTHONDONTWRITEBYTECODE="1")

    def prepare(self, server, folder):
        """Its messages are its own: one is sent by Celery itself, and all others are made after it."""
        queue = server.create_queue("celery-sample")
        subprocess.run([sys.executable, "-c", f"import celery_worker; celery_worker.work.delay('{BODY}')"], check=True, cwd=folder,
                       env=self._variables(server, queue, "none", ""), stdin=subprocess.DEVNULL)
        [sample] = server.call("ReceiveMessage", QueueUrl=queue, WaitTimeSeconds=5, MessageAttributeNames=["All"])["Messages"]
        server.call("DeleteQueue", QueueUrl=queue)
        text = base64.b64decode(sample["Body"]).decode()
        sample_id, sample_tag = json.loads(text)["headers"]["id"], json.loads(text)["properties"]["delivery_tag"]

        def message(number):
            unique = text.replace(sample_id, f"00000000-0000-4000-8000-{number:012d}").replace(sample_tag, f"00000000-0000-4000-9000-{number:012d}")
            return {"MessageBody": base64.b64encode(unique.encode()).decode()}

        self.message = message

    def start(self, server, queue, handler, endpoint, folder):
        command = [sys.executable, "-m", "celery", "-A", "celery_worker", "worker", "-P", self.pool, "-c", str(self.size), "-l", "WARNING", "--without-gossip",
                   "--without-mingle", "--without-heartbeat"]
        return Worker(command, folder / "log", self._variables(server, queue, handler, endpoint.url), folder)


class GoConsumer(Contender):
    def __init__(self, receivers):
        self.receivers = receivers
        self.name = f"Go ×{receivers}"
        self.what = f"aws-sdk-go-v2, goroutines that receive: {receivers}; each receives ten, handles them side by side, deletes them in a batch; no ledger"
        self.program = None

    def prepare(self, server, folder):
        tools = ENVIRONMENTS / "go"
        self.program = folder / "go-consumer"
        variables = environment(GOMODCACHE=str(tools / "modules"), GOCACHE=str(tools / "cache"), GOPROXY="off", GOFLAGS="-mod=readonly", GOTOOLCHAIN="local",
                                CGO_ENABLED="0")
        subprocess.run([os.path.realpath(tools / "go"), "build", "-o", str(self.program), "."], check=True, cwd=HERE / "go", env=variables,
                       stdin=subprocess.DEVNULL)

    def start(self, server, queue, handler, endpoint, folder):
        variables = environment(QUEUE_URL=queue, HANDLER=handler, ENDPOINT_URL=endpoint.url, RECEIVERS=str(self.receivers))
        return Worker([str(self.program)], folder / "log", variables, folder)
