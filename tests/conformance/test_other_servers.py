"""`ferry send`, `poll` and `work` against servers that are not ours, and boto3 at the other end of each hand-off."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import uuid

import boto3
import pytest
from ferry_server import FerryServer, binary, wait_until

TEST_ENV = pathlib.Path(__file__).resolve().parents[2] / "build/test-env"
PARAMETERS = ["All The Things", "Another Example Parameter", "ünï $(touch x) 'quoted' \"too\"; rm -rf .", "*"]


def free_port():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    port = free_port()
    with open(tmp_path_factory.mktemp("moto") / "log", "wb") as log:
        process = subprocess.Popen([sys.executable, str(pathlib.Path(sys.executable).parent / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(port), 60, "moto's server listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def elasticmq(tmp_path_factory):
    port = free_port()
    folder = tmp_path_factory.mktemp("elasticmq")
    (folder / "elasticmq.conf").write_text(
        'include classpath("application.conf")\n'
        f'node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}\n'
        f'rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}\n'
        f'rest-stats {{ enabled = false }}\n')
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([shutil.which("java"), f"-Dconfig.file={folder}/elasticmq.conf", "-cp", f"{TEST_ENV}/elasticmq/jars/*",
                                    "org.elasticmq.server.Main"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    try:
        wait_until(lambda: answers(port), 90, "ElasticMQ listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def ferry_url(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("own")) as server:
        yield server.url


@pytest.fixture(params=["ferry_url", "moto", "elasticmq"])
def endpoint_url(request):
    return request.getfixturevalue(request.param)


class Handoff:
    """Both ends in a folder: `ferry` as a command, boto3 beside it, handlers that write down what they were given."""

    def __init__(self, folder, url):
        self.folder, self.url = folder, url
        self.handled = folder / "handled.jsonl"
        handler = folder / "handler"
        handler.write_text(f"#!{sys.executable}\nimport json, sys\n"
                           f"with open({str(self.handled)!r}, 'a') as out:\n    out.write(json.dumps([sys.argv[1:], sys.stdin.read()]) + '\\n')\n")
        handler.chmod(0o755)
        (folder / "handoff.toml").write_text(
            '[request.Enable]\nhandler = ["./handler", "enable", "{attr:Enable}"]\n[request.Enable.parameter]\ntype = "text"\n'
            '[request.Disable]\nhandler = ["./handler", "disable", "{attr:Disable}"]\n[request.Disable.parameter]\ntype = "text"\n')
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
                            "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_SQS": url}
        self.sqs = boto3.client("sqs", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
        self.name = f"handoff-{uuid.uuid4().hex[:8]}"
        self.queue = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]

    def ferry(self, *words, status=0, input=None):
        done = subprocess.run([binary(), *words], env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=60,
                              input=input if input is not None else "")
        assert done.returncode == status, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def all_handled(self):
        return [json.loads(line) for line in self.handled.read_text().splitlines()] if self.handled.exists() else []

    def receive_all(self):
        messages = []
        while found := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10, WaitTimeSeconds=1, MessageAttributeNames=["All"],
                                                AttributeNames=["All"]).get("Messages"):
            for message in found:
                messages.append(message)
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return messages


@pytest.fixture
def handoff(tmp_path, endpoint_url):
    return Handoff(tmp_path, endpoint_url)


def test_send_and_poll(handoff):
    handoff.ferry("send", handoff.queue, "--request", "Enable", *PARAMETERS[:3])
    handoff.ferry("send", handoff.name, "--request", "Disable", PARAMETERS[3])
    handoff.ferry("poll", handoff.queue, "--config", "handoff.toml", "-v", "--transcript", "transcript.log")
    given = [words for words, _ in handoff.all_handled()]
    assert sorted(given) == sorted([["enable", parameter] for parameter in PARAMETERS[:3]] + [["disable", PARAMETERS[3]]])
    assert handoff.receive_all() == []
    assert "All The Things" in (handoff.folder / "transcript.log").read_text()


def test_a_consumer_of_the_original_form_understands_what_send_sends(handoff):
    """One message a parameter; the attribute's name is the request, its String value the parameter."""
    sent = handoff.ferry("send", handoff.queue, "--request", "Enable", *PARAMETERS, "--output", "json")
    messages = handoff.receive_all()
    assert sorted(message["MessageAttributes"]["Enable"]["StringValue"] for message in messages) == sorted(PARAMETERS)
    for message in messages:
        assert list(message["MessageAttributes"]) == ["Enable"]
        assert message["MessageAttributes"]["Enable"]["DataType"] == "String"
        assert message["Body"].startswith("Request generated by ") and message["Body"].endswith("Z"), message["Body"]
        assert message["MessageId"] in sent.stdout


def test_a_producer_of_the_original_form_is_handled(handoff):
    body = "Request generated by WEB01 at 2026-11-23 08:00:00Z"
    for name, value in (("Enable", "All The Things"), ("Disable", "A Third One"), ("Explode", "x")):
        handoff.sqs.send_message(QueueUrl=handoff.queue, MessageBody=body,
                                 MessageAttributes={name: {"DataType": "String", "StringValue": value}})
    done = handoff.ferry("poll", handoff.queue, "--config", "handoff.toml", status=1)
    assert sorted(handoff.all_handled()) == [[["disable", "A Third One"], body], [["enable", "All The Things"], body]]
    assert "Explode" in done.stderr  # refused, said loudly, and still there


def test_work_runs_until_it_is_stopped(handoff):
    worker = subprocess.Popen([binary(), "work", handoff.queue, "--config", "handoff.toml"], env=handoff.environment, cwd=handoff.folder,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        handoff.sqs.send_message(QueueUrl=handoff.queue, MessageBody="from boto3",
                                 MessageAttributes={"Enable": {"DataType": "String", "StringValue": "While It Works"}})
        wait_until(lambda: handoff.all_handled(), 30, "the handler ran")
        assert handoff.all_handled() == [[["enable", "While It Works"], "from boto3"]]
        worker.terminate()
        said = worker.communicate(timeout=40)[1]
        assert worker.returncode in (0, 143), said
    finally:
        worker.kill()
        worker.wait()
    assert handoff.receive_all() == []


def test_any_program_is_a_worker(handoff):
    handoff.sqs.send_message(QueueUrl=handoff.queue, MessageBody="for cat; touch y")
    handoff.ferry("poll", handoff.queue, "--", "./handler", "plain")
    assert handoff.all_handled() == [[["plain"], "for cat; touch y"]]
    assert handoff.receive_all() == []
    assert sorted(os.listdir(handoff.folder)) == ["handled.jsonl", "handler", "handoff.toml"]


def test_receive_and_json_lines(handoff):
    lines = [{"Parameters": ["One", "Two"], "RequestType": "Enable", "SQSQueueUrl": handoff.queue}]
    handoff.ferry("send", handoff.queue, "--jsonl", input="".join(json.dumps(line) + "\n" for line in lines))
    received = handoff.ferry("receive", handoff.queue, "--output", "jsonl").stdout
    message = json.loads(received.splitlines()[0])
    assert message["MessageAttributes"]["Enable"]["StringValue"] in ("One", "Two")


def test_no_such_queue_and_no_such_server(handoff):
    handoff.ferry("send", "no-such-queue", "x", status=3)
    handoff.environment["AWS_ENDPOINT_URL_SQS"] = f"http://127.0.0.1:{free_port()}"
    handoff.ferry("send", handoff.name, "x", status=5)
