"""Connections may use up what they are given of the process's descriptors, never what the store needs. When the system has none
left all the same, that is like a full disk: new messages are refused, everything else goes on, and it passes by itself."""

import os
import resource
import socket

from ferry_server import FerryServer, wait_until
from sqs_wire import Refused, Sqs


def test_idle_connections_leave_the_store_its_files(tmp_path):
    limited = ["prlimit", "--nofile=256:256"]
    with FerryServer(tmp_path, prefix=limited) as server:
        sqs = Sqs(server.url)
        sqs.create("q")
        idle = []
        try:
            for _ in range(400):
                connection = socket.create_connection((server.host, server.port), timeout=5)
                idle.append(connection)
            body = "x" * 1_000_000
            # Sent over the connection that was there first; enough for several new segments.
            for _ in range(60):
                sqs.call("SendMessage", QueueUrl="q", MessageBody=body)
        finally:
            for connection in idle:
                connection.close()
        assert server.process.poll() is None, server.words()
        assert Sqs(server.url).counts("q") == (60, 0, 0)
        assert server.stop() == 0


def test_no_descriptor_is_left_for_the_next_segment(tmp_path):
    server = FerryServer(tmp_path)
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("q", VisibilityTimeout=600)
        sqs.call("SendMessage", QueueUrl="q", MessageBody="first")
        before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{server.pid}/fd")), before[1]))
        body, sent = "x" * 200_000, 1
        try:
            while sent < 2000:
                sqs.call("SendMessage", QueueUrl="q", MessageBody=body)
                sent += 1
        except Refused as refused:
            assert (refused.status, refused.code) == (503, "ServiceUnavailable"), refused
        assert sent < 2000, "sends went on without a file to write to"
        held = sqs.call("ReceiveMessage", QueueUrl="q")["Messages"]
        assert held[0]["Body"] == "first"
        sqs.call("DeleteMessage", QueueUrl="q", ReceiptHandle=held[0]["ReceiptHandle"])
        assert server.process.poll() is None, server.words()
        assert "Too many open files" in server.words()

        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)

        def sends():
            try:
                sqs.call("SendMessage", QueueUrl="q", MessageBody="again")
                return True
            except Refused as refused:
                assert refused.status == 503, refused
                return False

        wait_until(sends, 20, "sends work again")
        server.kill()
        server.start()
        assert Sqs(server.url).counts("q") == (sent, 0, 0)
        assert server.stop() == 0, server.words()
    finally:
        server.close()
