"""A worker that believes signatures only and records what it does: `ferry send --sign`, `ferry poll`, `ferry audit`."""

import json
import os
import signal
import subprocess
import time
import uuid

import boto3
import pytest
from ferry_server import FerryServer, binary, wait_until

HANDOFF = """
[trust]
senders = "allowed-senders.toml"
{unsigned}
[audit]
folder = "trail"
key = "worker"
[request.Enable]
handler = ["./handler", "{{attr:Enable}}"]
[request.Disable]
handler = ["./handler", "{{attr:Disable}}"]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("server")) as running:
        yield running
        assert running.stop() == 0, running.words()


@pytest.fixture
def sqs(server):
    return boto3.client("sqs", endpoint_url=server.url, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")


@pytest.fixture
def queue(sqs):
    name = f"trusted-{uuid.uuid4().hex[:12]}"
    sqs.create_queue(QueueName=name)
    return name


@pytest.fixture
def ferry(server, tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_ENDPOINT_URL_SQS": server.url, "AWS_EC2_METADATA_DISABLED": "true",
                   "XDG_RUNTIME_DIR": str(tmp_path), "USER": "Jane"}

    def run(*words, status=0):
        done = subprocess.run([binary(), *words], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done
    return run


@pytest.fixture
def folder(ferry, queue, tmp_path):
    alice = ferry("key", "new", "alice").stdout.strip()
    ferry("key", "new", "mallory")
    ferry("key", "new", "worker")
    (tmp_path / "allowed-senders.toml").write_text(f'[sender.alice]\nkey = "{alice}"\nrequests = ["Enable"]\nqueues = ["{queue}"]\n')
    (tmp_path / "handoff.toml").write_text(HANDOFF.format(unsigned=""))
    (tmp_path / "handler").write_text("#!/bin/sh\necho \"$1\" >>handled\necho \"did $1\"\n")
    (tmp_path / "handler").chmod(0o755)
    return tmp_path


def handled(folder):
    path = folder / "handled"
    return path.read_text().splitlines() if path.exists() else []


def test_only_what_was_signed_by_whom_it_may_be_reaches_a_handler(ferry, queue, folder, sqs):
    sent = json.loads(ferry("send", queue, "--request", "Enable", "good", "--sign", "alice").stdout)["MessageId"]
    unsigned = json.loads(ferry("send", queue, "--request", "Enable", "unsigned").stdout)["MessageId"]
    ferry("send", queue, "--request", "Enable", "unknown", "--sign", "mallory")
    ferry("send", queue, "--request", "Disable", "forbidden", "--sign", "alice")
    other = f"other-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=other)["QueueUrl"]
    ferry("send", other, "--request", "Enable", "replayed", "--sign", "alice")
    message = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"][0]
    here = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    sqs.send_message(QueueUrl=here, MessageBody=message["Body"], MessageAttributes=message["MessageAttributes"])
    sqs.send_message(QueueUrl=here, MessageBody="changed", MessageAttributes=message["MessageAttributes"])
    done = ferry("poll", queue, status=1)
    assert handled(folder) == ["good"]
    for why in ("it is not signed", "belongs to no sender", "alice may not ask for Disable", f"signed it for the queue {other}",
                "was changed after signing"):
        assert why in done.stderr, done.stderr
    key = "./.config/ferry/keys/worker.pub"
    report = json.loads(ferry("audit", "verify", "trail", "--key", key).stdout)
    assert report["Whole"] and report["Chains"][0]["State"] == "closed"
    assert report["Chains"][0]["SignedUpTo"] == report["Chains"][0]["Last"]
    told = [document["Record"] for document in json.loads(ferry("audit", "why", sent, "trail").stdout)]
    assert [record["event"] for record in told] == ["received", "verified", "claimed", "attempt-started", "attempt-ended", "settled"]
    assert told[1]["fields"]["sender"] == "alice"
    assert told[2]["fields"]["answer"] == "run"
    assert told[4]["fields"]["outcome"] == "done" and "did good" in told[4]["fields"]["output"]
    assert told[5]["fields"] == {"how": "deleted"}
    told = ferry("audit", "why", unsigned, "trail", "-o", "table").stdout
    assert "refused as Enable: it is not signed (unsigned)" in told


def test_handlers_are_told_who_signed_and_nobody_can_forge_it(ferry, queue, folder, sqs):
    (folder / "handoff.toml").write_text(HANDOFF.format(unsigned='unsigned = "allow"'))
    (folder / "handler").write_text("#!/bin/sh\necho \"$1 ${FERRY_SIGNED_BY-nobody}\" >>handled\n")
    ferry("send", queue, "--request", "Enable", "signed", "--sign", "alice")
    ferry("send", queue, "--request", "Enable", "unsigned")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    attributes = {"Enable": "forged", "FERRY_SIGNED_BY": "alice", "signed_by": "alice"}
    sqs.send_message(QueueUrl=url, MessageBody="b", MessageAttributes={
        name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()})
    ferry("poll", queue)
    assert sorted(handled(folder)) == ["forged nobody", "signed alice", "unsigned nobody"]


def test_unsigned_ones_are_handled_where_they_are_allowed_and_bad_ones_are_not(ferry, queue, folder):
    (folder / "handoff.toml").write_text(HANDOFF.format(unsigned='unsigned = "allow"'))
    ferry("send", queue, "--request", "Disable", "plain")
    ferry("send", queue, "--request", "Enable", "bad", "--sign", "mallory")
    ferry("poll", queue, status=1)
    assert handled(folder) == ["plain"]


def test_the_configured_key_signs(ferry, queue, folder):
    with open(folder / "handoff.toml", "a") as file:
        file.write('[sender]\nkey = "alice"\n')
    ferry("send", queue, "--request", "Enable", "signed")
    ferry("poll", queue)
    assert handled(folder) == ["signed"]


def test_a_running_worker_takes_keys_back_and_keeps_what_it_knew_when_the_new_file_is_broken(ferry, queue, folder, server):
    allowed = folder / "allowed-senders.toml"
    before = allowed.read_text()

    def replace(text):
        (folder / "next").write_text(text)
        (folder / "next").rename(allowed)

    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ENDPOINT_URL_SQS": server.url, "AWS_EC2_METADATA_DISABLED": "true"}
    with open(folder / "said", "w") as said:
        worker = subprocess.Popen([binary(), "work", queue, "--wait", "1s"], env=environment, cwd=folder, stderr=said, stdout=subprocess.DEVNULL)

    def says(part):
        return part in (folder / "said").read_text()
    try:
        ferry("send", queue, "--request", "Enable", "first", "--sign", "alice")
        wait_until(lambda: handled(folder) == ["first"], 20, "the first")
        replace("revoked = [\n")
        time.sleep(1.1)  # it looks at the file once a second
        ferry("send", queue, "--request", "Enable", "second", "--sign", "alice")
        wait_until(lambda: handled(folder) == ["first", "second"], 20, "the second")
        assert says("was changed and cannot be used; what it said before still holds")
        key = before.split('"')[1]
        replace(f'revoked = ["{key}"]\n' + before)
        time.sleep(1.1)
        ferry("send", queue, "--request", "Enable", "third", "--sign", "alice")
        wait_until(lambda: says("is revoked in"), 20, "the refusal")
        assert says("was read again: 1 senders, 1 revoked keys")
        assert handled(folder) == ["first", "second"]
    finally:
        worker.terminate()
        assert worker.wait(30) == 0


def test_sighup_reads_the_file_of_senders_again_and_ends_nothing(ferry, queue, folder, server):
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ENDPOINT_URL_SQS": server.url, "AWS_EC2_METADATA_DISABLED": "true"}
    with open(folder / "said", "w") as said:
        worker = subprocess.Popen([binary(), "work", queue, "--wait", "1s"], env=environment, cwd=folder, stderr=said, stdout=subprocess.DEVNULL)
    try:
        ferry("send", queue, "--request", "Enable", "first", "--sign", "alice")
        wait_until(lambda: handled(folder) == ["first"], 20, "the first")
        worker.send_signal(signal.SIGHUP)
        ferry("send", queue, "--request", "Enable", "second", "--sign", "alice")
        wait_until(lambda: handled(folder) == ["first", "second"], 20, "the second")
        assert "was read again: 1 senders" in (folder / "said").read_text()
    finally:
        worker.terminate()
        assert worker.wait(30) == 0


def test_a_file_of_senders_that_is_wrong_or_missing_starts_no_worker(ferry, queue, folder):
    ferry("send", queue, "--request", "Enable", "good", "--sign", "alice")
    with open(folder / "allowed-senders.toml", "a") as file:
        file.write('request = ["Enable"]\n')
    assert "unknown key sender.alice.request; did you mean requests?" in ferry("poll", queue, status=2).stderr
    (folder / "allowed-senders.toml").unlink()
    assert "allowed-senders.toml" in ferry("poll", queue, status=2).stderr
    assert handled(folder) == []
