"""What the benchmarks share: processes, the server, the machine's facts, a folder on a real disk."""

import contextlib
import json
import mmap
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / os.environ.get("FERRY_BENCH_BUILD", "build/release")
IN_MEMORY = {"tmpfs", "ramfs", "overlayfs-on-tmpfs"}


def text_of(*command):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return (done.stdout + done.stderr).strip()


def file_system_of(folder):
    """(type, device) of the file system that holds `folder`."""
    best = ("", "", "")
    for line in pathlib.Path("/proc/self/mounts").read_text().splitlines():
        device, mount, kind = line.split()[:3]
        if (str(folder) + "/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best[0]):
            best = (mount, kind, device)
    return best[1], best[2]


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def probe_disk(folder, seconds=1.0):
    """Syncs per second and median latency of one writer: O_DIRECT|O_DSYNC writes of 4 KiB over zero-written space."""
    path, size = folder / "probe", 4 * 1024 * 1024
    path.write_bytes(bytes(size))
    times = []
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_DIRECT | os.O_DSYNC)
    except OSError:
        return "this file system has no direct writes"
    try:
        os.fsync(descriptor)
        block = mmap.mmap(-1, 4096)
        until = time.perf_counter() + seconds
        while (begun := time.perf_counter()) < until:
            os.pwrite(descriptor, block, len(times) * 4096 % size)
            times.append(time.perf_counter() - begun)
    finally:
        os.close(descriptor)
        path.unlink()
    return f"{len(times) / seconds:,.0f} syncs/s of 4 KiB one by one, median {statistics.median(times) * 1e6:,.0f} us, in this minute"


@contextlib.contextmanager
def work_folder(parent, bytes_needed=0):
    """An empty folder on a real disk with that much space; removed in the end."""
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent.resolve() / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        kind, _ = file_system_of(folder)
        if kind in IN_MEMORY:
            sys.exit(f"error: {folder} is in memory ({kind}): durable means a disk. Name a folder on one with --data DIR")
        free = shutil.disk_usage(folder).free
        if free < bytes_needed:
            sys.exit(f"error: {folder} has {free >> 20:,} MiB free, {bytes_needed >> 20:,} MiB are needed")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def machine_facts(folder, sync_method):
    kind, device = file_system_of(folder)
    return {
        "ferry": text_of(str(BUILD / "ferry"), "--version"), "compiler": text_of("c++", "--version").splitlines()[0],
        "kernel": os.uname().release, "cores": os.cpu_count(),
        "processor": next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), os.uname().machine),
        "file system": f"{kind} on {device}", "sync method": sync_method, "disk": probe_disk(folder),
        "busy before": f"load average {os.getloadavg()[0]:.1f}",
    }


def print_facts(facts):
    for name, value in facts.items():
        print(f"{name:14}{value}")
    sys.stdout.flush()


def write_results(folder, name, facts, results):
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"facts": facts, "results": results}, indent=1) + "\n")
    print(f"every figure: {path}")


def note(text):
    print(f"    {text}", file=sys.stderr, flush=True)


class Process:
    """A server process; CPU seconds that it and its children have used."""

    def __init__(self, command, log):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        self.pids = [self.process.pid]

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self):
        return sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids) * os.sysconf("SC_PAGE_SIZE")

    def read_bytes(self):
        """What it has read from disks."""
        text = pathlib.Path(f"/proc/{self.process.pid}/io").read_text()
        return int(re.search(r"^read_bytes: (\d+)$", text, re.MULTILINE).group(1))

    def wait_for(self, condition, what):
        deadline = time.monotonic() + 30
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"error: {what} did not start; see {self.log}")
            time.sleep(0.02)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Ferry(Process):
    def __init__(self, folder, options=(), name="ferry"):
        self.data = folder / f"{name}-data"
        ready = folder / f"{name}-ready"
        ready.unlink(missing_ok=True)
        super().__init__([str(BUILD / "ferry"), "serve", "--listen", "127.0.0.1:0", "--data", str(self.data), "--ready-file",
                          str(ready), "--no-purge-wait", "--no-deletion-wait", *options], folder / f"{name}.log")
        self.wait_for(lambda: ready.exists() and ready.read_text().strip(), name)
        self.url = ready.read_text().strip()
        self.port = int(self.url.rstrip("/").rsplit(":", 1)[1])

    def call(self, action, **members):
        request = urllib.request.Request(self.url, json.dumps(members).encode(), {
            "Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{action}"})
        try:
            body = urllib.request.urlopen(request, timeout=60).read()
        except urllib.error.HTTPError as error:
            sys.exit(f"error: {action}: {error.read().decode()}")
        return json.loads(body) if body else {}

    def create_queue(self, name, **attributes):
        if name.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        return self.call("CreateQueue", QueueName=name, Attributes={key: str(value) for key, value in attributes.items()})["QueueUrl"]

    def set_attributes(self, queue, **attributes):
        self.call("SetQueueAttributes", QueueUrl=queue, Attributes={key: str(value) for key, value in attributes.items()})

    def attribute(self, queue, name):
        return self.call("GetQueueAttributes", QueueUrl=queue, AttributeNames=[name])["Attributes"][name]

    def metrics(self):
        text = urllib.request.urlopen(f"{self.url}/metrics", timeout=10).read().decode()
        return dict(re.findall(r"^(ferry_\w+) ([\d.e+]+)$", text, re.MULTILINE)), text

    def gauge(self, name):
        return float(self.metrics()[0].get(name, 0))

    def sync_method(self):
        method = re.search(r'sync_method_info\{method="([^"]+)"', self.metrics()[1])
        return method.group(1) if method else "not told by the server"

    def forget_pages(self):
        """Drops the data files from the page cache, so that reads are reads of the disk."""
        for path in self.data.iterdir():
            if path.is_file():
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                finally:
                    os.close(descriptor)


def load_command(load, *words, **options):
    """The command of ferry_depth; options with the value True are flags, those with None or False are left out."""
    command = [str(BUILD / "ferry_depth"), load, *map(str, words)]
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            command.append(flag)
        elif value is not None and value is not False:
            command += [flag, str(value)]
    return command


def run_load(load, *words, **options):
    done = subprocess.run(load_command(load, *words, **options), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        sys.exit(f"error: {load} {' '.join(map(str, words))}: {done.stderr}")
    return json.loads(done.stdout)
