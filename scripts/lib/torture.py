"""What scripts/torture runs once everything is built: the parts one after another, with signs of life, then the table."""

import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build" / "torture"
LOGS = ROOT / "build" / "logs"
SUPPORT = str(ROOT / "tests/support")

# Each part: what it does, then pytest files, or names of GoogleTest programs as ctest knows them.
PARTS = {
    "images": ("crash images of the whole server: killed, without power, torn", "ctest", r"^crash_images$"),
    "journal": ("the store alone: crash images, calls that fail, damage", "ctest", r"^(unit_journal|contract_store)$"),
    "simulation": ("engine and store on a simulated clock and disk, faults injected, against a model", "ctest", r"^(simulation|fault_simulation)$"),
    "kill": ("SIGKILL under load", "pytest", ["test_kill.py"]),
    "syscalls": ("SIGKILL at the N-th call that changes the disk", "pytest", ["test_syscall_kills.py"]),
    "pauses": ("SIGSTOP under load", "pytest", ["test_pauses.py"]),
    "clock": ("the wall clock set under load and between starts", "pytest", ["test_clock.py"]),
    "scarce": ("few descriptors, little memory", "pytest", ["test_scarce.py", "test_descriptors.py"]),
    "damage": ("files flipped, zeroed, cut, swapped, lost", "pytest", ["test_damage.py"]),
    "disk": ("disks that are full, or fail", "pytest", ["test_disk_full.py", "test_disk_errors.py"]),
    "size": ("more than fits into memory, and more than the folder may keep", "pytest", ["test_size.py"]),
    "backup": ("backups under load, and killed ones", "pytest", ["test_backup.py"]),
    "worker": ("two workers with a ledger, and their server, killed while they carry out requests", "pytest", ["test_worker_campaign.py"]),
}


def parse():
    parser = argparse.ArgumentParser(prog="scripts/torture", formatter_class=argparse.RawDescriptionHelpFormatter,
                                     description="Breaks ferry in every way that docs/durability.md names, and counts. Minutes by default.",
                                     epilog="parts:\n" + "\n".join(f"  {name:<12}{what}" for name, (what, _, _) in PARTS.items()) + """

The table goes to stdout and, as JSON and Markdown, to build/torture/; logs to build/logs/torture-PART.log. "below" is the
bound that n runs without a failure give for the rate of failures, 3/n, at 95 %. Exit 1 when anything failed.""")
    parser.add_argument("--long", action="store_true", help="hours instead of minutes: 2,500 kill cycles, all crash points, more seeds")
    parser.add_argument("--only", action="append", metavar="PART", help="this part alone; may be repeated")
    parser.add_argument("--seed", type=int, help="the seed of the parts that roll dice (FERRY_SEED), as a failure tells it")
    parser.add_argument("--sim-seeds", type=int, metavar="N", help="how many seeds the simulation runs (FERRY_SIM_SEEDS)")
    parser.add_argument("--list", action="store_true", help="print the names of the parts and end")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release", help=argparse.SUPPRESS)
    parser.add_argument("--python", default=sys.executable, help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    unknown = set(options.only or ()) - set(PARTS)
    if unknown:
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(part, command, environment):
    """Output into a log, a sign of life every fifteen seconds; the exit status."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log_path, begun = LOGS / f"torture-{part}.log", time.monotonic()
    with open(log_path, "wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment)
        try:
            while True:
                try:
                    return process.wait(15)
                except subprocess.TimeoutExpired:
                    lines = [line for line in log_path.read_text(errors="replace")[-2000:].splitlines() if line.strip()]
                    say(f"    … {part}, {time.monotonic() - begun:.0f} s: {lines[-1][:110] if lines else ''}")
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise


def row(fault, done, n, failures, seed=""):
    return {"fault": fault, "done": done, "n": n, "failures": failures, "seed": seed}


def run_pytest(part, files, options, environment):
    report, junit, scratch = RESULTS / f"{part}.jsonl", RESULTS / f"{part}.xml", RESULTS / f"tmp-{part}"
    for path in (report, junit):
        path.unlink(missing_ok=True)
    environment = {**environment, "FERRY_TORTURE_REPORT": str(report), "FERRY_BINARY": os.environ.get("FERRY_BINARY", str(options.build / "ferry")),
                   "PYTHONPATH": SUPPORT, "PYTHONDONTWRITEBYTECODE": "1"}
    # On the disk of the build folder: /tmp may be memory.
    command = [options.python, "-m", "pytest", "-q", "-rA", "-s", "--color=no", "-p", "no:cacheprovider", "--basetemp", str(scratch), "--junitxml",
               str(junit), *(str(ROOT / "tests/fault" / name) for name in files)]
    status = run(part, command, environment)
    if status == 0:
        shutil.rmtree(scratch, ignore_errors=True)
    rows = {}
    for line in report.read_text().splitlines() if report.exists() else ():
        told = json.loads(line)
        sum_of = rows.setdefault((told["fault"], told["done"]), row(told["fault"], told["done"], 0, 0, told["seed"]))
        sum_of["n"] += told["n"]
        sum_of["failures"] += int(told["failures"])
        if "facts" in told:
            facts = sum_of.setdefault("facts", collections.Counter())
            for name, value in told["facts"].items():
                facts[name] = max(facts[name], value) if name.startswith(("longest", "largest", "median")) else facts[name] + value
    return list(rows.values()), *cases_of([junit])


def run_ctest(part, pattern, options, environment):
    folder = RESULTS / f"gtest-{part}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = {**environment, "GTEST_OUTPUT": f"xml:{folder}/", "GTEST_BRIEF": "1"}
    run(part, ["ctest", "--test-dir", str(options.build), "--output-on-failure", "--no-tests=error", "-R", pattern, "--timeout", "36000"],
        environment)
    rows = {}
    for file in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(file).getroot().iter("testcase"):
            properties = {each.get("name"): each.get("value") for each in case.iter("property")}
            for name, value in properties.items():
                if name.startswith("n_") and value.isdigit():
                    done = f"{name[2:].replace('_', ' ')}, {file.stem.removeprefix('test_').replace('_', ' ')}"
                    rows.setdefault(done, row(PARTS[part][0], done, 0, 0, properties.get("seed", "")))["n"] += int(value)
                    rows[done]["failures"] += case.find("failure") is not None
    return list(rows.values()), *cases_of(sorted(folder.glob("*.xml")))


def cases_of(files):
    """(how many passed, names of failed ones, names of skipped ones with the reason)."""
    passed, failed, skipped = 0, [], []
    for file in files:
        try:
            cases = list(ElementTree.parse(file).getroot().iter("testcase"))
        except (OSError, ElementTree.ParseError):
            continue
        for case in cases:
            name = f"{case.get('classname')}.{case.get('name')}"
            if case.find("failure") is not None or case.find("error") is not None:
                failed.append(name)
            elif (reason := case.find("skipped")) is not None:
                skipped.append(f"{name}: {reason.get('message', '')}")
            else:
                passed += case.get("status", "run") == "run"
    return passed, failed, skipped


def bound(each):
    if each["failures"] or each["n"] <= 3:
        return "–"
    percent = 300 / each["n"]
    return f"{percent:.0f} %" if percent >= 10 else f"{percent:.1g} %"


def table(rows, markdown):
    lines = [("fault", "what was done", "n", "failures", "below", "seed")]
    lines += [(each["fault"], each["done"], f"{each['n']:,}", str(each["failures"]), bound(each), str(each["seed"])) for each in rows]
    if markdown:
        return "\n".join("| " + " | ".join(line) + " |" + ("\n|---|---|---|---|---|---|" if number == 0 else "") for number, line in enumerate(lines))
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    return "\n".join("  ".join(text.rjust(width) if column in (2, 3, 4) else text.ljust(width) for column, (text, width) in enumerate(zip(line, widths)))
                     .rstrip() for line in lines)


def machine():
    def file_system(path):
        done = subprocess.run(["findmnt", "-no", "FSTYPE", "-T", str(path)], capture_output=True, text=True)
        return done.stdout.strip() or "unknown"

    return {"cores": os.cpu_count(), "file_system": file_system(ROOT / "build")}


def main():
    options = parse()
    if options.check:
        return 0
    if options.list:
        print("\n".join(PARTS))
        return 0
    RESULTS.mkdir(parents=True, exist_ok=True)
    environment = dict(os.environ)
    if options.long:
        environment |= {"FERRY_TORTURE": "long", "FERRY_CHURN_GIB": "100"}
    if options.seed:
        environment["FERRY_SEED"] = str(options.seed)
    if options.sim_seeds:
        environment["FERRY_SIM_SEEDS"] = str(options.sim_seeds)
    rows, failed, begun, interrupted = [], [], time.monotonic(), False
    name = ("long" if options.long else "default") + ("" if not options.only else "-" + "-".join(options.only))
    for part in options.only or PARTS:
        what, kind, which = PARTS[part]
        say(f"==> {part}: {what}")
        started = time.monotonic()
        try:
            told, passed, bad, skipped = (run_pytest if kind == "pytest" else run_ctest)(part, which, options, environment)
        except KeyboardInterrupt:
            interrupted = True
            break
        if not passed and not bad:
            bad = [f"{part} ran no test"]
        if bad or not told:
            told.append(row(what, f"{passed + len(bad)} tests", passed + len(bad), len(bad)))
        seconds = round(time.monotonic() - started)
        rows += [{**each, "part": part, "tests": passed + len(bad), "failed": bad, "skipped": skipped, "seconds": seconds} for each in told]
        failed += [(part, test) for test in bad] or [(part, each["done"]) for each in told if each["failures"]]
        for reason in skipped:
            say(f"    skipped: {reason}")
        say(f"    {passed} tests passed, {len(bad)} failed, {seconds} s")
        write(options, name, rows, begun)
    print(table(rows, markdown=False))
    where = machine()
    print(f"\n{where['cores']} cores, {where['file_system']}, {(time.monotonic() - begun) / 60:.0f} min; build/torture/{name}.json")
    for part, test in failed:
        seeds = re.findall(r"FERRY_SEED=(\d+)", (LOGS / f"torture-{part}.log").read_text(errors="replace"))
        again = f"scripts/torture --only {part}" + (f" --seed {seeds[-1]}" if seeds else "") + (" --long" if options.long else "")
        say(f"error: {test} failed; the log is build/logs/torture-{part}.log; once more: {again}")
    return 130 if interrupted else 1 if failed else 0


def write(options, name, rows, begun):
    whole = {"long": options.long, "machine": machine(), "seconds": round(time.monotonic() - begun), "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(whole, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(table(rows, markdown=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
