"""What a service manager hears of the server and of workers: the datagrams of sd_notify(3), on a real socket."""

import os
import signal
import socket
import subprocess
import time

import pytest
from ferry_server import FerryServer, binary, wait_until


class Manager:
    """The socket that NOTIFY_SOCKET names."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.heard = []

    def hear(self, seconds):
        self.socket.settimeout(max(seconds, 0.01))
        try:
            self.heard.append(self.socket.recv(4096).decode())
        except TimeoutError:
            return None
        return self.heard[-1]

    def wait_for(self, field, seconds=30):
        """The first datagram from now on that has this field."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            said = self.hear(deadline - time.monotonic())
            if said and any(line.startswith(field) for line in said.split("\n")):
                return said
        raise AssertionError(f"{field} was not said; heard {self.heard}")

    def close(self):
        self.socket.close()


@pytest.fixture
def manager(tmp_path):
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def environment(manager, **more):
    return {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": manager.path, "AWS_EC2_METADATA_DISABLED": "true", **more}


def test_the_server_is_ready_when_it_answers(tmp_path, manager):
    process = subprocess.Popen([binary(), "serve", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), "--ready-file", str(tmp_path / "url")],
                               env=environment(manager), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        ready = manager.wait_for("READY=1")
        url = (tmp_path / "url").read_text().strip()
        assert f"STATUS=serving at {url}" in ready
        assert manager.heard[0].startswith("STATUS=recovering")
        subprocess.run([binary(), "queue", "create", "q", "--endpoint-url", url], check=True, capture_output=True)
        process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
        process.communicate()


HANDOFF = """
[worker]
drain_timeout = "1s"
[request.Run]
handler = ["./handler"]
kill_grace = "500ms"
"""


@pytest.fixture
def server(tmp_path):
    with FerryServer(tmp_path / "server") as running:
        subprocess.run([binary(), "queue", "create", "jobs", "--endpoint-url", running.url], check=True, capture_output=True)
        yield running


def handler(folder, script):
    (folder / "handoff.toml").write_text(HANDOFF)
    (folder / "handler").write_text("#!/bin/sh\n" + script)
    (folder / "handler").chmod(0o755)


def work(folder, manager, url, stderr=subprocess.PIPE, **more):
    return subprocess.Popen([binary(), "work", "jobs", "--endpoint-url", url, "--no-ledger"], cwd=folder, text=True, stdin=subprocess.DEVNULL,
                            stderr=stderr, stdout=subprocess.DEVNULL, env=environment(manager, HOME=str(folder), **more))


def send(url):
    subprocess.run([binary(), "send", "jobs", "b", "-a", "Run=now", "--endpoint-url", url], check=True, capture_output=True)


def test_a_worker_is_ready_gives_signs_of_life_and_says_when_it_stops(tmp_path, manager, server):
    handler(tmp_path, "env >seen.new\nmv seen.new seen\n")
    process = work(tmp_path, manager, server.url, WATCHDOG_USEC="1000000")
    try:
        assert "STATUS=working jobs at" in manager.wait_for("READY=1")
        for _ in range(3):
            manager.wait_for("WATCHDOG=1")
        send(server.url)
        wait_until((tmp_path / "seen").exists, 20, "the handler")
        seen = (tmp_path / "seen").read_text()
        assert "FERRY_QUEUE=jobs" in seen and "NOTIFY_SOCKET" not in seen and "WATCHDOG" not in seen
        process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        manager.wait_for("EXTEND_TIMEOUT_USEC=6500000")  # 1 s, 500 ms and 5 s
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


def test_sighup_is_a_stop_in_a_terminal_and_none_elsewhere(tmp_path, manager, server):
    handler(tmp_path, "exit 0\n")
    process = work(tmp_path, manager, server.url)
    try:
        manager.wait_for("READY=1")
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        process.send_signal(signal.SIGTERM)
        assert "nothing to read again" in process.communicate(timeout=30)[1]
    finally:
        process.kill()
        process.communicate()
    ours, theirs = os.openpty()
    process = work(tmp_path, manager, server.url, stderr=theirs)
    try:
        manager.wait_for("READY=1")
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(ours)
        os.close(theirs)


def test_a_stop_is_bounded_when_the_server_does_not_answer(tmp_path, manager, server):
    handler(tmp_path, f"kill -STOP {server.pid}\n")
    process = work(tmp_path, manager, server.url)
    try:
        manager.wait_for("READY=1")
        send(server.url)
        wait_until(lambda: stopped(server.pid), 20, "the handler")
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=30)[1]
        assert process.returncode == 0, said
        assert "1 messages could not be settled before the end; they come again" in said
    finally:
        os.kill(server.pid, signal.SIGCONT)
        process.kill()
        process.communicate()


def test_a_stop_is_bounded_before_the_run_has_begun(tmp_path, manager):
    handler(tmp_path, "exit 0\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = work(tmp_path, manager, f"http://127.0.0.1:{silent.getsockname()[1]}")
        try:
            silent.accept()
            process.send_signal(signal.SIGTERM)
            said = process.communicate(timeout=30)[1]
            assert process.returncode == 143, said
            assert "something hangs" in said
        finally:
            process.kill()
            process.communicate()


def stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"
