"""`ferry doctor` against the real server: each finding, and that asking changes nothing."""

import http.server
import subprocess
import threading
import time

import pytest
from cli_runs import Shell
from ferry_server import KEYS, FerryServer, binary, write_keys

HANDOFF = '[request.Enable]\nhandler = ["/bin/cat"]\ntimeout = "20s"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def shell(server, tmp_path):
    return Shell(server.url, tmp_path)


def findings(shell, *arguments, expect, **more):
    return {(one["Severity"], one["Check"]): one for one in shell.json("doctor", *arguments, expect=expect, **more)["Findings"]}


def test_a_good_queue(shell):
    shell.create_pair("good", "good-dead", 5, ReceiveMessageWaitTimeSeconds=20)
    (shell.folder / "handoff.toml").write_text(HANDOFF)
    assert findings(shell, "good", expect=0) == {}
    assert findings(shell, expect=0) == {}
    assert shell.run("doctor", "good", "-o", "table") == "nothing is wrong with good\n"


def test_a_queue_with_everything_wrong(shell):
    shell.create("dead-soon", MessageRetentionPeriod=60)
    shell.create("bad", VisibilityTimeout=0, DelaySeconds=5, RedrivePolicy='{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead-soon",'
                 '"maxReceiveCount":1}')
    shell.send("dead-soon", "a letter")
    found = findings(shell, "bad", expect=1)
    assert set(found) == {("warning", "visibility"), ("warning", "max-receive-count"), ("warning", "dead-letter-retention"),
                          ("note", "dead-letters"), ("note", "long-polling"), ("note", "delay")}
    for one in found.values():
        assert one["Text"] and one["Mend"]


def test_the_mend_of_a_missing_dead_letter_queue_works(shell):
    shell.create("alone", ReceiveMessageWaitTimeSeconds=20)
    found = findings(shell, "alone", expect=1)
    assert set(found) == {("warning", "dead-letter-queue")}
    mend = found["warning", "dead-letter-queue"]["Mend"].replace("ferry queue", f"{binary()} queue")
    subprocess.run(["sh", "-c", mend], check=True, env=shell.environment(), capture_output=True)
    assert findings(shell, "alone", expect=0) == {}


def test_no_queue_and_no_server(shell):
    found = findings(shell, "absent", expect=1)
    assert found["error", "queue"]["Mend"] == "ferry queue create absent"
    found = findings(shell, "absent", "--endpoint-url", "http://127.0.0.1:1", expect=1)
    assert set(found) == {("error", "endpoint")}


def test_a_dead_letter_queue_that_is_gone(shell):
    shell.create_pair("orphan", "orphan-dead", 5, ReceiveMessageWaitTimeSeconds=20)
    shell.call("DeleteQueue", QueueUrl=shell.queue_url("orphan-dead"))
    assert set(findings(shell, "orphan", expect=1)) == {("error", "dead-letter-queue")}


def test_configuration_and_programs(shell):
    shell.create_pair("conf", "conf-dead", 5, ReceiveMessageWaitTimeSeconds=20)
    (shell.folder / "handoff.toml").write_text('bogus = 1\n[request.A]\nhandler = ["/no/such/program"]\n')
    assert ":1: unknown key bogus" in findings(shell, "conf", expect=1)["error", "configuration"]["Text"]
    (shell.folder / "handoff.toml").write_text('[request.A]\nhandler = ["/no/such/program"]\n')
    assert "/no/such/program" in findings(shell, "conf", expect=1)["error", "configuration"]["Text"]
    (shell.folder / "handoff.toml").write_text('on_unmatched = "dead-letter"\ndead_letter_queue = "nowhere"\n' + HANDOFF)
    assert set(findings(shell, "conf", expect=1)) == {("error", "unmatched")}


def test_fifo_requests_with_deduplication_by_content(shell):
    shell.create_pair("q.fifo", "q-dead.fifo", 5, ReceiveMessageWaitTimeSeconds=20, ContentBasedDeduplication="true")
    assert findings(shell, "q.fifo", expect=0) == {}
    (shell.folder / "handoff.toml").write_text(HANDOFF)
    assert set(findings(shell, "q.fifo", expect=1)) == {("warning", "deduplication")}


def test_clock(shell):
    """The server's clock is two minutes behind."""
    class Late(http.server.BaseHTTPRequestHandler):
        def date_time_string(self, timestamp=None):
            return super().date_time_string((timestamp or time.time()) - 120)

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Late) as late:
        threading.Thread(target=late.serve_forever, daemon=True).start()
        found = findings(shell, "--endpoint-url", f"http://127.0.0.1:{late.server_port}", expect=1)
        late.shutdown()
    assert set(found) == {("warning", "clock")} and "behind" in found["warning", "clock"]["Text"]


def test_rights_are_asked_for_without_a_change(tmp_path):
    with FerryServer(tmp_path / "server", "--keys", write_keys(tmp_path / "keys.toml")) as server:
        shell = Shell(server.url, tmp_path)

        def key(name):
            return {"AWS_ACCESS_KEY_ID": KEYS[name][0], "AWS_SECRET_ACCESS_KEY": KEYS[name][1]}

        shell.run("queue", "create", "r", **key("admin"))
        shell.run("send", "r", "one", **key("admin"))

        def refused(name, *arguments, expect=1):
            found = shell.json("doctor", "r", *arguments, expect=expect, **key(name))["Findings"]
            return sorted((one["Severity"], one["Text"].split(" on ")[0].removeprefix("this key may not ")) for one in found
                          if one["Check"] == "rights")

        assert refused("receiver") == []
        assert refused("sender") == [("error", "ChangeMessageVisibility"), ("error", "DeleteMessage"), ("error", "ReceiveMessage"),
                                     ("warning", "GetQueueAttributes")]
        assert refused("sender", "--role", "sender", expect=0) == []
        assert refused("receiver", "--role", "sender") == [("error", "SendMessage")]
        wrong = shell.json("doctor", "r", expect=1, AWS_ACCESS_KEY_ID=KEYS["admin"][0], AWS_SECRET_ACCESS_KEY="wrong")["Findings"]
        assert [one["Check"] for one in wrong] == ["rights"]
        assert shell.json("queue", "show", "r", **key("admin"))["Attributes"]["ApproximateNumberOfMessages"] == "1"
        taken = shell.lines("receive", "r", **key("admin"))
        assert taken[0]["Attributes"]["ApproximateReceiveCount"] == "1", "doctor received nothing"
