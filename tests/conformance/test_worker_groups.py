"""Message groups through real workers and a real server: whatever fails, each group is handled in the order of its sending."""

import signal

import pytest
from cli_runs import Shell
from ferry_server import FerryServer, wait_until

GROUPS, EACH = 20, 30

HANDLER = """#!/bin/bash
body=$(cat)
mkdir "lock-$FERRY_GROUP_ID" || { echo "overlap $FERRY_GROUP_ID" >>faults; exit 75; }
(( RANDOM % 16 == 0 )) && end=75 || end=0
(( end == 0 )) && echo "$FERRY_GROUP_ID $body" >>done
rmdir "lock-$FERRY_GROUP_ID"
exit $end
"""

CONFIG = """
[worker]
concurrency = 16
visibility = "10s"
wait = "1s"
[backoff]
base = "1s"
max = "1s"
[request.Go]
handler = ["./handler"]
[ledger]
enabled = false
"""


@pytest.fixture
def shell(tmp_path):
    with FerryServer(tmp_path / "server") as server:
        (tmp_path / "handoff.toml").write_text(CONFIG)
        (tmp_path / "handler").write_text(HANDLER)
        (tmp_path / "handler").chmod(0o755)
        yield Shell(server.url, tmp_path)


def test_order_holds_through_failures_with_two_workers(shell, tmp_path):
    shell.create("q.fifo")
    for number in range(EACH):
        for half in range(0, GROUPS, 10):
            entries = [{"Id": str(group), "MessageBody": str(number), "MessageGroupId": f"g{group}", "MessageDeduplicationId": f"{group}-{number}",
                        "MessageAttributes": {"Go": {"DataType": "String", "StringValue": "x"}}} for group in range(half, half + 10)]
            assert not shell.call("SendMessageBatch", QueueUrl=shell.queue_url("q.fifo"), Entries=entries).get("Failed")
    workers = [shell.start("work", "q.fifo", "-q") for _ in range(2)]
    done = tmp_path / "done"
    try:
        wait_until(lambda: done.exists() and len(done.read_text().splitlines()) >= GROUPS * EACH, 120, "every message is handled")
        wait_until(lambda: shell.count("q.fifo") == (0, 0), 30, "every message is deleted")
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        words = [worker.communicate(timeout=60) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], words
    assert not (tmp_path / "faults").exists(), (tmp_path / "faults").read_text()
    order = {f"g{group}": [] for group in range(GROUPS)}
    for line in done.read_text().splitlines():
        group, body = line.split()
        order[group].append(int(body))
    for group, bodies in order.items():
        assert bodies == list(range(EACH)), group


def test_a_stop_gives_the_rest_of_a_group_back_at_once(shell, tmp_path):
    (tmp_path / "handler").write_text('#!/bin/sh\ntouch began\nsleep 1\necho "$FERRY_GROUP_ID $(cat)" >>done\n')
    shell.create("q.fifo", VisibilityTimeout=600)
    for number in range(3):
        shell.send("q.fifo", str(number), MessageGroupId="g", MessageDeduplicationId=str(number),
                   MessageAttributes={"Go": {"DataType": "String", "StringValue": "x"}})
    worker = shell.start("work", "q.fifo", "--visibility", "600s")
    wait_until((tmp_path / "began").exists, 30, "the first one runs")
    worker.send_signal(signal.SIGTERM)
    _, words = worker.communicate(timeout=60)
    assert worker.returncode == 0, words
    assert (tmp_path / "done").read_text() == "g 0\n"
    assert shell.bodies("q.fifo") == ["1", "2"], "in order, and not after ten minutes"
