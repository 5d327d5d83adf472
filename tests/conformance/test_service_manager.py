"""What a service manager hears of the server and of workers: the datagrams of sd_notify(3), on a real socket."""

import os
import signal
import socket
import subprocess
import time

import pytest
from ferry_server import FerryServer, binary


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
