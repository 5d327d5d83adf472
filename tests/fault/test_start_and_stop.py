"""What can go wrong around starting and stopping: each a clear sentence, the right exit code, nothing harmed."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from ferry_server import FerryServer, binary, serve_expecting_refusal, wait_until, write_keys
from sqs_wire import Sqs

FAILED, USAGE = 1, 2


def sentence(words, *parts):
    """The words are for a person: they name each part, and no exception or assertion is in them."""
    for part in parts:
        assert re.search(part, words), f"{part!r} is not in:\n{words}"
    assert not re.search(r"terminate called|what\(\)|Assertion|Sanitizer|core dumped", words), words


def test_the_port_is_taken(tmp_path):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        status, words = serve_expecting_refusal(tmp_path, listen=f"127.0.0.1:{port}")
        assert status == FAILED
        sentence(words, str(port), r"(?i)in use|taken|using this port")


def test_two_servers_on_one_folder(tmp_path):
    with FerryServer(tmp_path / "first") as first:
        sqs = Sqs(first.url)
        sqs.create("q")
        sqs.call("SendMessage", QueueUrl="q", MessageBody="x")
        status, words = serve_expecting_refusal(tmp_path / "second", data=first.data)
        assert status == FAILED
        sentence(words, re.escape(str(first.data)), r"(?i)in use|another|running|lock")
        assert sqs.call("ReceiveMessage", QueueUrl="q")["Messages"][0]["Body"] == "x"
        assert first.stop() == 0
    with FerryServer(tmp_path / "third", data=first.data) as third:  # the lock went with its holder
        assert Sqs(third.url).counts("q") == (0, 1, 0)


def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.getuid() and str(parent).startswith("/tmp/") and os.getuid() == 0:
            parent.chmod(parent.stat().st_mode | 0o055)
    own = tmp_path / "own"
    own.mkdir(mode=0o777)
    own.chmod(0o777)
    closed = tmp_path / "closed"
    closed.mkdir()
    prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] if os.getuid() == 0 else []
    if not prefix:
        closed.chmod(0o555)
    try:
        for data in (closed, closed / "below"):
            status, words = serve_expecting_refusal(own, data=data, prefix=prefix)
            assert status == FAILED
            sentence(words, re.escape(str(data)), r"(?i)permission|may not|not allowed|not writable|cannot")
        assert os.listdir(closed) == []
    finally:
        closed.chmod(0o755)


def test_a_folder_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    status, words = serve_expecting_refusal(tmp_path, data=tmp_path / "file")
    assert status == FAILED
    sentence(words, re.escape(str(tmp_path / "file")))
    assert (tmp_path / "file").read_text() == "mine"


def test_usage(tmp_path):
    for options, part in ((["--listen", "127.0.0.1:99999"], "99999"), (["--listen", "0.0.0.0:0"], r"(?i)without keys|credentials"),
                          (["--colour", "blue"], "colour"), (["--keys", str(tmp_path / "none")], "none"), (["--config", str(tmp_path / "gone.toml")], "gone.toml"),
                          (["--log-level", "loud"], "loud"), (["--cache-mib", "much"], "cache")):
        done = subprocess.run([binary(), "serve", "--data", str(tmp_path / "data"), *options], capture_output=True, text=True, timeout=20,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == USAGE, (options, done)
        sentence(done.stderr, part)
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("text,part", [("[[key", ":1"), ("colour = 1\n", "colour"), ('[[key]]\naccess_key = "A"\n', "secret_key"),
                                       ('[[key]]\naccess_key = "AKIA"\nsecret_key = "s"\naccount = "12"\n', "account")])
def test_keys_files_that_cannot_be(tmp_path, text, part):
    keys = tmp_path / "keys.toml"
    keys.touch(mode=0o600)
    keys.write_text(text)
    status, words = serve_expecting_refusal(tmp_path, "--keys", keys)
    assert status == USAGE
    sentence(words, "keys.toml", part)
    assert not re.search(r'secret_key = "s"', words)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_keys_file_that_others_may_read(tmp_path, mode):
    keys = write_keys(tmp_path / "keys.toml")
    keys.chmod(mode)
    status, words = serve_expecting_refusal(tmp_path, "--keys", keys)
    assert status in (FAILED, USAGE)
    sentence(words, "keys.toml", r"0?600")


def test_a_folder_of_a_later_format_or_of_something_else(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "control").write_bytes(b"not ours" * 1024)
    status, words = serve_expecting_refusal(tmp_path, data=data)
    assert status == FAILED
    sentence(words, re.escape(str(data)))
    assert (data / "control").read_bytes() == b"not ours" * 1024


def test_sigterm_answers_waiting_polls_and_finishes_what_runs(tmp_path):
    server = FerryServer(tmp_path).start()
    try:
        sqs = Sqs(server.url)
        sqs.create("q")
        answers = []

        def poll():
            own = Sqs(server.url)
            answers.append(own.call("ReceiveMessage", QueueUrl="q", WaitTimeSeconds=20))

        polls = [threading.Thread(target=poll, daemon=True) for _ in range(20)]
        for thread in polls:
            thread.start()
        time.sleep(0.5)
        begun = time.monotonic()
        assert server.stop() == 0, server.words()
        assert time.monotonic() - begun < 10
        for thread in polls:
            thread.join(5)
        assert answers == [{}] * 20
        server.start()
        Sqs(server.url).call("SendMessage", QueueUrl="q", MessageBody="again")
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(20) in (0, 130), server.words()
    finally:
        server.close()


def test_everything_is_there_after_a_clean_stop(tmp_path):
    server = FerryServer(tmp_path).start()
    try:
        sqs = Sqs(server.url)
        sqs.create("kept", DelaySeconds=0, MessageRetentionPeriod=600)
        sqs.create("gone")
        sqs.call("DeleteQueue", QueueUrl="gone")
        for n in range(30):
            sqs.call("SendMessage", QueueUrl="kept", MessageBody=f"m{n}",
                     MessageAttributes={"n": {"DataType": "Number", "StringValue": str(n)}})
        assert server.stop() == 0
        server.start()
        sqs = Sqs(server.url)
        assert [url.rsplit("/", 1)[1] for url in sqs.call("ListQueues")["QueueUrls"]] == ["kept"]
        assert sqs.call("GetQueueAttributes", QueueUrl="kept", AttributeNames=["MessageRetentionPeriod"])["Attributes"] == {
            "MessageRetentionPeriod": "600"}
        seen = {}
        while messages := sqs.call("ReceiveMessage", QueueUrl="kept", MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages"):
            seen.update({message["Body"]: message["MessageAttributes"]["n"]["StringValue"] for message in messages})
        assert seen == {f"m{n}": str(n) for n in range(30)}
    finally:
        server.close()


def test_a_poller_that_goes_away_takes_no_message_with_it(tmp_path):
    with FerryServer(tmp_path) as server:
        sqs = Sqs(server.url)
        sqs.create("q")
        body = b'{"QueueUrl":"q","WaitTimeSeconds":20}'
        gone = socket.create_connection(("127.0.0.1", server.port))
        gone.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        time.sleep(0.3)
        gone.close()
        time.sleep(0.1)
        sqs.call("SendMessage", QueueUrl="q", MessageBody="x")
        assert sqs.counts("q") == (1, 0, 0)
        assert sqs.call("ReceiveMessage", QueueUrl="q")["Messages"][0]["Body"] == "x"


def test_a_thousand_waiting_polls(tmp_path):
    """They cost little, each gets one message, and the server stops with them."""
    with FerryServer(tmp_path) as server:
        sqs = Sqs(server.url)
        sqs.create("q")
        body = b'{"QueueUrl":"q","WaitTimeSeconds":20}'
        request = b"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        waiting = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(1000)]
        for connection in waiting:
            connection.sendall(request)
        time.sleep(0.5)
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(10)]
        for _ in range(50):
            sqs.call("SendMessageBatch", QueueUrl="q", Entries=entries)
        wait_until(lambda: sqs.counts("q") == (0, 500, 0), 10, "each message went to a poller")
        assert server.stop() == 0
        got = 0
        for connection in waiting:
            connection.settimeout(10)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            got += received.count(b'"ReceiptHandle"')
            assert received.startswith(b"HTTP/1.1 200"), received[:200]
            connection.close()
        assert got == 500
