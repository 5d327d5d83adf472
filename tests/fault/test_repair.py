"""A folder whose start is refused, repaired by the real binary: what it says, what it leaves alone, what is there afterwards.

Each case: three queues (standard, FIFO, dead letters) are filled, the server is killed, something is damaged, a start is refused.
The dry run names the place and changes no byte. After the repair everything that is not named as lost is served, byte for byte.
"""

import hashlib
import json
import shutil
import subprocess

import pytest
from ferry_server import FerryServer, binary, serve_expecting_refusal
from load import body_of
from sqs_wire import Sqs

COUNT = 120
QUEUES = ("plain", "line.fifo", "dead")


def token(queue, number):
    return f"{queue.partition('.')[0]}-{number:04d}-{(40, 900, 3000, 20_000)[number % 4]}"


def fill(folder):
    """A killed server's folder, and the ids of the messages by their tokens."""
    server = FerryServer(folder)
    ids = {}
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("dead")
        policy = json.dumps({"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 1})
        sqs.create("plain", VisibilityTimeout=0, RedrivePolicy=policy)
        sqs.create("line.fifo", FifoQueue="true", ContentBasedDeduplication="true")

        def send(queue, number, name, **more):
            ids[token(name, number)] = sqs.call("SendMessage", QueueUrl=queue, MessageBody=body_of(token(name, number)), **more)["MessageId"]

        for number in range(COUNT // 4):  # become dead letters
            send("plain", number, "dead")
        for _ in range(COUNT):
            sqs.call("ReceiveMessage", QueueUrl="plain", MaxNumberOfMessages=10)
            if sqs.counts("dead")[0] == COUNT // 4:
                break
        assert sqs.counts("dead")[0] == COUNT // 4
        for number in range(COUNT):
            send("plain", number, "plain")
            send("line.fifo", number, "line", MessageGroupId=f"g{number % 3}")
        server.kill()
    finally:
        server.close()
    return server.data, ids


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("filled"))


def hashes(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def repair(data, *options, stdin=subprocess.DEVNULL):
    done = subprocess.run([binary(), "store", "repair", "--data", str(data), "-o", "json", *options], stdin=stdin, capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip().startswith("{") else None, done.stderr


def read_all(folder, data):
    """Bodies by queue, in the order in which they came. What is wrong with a body fails."""
    bodies = {}
    with FerryServer(folder, data=data) as server:
        sqs = Sqs(server.url)
        for queue in sqs.call("ListQueues").get("QueueUrls", []):
            name = queue.rsplit("/", 1)[1]
            seen = []
            while True:
                messages = sqs.call("ReceiveMessage", QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=3600).get("Messages", [])
                if not messages:
                    break
                for message in messages:
                    assert message["Body"] == body_of(message["Body"].partition(" ")[0]), "wrong bytes were served"
                    seen.append(message["Body"].partition(" ")[0])
                    sqs.call("DeleteMessage", QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            bodies[name] = seen
        assert server.stop() == 0, server.words()
    return bodies


def where(data, text):
    for path in sorted(data.glob("segment-*")):
        at = path.read_bytes().find(text.encode())
        if at >= 0:
            return path, at
    raise AssertionError(f"{text} is in no segment")


def flip(path, at):
    contents = bytearray(path.read_bytes())
    contents[at] ^= 4
    path.write_bytes(contents)


def both_slots(data):
    flip(data / "control", 100)
    flip(data / "control", 4196)


def swap_segments(data):
    first, second = sorted(data.glob("segment-*"))[:2]
    first.rename(data / "between")
    second.rename(first)
    (data / "between").rename(second)


def one_body(data):
    path, at = where(data, token("plain", COUNT // 2))
    flip(path, at + 30)


def cut_short(data):
    path, at = where(data, token("plain", COUNT - 20))
    with open(path, "r+b") as file:
        file.truncate(at)


def first_header(data):
    flip(sorted(data.glob("segment-*"))[0], 40)


def first_segment(data):
    sorted(data.glob("segment-*"))[0].unlink()


DAMAGES = {"both control slots": both_slots, "a control file that is missing": lambda data: (data / "control").unlink(),
           "a segment's header": first_header, "swapped segments": swap_segments, "a body in the replay": one_body,
           "a segment cut short": cut_short, "the first segment missing": first_segment}
HARMLESS = {"both control slots", "a control file that is missing", "a segment's header", "swapped segments"}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_refused_said_and_repaired(tmp_path, filled, name):
    data = tmp_path / "data"
    shutil.copytree(filled[0], data)
    DAMAGES[name](data)
    status, words = serve_expecting_refusal(tmp_path / "refused", data=data)
    assert status == 1, words
    before = hashes(data)

    status, planned, words = repair(data, "--dry-run")
    assert status == 1 and planned["State"] == "planned", words
    assert any(not damage["Harmless"] for damage in planned["Damages"])
    assert hashes(data) == before, "the dry run changed the folder"
    status, _, words = repair(data)
    assert status == 1 and "--yes" in words
    assert hashes(data) == before, "a repair that was not confirmed changed the folder"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "refused"], "copies were made without need"

    status, done, words = repair(data, "--yes")
    assert status == 0 and done["State"] == "repaired", words
    copies = [path for path in tmp_path.iterdir() if path.name.startswith("data.before-repair-")]
    assert len(copies) == 1 and str(copies[0]) == done["Copy"]
    for file in done["Copied"]:
        assert hashlib.sha256((copies[0] / file).read_bytes()).hexdigest() == before[file], f"{file} was not copied as it was"
    kept = json.loads(next(copies[0].glob("repair-*.json")).read_text())
    assert kept["Damages"] == planned["Damages"] and kept["LostRecords"] == planned["LostRecords"]

    check = subprocess.run([binary(), "store", "check", "--data", str(data)], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr
    bodies = read_all(tmp_path / "after", data)
    served = {one for seen in bodies.values() for one in seen}
    sent = {token("dead", number) for number in range(COUNT // 4)} | {token(queue, number) for queue in ("plain", "line") for number in range(COUNT)}
    assert served <= sent
    if name in HARMLESS:
        assert not done["LostRecords"] and not done["DroppedMessages"]
        assert served == sent
        assert sorted(bodies) == sorted(QUEUES)
    elif name == "a body in the replay":
        assert served == sent - {token("plain", COUNT // 2)}
        assert filled[1][token("plain", COUNT // 2)] in [message.get("MessageId") for message in done["DroppedMessages"]]
    else:
        lost = sum(one["Last"] - one["First"] + 1 - one["Rescued"] for one in done["LostRecords"]) + len(done["DroppedMessages"])
        assert sent - served
        assert len(sent - served) <= lost or done["MoreMayBeLost"]
    for group in range(3):  # FIFO stays in order
        numbers = [int(one.split("-")[1]) for one in bodies.get("line.fifo", []) if int(one.split("-")[1]) % 3 == group]
        assert numbers == sorted(numbers)
    status, again, _ = repair(data)
    assert status == 0 and again["State"] == "nothing to repair"


def test_a_whole_folder_and_one_in_use_are_left_alone(tmp_path, filled):
    data = tmp_path / "data"
    shutil.copytree(filled[0], data)
    before = hashes(data)
    status, found, _ = repair(data, "--yes")
    assert status == 0 and found["State"] == "nothing to repair" and not found["Damages"]
    assert hashes(data) == before
    with FerryServer(tmp_path / "server", data=data):
        status, found, words = repair(data, "--yes")
        assert status == 1 and found is None and "in use" in words


def test_copies_go_where_they_are_told_and_put_the_folder_back(tmp_path, filled):
    data = tmp_path / "data"
    shutil.copytree(filled[0], data)
    first_header(data)
    before = hashes(data)
    status, done, words = repair(data, "--yes", "--keep-copy", str(tmp_path / "kept"))
    assert status == 0, words
    for file in done["Copied"]:
        shutil.copy(tmp_path / "kept" / file, data / file)
    for file in before:
        if file in ("lock", "ballast", "preparing"):
            continue
        assert hashlib.sha256((data / file).read_bytes()).hexdigest() == before[file], f"{file} is not as it was, and no copy of it is kept"


def test_a_damaged_body_below_the_replay_is_dropped_and_named(tmp_path):
    """A clean stop and a start after a repair: the replay begins behind everything, so that only bodies are damaged."""
    data, ids = fill(tmp_path / "filled")
    both_slots(data)
    status, _, words = repair(data, "--yes")  # writes a checkpoint
    assert status == 0, words
    one_body(data)
    with FerryServer(tmp_path / "server", data=data) as server:
        assert server.stop() == 0
    status, done, words = repair(data, "--yes", "--keep-copy", str(tmp_path / "kept"))
    assert status == 0, words
    assert [message["MessageId"] for message in done["DroppedMessages"]] == [ids[token("plain", COUNT // 2)]]
    assert not done["LostRecords"]
    bodies = read_all(tmp_path / "after", data)
    assert token("plain", COUNT // 2) not in bodies["plain"] + bodies["dead"]
    assert sum(len(seen) for seen in bodies.values()) == len(ids) - 1


def crc32c(data, crc):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def set_format(data, version):
    control = bytearray((data / "control").read_bytes())
    for slot in (0, 4096):
        head = version.to_bytes(4, "little")
        control[slot + 8:slot + 16] = head + crc32c(control[slot + 16:slot + 4096], version).to_bytes(4, "little")
    (data / "control").write_bytes(control)


def test_an_older_format_is_brought_up_after_saying_so_and_a_newer_one_is_refused(tmp_path, filled):
    data = tmp_path / "data"
    shutil.copytree(filled[0], data)
    set_format(data, 1)
    server = FerryServer(tmp_path / "server", "--log-level", "off", data=data)
    with server:
        assert f"data folder {data} has format 1; it is being brought to 2; an older ferry cannot open it afterwards" in server.words()
    assert {(data / "control").read_bytes()[slot + 8] for slot in (0, 4096)} == {2}
    set_format(data, 3)
    before = hashes(data)
    status, words = serve_expecting_refusal(tmp_path / "refused", data=data)
    assert status == 1 and "format 3" in words and "up to 2" in words
    status, _, words = repair(data, "--yes")
    assert status != 0 and "format 3" in words
    assert hashes(data) == before
