"""What a worker tells Prometheus, read with Prometheus' own parser, against what happened."""

import json
import pathlib
import re
import signal
import socket
import urllib.error
import urllib.request

import pytest
from cli_runs import Shell
from ferry_server import FerryServer, wait_until
from prometheus_client.parser import text_string_to_metric_families

HANDOFF = """
[backoff]
base = "1s"
max = "1s"
[request.Enable]
parameter = { type = "text", max_length = 10 }
handler = ["./handler.sh", "{attr:Enable}"]
breaker = { failures = 2, pause = "5m" }
[request.Disable]
handler = ["./handler.sh", "{attr:Disable}"]
"""
HANDLER = """#!/bin/sh
case "$1" in
  good) exit 0 ;;
  wait) while [ ! -e go ]; do sleep 0.02; done ;;
  poison) exit 65 ;;
  *) exit 1 ;;
esac
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def shell(server, tmp_path):
    (tmp_path / "handoff.toml").write_text(HANDOFF)
    (tmp_path / "handler.sh").write_text(HANDLER)
    (tmp_path / "handler.sh").chmod(0o755)
    shell = Shell(server.url, tmp_path)
    shell.queue = tmp_path.name
    shell.create(shell.queue)
    return shell


def ask(shell, request, value):
    attribute = {"DataType": "String", "StringValue": value}
    return shell.call("SendMessage", QueueUrl=shell.queue_url(shell.queue), MessageBody="x", MessageAttributes={request: attribute})


def parse(text):
    """{(sample name, labels in order): value}; every family says what it is."""
    values = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation and family.type in ("counter", "gauge", "histogram"), family
        assert family.name.startswith("ferry_worker_"), family
        for sample in family.samples:
            key = (sample.name, *(value for name, value in sorted(sample.labels.items())))
            assert key not in values, key
            values[key] = sample.value
    return values


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


class Worker:
    def __init__(self, shell, *options, metrics="127.0.0.1:0"):
        place = ["--metrics", metrics] if metrics else []
        self.process = shell.start("work", shell.queue, *place, "--wait", "1s", *options)
        for line in self.process.stderr:
            if line.startswith("metrics are at "):
                self.url = line.split()[-1].removesuffix("/metrics")
                return
        raise AssertionError(f"ended with {self.process.wait()}")

    def metrics(self):
        status, kind, text = get(self.url + "/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        return parse(text)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


def test_the_numbers_are_what_happened(shell):
    worker = Worker(shell)
    before = worker.metrics()
    assert before["ferry_worker_attempts_total", "done", "Enable"] == 0
    assert before["ferry_worker_concurrency",] == 4
    for request, value in [("Enable", "good")] * 3 + [("Disable", "good"), ("Disable", "poison"), ("Enable", "far too long"),
                                                      ("Unknown", "x"), ("Disable", "wait")]:
        ask(shell, request, value)

    def settled():
        now = worker.metrics()
        done = now["ferry_worker_messages_deleted_total",] == 4 and now["ferry_worker_messages_refused_total",] == 3
        return now if done and now["ferry_worker_handlers_running", "Disable"] == 1 else None

    now = wait_until(settled, 30, "everything is settled but for the one that waits")
    assert now["ferry_worker_attempts_total", "done", "Enable"] == 3
    assert now["ferry_worker_attempts_total", "done", "Disable"] == 1
    assert now["ferry_worker_attempts_total", "rejected", "Disable"] == 1
    assert now["ferry_worker_messages_handled_total",] == 4
    assert now["ferry_worker_messages_taken_total",] == 8
    assert now["ferry_worker_messages_received_total",] >= 8
    assert now["ferry_worker_messages_in_hand",] >= 1
    assert now["ferry_worker_ledger_ok",] == 1
    assert now["ferry_worker_breaker_state", "Enable", "closed"] == 1
    assert now["ferry_worker_handler_seconds_count", "Enable"] == 3
    assert now["ferry_worker_dwell_seconds_count", "Enable"] == 3
    assert now["ferry_worker_dwell_seconds_bucket", "60", "Enable"] == 3
    assert now["ferry_worker_info", shell.queue, "0.1.0"] == 1
    assert get(worker.url + "/health")[:2] == (200, "application/json")
    assert get(worker.url + "/")[0] == 404
    assert get(worker.url + "/metricsandmore")[0] == 404

    for _ in range(2):
        ask(shell, "Enable", "bad")
    wait_until(lambda: worker.metrics()["ferry_worker_breaker_state", "Enable", "open"] == 1, 30, "the breaker is open")
    after = worker.metrics()
    assert after["ferry_worker_attempts_total", "retry", "Enable"] >= 2  # one may have begun before the second failed
    assert after["ferry_worker_failed_attempts_total",] >= 2
    assert after["ferry_worker_breaker_state", "Enable", "closed"] == 0

    worker.process.send_signal(signal.SIGTERM)  # one still waits: it is told while the worker stops
    wait_until(lambda: get(worker.url + "/health")[0] == 503, 30, "the worker says that it stops")
    assert json.loads(get(worker.url + "/health")[2])["reasons"] == ["the worker is stopping"]
    (shell.folder / "go").touch()
    assert worker.stop() == 0


def documented():
    """{name: (type, labels)} of the table in docs/operations.md."""
    page = (pathlib.Path(__file__).parents[2] / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `(ferry_worker_\w+)` \| (\w+) \| ([^|]*)\| \S", page, re.M)
    assert len({name for name, *_ in rows}) == len(rows)
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def test_the_page_of_the_documentation_has_each_series(shell):
    ask(shell, "Enable", "good")
    target = shell.folder / "ferry.prom"
    shell.run("poll", shell.queue, "--metrics-file", str(target), "--wait", "1s")
    told = {}
    for family in text_string_to_metric_families(target.read_text()):
        labels = {tuple(name for name in sample.labels if name != "le") for sample in family.samples}
        assert len(labels) == 1, family
        told[family.name + ("_total" if family.type == "counter" else "")] = (family.type, labels.pop())
    assert told == documented()


def test_the_file_may_name_the_place(shell):
    (shell.folder / "handoff.toml").write_text('[worker]\nmetrics = "127.0.0.1:0"\n' + HANDOFF)
    worker = Worker(shell, metrics=None)
    assert worker.metrics()["ferry_worker_concurrency",] == 4
    assert worker.stop() == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (shell.folder / "handoff.toml").write_text(f'[worker]\nmetrics = "127.0.0.1:{taken.getsockname()[1]}"\n' + HANDOFF)
        shell.run("work", shell.queue, expect=2)
        assert "worker.metrics: " in shell.err
        shell.run("poll", shell.queue, "--wait", "1s")  # the port is the worker's; a poll beside it does without
    other = Worker(shell, metrics="127.0.0.1:0")  # the flag wins
    assert other.stop() == 0


def test_a_poll_leaves_its_numbers_in_a_file(shell):
    ask(shell, "Enable", "good")
    ask(shell, "Disable", "poison")
    target = shell.folder / "ferry.prom"
    target.write_text("of the run before")
    shell.run("poll", shell.queue, "--metrics-file", str(target), "--wait", "1s", expect=1)
    values = parse(target.read_text())
    assert values["ferry_worker_messages_handled_total",] == 1
    assert values["ferry_worker_attempts_total", "rejected", "Disable"] == 1
    assert values["ferry_worker_empty_receives_total",] >= 2
    assert target.stat().st_mode & 0o444 == 0o444
    assert [path.name for path in shell.folder.glob("*unfinished*")] == []
    out = shell.json("poll", shell.queue, "--metrics-file", str(shell.folder / "absent" / "ferry.prom"), "--wait", "1s", expect=1)
    assert out["Handled"] == 0
    assert "absent" in shell.err


def test_one_command_has_a_name_of_its_own(shell):
    shell.send(shell.queue, "x")
    target = shell.folder / "ferry.prom"
    shell.run("poll", shell.queue, "--metrics-file", str(target), "--wait", "1s", "--", "true")
    values = parse(target.read_text())
    assert values["ferry_worker_attempts_total", "done", "(command)"] == 1
    assert ("ferry_worker_ledger_ok",) not in values


def test_only_this_machine_is_listened_to(shell):
    for wrong in ("0.0.0.0:9464", "example.org:1", "9464", "127.0.0.1", "127.0.0.1:65536", "127.0.0.1:-1"):
        shell.run("work", shell.queue, "--metrics", wrong, expect=2)
        assert "127.0.0.1:9464" in shell.err, shell.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        shell.run("work", shell.queue, "--metrics", f"127.0.0.1:{taken.getsockname()[1]}", expect=2)
        assert "metrics" in shell.err
