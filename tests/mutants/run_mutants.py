"""Builds each mutant of the table and runs the tests on it, the cheapest suites first, until one of them fails.

One copy of the sources is kept in build/mutants: a mutant is put in, what depends on it is built again, and it is taken out
with the next one. The suites run on the unchanged copy first: a test that fails there could catch nothing.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import table

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "mutants"
SOURCES, BUILD = PLACE / "sources", PLACE / "build"
COPIED = ("src", "include", "tests", "cmake", "CMakeLists.txt")
FLAGS = ["-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_CXX_FLAGS_DEBUG=-O1 -D_GLIBCXX_ASSERTIONS"]
FAULT_TESTS = ("test_disk_errors.py", "test_damage.py", "test_kill.py")
FAILED = re.compile(r"^\[  FAILED  \] ([\w/.]+)", re.MULTILINE)
BEGUN = re.compile(r"^\[ RUN      \] ([\w/.]+)", re.MULTILINE)
PYTEST_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Suite:
    name: str
    target: str
    program: str = ""  # below BUILD; empty: the fault tests against the server


SUITES = (
    Suite("unit journal", "test_unit_journal", "tests/unit/journal/test_unit_journal"),
    Suite("store contract", "test_contract_store", "tests/contract/store/test_contract_store"),
    Suite("unit service", "test_unit_service", "tests/unit/service/test_unit_service"),
    Suite("unit engine", "test_unit_engine", "tests/unit/engine/test_unit_engine"),
    Suite("simulation", "test_simulation", "tests/simulation/test_simulation"),
    Suite("crash images", "test_crash_images", "tests/simulation/images/test_crash_images"),
    Suite("fault simulation", "test_fault_simulation", "tests/simulation/faults/test_fault_simulation"),
    Suite("fault", "ferry"),
)


class Broken(Exception):
    """The run itself cannot go on."""


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- the copy ----------------------------------------------------------------------------------------------------------------

def originals(commit):
    """{relative path: bytes} of what is copied, from the working tree or from a commit."""
    if commit:
        staged = PLACE / "commit"
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        archive = subprocess.run(["git", "-C", str(ROOT), "archive", commit], check=False, capture_output=True)
        if archive.returncode != 0:
            raise Broken(archive.stderr.decode())
        subprocess.run(["tar", "-x", "-C", str(staged)], input=archive.stdout, check=True)
        base = staged
    else:
        base = ROOT
    files = {}
    for top in COPIED:
        for path in [base / top] if (base / top).is_file() else sorted((base / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                files[path.relative_to(base).as_posix()] = path.read_bytes()
    return files


def write_copy(files):
    """Makes SOURCES equal to `files`; what is equal already keeps its time, so that it is not built again."""
    for path in sorted(SOURCES.rglob("*")) if SOURCES.exists() else []:
        if path.is_file() and path.relative_to(SOURCES).as_posix() not in files:
            path.unlink()
    for name, content in files.items():
        path = SOURCES / name
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def build(targets, jobs):
    """None, or the end of what the compiler said."""
    if not (BUILD / "build.ninja").exists():
        done = subprocess.run(["cmake", "-S", str(SOURCES), "-B", str(BUILD), "-G", "Ninja", *FLAGS], capture_output=True, text=True)
        if done.returncode != 0:
            raise Broken(done.stdout[-4000:] + done.stderr[-4000:])
    done = subprocess.run(["ninja", "-C", str(BUILD), f"-j{jobs}", *targets], capture_output=True, text=True)
    return None if done.returncode == 0 else done.stdout[-6000:]


# ---- the suites --------------------------------------------------------------------------------------------------------------

def command_of(suite, only, without):
    if suite.program:
        return [str(BUILD / suite.program), "--gtest_fail_fast", "--gtest_color=no", f"--gtest_filter={only or '*'}-{':'.join(without)}"], {}
    python = ROOT / "build" / "test-env" / "sdk" / "bin" / "python"
    command = [str(python), "-m", "pytest", "-x", "-q", "-ra", "--color=no", "-p", "no:cacheprovider",
               *(str(SOURCES / "tests" / "fault" / name) for name in FAULT_TESTS)]
    return command, {"FERRY_BINARY": str(BUILD / "ferry"), "PYTHONPATH": str(SOURCES / "tests" / "support"), "PYTHONDONTWRITEBYTECODE": "1",
                     "FERRY_KILL_CYCLES": "20"}


def run(suite, seconds_max, only="", without=()):
    """(name of the test that failed, or None; seconds)"""
    command, more = command_of(suite, only, without)
    log = PLACE / "last.log"
    started = time.monotonic()
    ended = True
    with open(log, "wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={**os.environ, **more},
                                   start_new_session=True)
        try:
            process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            ended = False
            os.killpg(process.pid, 9)
            process.wait()
    seconds = time.monotonic() - started
    if ended and process.returncode == 0:
        return None, seconds
    text = log.read_text(errors="replace")
    if not suite.program:
        found = PYTEST_FAILED.search(text)
        name = found.group(1).split("tests/fault/")[-1] if found else "the run itself"
        return name if ended else name + " (does not end)", seconds
    failed = FAILED.search(text)
    if failed:
        return failed.group(1), seconds
    begun = BEGUN.findall(text)
    how = "aborts" if ended else "does not end"
    return f"{begun[-1] if begun else suite.program} ({how})", seconds


def check_unchanged(files, suites, jobs):
    """{suite name: seconds} on the unchanged sources."""
    say("the unchanged sources")
    write_copy(files)
    failed = build([suite.target for suite in suites], jobs)
    if failed:
        raise Broken(f"the unchanged sources do not build:\n{failed}")
    seconds = {}
    for suite in suites:
        test, seconds[suite.name] = run(suite, 3600)
        if test:
            raise Broken(f"{suite.name}: {test} fails without any mutant; see {PLACE / 'last.log'}")
        say(f"    {suite.name}: passes, {seconds[suite.name]:.0f} s")
    return seconds


def caught_by(suite, seconds_max):
    """The test that fails, twice: one that fails now and then, for reasons of its own, has caught nothing."""
    doubtful = []
    while True:
        test, _ = run(suite, seconds_max, without=doubtful)
        if not test or not suite.program:
            return test
        name = test.split(" ")[0]
        if len(doubtful) == 5 or run(suite, seconds_max, only=name)[0]:
            return test
        doubtful.append(name)


def hunt(mutant, files, suites, seconds, jobs):
    """(sentence for the table, caught)"""
    write_copy({**files, **{name: text.encode() for name, text in table.edited(mutant, SOURCES).items()}})
    for suite in suites:
        failed = build([suite.target], jobs)
        if failed:
            say(failed)
            return "does not compile", False
        test = caught_by(suite, 10 * seconds[suite.name] + 60)
        if test:
            shutil.copy(PLACE / "last.log", PLACE / f"{mutant.name}.log")
            return f"{suite.name}: `{test}`", True
    return "**nothing**", False


# ---- the command -------------------------------------------------------------------------------------------------------------

def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="scripts/mutants", description="Puts one fault after the other into a copy of the sources (tests/mutants/mutants.toml), builds it, and "
        "runs the tests, cheapest suites first, until one fails. Prints which test caught which fault; exits 1 when one was caught by nothing.")
    parser.add_argument("--only", action="append", metavar="NAME", default=[], help="this mutant, by name; may be given again")
    parser.add_argument("--list", action="store_true", help="print the mutants and what they break, run nothing")
    parser.add_argument("--suites", metavar="NAME,...", help="only these: " + ", ".join(suite.name for suite in SUITES))
    parser.add_argument("--commit", metavar="REV", help="the sources of this commit, not the working tree")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, metavar="N", help="compilers at a time [one per core]")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    mutants = table.load()
    unknown = set(options.only) - {mutant.name for mutant in mutants}
    if unknown:
        say(f"no mutant is called {', '.join(sorted(unknown))}; --list names them")
        return 2
    chosen = [mutant for mutant in mutants if not options.only or mutant.name in options.only]
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name:40} {mutant.breaks}")
        return 0
    wanted = options.suites.split(",") if options.suites else [suite.name for suite in SUITES]
    suites = [suite for suite in SUITES if suite.name in wanted]
    if len(suites) != len(wanted):
        say(f"no such suite; there are {', '.join(suite.name for suite in SUITES)}")
        return 2
    try:
        PLACE.mkdir(parents=True, exist_ok=True)
        files = originals(options.commit)
        suites = [suite for suite in suites if not suite.program or str(pathlib.PurePosixPath(suite.program).parent / "CMakeLists.txt") in files]
        seconds = check_unchanged(files, suites, options.jobs)
        survivors = []
        rows = []
        for number, mutant in enumerate(chosen, 1):
            started = time.monotonic()
            write_copy(files)
            sentence, caught = hunt(mutant, files, suites, seconds, options.jobs)
            took = time.monotonic() - started
            rows.append(f"| {mutant.name} | {mutant.breaks} | {sentence} | {took:.0f} |")
            say(f"[{number}/{len(chosen)}] {mutant.name}: {sentence}, {took:.0f} s")
            if not caught:
                survivors.append(mutant.name)
        write_copy(files)
    except (Broken, ValueError) as error:
        say(f"error: {error}")
        return 1
    print("| mutant | what is broken | caught by | seconds, build included |\n|---|---|---|---|")
    print("\n".join(rows))
    print(f"\n{len(chosen)} mutants, {len(chosen) - len(survivors)} caught" + (f"; alive: {', '.join(survivors)}" if survivors else ""))
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
