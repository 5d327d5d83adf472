"""Connections may use up what they are given of the process's descriptors, never what the store needs."""

import socket

from ferry_server import FerryServer
from sqs_wire import Sqs


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
