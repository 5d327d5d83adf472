"""`ferry key` and `ferry send --sign`, as other programs see them: the signature is checked by OpenSSL over bytes built here."""

import base64
import copy
import hashlib
import json
import os
import stat
import struct
import subprocess
import urllib.parse
import uuid

import boto3
import pytest
from ferry_server import FerryServer, binary

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


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
    name = f"signed-{uuid.uuid4().hex[:12]}"
    return name, sqs.create_queue(QueueName=name)["QueueUrl"]


@pytest.fixture
def ferry(server, tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AWS_ENDPOINT_URL_SQS": server.url, "AWS_EC2_METADATA_DISABLED": "true",
                   "USER": "Jane"}

    def run(*words, status=0, text="", **variables):
        done = subprocess.run([binary(), *words], env=environment | variables, cwd=tmp_path, input=text, capture_output=True, text=True,
                              timeout=60)
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done
    return run


@pytest.fixture
def key(ferry, tmp_path):
    line = ferry("key", "new", "deploy").stdout.strip()
    return line, tmp_path / ".config/ferry/keys/deploy.key"


def receive_one(sqs, url):
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], AttributeNames=["All"])["Messages"]
    assert len(messages) == 1
    return messages[0]


def fields_of(message):
    envelope = message["MessageAttributes"]["Ferry"]
    assert envelope["DataType"] == "String"
    version, *fields = envelope["StringValue"].split(";")
    assert version == "v1"
    return {name: (value if name == "s" else urllib.parse.unquote(value)) for name, value in (field.split("=", 1) for field in fields)}


def number(value):
    return struct.pack(">Q", value)


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return number(len(value)) + value


def optional(value):
    return b"\0" if value is None else b"\1" + text(value)


def bytes_of(message, fields):
    """What docs/signing.md says is signed."""
    out = text("ferry-signed-message-v1") + text(fields["k"]) + number(int(fields["t"]))
    out += b"\1" + number(int(fields["x"])) if "x" in fields else b"\0"
    out += text(fields["i"]) + text(fields["q"])
    out += optional(message["Attributes"].get("MessageGroupId")) + optional(fields.get("d")) + optional(fields.get("p"))
    attributes = {name: value for name, value in message["MessageAttributes"].items() if name != "Ferry"}
    out += text(message["Body"]) + number(len(attributes))
    for name, value in sorted(attributes.items(), key=lambda item: item[0].encode()):
        out += text(name) + text(value["DataType"]) + optional(value.get("StringValue")) + optional(value.get("BinaryValue"))
    return out


def openssl_agrees(tmp_path, line, message):
    fields = fields_of(message)
    tag, public, _ = line.split(" ")
    assert tag == "ferry-ed25519-v1"
    raw = base64.b64decode(public)
    assert fields["k"] == hashlib.sha256(raw).hexdigest()[:32]
    (tmp_path / "key.der").write_bytes(bytes.fromhex("302a300506032b6570032100") + raw)
    (tmp_path / "signature").write_bytes(base64.b64decode(fields["s"]))
    (tmp_path / "signed").write_bytes(bytes_of(message, fields))
    done = subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key.der", "-rawin", "-in", "signed",
                           "-sigfile", "signature"], cwd=tmp_path, capture_output=True, text=True)
    return done.returncode == 0


def test_a_key_is_made_shown_listed_and_checked(ferry, key, tmp_path):
    line, path = key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.with_suffix(".pub").read_text() == line + "\n"
    assert ferry("key", "public", "deploy").stdout == line + "\n"
    assert ferry("key", "public", str(path)).stdout == line + "\n"
    listed = json.loads(ferry("key", "ls", "-o", "json").stdout)
    assert [(one["Name"], one["PublicKey"], one["Fault"]) for one in listed] == [("deploy", line, None)]
    ferry("key", "check", "deploy", str(path))
    before = path.read_text()
    assert "never overwritten" in ferry("key", "new", "deploy", status=1).stderr
    assert path.read_text() == before
    assert "Exit codes" in ferry("key", "check", "--help").stdout
    ferry("key", "new", "a/b", status=2)
    ferry("key", "public", "nobody", status=3)
    ferry("key", "frobnicate", status=2)


def test_a_private_key_that_others_may_read_is_refused(ferry, key, queue, sqs):
    path = key[1]
    path.chmod(0o640)
    assert "chmod 600" in ferry("send", queue[0], "x", "--sign", "deploy", status=2).stderr
    assert "chmod 600" in ferry("key", "public", "deploy", status=1).stderr
    assert "chmod 600" in ferry("key", "check", "deploy", "-o", "json", status=1).stdout
    assert "Messages" not in sqs.receive_message(QueueUrl=queue[1])


def test_a_request_is_signed_as_documented(ferry, key, queue, sqs, tmp_path):
    sent = json.loads(ferry("send", queue[1], "--request", "Enable", "All The Things", "-a", "Blob:Binary=@@\x7f", "-a", "Zahl:Number=5",
                            "-a", "a=ö", "--sign", "deploy", "--expires", "1h", "--group-id", "tenant", TRACEPARENT=TRACE).stdout)
    message = receive_one(sqs, queue[1])
    fields = fields_of(message)
    assert openssl_agrees(tmp_path, key[0], message)
    assert fields["q"] == queue[0] and fields["p"] == TRACE
    assert int(fields["x"]) - int(fields["t"]) == 3_600_000
    assert fields["i"] == sent["IdempotencyKey"] and uuid.UUID(fields["i"]).version == 7
    for change in ("Body", "Attribute"):
        other = copy.deepcopy(message)
        if change == "Body":
            other["Body"] += "."
        else:
            other["MessageAttributes"]["Enable"]["StringValue"] = "Everything"
        assert not openssl_agrees(tmp_path, key[0], other)


def test_json_lines_are_signed_one_by_one(ferry, key, queue, sqs, tmp_path):
    other = f"other-{uuid.uuid4().hex[:8]}.fifo"
    url = sqs.create_queue(QueueName=other, Attributes={"FifoQueue": "true"})["QueueUrl"]
    lines = [{"MessageBody": "one", "IdempotencyKey": "order-1", "SQSQueueUrl": queue[1]},
             {"Parameters": ["two"], "RequestType": "Enable", "QueueUrl": url, "MessageGroupId": "g", "MessageDeduplicationId": "d/1"}]
    ferry("send", "--jsonl", text="".join(json.dumps(line) + "\n" for line in lines), FERRY_SIGNING_KEY=str(key[1]))
    first, second = receive_one(sqs, queue[1]), receive_one(sqs, url)
    assert fields_of(first)["i"] == "order-1" and fields_of(first)["q"] == queue[0]
    assert fields_of(second)["q"] == other and fields_of(second)["d"] == "d/1"
    assert openssl_agrees(tmp_path, key[0], first) and openssl_agrees(tmp_path, key[0], second)


def test_without_a_key_messages_stay_what_they_were(ferry, queue, sqs):
    ferry("send", queue[0], "plain")
    assert "MessageAttributes" not in receive_one(sqs, queue[1])


def test_a_trace_is_covered_by_the_signature(ferry, key, queue, sqs, tmp_path):
    ferry("send", queue[0], "--request", "Enable", "x", "--sign", "deploy", TRACEPARENT=TRACE, TRACESTATE="a=b")
    message = receive_one(sqs, queue[1])
    assert message["MessageAttributes"]["traceparent"] == {"StringValue": TRACE, "DataType": "String"}
    assert openssl_agrees(tmp_path, key[0], message)
    for name in ("traceparent", "tracestate"):
        other = copy.deepcopy(message)
        del other["MessageAttributes"][name]
        assert not openssl_agrees(tmp_path, key[0], other)


def test_an_idempotency_key_alone_is_carried_unsigned(ferry, queue, sqs):
    sent = json.loads(ferry("send", queue[0], "plain", "--idempotency-key", "order-1").stdout)
    assert sent["IdempotencyKey"] == "order-1"
    assert receive_one(sqs, queue[1])["MessageAttributes"] == {"Ferry": {"StringValue": "v1;i=order-1", "DataType": "String"}}
    refused = ferry("send", queue[0], "--request", "Enable", "a", "b", "--idempotency-key", "order-1", status=2)
    assert "for one message" in refused.stderr
    ferry("send", queue[0], "x", "--idempotency-key", "a b", status=2)
    ferry("send", queue[0], "x", "--expires", "1h", status=2)
    ferry("send", "--jsonl", queue[0], "--idempotency-key", "x", status=2)


def test_ten_attributes_leave_no_room_and_nothing_is_sent(ferry, key, queue, sqs):
    attributes = [word for i in range(10) for word in ("-a", f"A{i}=v")]
    refused = ferry("send", queue[0], "x", *attributes, "--sign", "deploy", status=2)
    assert "has 10 attributes" in refused.stderr and "(Ferry)" in refused.stderr
    assert "Messages" not in sqs.receive_message(QueueUrl=queue[1])
    ferry("send", queue[0], "x", *attributes[2:], "--sign", "deploy")
    assert len(receive_one(sqs, queue[1])["MessageAttributes"]) == 10


def test_a_key_that_is_not_there_is_said_with_what_to_do(ferry, queue):
    refused = ferry("send", queue[0], "x", "--sign", "nobody", status=2)
    assert "ferry key new" in refused.stderr and "nobody.key" in refused.stderr
    ferry("send", queue[0], "x", status=2, FERRY_SIGNING_KEY="/nowhere/at.all")
