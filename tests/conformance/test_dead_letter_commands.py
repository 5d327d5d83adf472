"""`ferry dlq` against the real server: looking, replaying, being killed in the middle."""

import json
import signal
import time

import pytest
from cli_runs import Shell
from ferry_server import FerryServer


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def shell(server, tmp_path):
    return Shell(server.url, tmp_path)


def test_ls_tells_sources_and_counts(shell):
    shell.create_pair("ls-work", "ls-dead", VisibilityTimeout=0)
    shell.create("ls-other", RedrivePolicy=json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:ls-dead", "maxReceiveCount": 9}))
    shell.send("ls-work", "a", "b")
    shell.bury("ls-work", "ls-dead", 2)
    found = {queue["QueueUrl"].rsplit("/", 1)[1]: queue for queue in shell.json("dlq", "ls")}
    assert sorted(found["ls-dead"]["Sources"]) == ["ls-other", "ls-work"]
    assert found["ls-dead"]["ApproximateNumberOfMessages"] == 2
    assert "ls-work" not in found
    one = shell.json("dlq", "ls", "ls-work", "--age")
    assert [queue["QueueUrl"] for queue in one] == [shell.queue_url("ls-dead")]
    assert one[0]["OldestSeconds"] in range(60)
    assert shell.count("ls-dead") == (2, 0)
    assert shell.run("dlq", "ls", "ls-dead", "-o", "table").splitlines()[0].split() == ["QUEUE", "SOURCES", "WAITING", "IN", "FLIGHT", "KEPT", "FOR"]
    shell.create("ls-none")
    shell.run("dlq", "ls", "ls-none", expect=3)
    assert "ls-none has no dead-letter queue" in shell.err
    shell.run("dlq", "ls", "ls-absent", expect=3)


def test_show_gives_everything_back(shell):
    shell.create_pair("show-work", "show-dead", VisibilityTimeout=0)
    shell.send("show-work", '{"n":1}', '{"n":2}', "\x7fescape")
    shell.bury("show-work", "show-dead", 3)
    assert [message["Body"] for message in shell.lines("dlq", "show", "show-dead")] == ['{"n":1}', '{"n":2}', "\x7fescape"]
    assert "3 shown of 3 received, all given back\n" in shell.err
    assert [message["Body"] for message in shell.lines("dlq", "show", "show-dead", "--where", "body:/n=2")] == ['{"n":2}']
    assert len(shell.lines("dlq", "show", "show-dead", "--limit", "2")) == 2
    assert "there may be more" in shell.err
    table = shell.run("dlq", "show", "show-dead", "-o", "table")
    assert "show-work" in table and "\x7f" not in table
    assert "DeadLetterQueueSourceArn: arn:aws:sqs:us-east-1:000000000000:show-work" in shell.run("dlq", "show", "show-dead", "-v", "-o", "table")
    assert shell.count("show-dead") == (3, 0)
    shell.run("dlq", "show", "show-dead", "--where", "bdy=1", expect=2)
    assert "did you mean body?" in shell.err


def test_replay_goes_where_each_came_from(shell):
    for name in ("to-a", "to-b"):
        shell.create_pair(name, "to-dead", VisibilityTimeout=0)
    shell.send("to-a", "from a", MessageAttributes={"Enable": {"DataType": "String", "StringValue": "x"}})
    shell.send("to-b", "from b")
    shell.bury("to-a", "to-dead", 1)
    shell.bury("to-b", "to-dead", 2)
    planned = shell.json("dlq", "replay", "to-dead", "--dry-run")
    assert {plan["MessageBody"]: plan["QueueUrl"].rsplit("/", 1)[1] for plan in planned} == {"from a": "to-a", "from b": "to-b"}
    assert shell.count("to-dead") == (2, 0) and not (shell.folder / "state").exists()
    done = shell.json("dlq", "replay", "to-dead")
    assert (done["Replayed"], done["Failed"], done["Drained"]) == (2, 0, True)
    back = shell.take_all("to-a")
    assert [message["Body"] for message in back] == ["from a"] and back[0]["MessageAttributes"]["Enable"]["StringValue"] == "x"
    assert shell.bodies("to-b") == ["from b"]
    assert [path.suffix for path in (shell.folder / "state/ferry").iterdir()] == [".lock"]


def test_replay_with_conditions_and_edits(shell):
    shell.create("edit-dead")
    shell.create("edit-work")
    shell.send("edit-dead", "one", "two", "three", MessageAttributes={"Debug": {"DataType": "String", "StringValue": "1"}})
    done = shell.json("dlq", "replay", "edit-dead", "--to", "edit-work", "--where", "!body=two", "--edit", "drop:Debug", "--edit",
                      "set:Try:Number=2", "--mark", "Was", "--", "tr", "a-z", "A-Z", expect=0)
    assert (done["Replayed"], done["Skipped"]) == (2, 1)
    taken = {message["Body"]: message["MessageAttributes"] for message in shell.take_all("edit-work")}
    assert sorted(taken) == ["ONE", "THREE"]
    assert sorted(taken["ONE"]) == ["Try", "Was"] and taken["ONE"]["Try"]["DataType"] == "Number"
    assert shell.count("edit-dead") == (1, 0)
    failed = shell.json("dlq", "replay", "edit-dead", "--to", "edit-work", "--", "sh", "-c", "exit 9", expect=1)
    assert failed["Failed"] == 1 and "the command ended with 9" in shell.err
    assert shell.bodies("edit-dead") == ["two"]


def test_replay_refuses_what_cannot_be(shell):
    shell.create("bad-dead")
    shell.send("bad-dead", "x")
    for arguments, word in (
            (["--to", "bad-dead"], "--to is the queue that is replayed"),
            (["--rate", "0/s"], "from 1 to 10000"),
            (["--rate", "10001"], "from 1 to 10000"),
            (["--rate", "501/s", "--server-side"], "from 1 to 500"),
            (["--visibility", "601s"], "from 1s to 10m"),
            (["--visibility", "500ms"], "from 1s to 10m"),
            (["--server-side", "--limit", "3"], "--server-side moves every message as it is"),
            (["--edit", "rename:A=B"], "set:NAME[:TYPE]=VALUE or drop:NAME"),
            (["--limit", "0"], "--limit"),
            (["--"], "no COMMAND behind --"),
            (["--", "no-such-program"], "no-such-program")):
        shell.run("dlq", "replay", "bad-dead", *arguments, expect=2)
        assert word in shell.err, shell.err
    shell.run("dlq", "replay", "bad-dead", "--to", "absent", expect=3)
    shell.run("dlq", "replay", "bad-dead", expect=1)
    assert "where it came from is not told, and 0 queues have this one for their dead letters; name one with --to" in shell.err
    assert shell.bodies("bad-dead") == ["x"]


def test_fifo_order_is_kept_and_the_old_deduplication_id_does_no_harm(shell):
    shell.create_pair("f-work.fifo", "f-dead.fifo", VisibilityTimeout=0)
    for number in range(12):
        group = "ab"[number % 2]
        shell.send("f-work.fifo", f"{group}{number:02}", MessageGroupId=group, MessageDeduplicationId=f"d{number}")
    shell.bury("f-work.fifo", "f-dead.fifo", 12)
    done = shell.json("dlq", "replay", "f-dead.fifo")
    assert done["Replayed"] == 12
    bodies = shell.bodies("f-work.fifo")
    for group in "ab":
        own = [body for body in bodies if body.startswith(group)]
        assert own == sorted(own) and len(own) == 6, bodies


def test_limit_and_rate(shell):
    shell.create("rate-dead")
    shell.create("rate-work")
    shell.send("rate-dead", *(str(number) for number in range(12)))
    assert shell.json("dlq", "replay", "rate-dead", "--to", "rate-work", "--limit", "3", expect=6)["Replayed"] == 3
    begun = time.monotonic()
    assert shell.json("dlq", "replay", "rate-dead", "--to", "rate-work", "--rate", "6/s")["Replayed"] == 9
    assert time.monotonic() - begun >= 1
    assert len(shell.bodies("rate-work")) == 12


def test_server_side(shell):
    shell.create_pair("s-work", "s-dead", VisibilityTimeout=0)
    shell.send("s-work", "a", "b")
    shell.bury("s-work", "s-dead", 2)
    assert shell.json("dlq", "replay", "s-dead", "--server-side") == {"Moved": 2, "Status": "COMPLETED"}
    assert sorted(shell.bodies("s-work")) == ["a", "b"]
    shell.create("s-plain")
    shell.run("dlq", "replay", "s-plain", "--server-side", expect=1)


def test_server_side_stops_when_told(shell):
    shell.create_pair("c-work", "c-dead", VisibilityTimeout=0)
    shell.send("c-work", *(str(number) for number in range(10)))
    shell.bury("c-work", "c-dead", 10)
    process = shell.start("dlq", "replay", "c-dead", "--server-side", "--rate", "1")
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 143, (out, err)
    assert json.loads(out)["Status"] == "CANCELLED"
    assert 0 < shell.count("c-dead")[0] < 10


def test_sigterm_ends_a_replay_with_what_was_done(shell):
    shell.create("t-dead")
    shell.create("t-work")
    shell.send("t-dead", *(str(number) for number in range(30)))
    process = shell.start("dlq", "replay", "t-dead", "--to", "t-work", "--rate", "10/s")
    time.sleep(1.3)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 143, err
    replayed = json.loads(out)["Replayed"]
    assert 0 < replayed < 30
    assert shell.count("t-dead") == (30 - replayed, 0) and shell.count("t-work") == (replayed, 0)


def test_killed_replays_are_gone_on_with(shell):
    """Whatever the moment of the kill: nothing is lost, and only what was told to be in doubt can be there twice."""
    shell.create("k-dead")
    shell.create("k-work")
    bodies = [f"{number:03}" for number in range(150)]
    shell.send("k-dead", *bodies)
    arguments = ("dlq", "replay", "k-dead", "--to", "k-work", "--rate", "200/s", "--visibility", "1s")
    for pause in (0.15, 0.21, 0.32):
        process = shell.start(*arguments)
        time.sleep(pause)
        process.kill()
        process.communicate()
    in_doubt = 0
    for _ in range(20):
        process = shell.start(*arguments)
        out, err = process.communicate(timeout=60)
        in_doubt += json.loads(out)["MaybeTwice"]
        if process.returncode == 0:
            break
        assert process.returncode == 6, (process.returncode, err)
        time.sleep(0.3)
    assert shell.count("k-dead") == (0, 0)
    arrived = shell.bodies("k-work")
    assert sorted(set(arrived)) == bodies
    assert len(arrived) - len(bodies) <= in_doubt <= 30


def test_one_replay_of_a_queue_at_a_time(shell):
    shell.create("o-dead")
    shell.create("o-work")
    shell.send("o-dead", *(str(number) for number in range(20)))
    first = shell.start("dlq", "replay", "o-dead", "--to", "o-work", "--rate", "5/s")
    deadline = time.monotonic() + 10
    while not list((shell.folder / "state").glob("ferry/*.lock")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    shell.run("dlq", "replay", "o-dead", "--to", "o-work", expect=1)
    assert "another replay is at it" in shell.err
    first.send_signal(signal.SIGTERM)
    first.communicate(timeout=30)
