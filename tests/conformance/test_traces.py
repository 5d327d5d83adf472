"""W3C Trace Context through `ferry send` and the workers: a trace goes in at one end and comes out, with a span of its own, at the other."""

import http.server
import json
import re
import threading

import pytest
from cli_runs import Shell
from ferry_server import FerryServer

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
HANDLER = """#!/bin/sh
echo "$TRACEPARENT $TRACESTATE" >> traces
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def shell(server, tmp_path):
    (tmp_path / "handler.sh").write_text(HANDLER)
    (tmp_path / "handler.sh").chmod(0o755)
    (tmp_path / "handoff.toml").write_text('[request.Enable]\nhandler = ["./handler.sh"]\n[audit]\nfolder = "trail"\n')
    shell = Shell(server.url, tmp_path)
    shell.queue = tmp_path.name
    shell.create(shell.queue)
    return shell


def sent(shell):
    (message, ) = shell.take_all(shell.queue)
    return {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}


def test_send_takes_the_trace_from_flags_or_the_environment(shell):
    shell.run("send", shell.queue, "x", TRACEPARENT=PARENT, TRACESTATE="a=b")
    assert sent(shell) == {"traceparent": PARENT, "tracestate": "a=b"}
    other = PARENT.replace("0af7", "1111")
    shell.run("send", shell.queue, "x", "--traceparent", other, TRACEPARENT=PARENT, TRACESTATE="of=another")
    assert sent(shell) == {"traceparent": other}
    shell.run("send", shell.queue, "x", "--traceparent", other, "--tracestate", "c=d")
    assert sent(shell) == {"traceparent": other, "tracestate": "c=d"}
    shell.run("send", shell.queue, "x", "-a", f"traceparent={other}", TRACEPARENT=PARENT)
    assert sent(shell) == {"traceparent": other}
    shell.run("send", shell.queue, "x", TRACEPARENT="")
    assert sent(shell) == {}


def test_what_is_no_trace_is_refused_or_left_out(shell):
    for words in (["--traceparent", PARENT + "0"], ["--traceparent", PARENT.upper()], ["--tracestate", "a=b"],
                  ["--traceparent", PARENT, "--tracestate", "x" * 513], ["--traceparent", PARENT, "--tracestate", "a\nb"]):
        shell.run("send", shell.queue, "x", *words, expect=2, TRACEPARENT=PARENT)
        assert words[-2] in shell.err
    assert shell.receive(shell.queue) == []
    shell.run("send", shell.queue, "x", TRACEPARENT="nonsense")
    assert "TRACEPARENT" in shell.err and "left out" in shell.err
    assert sent(shell) == {}
    shell.run("send", shell.queue, "x", TRACEPARENT=PARENT, TRACESTATE="x" * 513)
    assert "TRACESTATE" in shell.err
    assert sent(shell) == {"traceparent": PARENT}
    shell.run("send", shell.queue, "x", "-q", TRACEPARENT="nonsense")
    assert shell.err == ""
    sent(shell)


def test_a_trace_never_stops_a_message(shell):
    nine = [word for i in range(9) for word in ("-a", f"A{i}=v")]
    shell.run("send", shell.queue, "x", *nine, TRACEPARENT=PARENT, TRACESTATE="a=b")
    assert "tracestate is left out of 1 message" in shell.err
    assert sent(shell).keys() == {*(f"A{i}" for i in range(9)), "traceparent"}
    shell.run("send", shell.queue, "x", *nine, "-a", "A9=v", TRACEPARENT=PARENT)
    assert "traceparent is left out of 1 message" in shell.err
    assert sent(shell).keys() == {f"A{i}" for i in range(10)}
    shell.run("send", shell.queue, "x", *nine, "--idempotency-key", "k", TRACEPARENT=PARENT)
    assert sent(shell)["Ferry"] == f"v1;i=k;p={PARENT}"


def test_a_program_goes_on_with_a_span_of_its_own(shell):
    shell.run("send", shell.queue, "--request", "Enable", "x", TRACEPARENT=PARENT, TRACESTATE="a=b")
    shell.run("send", shell.queue, "--request", "Enable", "y")
    shell.run("poll", shell.queue, "--wait", "1s")
    lines = sorted((shell.folder / "traces").read_text().splitlines(), key=len)
    assert lines[0].strip() == ""  # it had no trace, and none is made up
    trace, span = re.fullmatch(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01 a=b", lines[1]).groups()
    assert trace == TRACE and span != SPAN
    link = f"[trace_id={TRACE} span_id={span} parent_span_id={SPAN}]"
    assert len([line for line in shell.err.splitlines() if line.endswith(link)]) == 2  # begun, done
    story = json.loads(shell.run("audit", "why", TRACE, str(shell.folder / "trail"), "-o", "json"))
    fields = {line["Record"]["event"]: line["Record"]["fields"] for line in story}
    assert {"received", "claimed", "attempt-started", "attempt-ended", "settled"} == fields.keys()
    for event, found in fields.items():
        assert (found["trace_id"], found["parent_span_id"]) == (TRACE, SPAN)
        assert found.get("span_id") == (span if event in ("claimed", "attempt-started", "attempt-ended") else None), event


def test_an_endpoint_gets_the_headers(shell):
    seen = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["traceparent"], self.headers["tracestate"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as endpoint:
        threading.Thread(target=endpoint.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{endpoint.server_address[1]}/"
        (shell.folder / "handoff.toml").write_text(f'[request.Enable]\nhttp = "{url}"\n')
        shell.run("send", shell.queue, "--request", "Enable", "x", "--traceparent", PARENT, "--tracestate", "a=b")
        shell.run("poll", shell.queue, "--wait", "1s")
        endpoint.shutdown()
    ((parent, state), ) = seen
    assert state == "a=b" and parent.startswith(f"00-{TRACE}-") and SPAN not in parent


def test_the_same_request_under_another_trace_is_done_once(shell):
    """As a sender that repeats itself, in another trace, would make it."""
    sums = []
    for trace in ("0af7", "1111"):
        shell.run("send", shell.queue, "--request", "Enable", "x", "--idempotency-key", "order-1", TRACEPARENT=PARENT.replace("0af7", trace))
        (message, ) = shell.take_all(shell.queue)
        assert trace in message["MessageAttributes"]["traceparent"]["StringValue"]
        # The body that `send` makes tells the time, and the ledger compares bodies: both get the same.
        shell.send(shell.queue, "same", MessageAttributes=message["MessageAttributes"])
        out = shell.json("poll", shell.queue, "--wait", "1s")
        sums.append((out["Handled"], out["Duplicates"], out["Refused"]))
    assert sums == [(1, 0, 0), (0, 1, 0)], shell.err
    assert len((shell.folder / "traces").read_text().splitlines()) == 1
