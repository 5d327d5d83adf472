"""A worker with a ledger: what is done is done once, whoever is killed and whenever."""

import json
import os
import random
import signal
import subprocess
import time

import pytest
from ferry_server import FerryServer, binary, wait_until

# Appends its key to the file of effects unless that is there already; the attempts have a file of their own.
HANDLER = """#!/bin/sh
echo "$FERRY_IDEMPOTENCY_KEY $FERRY_FENCE $FERRY_ATTEMPT" >>attempts
exec 9>>lock
flock 9
grep -qx "$FERRY_IDEMPOTENCY_KEY" effects 2>/dev/null || echo "$FERRY_IDEMPOTENCY_KEY" >>effects
"""


@pytest.fixture
def server(tmp_path):
    server = FerryServer(tmp_path / "server").start()
    server.listen = f"127.0.0.1:{server.port}"  # it comes back where it was
    yield server
    server.close()


class Bench:
    """A folder with a handler and a ledger, and the commands on them."""

    def __init__(self, server, folder, more=""):
        self.server, self.folder = server, folder
        (folder / "handle").write_text(HANDLER)
        (folder / "handle").chmod(0o755)
        (folder / "handoff.toml").write_text(
            f'[worker]\nconcurrency = 4\nvisibility = "3s"\nwait = "1s"\n[backoff]\nbase = "1s"\nmax = "1s"\n[ledger]\npath = "ledger.db"\n'
            f'[request.Enable]\nhandler = ["./handle"]\n{more}')
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder),
                            "AWS_ENDPOINT_URL_SQS": server.url, "AWS_EC2_METADATA_DISABLED": "true"}
        self.run("queue", "create", "work")

    def start(self, *words):
        return subprocess.Popen([binary(), *words], env=self.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words, status=0):
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        assert process.returncode == status, (words, process.returncode, out, err)
        return out, err

    def send(self, *parameters):
        self.run("send", "work", "--request", "Enable", *parameters)

    def lines(self, name):
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    def records(self):
        return json.loads(self.run("ledger", "ls", "--all", "--ledger", "ledger.db", "-o", "json")[0])


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_outcome_survives_the_worker_and_what_is_done_is_not_run_again(server, tmp_path):
    bench = Bench(server, tmp_path)
    bench.send("one")
    # The server stands still from the moment of the effect on: the outcome is committed, and the deletion cannot get through.
    (tmp_path / "handle").write_text(HANDLER + f"kill -STOP {server.pid}\n")
    worker = bench.start("work", "work")
    wait_until(lambda: bench.lines("effects"), 30, "the effect")
    wait_until(lambda: any(record["State"] == "done" for record in bench.records()), 30, "the outcome")
    kill(worker)
    server.kill()  # with the deletion that waits in its socket
    server.start()
    time.sleep(3.5)  # the visibility
    out, err = bench.run("poll", "work", "--until-empty")
    assert json.loads(out)["Handled"] == 0, err
    assert json.loads(out)["Duplicates"] == 1, err
    assert len(bench.lines("attempts")) == 1
    key, fence, attempt = bench.lines("attempts")[0].split()
    assert attempt == "1" and int(fence) >= 1
    assert len(bench.run("receive", "work", "-o", "json")[0].strip().strip("[]").strip()) == 0


def test_every_effect_is_there_once_whoever_is_killed(server, tmp_path):
    bench = Bench(server, tmp_path)
    many = 200
    chance = random.Random(20261123)
    bench.send(*[str(number) for number in range(many)])
    kills = 0
    servers = 0
    worker = bench.start("work", "work")
    try:
        deadline = time.monotonic() + 150
        while len(bench.lines("effects")) < many or kills < 10:
            assert time.monotonic() < deadline, (kills, servers, len(bench.lines("effects")))
            before = len(bench.lines("attempts"))
            goal = min(before + chance.randint(3, 12), 10**6)
            end = time.monotonic() + 3
            while len(bench.lines("attempts")) < goal and time.monotonic() < end and len(bench.lines("effects")) < many:
                time.sleep(0.002)
            if kills < 10:
                kill(worker)
                kills += 1
                if kills in (3, 6, 9):
                    server.kill()
                    server.start()
                    servers += 1
                worker = bench.start("work", "work")
        assert (kills, servers) == (10, 3)

        def all_done():
            return all(record["State"] == "done" for record in bench.records()) and len(bench.records()) == many

        wait_until(all_done, 60, "every outcome")
        worker.send_signal(signal.SIGTERM)
        out, err = worker.communicate(timeout=60)
        assert worker.returncode == 0, err
    finally:
        if worker.poll() is None:
            kill(worker)
    bench.run("poll", "work", "--until-empty")
    assert len(bench.lines("effects")) == many == len(set(bench.lines("effects")))
    records = bench.records()
    assert len(records) == many and {record["State"] for record in records} == {"done"}
    stat = json.loads(bench.run("ledger", "stat", "--ledger", "ledger.db", "-o", "json")[0])
    assert stat["LostClaims"] == 0, stat
    # More than once was run only what was in hand when somebody was killed.
    assert len(bench.lines("attempts")) <= many + 10 * 4


def test_flags_choose_the_ledger(server, tmp_path):
    bench = Bench(server, tmp_path)
    bench.send("one")
    bench.run("poll", "work", "--no-ledger")
    assert not (tmp_path / "ledger.db").exists()
    bench.send("two")
    bench.run("poll", "work", "--ledger", "other.db")
    assert (tmp_path / "other.db").exists() and not (tmp_path / "ledger.db").exists()
    bench.run("send", "work", "three")
    bench.run("poll", "work", "--", "cat")
    assert not (tmp_path / "ledger.db").exists() and not (tmp_path / ".local").exists()
    assert "excludes" in bench.run("poll", "work", "--no-ledger", "--ledger", "other.db", status=2)[1]
    (tmp_path / "other.db").chmod(0o644)
    refused = bench.run("poll", "work", "--ledger", "other.db", status=4)[1]
    assert "the ledger: " in refused and "other.db" in refused


def test_same_key_for_another_body_is_told_and_kept(server, tmp_path):
    bench = Bench(server, tmp_path)
    bench.run("send", "work", "one", "-a", "Enable=x", "-a", "idempotency-key=k")
    bench.run("send", "work", "one", "-a", "Enable=x", "-a", "idempotency-key=k")
    out, _ = bench.run("poll", "work", "--until-empty")
    assert len(bench.lines("attempts")) == 1
    bench.run("send", "work", "another", "-a", "Enable=x", "-a", "idempotency-key=k")
    _, err = bench.run("poll", "work", status=1)
    assert "CONFLICT" in err and len(bench.lines("attempts")) == 1
