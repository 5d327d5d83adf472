"""`ferry top` at a terminal of the test, in a pipe, and told once."""

import fcntl
import http.server
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import urllib.request

import pytest
from cli_runs import Shell
from ferry_server import FerryServer, binary, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def shell(server, tmp_path):
    shell = Shell(server.url, tmp_path)
    shell.name = tmp_path.name.replace("_", "-")
    return shell


class Seen:
    """A terminal with `ferry top` on it."""

    def __init__(self, shell, *arguments, columns=120, rows=30, **more):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen([binary(), "top", "--interval", "100ms", *arguments], stdin=self.slave, stdout=self.slave,
                                        stderr=self.slave, env=shell.environment(TERM="xterm", **more), start_new_session=True)
        self.text = ""
        self.looked_at = 0

    def resize(self, columns, rows):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.text += os.read(self.master, 65536).decode()

    def shows(self, pattern):
        """Waits for a drawing that matches, from the one on that did last."""
        def look():
            self.read()
            drawings = self.text.split("\x1b[H")[1:-1]  # the last one may not be whole
            for i in range(self.looked_at, len(drawings)):
                if re.search(pattern, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawings[i])):
                    self.looked_at = i
                    return True
            return False
        wait_until(look, 20, f"{pattern} is shown")

    def type(self, key):
        os.write(self.master, key.encode())

    def end(self):
        """Its exit code; the terminal is as it was."""
        code = self.process.wait(timeout=20)
        self.read()
        assert termios.tcgetattr(self.slave) == self.before
        assert self.text.endswith("\x1b[?25h\x1b[?1049l"), self.text[-100:]
        os.close(self.master)
        os.close(self.slave)
        return code


def test_numbers_of_queues_are_shown_and_q_ends_it(shell):
    name = shell.name + "-q"
    shell.create(name)
    shell.send(name, "a", "b", "c")
    shell.receive(name, 60)
    shell.send(name, "d")
    seen = Seen(shell, shell.name)
    seen.shows(re.escape(name) + r" +1 +3 +0 +\d+s +0 +0")
    shell.send(name, *"efghij")
    seen.shows(re.escape(name) + r" +7 +3 +0 +\d+s +[\d.]*[1-9][\d.]* +0")  # some came in this moment
    assert "\x1b[1m" in seen.text  # the heading is bold
    assert termios.tcgetattr(seen.slave)[3] & termios.ECHO == 0
    seen.type("x")
    seen.type("q")
    assert seen.end() == 0


def test_it_follows_the_size_of_the_terminal_and_sorts(shell):
    for i in range(8):
        shell.create(f"{shell.name}-{i}")
    shell.send(shell.name + "-5", "x")
    seen = Seen(shell, shell.name)
    seen.shows(rf"VISIBLE.*\n[^\n]*-5 +1 .*(?s:.)*-7 +0")
    seen.resize(100, 8)
    seen.shows(r"… and 4 more")
    for order in ("oldest", "in", "out", "name"):
        seen.type("s")
        seen.shows(f"by {order}")
    seen.shows(r"VISIBLE.*\n[^\n]*-0 +0")
    seen.type("q")
    assert seen.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_signals_leave_the_terminal_as_it_was(shell, number):
    seen = Seen(shell, "none-of-this-name")
    seen.shows("VISIBLE")
    seen.process.send_signal(number)
    assert seen.end() == 128 + number


def test_without_a_server_it_says_so_and_stays(shell):
    seen = Seen(shell, "--endpoint-url", "http://127.0.0.1:1", "--worker", "127.0.0.1:1")
    seen.shows(r"127\.0\.0\.1:1(?s:.)*not reachable")
    seen.type("q")
    assert seen.end() == 0


def test_no_color_is_honoured(shell):
    seen = Seen(shell, "none-of-this-name", NO_COLOR="1")
    seen.shows("VISIBLE")
    seen.type("q")
    assert seen.end() == 0
    assert not re.search(r"\x1b\[[1-9][0-9;]*m", seen.text)


def test_workers_are_shown(shell):
    name = shell.name + "-w"
    shell.create(name)
    (shell.folder / "handler.sh").write_text("#!/bin/sh\nexit $1\n")
    (shell.folder / "handler.sh").chmod(0o755)
    (shell.folder / "handoff.toml").write_text('[backoff]\nbase = "1h"\nmax = "1h"\n'
                                               '[request.Enable]\nhandler = ["./handler.sh", "{attr:Enable}"]\n')
    worker = shell.start("work", name, "--metrics", "127.0.0.1:0", "--wait", "1s")
    address = next(line.split()[-1] for line in worker.stderr if line.startswith("metrics are at "))
    shell.run("send", name, "--request", "Enable", "0", "0", "3")

    def told():
        return json.loads(shell.run("top", name, "--worker", address, "--once", "--json", "--interval", "100ms"))

    def done():
        look = told()
        (one, ) = look["Workers"]
        return look if (one.get("Handled"), one.get("FailedAttempts")) == (2, 1) else None

    look = wait_until(done, 30, "two are done and one has failed")
    (one, ) = look["Workers"]
    assert (one["Address"], one["Queue"], one["Concurrency"], one["Running"], one["Paused"]) == (address, name, 4, 0, [])
    assert one["HandledPerSecond"] is not None
    (queue, ) = look["Queues"]
    assert (queue["QueueName"], queue["ApproximateNumberOfMessages"], queue["ApproximateNumberOfMessagesNotVisible"]) == (name, 0, 1)
    assert queue["OldestSeconds"] > 0 and queue["InPerSecond"] == 0
    seen = Seen(shell, name, "--worker", address, columns=160)
    seen.shows(re.escape(name) + r" +0/4 +0 +0 +0 +2 +1 +0 +ok")
    worker.send_signal(signal.SIGTERM)
    worker.communicate(timeout=60)
    seen.shows("not reachable")
    seen.type("q")
    assert seen.end() == 0


def test_any_server_of_sqs_will_do(shell):
    """Without /metrics there are no ages and no rates, and the counts are GetQueueAttributes'."""
    class Other(http.server.BaseHTTPRequestHandler):
        asked = []

        def do_GET(self):
            Other.asked.append(self.path)
            self.send_error(404)

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            names = ("Content-Type", "X-Amz-Target")
            request = urllib.request.Request(shell.url + self.path, body, {name: self.headers[name] for name in names})
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *arguments):
            pass

    name = shell.name + "-o"
    shell.create(name)
    shell.send(name, "a", "b")
    shell.receive(name, 60)
    shell.send(name, "c")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        look = json.loads(shell.run("top", name, "--once", "--json", "--interval", "100ms", "--endpoint-url", url))
        server.shutdown()
    (queue, ) = look["Queues"]
    assert (queue["ApproximateNumberOfMessages"], queue["ApproximateNumberOfMessagesNotVisible"]) == (1, 2)
    assert queue["OldestSeconds"] is queue["InPerSecond"] is queue["OutPerSecond"] is None
    assert Other.asked == ["/metrics"]  # and not again, when it has none


def test_a_pipe_gets_a_line_for_each_queue_each_time(shell):
    name = shell.name + "-p"
    shell.create(name)
    process = shell.start("top", name, "--interval", "100ms")
    lines = [process.stdout.readline() for _ in range(3)]
    form = re.escape(f" queue {name} visible=0 in_flight=0 delayed=0 oldest_s=0.0")
    assert all(re.search(form, line) for line in lines), lines
    assert lines[0].endswith("in_per_s=- out_per_s=-\n") and lines[1].endswith("in_per_s=0.0 out_per_s=0.0\n")
    assert "\x1b" not in "".join(lines)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    process = shell.start("top", name, "--interval", "100ms", "--json")
    assert [json.loads(process.stdout.readline())["Queues"][0]["QueueName"] for _ in range(2)] == [name, name]
    process.stdout.close()  # nobody reads any more
    assert process.wait(timeout=20) in (0, -signal.SIGPIPE)
    process.stderr.close()


def test_once_has_the_exit_codes_of_every_command(shell):
    shell.run("top", "--once", "--interval", "100ms", "--endpoint-url", "http://127.0.0.1:1", expect=5)
    for wrong in ("99ms", "3601s", "x"):
        shell.run("top", "--interval", wrong, expect=2)
    shell.run("top", "--sort", "size", expect=2)
    shell.run("top", "--worker", "ftp://x", expect=2)
    assert "9464" in shell.err
    assert "  top " in shell.run("help")
    begun = time.monotonic()
    shell.run("top", "--once", "--interval", "100ms")
    assert time.monotonic() - begun >= 0.1
