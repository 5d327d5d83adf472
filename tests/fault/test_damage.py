"""Torn, flipped, truncated, foreign, swapped and missing files, against the real binary.

Whatever is done to a file, one of two things happens: the server refuses to start, with a sentence that names the place and
exit code 1; or it starts and every message is there as it was. A message that is missing must have been told about, and may
be missing only where the damage was a torn tail or lay in that message's own body. Wrong bytes are never served.
"""

import random
import re
import shutil
import urllib.request

import pytest
from ferry_server import FerryServer
from load import body_of
from sqs_wire import Sqs
from torture_report import record

COUNT = 400
TOLD = re.compile(r"(?i)torn|cut|damaged|quarantine|corrupt")
NO_SENTENCE = re.compile(r"terminate called|what\(\)|Assertion|Sanitizer|core dumped")


def token(number):
    return f"damage-{number:04d}-{(40, 900, 3000, 20_000)[number % 4]}"


def make_store(folder, *, clean, name="q"):
    """A data folder with COUNT messages, 20 of them in flight for long, ended by SIGTERM (clean) or SIGKILL."""
    server = FerryServer(folder)
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create(name, VisibilityTimeout=43200)
        for number in range(COUNT):
            sqs.call("SendMessage", QueueUrl=name, MessageBody=body_of(token(number)))
        if clean:
            assert server.stop() == 0, server.words()
        else:
            server.kill()
    finally:
        server.close()
    return server.data


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("killed"), clean=False)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("stopped"), clean=True)


class Outcome:
    def __init__(self, status, words, bodies):
        self.status, self.words, self.bodies = status, words, bodies

    @property
    def refused(self):
        return self.status is not None

    @property
    def missing(self):
        return {token(number) for number in range(COUNT)} - {body.partition(" ")[0] for body in self.bodies}


def metric(url, name):
    text = urllib.request.urlopen(f"{url}/metrics", timeout=30).read().decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE).group(1))


def start_and_look(tmp_path, data, lease=43200):
    """Starts a server on `data` and reads everything. AssertionError for anything that must never happen. With a `lease` of 0
    everything is given back in the end."""
    server = FerryServer(tmp_path / "server", data=data)
    server.log.unlink(missing_ok=True)
    server.launch()
    try:
        while not (server.ready_file.exists() and server.ready_file.read_text().strip()):
            if server.process.poll() is not None:
                status, words = server.process.returncode, server.words()
                assert status == 1, f"exit {status}:\n{words}"
                assert not NO_SENTENCE.search(words), words
                assert str(data) in words, f"no place is named:\n{words}"
                return Outcome(status, words, [])
        server.url = server.ready_file.read_text().strip()
        sqs = Sqs(server.url)
        bodies, handles = [], []
        while True:
            answer = sqs.call("ReceiveMessage", QueueUrl="q", MaxNumberOfMessages=10)
            if "Messages" not in answer:
                break
            for message in answer["Messages"]:
                name = message["Body"].partition(" ")[0]
                assert message["Body"] == body_of(name), f"wrong bytes were served for {name}"
                bodies.append(message["Body"])
                handles.append(message["ReceiptHandle"])
        assert len(set(bodies)) == len(bodies)
        for handle in handles if lease == 0 else []:
            sqs.call("ChangeMessageVisibility", QueueUrl="q", ReceiptHandle=handle, VisibilityTimeout=0)
        status = server.stop()
        assert status == 0, server.words()
        outcome = Outcome(None, server.words(20_000), bodies)
        assert not NO_SENTENCE.search(outcome.words), outcome.words
        return outcome
    finally:
        server.close()


def copy_of(data, tmp_path):
    target = tmp_path / "copy"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(data, target)
    return target


def where(data, number):
    needle = token(number).encode()
    for path in sorted(data.glob("segment-*")):
        at = path.read_bytes().find(needle)
        if at >= 0:
            return path, at
    raise AssertionError(f"message {number} is in no segment")


def flip(path, at, bit=0):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ (1 << bit)]))


def test_undamaged_copies_are_whole(tmp_path, killed, stopped):
    for data in (killed, stopped):
        outcome = start_and_look(tmp_path, copy_of(data, tmp_path))
        assert not outcome.refused and not outcome.missing


def mutants_of(path, chance):
    """(name, change) pairs for one file."""
    size = path.stat().st_size

    def overwrite(at, data):
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(data)

    def truncate(to):
        with open(path, "r+b") as file:
            file.truncate(to)

    yield "removed", path.unlink
    yield "emptied", lambda: truncate(0)
    yield "foreign", lambda: path.write_bytes(chance.randbytes(max(size, 4096)))
    yield "grown", lambda: path.open("ab").write(b"\xff" * 4096)
    if size > 1:
        yield "cut in half", lambda: truncate(size // 2)
        yield "cut by one", lambda: truncate(size - 1)
        for at in sorted({0, 7, size // 2, size - 1, *(chance.randrange(min(size, 600_000)) for _ in range(8))}):
            yield f"bit at {at}", lambda at=at: flip(path, at, chance.randrange(8))
        for at in sorted({0, size // 2 // 512 * 512, *(chance.randrange(min(size, 600_000)) // 512 * 512 for _ in range(3))}):
            yield f"512 zeros at {at}", lambda at=at: overwrite(at, bytes(512))


@pytest.mark.parametrize("state", ["killed", "stopped"])
def test_any_change_of_any_file(tmp_path, state, request):
    data = request.getfixturevalue(state)
    refused = started = 0
    for name in sorted(path.name for path in data.iterdir()):
        for change, _ in list(mutants_of(data / name, random.Random(0))):
            copy = copy_of(data, tmp_path)
            dict(mutants_of(copy / name, random.Random(0)))[change]()
            try:
                outcome = start_and_look(tmp_path, copy)
                if outcome.refused:
                    refused += 1
                else:
                    started += 1
                    assert not outcome.missing or TOLD.search(outcome.words), f"{len(outcome.missing)} messages are missing, silently:\n{outcome.words}"
            except AssertionError as error:
                raise AssertionError(f"{state}, {name}, {change}: {error}") from None
    print(f"{state}: {refused} refused, {started} started")
    record("files damaged", "a change of one file, a start, everything read", refused + started, 0, folder=state)
    assert refused > 0 and started > 0


def test_a_bit_in_the_middle_of_the_log_is_corruption_and_not_a_torn_tail(tmp_path, killed):
    """Valid groups follow it: starting without what is behind the break would lose acknowledged messages."""
    copy = copy_of(killed, tmp_path)
    path, at = where(copy, COUNT // 2)
    flip(path, at + 3)
    outcome = start_and_look(tmp_path, copy)
    if outcome.refused:
        assert path.name in outcome.words, outcome.words
        assert re.search(r"\d{3,}", outcome.words), f"the place in the file is not told:\n{outcome.words}"
    else:
        assert outcome.missing == {token(COUNT // 2)} and TOLD.search(outcome.words)


def test_a_damaged_body_below_the_checkpoint_costs_only_that_message(tmp_path):
    """Quarantined: reported, never served, never deleted, and everything else goes on."""
    server = FerryServer(tmp_path / "first")
    try:
        server.start()
        sqs = Sqs(server.url)
        sqs.create("q", VisibilityTimeout=43200)
        sqs.create("more")
        for number in range(COUNT):
            sqs.call("SendMessage", QueueUrl="q", MessageBody=body_of(token(number)))
        written = 0
        while metric(server.url, "ferry_store_checkpoints_total") < 1:
            assert written < 512, "no checkpoint after half a gibibyte"
            status, _, answer = sqs.raw("SendMessage", b'{"QueueUrl":"more","MessageBody":"' + b"x" * 1_000_000 + b'"}')
            assert status in (200, 503), answer
            written += status == 200
        assert server.stop() == 0, server.words()
    finally:
        server.close()
    path, at = where(server.data, 17)
    flip(path, at + 5)
    for _ in range(2):  # the second time it is still there, and still not served
        outcome = start_and_look(tmp_path, server.data, lease=0)
        assert not outcome.refused, outcome.words
        assert outcome.missing == {token(17)}
        assert TOLD.search(outcome.words), outcome.words


def test_a_torn_tail_is_cut_and_told(tmp_path, killed):
    """The last group, half written: it was never acknowledged here, since the server was killed while it wrote."""
    copy = copy_of(killed, tmp_path)
    path, at = where(copy, COUNT - 1)
    start = at // 4096 * 4096
    with open(path, "r+b") as file:  # the body of the last message reaches over several blocks: lose its end
        file.seek(start + 4096)
        file.write(bytes(16 * 4096))
    outcome = start_and_look(tmp_path, copy)
    assert not outcome.refused, outcome.words
    assert outcome.missing == {token(COUNT - 1)}
    assert TOLD.search(outcome.words), outcome.words


def test_swapped_doubled_and_foreign_segments(tmp_path, killed, tmp_path_factory):
    segments = sorted(path.name for path in killed.glob("segment-*"))
    assert len(segments) >= 2
    copy = copy_of(killed, tmp_path)
    first, second = copy / segments[0], copy / segments[1]
    first.rename(copy / "x")
    second.rename(first)
    (copy / "x").rename(second)
    assert start_and_look(tmp_path, copy).refused

    copy = copy_of(killed, tmp_path)
    shutil.copy(copy / segments[0], copy / segments[1])
    outcome = start_and_look(tmp_path, copy)
    assert outcome.refused and segments[1] in outcome.words, outcome.words

    other = make_store(tmp_path_factory.mktemp("other"), clean=False)
    copy = copy_of(killed, tmp_path)
    path, _ = where(copy, 0)
    shutil.copy(other / path.name, path)
    assert start_and_look(tmp_path, copy).refused


def test_stale_bytes_count_for_nothing(tmp_path, stopped):
    """What stands behind the last group, and all of the segments that were prepared and never used, may be anything."""
    chance = random.Random(4)
    for _ in range(5):
        copy = copy_of(stopped, tmp_path)
        path, at = where(copy, COUNT - 1)
        behind = (at + 20_000 + 8 * 4096) // 4096 * 4096  # the last message and the group of the stop are over there
        with open(path, "r+b") as file:
            file.seek(behind)
            file.write(chance.randbytes(16_384))
        for segment in sorted(copy.glob("segment-*")):
            if segment.name <= path.name:
                continue
            with open(segment, "r+b") as file:
                for at in range(3):
                    file.seek(4096 + chance.randrange(segment.stat().st_size - 8192 * 2))
                    file.write(chance.randbytes(4096))
        outcome = start_and_look(tmp_path, copy)
        assert not outcome.refused and not outcome.missing, outcome.words


def test_refusing_changes_nothing(tmp_path, killed):
    """Whoever looks at the damage afterwards finds it as it was."""
    copy = copy_of(killed, tmp_path)
    path, at = where(copy, COUNT // 2)
    flip(path, at + 3)
    before = {file.name: file.read_bytes() for file in copy.iterdir()}
    outcome = start_and_look(tmp_path, copy)
    if outcome.refused:
        assert {file.name: file.read_bytes() for file in copy.iterdir()} == before
