"""Runs the real binary for a test: its own folder, a free port, its words in a file."""

import os
import pathlib
import signal
import subprocess
import time

READY_SECONDS = 60
STOP_SECONDS = 60


def binary():
    root = pathlib.Path(__file__).resolve().parents[2]
    return str(pathlib.Path(os.environ.get("FERRY_BINARY", root / "build/release/ferry")).resolve())


def wait_until(condition, seconds, what):
    """Asks again until `condition` answers something true; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


KEYS = {
    "admin": ("AKIAFERRYADMIN000001", "admin-secret", "000000000000", [("*", "*")]),
    "sender": ("AKIAFERRYSENDER00001", "sender-secret", "000000000000", [("SendMessage GetQueueUrl", "*")]),
    "receiver": ("AKIAFERRYRECEIVER001", "receiver-secret", "000000000000",
                 [("ReceiveMessage DeleteMessage ChangeMessageVisibility GetQueueUrl GetQueueAttributes", "*")]),
    "other": ("AKIAFERRYOTHER000001", "other-secret", "111122223333", [("*", "*")]),
}


def write_keys(path):
    """A keys file with KEYS, readable by its owner alone."""
    text = ""
    for access_key, secret, account, grants in KEYS.values():
        text += f'[[key]]\naccess_key = "{access_key}"\nsecret_key = "{secret}"\naccount = "{account}"\n'
        for actions, queues in grants:
            listed = ", ".join(f'"{action}"' for action in actions.split())
            text += f'[[key.grant]]\nactions = [{listed}]\nqueues = ["{queues}"]\n'
        text += "\n"
    path = pathlib.Path(path)
    path.touch(mode=0o600)
    path.write_text(text)
    return path


class FerryServer:
    """One server on one folder; may be started again after it was stopped or killed."""

    def __init__(self, folder, *options, prefix=(), listen="127.0.0.1:0", data=None):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data = pathlib.Path(data) if data else self.folder / "data"
        self.options = [str(option) for option in options]
        self.prefix = [str(word) for word in prefix]
        self.listen = listen
        self.log = self.folder / "server.log"
        self.ready_file = self.folder / "ready"
        self.process = None
        self.url = None

    def command(self):
        return [*self.prefix, binary(), "serve", "--listen", self.listen, "--data", str(self.data), "--ready-file", str(self.ready_file),
                *self.options]

    def launch(self, **popen):
        """Starts the process and does not wait for it to be ready."""
        self.ready_file.unlink(missing_ok=True)
        self.url = None
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, **popen)
        return self

    def start(self, seconds=READY_SECONDS, **popen):
        self.launch(**popen)

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode} before it was ready:\n{self.words()}")
            return self.ready_file.exists() and self.ready_file.read_text().strip()

        self.url = wait_until(ready, seconds, "the server is ready")
        return self

    @property
    def host(self):
        return self.url.split("//")[1].split("/")[0].rsplit(":", 1)[0]

    @property
    def port(self):
        return int(self.url.rstrip("/").rsplit(":", 1)[1])

    @property
    def pid(self):
        return self.process.pid

    def words(self, last=4000):
        return self.log.read_text(errors="replace")[-last:] if self.log.exists() else ""

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()


def serve_expecting_refusal(folder, *options, data=None, prefix=(), listen="127.0.0.1:0", seconds=30):
    """Starts a server that is expected to refuse; (exit status, what it said)."""
    server = FerryServer(folder, *options, data=data, prefix=prefix, listen=listen)
    server.log.unlink(missing_ok=True)
    server.launch()
    try:
        status = server.process.wait(seconds)
    except subprocess.TimeoutExpired:
        server.kill()
        raise AssertionError(f"the server did not refuse; it said:\n{server.words()}") from None
    assert not server.ready_file.exists(), "the server said that it was ready"
    return status, server.words()
