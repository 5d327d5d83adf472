"""`work --check`, `work --dry-run` and `worker unit`: what would be run, without running it."""

import configparser
import shutil
import subprocess

import pytest
from cli_runs import Shell
from ferry_server import FerryServer, binary

HANDOFF = """
[worker]
drain_timeout = "20s"
[request.Enable]
parameter = { type = "text", max_length = 10 }
handler = ["./enable.sh", "{attr:Enable}", "--id={message_id}"]
kill_grace = "7s"
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def shell(server, tmp_path):
    (tmp_path / "handoff.toml").write_text(HANDOFF)
    script = tmp_path / "enable.sh"
    script.write_text("#!/bin/sh\ntouch \"$0.ran\"\n")
    script.chmod(0o755)
    return Shell(server.url, tmp_path)


def test_check_asks_no_server(shell):
    nowhere = {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"}
    for command in ("work", "poll"):
        routes = shell.json(command, "any", "--check", **nowhere)
        assert [(route["Request"], route["Argv"]) for route in routes] == [
            ("Enable", ["./enable.sh", "{attr:Enable}", "--id={message_id}"])]
        assert routes[0]["Program"] == str(shell.folder / "enable.sh")
    assert "text of 1 to 10 characters" in shell.run("work", "any", "--check", "-o", "table", **nowhere)
    assert shell.json("work", "any", "--check", "--", "cat", **nowhere)[0]["Argv"] == ["cat"]
    (shell.folder / "enable.sh").chmod(0o644)
    shell.run("work", "any", "--check", expect=2, **nowhere)
    assert "enable.sh" in shell.err
    shell.run("work", "any", "--check", "--dry-run", expect=2)
    shell.run("work", "any", "--check", "--", "no-such-program", expect=2)
    (shell.folder / "handoff.toml").unlink()
    shell.run("work", "any", "--check", expect=2)
    assert "there is no handoff.toml here" in shell.err


def test_check_finds_what_a_run_would_stumble_over(shell):
    nowhere = {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"}
    parts = '[trust]\nsenders = "who.toml"\n[audit]\nfolder = "trail"\nkey = "worker"\n'
    (shell.folder / "handoff.toml").write_text(parts + HANDOFF)
    shell.run("work", "any", "--check", expect=2, **nowhere)
    assert "trust: " in shell.err and "who.toml" in shell.err
    assert "audit: " in shell.err and "ferry key new worker" in shell.err
    key = shell.run("key", "new", "worker").strip()
    (shell.folder / "who.toml").write_text(f'[sender.a]\nkey = "{key}"\nrequests = ["Enable"]\nqueues = ["*"]\n')
    shell.run("work", "any", "--check", **nowhere)
    assert not (shell.folder / "trail").exists(), "a check makes nothing"
    (shell.folder / "trail").write_text("a file")
    shell.run("work", "any", "--check", expect=2, **nowhere)
    assert "trail is no folder" in shell.err


def test_dry_run_tells_each_route_and_gives_all_back(shell):
    shell.create("dry")
    good, long, unknown = (shell.call("SendMessage", QueueUrl=shell.queue_url("dry"), MessageBody="b", MessageAttributes={
        name: {"DataType": "String", "StringValue": value}})["MessageId"] for name, value in (("Enable", "x"), ("Enable", "y" * 11), ("Other", "z")))
    told = {line["MessageId"]: line for line in shell.lines("work", "dry", "--dry-run", expect=1)}
    assert told[good] == {"MessageId": good, "Request": "Enable", "Argv": ["./enable.sh", "x", f"--id={good}"]}
    assert "11 characters where 1 to 10 are allowed" in told[long]["Refused"]
    assert "unknown request" in told[unknown]["Refused"]
    assert "3 messages looked at, 2 would be refused; nothing was run, all given back" in shell.err
    assert shell.count("dry") == (3, 0)
    assert not (shell.folder / "enable.sh.ran").exists()
    shell.run("poll", "dry", "--dry-run", "--", "cat")
    shell.run("work", "absent", "--dry-run", expect=3)


RULES = """
[request.Enable]
handler = ["./enable.sh", "{attr:Enable}"]
[request.Photo]
match = { attribute = "kind", value = "photo" }
handler = ["./enable.sh"]
[request.Stop]
match = { pointer = "/detail/state", pattern = "stop.*" }
http = "https://127.0.0.1:1/stop"
[request.Order]
match = { type = "order" }
handler = ["./enable.sh", "{body}"]
"""


def attributes(**values):
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}


def test_routes_by_value_type_and_pointer(shell):
    (shell.folder / "handoff.toml").write_text(RULES)
    told = {route["Request"]: route for route in shell.json("work", "any", "--check")}
    assert [route["RecognisedBy"] for route in told.values()] == [
        "attribute Enable", 'attribute kind = "photo"', "/detail/state matching stop.*", 'type = "order"']
    assert told["Stop"]["Post"] == "https://127.0.0.1:1/stop" and "Argv" not in told["Stop"]
    assert told["Stop"]["Parameter"] == "none"
    assert "POST https://127.0.0.1:1/stop" in shell.run("work", "any", "--check", "-o", "table")
    shell.create("rules")
    sent = [shell.call("SendMessage", QueueUrl=shell.queue_url("rules"), MessageBody=body, MessageAttributes=attributes(**values))["MessageId"]
            for body, values in (("b", {"kind": "photo"}), ('{"detail": {"state": "stopped"}}', {}), ('{"type": "order"}', {}),
                                 ('{"type": "order"}', {"type": "other"}), ('{"type": "order"}', {"Enable": "x"}), ("b", {"kind": "film"}))]
    told = {line["MessageId"]: line for line in shell.lines("work", "rules", "--dry-run", expect=1)}
    photo, stop, order, other, two, none = (told[message] for message in sent)
    assert photo["Request"] == "Photo" and stop["Post"] == "https://127.0.0.1:1/stop" and order["Argv"] == ["./enable.sh", '{"type": "order"}']
    assert 'not Order (type = "order"): its attribute type is "other"' in other["Refused"]
    assert two["Refused"] == "2 requests in one message: Enable and Order"
    assert [(route["Request"], route["Matches"]) for route in two["Routes"]] == [
        ("Enable", True), ("Photo", False), ("Stop", False), ("Order", True)]
    assert none["Routes"][1] == {"Request": "Photo", "Matches": False, "Because": 'its attribute kind is "film"'}
    table = shell.run("work", "rules", "--dry-run", "-o", "table", expect=1)
    assert "POST https://127.0.0.1:1/stop" in table and "2 requests in one message" in table
    shell.run("send", "rules", "--request", "Photo", "x", expect=2)
    assert 'Photo is recognised by its attribute kind = "photo"' in shell.err


def test_what_matches_several_requests_is_never_deleted(shell):
    (shell.folder / "handoff.toml").write_text('on_unmatched = "delete"\n[ledger]\nenabled = false\n' + RULES)
    shell.create("several")
    for values in ({"Enable": "x", "kind": "photo"}, {"kind": "film"}):
        shell.call("SendMessage", QueueUrl=shell.queue_url("several"), MessageBody="b", MessageAttributes=attributes(**values))
    shell.run("poll", "several", "--wait", "1s", expect=1)
    assert "2 requests in one message: Enable and Photo; it stays in the queue" in shell.err
    assert "DELETED, as on_unmatched says" in shell.err
    left = shell.take_all("several")
    assert [message["MessageAttributes"]["kind"]["StringValue"] for message in left] == ["photo"]


def parse(text):
    unit = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",))
    unit.optionxform = str
    unit.read_string(text)
    return unit


def verify(*files):
    if shutil.which("systemd-analyze"):
        done = subprocess.run(["systemd-analyze", "verify", *map(str, files)], capture_output=True, text=True)
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_service(shell):
    shell.run("worker", "unit", "jobs", "--write", ".", "-j", "8")
    file = shell.folder / "ferry-work-jobs.service"
    assert oct(file.stat().st_mode & 0o777) == "0o644"
    service = parse(file.read_text())["Service"]
    assert service["ExecStart"] == f"{binary()} work jobs --config {shell.folder}/handoff.toml --concurrency 8"
    assert (service["Type"], service["KillMode"], service["TimeoutStopSec"]) == ("notify", "mixed", "32")  # 20 + 7 + 5
    for name, value in {"Restart": "on-failure", "DynamicUser": "yes", "StateDirectory": "ferry-work-jobs", "NoNewPrivileges": "yes",
                        "ProtectSystem": "strict"}.items():
        assert service[name] == value
    verify(file)
    assert parse(shell.run("worker", "unit", "jobs"))["Service"]["Type"] == "notify"


def test_timer(shell):
    shell.run("worker", "unit", "jobs", "--timer", "5m", "--write", ".", "--user", "daemon")
    service, timer = (shell.folder / f"ferry-poll-jobs.{suffix}" for suffix in ("service", "timer"))
    assert parse(timer.read_text())["Timer"]["OnUnitInactiveSec"] == "300"
    told = parse(service.read_text())["Service"]
    assert told["Type"] == "oneshot" and told["User"] == "daemon" and told["SuccessExitStatus"].split()[0] == "6"
    assert told["ExecStart"].endswith("poll jobs --config " + str(shell.folder / "handoff.toml") + " --max-time 290s")
    verify(service, timer)
    both = shell.run("worker", "unit", "jobs", "--timer", "5m")
    assert "# ferry-poll-jobs.service\n" in both and "\n# ferry-poll-jobs.timer\n" in both


def test_unit_refuses_what_cannot_be(shell):
    for arguments, word in ((["jobs", "--timer", "9s"], "from 10s to 24h"), (["jobs", "--timer", "86401s"], "from 10s to 24h"),
                            (["jobs", "--name", "a/b"], "--name takes"), (["not a queue"], "is no queue"),
                            (["jobs", "--config", "absent.toml"], "absent.toml"), (["jobs", "--region", "a\nb"], "control character")):
        shell.run("worker", "unit", *arguments, expect=2)
        assert word in shell.err, shell.err
    shell.run("worker", "unit", "jobs", "--timer", "10s")
    shell.run("worker", "unit", "jobs", "--timer", "24h")
    shell.run("worker", "unit", "jobs", "--write", "absent", expect=1)
    shell.run("worker", expect=2)
