"""A file system of 64 MiB: sends are refused with 503 when it is full, everything else goes on, and it recovers by itself."""

import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest
from ferry_server import FerryServer, serve_expecting_refusal, wait_until
from sqs_wire import Refused, Sqs
from torture_report import record

SIZE_MIB = 64


def run(*words):
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)


@pytest.fixture(params=["tmpfs", "ext4"])
def small_disk(request, tmp_path):
    """A mounted file system of its own; in memory (no O_DIRECT) and on a loop device."""
    if os.getuid() != 0:
        pytest.skip("mounting takes root")
    folder = tmp_path / f"disk-{uuid.uuid4().hex[:6]}"
    folder.mkdir()
    try:
        if request.param == "tmpfs":
            run("mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m", "tmpfs", str(folder))
        else:
            image = tmp_path / "image"
            with open(image, "wb") as file:
                file.truncate(SIZE_MIB * 1024 * 1024)
            run("mkfs.ext4", "-q", "-m", "0", str(image))
            run("mount", "-o", "loop", str(image), str(folder))
    except subprocess.CalledProcessError as error:
        pytest.skip(f"mounting is not possible here: {error.stderr}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(sqs, body, most=2000):
    """Sends until one is refused; (how many were acknowledged, the refusal)."""
    for count in range(most):
        try:
            sqs.call("SendMessage", QueueUrl="q", MessageBody=body)
        except Refused as refused:
            return count, refused
    raise AssertionError(f"{most} messages of {len(body)} bytes went into {SIZE_MIB} MiB")


def sends(sqs):
    try:
        sqs.call("SendMessage", QueueUrl="q", MessageBody="again")
        return True
    except Refused as refused:
        assert refused.status == 503, refused
        return False


def test_full_and_well_again(small_disk, tmp_path):
    server = FerryServer(tmp_path / "server", data=small_disk / "data")
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("q", VisibilityTimeout=600)
        acknowledged, refused = fill(sqs, "x" * 100_000)
        assert acknowledged > 100
        assert (refused.status, refused.code) == (503, "ServiceUnavailable"), refused
        status, headers, _ = sqs.raw("SendMessage", b'{"QueueUrl":"q","MessageBody":"' + b"x" * 100_000 + b'"}')
        assert (status, headers["Retry-After"], headers["x-amzn-query-error"]) == (503, "1", "ServiceUnavailable;Receiver")
        assert sqs.counts("q") == (acknowledged, 0, 0)

        # What was acknowledged can be received and deleted, and the server still restarts.
        held = sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10)["Messages"]
        sqs.call("DeleteMessage", QueueUrl="q", ReceiptHandle=held[0]["ReceiptHandle"])
        server.kill()
        server.start()
        sqs = Sqs(server.url)
        assert sqs.counts("q") == (acknowledged - len(held), len(held) - 1, 0)

        # Draining makes room again, without a restart.
        drained = 1
        for message in held[1:]:
            sqs.call("DeleteMessage", QueueUrl="q", ReceiptHandle=message["ReceiptHandle"])
            drained += 1
        while messages := sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                assert message["Body"] == "x" * 100_000
                sqs.call("DeleteMessage", QueueUrl="q", ReceiptHandle=message["ReceiptHandle"])
                drained += 1
        assert drained == acknowledged
        wait_until(lambda: sends(sqs), 20, "sends work again after the queue was emptied")
        again, _ = fill(sqs, "x" * 100_000)
        assert again > acknowledged / 3
        assert server.stop() == 0, server.words()
    finally:
        server.close()


def refusal_by_query(sqs, body):
    """(status, headers, text) of a send that must be refused, in the Query protocol."""
    form = urllib.parse.urlencode({"Action": "SendMessage", "Version": "2012-11-05", "QueueUrl": f"{sqs.url}/000000000000/q", "MessageBody": body})
    try:
        answer = urllib.request.urlopen(sqs.url + "/", form.encode(), timeout=60)
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()
    raise AssertionError(f"not refused: {answer.status} {answer.read()[:500]}")


def test_filled_and_drained_again_and_again(small_disk, tmp_path):
    """Four times over, by turns with a kill while it is full. Nothing is lost, and the disk takes about as much each time."""
    server = FerryServer(tmp_path / "server", data=small_disk / "data")
    body = "x" * 60_000
    taken = []
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("q", VisibilityTimeout=600)
        for turn in range(4):
            acknowledged = set()
            while True:
                number = f"{turn}-{len(acknowledged):05d}"
                try:
                    sqs.call("SendMessage", QueueUrl="q", MessageBody=number + body)
                except Refused as refused:
                    assert (refused.status, refused.code) == (503, "ServiceUnavailable"), refused
                    break
                acknowledged.add(number)
                assert len(acknowledged) < 5000
            taken.append(len(acknowledged))
            status, headers, text = refusal_by_query(sqs, body)
            assert (status, headers["Retry-After"]) == (503, "1")
            assert "<Code>ServiceUnavailable</Code>" in text and "<Type>Receiver</Type>" in text, text
            if turn % 2 == 1:
                server.kill()
                server.start()
                sqs = Sqs(server.url)
                assert sqs.counts("q") == (len(acknowledged), 0, 0)
            # On a full disk: received, given back, and deleted, all from the reserve.
            held = sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10)["Messages"]
            for message in held:
                sqs.call("ChangeMessageVisibility", QueueUrl="q", ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
            found = set()
            while messages := sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    assert message["Body"][7:] == body
                    found.add(message["Body"][:7])
                entries = [{"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]} for n, message in enumerate(messages)]
                assert len(sqs.call("DeleteMessageBatch", QueueUrl="q", Entries=entries)["Successful"]) == len(messages)
            assert found == acknowledged
            wait_until(lambda: sends(sqs), 20, "sends work again after the queue was emptied")
            again = sqs.call("ReceiveMessage", QueueUrl="q")["Messages"][0]
            sqs.call("DeleteMessage", QueueUrl="q", ReceiptHandle=again["ReceiptHandle"])
            assert sqs.counts("q") == (0, 0, 0)
        print(f"messages of 60 kB that went in: {taken}")
        record("disk full", "a file system of 64 MiB filled and drained", len(taken), 0)
        assert min(taken) > 150 and min(taken[1:]) > taken[0] / 3, taken
        assert server.stop() == 0, server.words()
    finally:
        server.close()


def test_somebody_else_filled_the_disk(small_disk, tmp_path):
    server = FerryServer(tmp_path / "server", data=small_disk / "data")
    ballast = small_disk / "ballast-of-somebody-else"
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("q", VisibilityTimeout=600)
        sqs.call("SendMessage", QueueUrl="q", MessageBody="before")
        with open(ballast, "wb") as file:
            try:
                while True:
                    file.write(b"x" * 65536)
                    file.flush()
            except OSError:
                pass
        acknowledged, refused = fill(sqs, "x" * 50_000)
        assert refused.status == 503
        assert sqs.call("ReceiveMessage", QueueUrl="q")["Messages"][0]["Body"] == "before"
        ballast.unlink()
        wait_until(lambda: sends(sqs), 20, "sends work again after the disk has room")
        assert server.process.poll() is None
        assert server.stop() == 0, server.words()
        server.start()
        assert sum(Sqs(server.url).counts("q")) == acknowledged + 2
    finally:
        server.close()


def test_full_at_the_start(small_disk, tmp_path):
    with open(small_disk / "ballast", "wb") as file:
        try:
            while True:
                file.write(b"x" * 65536)
                file.flush()
        except OSError:
            pass
    status, words = serve_expecting_refusal(tmp_path / "server", data=small_disk / "data")
    assert status == 1
    assert "space" in words.lower(), words
    assert str(small_disk / "data") in words
    (small_disk / "ballast").unlink()
    with FerryServer(tmp_path / "server", data=small_disk / "data") as server:
        Sqs(server.url).create("q")
