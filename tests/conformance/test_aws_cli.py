"""The AWS command line: every action, and an error of each."""

import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

import pytest
from ferry_server import KEYS

AWS = pathlib.Path(sys.executable).parent / "aws"


@pytest.fixture(scope="module")
def aws(proxy, tmp_path_factory):
    """aws(ACTION, OPTION...) -> what it printed; `error=CODE`: it must fail with that code."""
    proxy.take()
    home = tmp_path_factory.mktemp("home")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "AWS_ACCESS_KEY_ID": KEYS["admin"][0], "AWS_SECRET_ACCESS_KEY": KEYS["admin"][1],
                   "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1", "AWS_PAGER": ""}

    def run(action, *options, error=None):
        done = subprocess.run([sys.executable, str(AWS), "sqs", action, "--endpoint-url", proxy.url, "--output", "json", *options], env=environment, capture_output=True,
                              text=True, timeout=60, stdin=subprocess.DEVNULL)
        if error is not None:
            assert done.returncode != 0, done.stdout
            assert re.search(r"An error occurred \(([\w.]+)\)", done.stderr).group(1) == error, done.stderr
            return None
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else {}

    yield run
    seen = proxy.take()
    assert {request["protocol"] for request in seen} == {"json"}
    assert len({request["action"] for request in seen}) == 23


@pytest.fixture(scope="module")
def queue(aws):
    return aws("create-queue", "--queue-name", f"cli-{uuid.uuid4().hex[:8]}")["QueueUrl"]


NO_QUEUE = "AWS.SimpleQueueService.NonExistentQueue"


def test_create_queue(aws, queue):
    assert queue.startswith("http://127.0.0.1:")
    aws("create-queue", "--queue-name", "a b", error="InvalidParameterValue")


def test_get_queue_url(aws, queue):
    assert aws("get-queue-url", "--queue-name", queue.rsplit("/", 1)[1])["QueueUrl"] == queue
    aws("get-queue-url", "--queue-name", "nothing", error=NO_QUEUE)


def test_list_queues(aws, queue):
    assert queue in aws("list-queues", "--queue-name-prefix", "cli-")["QueueUrls"]
    assert queue in aws("list-queues", "--queue-name-prefix", "cli-", "--page-size", "1")["QueueUrls"]
    aws("list-queues", "--no-paginate", "--max-results", "1001", error="InvalidParameterValue")


def test_queue_attributes(aws, queue):
    aws("set-queue-attributes", "--queue-url", queue, "--attributes", "VisibilityTimeout=99")
    answer = aws("get-queue-attributes", "--queue-url", queue, "--attribute-names", "VisibilityTimeout")
    assert answer["Attributes"] == {"VisibilityTimeout": "99"}
    aws("set-queue-attributes", "--queue-url", queue, "--attributes", "VisibilityTimeout=x", error="InvalidAttributeValue")
    aws("get-queue-attributes", "--queue-url", queue, "--attribute-names", "Colour", error="InvalidAttributeName")


def test_messages(aws, queue):
    attributes = '{"Enable": {"DataType": "String", "StringValue": "All The Things"}}'
    sent = aws("send-message", "--queue-url", queue, "--message-body", "hello", "--message-attributes", attributes)
    received = aws("receive-message", "--queue-url", queue, "--message-attribute-names", "All", "--attribute-names", "All",
                   "--wait-time-seconds", "5")["Messages"][0]
    assert received["MessageId"] == sent["MessageId"]
    assert received["MessageAttributes"] == json.loads(attributes)
    assert received["Attributes"]["ApproximateReceiveCount"] == "1"
    handle = received["ReceiptHandle"]
    aws("change-message-visibility", "--queue-url", queue, "--receipt-handle", handle, "--visibility-timeout", "5")
    aws("delete-message", "--queue-url", queue, "--receipt-handle", handle)
    assert aws("receive-message", "--queue-url", queue) == {}


def test_message_errors(aws, queue):
    aws("send-message", "--queue-url", queue, "--message-body", "x", "--delay-seconds", "901", error="InvalidParameterValue")
    aws("receive-message", "--queue-url", queue, "--max-number-of-messages", "11", error="InvalidParameterValue")
    aws("change-message-visibility", "--queue-url", queue, "--receipt-handle", "h", "--visibility-timeout", "1", error="ReceiptHandleIsInvalid")
    aws("delete-message", "--queue-url", queue, "--receipt-handle", "h", error="ReceiptHandleIsInvalid")


def test_batches(aws, queue):
    entries = json.dumps([{"Id": "a", "MessageBody": "1"}, {"Id": "b", "MessageBody": "2"}])
    assert len(aws("send-message-batch", "--queue-url", queue, "--entries", entries)["Successful"]) == 2
    handles = [message["ReceiptHandle"] for message in
               aws("receive-message", "--queue-url", queue, "--max-number-of-messages", "10", "--wait-time-seconds", "5")["Messages"]]
    assert len(handles) == 2
    visibility = json.dumps([{"Id": str(n), "ReceiptHandle": handle, "VisibilityTimeout": 60} for n, handle in enumerate(handles)])
    assert len(aws("change-message-visibility-batch", "--queue-url", queue, "--entries", visibility)["Successful"]) == 2
    deletes = json.dumps([{"Id": str(n), "ReceiptHandle": handle} for n, handle in enumerate(handles + ["garbage"])])
    answer = aws("delete-message-batch", "--queue-url", queue, "--entries", deletes)
    assert [entry["Id"] for entry in answer["Successful"]] == ["0", "1"]
    assert [entry["Code"] for entry in answer["Failed"]] == ["ReceiptHandleIsInvalid"]


def test_batch_errors(aws, queue):
    twice = json.dumps([{"Id": "a", "MessageBody": "1"}] * 2)
    aws("send-message-batch", "--queue-url", queue, "--entries", twice, error="AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
    aws("delete-message-batch", "--queue-url", queue, "--entries", "[]", error="AWS.SimpleQueueService.EmptyBatchRequest")
    many = json.dumps([{"Id": f"e{n}", "ReceiptHandle": "h", "VisibilityTimeout": 1} for n in range(11)])
    aws("change-message-visibility-batch", "--queue-url", queue, "--entries", many,
        error="AWS.SimpleQueueService.TooManyEntriesInBatchRequest")


def test_tags_and_permissions(aws, queue):
    aws("tag-queue", "--queue-url", queue, "--tags", "team=blue,empty=")
    assert aws("list-queue-tags", "--queue-url", queue)["Tags"] == {"team": "blue", "empty": ""}
    aws("untag-queue", "--queue-url", queue, "--tag-keys", "team", "empty")
    assert aws("list-queue-tags", "--queue-url", queue) == {}
    aws("untag-queue", "--queue-url", queue, "--tag-keys", error="InvalidParameterValue")
    aws("tag-queue", "--queue-url", queue + "x", "--tags", "a=b", error=NO_QUEUE)
    aws("list-queue-tags", "--queue-url", queue + "x", error=NO_QUEUE)
    permission = ("--queue-url", queue, "--label", "l", "--aws-account-ids", "111122223333", "--actions", "SendMessage")
    aws("add-permission", *permission)
    aws("add-permission", *permission, error="InvalidParameterValue")
    assert "SQS:SendMessage" in aws("get-queue-attributes", "--queue-url", queue, "--attribute-names", "Policy")["Attributes"]["Policy"]
    aws("remove-permission", "--queue-url", queue, "--label", "l")
    aws("remove-permission", "--queue-url", queue, "--label", "l", error="InvalidParameterValue")


def test_fifo(aws):
    name = f"cli-{uuid.uuid4().hex[:8]}.fifo"
    fifo = aws("create-queue", "--queue-name", name, "--attributes", "FifoQueue=true,ContentBasedDeduplication=true")["QueueUrl"]
    sent = [aws("send-message", "--queue-url", fifo, "--message-body", body, "--message-group-id", "g") for body in ("one", "two", "one")]
    assert sent[0]["SequenceNumber"] == sent[2]["SequenceNumber"] < sent[1]["SequenceNumber"]
    received = aws("receive-message", "--queue-url", fifo, "--max-number-of-messages", "10", "--attribute-names", "All")["Messages"]
    assert [message["Body"] for message in received] == ["one", "two"]
    assert received[1]["Attributes"]["SequenceNumber"] == sent[1]["SequenceNumber"]
    aws("send-message", "--queue-url", fifo, "--message-body", "x", error="MissingParameter")
    aws("create-queue", "--queue-name", name[:-5], "--attributes", "FifoQueue=true", error="InvalidParameterValue")


def test_dead_letters_and_move_tasks(aws):
    target = aws("create-queue", "--queue-name", f"cli-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = aws("get-queue-attributes", "--queue-url", target, "--attribute-names", "QueueArn")["Attributes"]["QueueArn"]
    policy = json.dumps({"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})})
    source = aws("create-queue", "--queue-name", f"cli-{uuid.uuid4().hex[:8]}", "--attributes", policy)["QueueUrl"]
    assert aws("list-dead-letter-source-queues", "--queue-url", target)["queueUrls"] == [source]
    aws("list-dead-letter-source-queues", "--queue-url", target + "x", error=NO_QUEUE)
    aws("send-message", "--queue-url", source, "--message-body", "worn")
    aws("receive-message", "--queue-url", source, "--visibility-timeout", "0")
    assert aws("receive-message", "--queue-url", source) == {}
    task = aws("start-message-move-task", "--source-arn", arn)["TaskHandle"]
    assert aws("receive-message", "--queue-url", source, "--wait-time-seconds", "10")["Messages"][0]["Body"] == "worn"
    moved = aws("list-message-move-tasks", "--source-arn", arn)["Results"][0]
    assert (moved["Status"], moved["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 1)
    aws("cancel-message-move-task", "--task-handle", task, error="ResourceNotFoundException")
    aws("start-message-move-task", "--source-arn", arn + "x", error="ResourceNotFoundException")
    aws("list-message-move-tasks", "--source-arn", "x", error="InvalidParameterValue")


def test_purge_and_delete_queue(aws, queue):
    aws("send-message", "--queue-url", queue, "--message-body", "x")
    aws("purge-queue", "--queue-url", queue)
    aws("delete-queue", "--queue-url", queue)
    aws("purge-queue", "--queue-url", queue, error=NO_QUEUE)
    aws("delete-queue", "--queue-url", queue, error=NO_QUEUE)
