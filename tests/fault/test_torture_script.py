"""scripts/torture: what it adds up, what it says, and that a failure makes it fail. Its parts are replaced by tiny ones."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import torture  # noqa: E402

SOUND = """
from torture_report import record
def test_sound():
    record("process killed", "SIGKILL", 100, 0, 7, facts={"requests": 5, "longest start ms": 9})
    record("process killed", "SIGKILL", 50, False, 7, facts={"requests": 6, "longest start ms": 8})
"""
BROKEN = """
from torture_report import record
def test_broken():
    print("FERRY_SEED=42")
    record("clock set", "forward", 10, True, 42)
    assert False
"""
SKIPPED = """
import pytest
def test_skipped():
    pytest.skip("strace is not installed")
"""


@pytest.fixture
def parts(tmp_path, monkeypatch):
    names = {}
    for name, text in (("sound", SOUND), ("broken", BROKEN), ("skipped", SKIPPED)):
        file = tmp_path / f"test_{name}.py"
        file.write_text(text)
        names[name] = (f"what {name} does", "pytest", [str(file)])
    monkeypatch.setattr(torture, "PARTS", names)
    monkeypatch.setattr(torture, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(torture, "LOGS", tmp_path / "logs")
    monkeypatch.setattr(torture, "SUPPORT", f"{ROOT / 'tests/support'}:{ROOT / 'tests/fault'}")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["torture", *arguments])
        return torture.main()

    run.results = tmp_path / "results"
    return run


def test_rows_are_added_up(parts, capsys):
    assert parts("--only", "sound") == 0
    table = capsys.readouterr().out
    assert "process killed" in table and "150" in table and "2 %" in table
    [row] = json.loads((parts.results / "default-sound.json").read_text())["rows"]
    assert (row["n"], row["failures"], row["seed"], row["tests"]) == (150, 0, "7", 1)
    assert row["facts"] == {"requests": 11, "longest start ms": 9}
    assert (parts.results / "default-sound.md").read_text().count("\n") == 3


def test_a_failure_makes_it_fail_and_says_how_to_repeat_it(parts, capsys):
    assert parts("--only", "sound", "--only", "broken", "--long") == 1
    said = capsys.readouterr()
    assert "scripts/torture --only broken --seed 42 --long" in said.err
    rows = json.loads((parts.results / "long-sound-broken.json").read_text())["rows"]
    assert [(row["fault"], row["failures"]) for row in rows] == [("process killed", 0), ("clock set", 1), ("what broken does", 1)]


def test_a_part_that_runs_nothing_fails(parts, capsys):
    assert parts("--only", "skipped") == 1
    assert "test_skipped: strace is not installed" in capsys.readouterr().err


def test_properties_of_cases_are_added_up(parts, monkeypatch):
    report = """<testsuites><testsuite><testcase classname="A/S" name="t/0" status="run"><properties><property name="n_images" value="40"/>
        <property name="seed" value="5"/><property name="other" value="1"/></properties></testcase><testcase classname="A/S" name="t/1"
        status="run"><properties><property name="n_images" value="2"/></properties></testcase></testsuite></testsuites>"""
    monkeypatch.setattr(torture, "PARTS", {"images": ("crash images", "ctest", "x")})
    monkeypatch.setattr(torture, "run", lambda *_: (parts.results / "gtest-images" / "test_crash_images.xml").write_text(report))
    assert parts() == 0
    [row] = json.loads((parts.results / "default.json").read_text())["rows"]
    assert (row["fault"], row["done"], row["n"], row["failures"], row["seed"], row["tests"]) == ("crash images", "images, crash images", 42, 0, "5", 2)


def test_the_bound():
    assert torture.bound({"n": 150, "failures": 0}) == "2 %"
    assert torture.bound({"n": 2500, "failures": 0}) == "0.1 %"
    assert torture.bound({"n": 9, "failures": 0}) == "33 %"
    assert torture.bound({"n": 9, "failures": 1}) == "–"
    assert torture.bound({"n": 0, "failures": 0}) == "–"


def test_help_and_wrong_parts():
    command = [str(ROOT / "scripts/torture")]
    assert "--long" in subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    wrong = subprocess.run([*command, "--only", "nothing"], capture_output=True, text=True)
    assert wrong.returncode == 2 and "no part is called nothing" in wrong.stderr
    listed = subprocess.run([*command, "--list"], capture_output=True, text=True, check=True).stdout.split()
    assert listed == list(torture.PARTS)
    for _, kind, files in torture.PARTS.values():
        assert kind == "ctest" or all((ROOT / "tests/fault" / name).exists() for name in files)
