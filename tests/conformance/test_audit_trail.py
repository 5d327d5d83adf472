"""`ferry audit` over trails that are written here, as docs/audit.md describes them: a second opinion on the format."""

import hashlib
import json
import os
import subprocess

import pytest
from ferry_server import binary

CHAIN = "6d1f1f1c-8c1e-4d6e-9f57-0b8a3c9d1e2f"


@pytest.fixture
def ferry(tmp_path):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    def run(*words, status=0):
        done = subprocess.run([binary(), *words], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
        return done
    return run


def lines_of(entries, seq=1, prev="0" * 64):
    """The lines of these (event, message id, fields), chained."""
    lines = []
    for event, message, fields in entries:
        ids = f',"message_id":"{message}","request_id":"order-1","queue":"work","request":"Enable"' if message else ""
        line = f'{{"seq":{seq},"time":"2026-11-23T08:00:{seq:02}.000Z","event":"{event}"{ids},"fields":{json.dumps(fields)},"prev":"{prev}"}}'
        lines.append(line)
        prev = hashlib.sha256(line.encode()).hexdigest()
        seq += 1
    return lines


LIFE = [("chain-opened", "", {"chain": CHAIN, "host": "here", "pid": 1}), ("received", "m-1", {"receive_count": 1}),
        ("attempt-started", "m-1", {"attempt": 1, "handler": "./enable.sh"}),
        ("attempt-ended", "m-1", {"attempt": 1, "outcome": "retry", "detail": "exit 3", "took_ms": 12, "output": "one\n\x1b[2Jtwo"}),
        ("settled", "m-1", {"how": "returned", "visible_in_s": 5}), ("received", "m-2", {"receive_count": 1}),
        ("settled", "m-2", {"how": "deleted"}), ("chain-closed", "", {"chain": CHAIN})]


@pytest.fixture
def trail(tmp_path):
    folder = tmp_path / ".local/state/ferry/audit"
    folder.mkdir(parents=True)
    lines = lines_of(LIFE)
    (folder / "audit-01-000000000001.jsonl").write_text("".join(line + "\n" for line in lines[:5]))
    (folder / "audit-01-000000000006.jsonl").write_text("".join(line + "\n" for line in lines[5:]))
    return folder, lines


def test_a_trail_of_the_documented_form_is_whole(ferry, trail):
    report = json.loads(ferry("audit", "verify").stdout)
    assert report["Whole"] is True and report["Faults"] == []
    (chain, ) = report["Chains"]
    assert (chain["Id"], chain["Files"], chain["Lines"], chain["First"], chain["Last"], chain["State"]) == (CHAIN, 2, 8, 1, 8, "closed")
    text = ferry("audit", "verify", str(trail[0]), "-o", "table").stdout
    assert text.endswith("whole\n") and "not signed" in text
    assert [one["First"] for one in json.loads(ferry("audit", "ls").stdout)] == [1, 6]
    assert "2026-11-23T08:00:08.000Z" in ferry("audit", "ls", "-o", "table").stdout


def test_each_way_to_change_it_is_found_with_its_place(ferry, trail):
    folder, lines = trail
    first = folder / "audit-01-000000000001.jsonl"
    good = first.read_text()
    for change, where, what in ((lambda l: [*l[:2], l[2].replace("enable", "delete"), *l[3:]], 4, "was changed"),
                                (lambda l: [*l[:2], *l[3:]], 3, "missing before it"),
                                (lambda l: [*l[:3], l[1], *l[3:]], 4, "moved or inserted"),
                                (lambda l: [*l[:2], "{}", *l[2:]], 3, "no line of an audit trail")):
        first.write_text("".join(line + "\n" for line in change(lines[:5])))
        report = json.loads(ferry("audit", "verify", status=1).stdout)
        fault = report["Faults"][0]
        assert fault["File"] == str(first) and fault["Line"] == where and what in fault["What"], report
        assert f"FAULT {first}:{where}: " in ferry("audit", "verify", "-o", "table", status=1).stdout
    first.write_text(good)
    ferry("audit", "verify")


def test_a_cut_tail_is_found_with_a_line_that_was_kept(ferry, trail, tmp_path):
    folder, lines = trail
    second = folder / "audit-01-000000000006.jsonl"
    kept = tmp_path / "kept.jsonl"
    kept.write_text(lines[-1] + "\n")
    ferry("audit", "verify", "--known", str(kept))
    second.write_text("".join(line + "\n" for line in lines[5:7]))
    assert json.loads(ferry("audit", "verify").stdout)["Chains"][0]["State"] == "open"
    report = json.loads(ferry("audit", "verify", str(folder), "--known", str(kept), status=1).stdout)
    assert "the tail was cut off" in report["Faults"][0]["What"]


def test_a_key_that_signed_nothing_is_said(ferry, trail):
    line = ferry("key", "new", "worker").stdout.strip()
    for key in (line, "./.config/ferry/keys/worker.pub"):
        assert "holds no line that is signed" in ferry("audit", "verify", "--key", key, status=1).stdout
    ferry("audit", "verify", "--key", "nonsense", status=2)


def test_why_tells_the_life_of_a_message(ferry, trail):
    told = ferry("audit", "why", "m-1", "-o", "table").stdout
    assert told.splitlines() == [
        f"{trail[0]}/audit-01:", "2026-11-23T08:00:02.000Z  received from work",
        "2026-11-23T08:00:03.000Z  attempt 1 started as Enable: ./enable.sh",
        "2026-11-23T08:00:04.000Z  attempt 1 ended: retry, exit 3 after 12 ms", "    | one", "    | \\x1b[2Jtwo",
        "2026-11-23T08:00:05.000Z  settled: returned, seen again in 5 s", "The same request also came as", "  m-2"]
    documents = json.loads(ferry("audit", "why", "order-1").stdout)
    assert [document["Record"]["seq"] for document in documents] == [2, 3, 4, 5, 6, 7]
    assert documents[4]["Line"] == 1 and documents[4]["File"].endswith("06.jsonl")
    ferry("audit", "why", "m-9", status=3)


def test_what_is_not_there_and_wrong_usage(ferry, tmp_path):
    for words in (("verify", ), ("why", "m-1"), ("ls", )):
        ferry("audit", *words, status=3)
        ferry("audit", *words, str(tmp_path), status=3)
    ferry("audit", "why", status=2)
    ferry("audit", "verfy", status=2)
