#!/usr/bin/env python3
"""Fails when docs/traps.md leaves a number out, or names a test that is not there.

Prints one line per violation and a summary; exits 1 on violations.
"""

import pathlib
import re
import sys

PAGE = pathlib.Path("docs/traps.md")
ROW = re.compile(r"^\| (\d+) \|(.*)\|$")
NAMED = re.compile(r"`([A-Za-z_0-9]+\.[A-Za-z0-9]+|[a-z_0-9]+\.py::[a-z_0-9]+)`")
CPP_TEST = re.compile(r"^TEST(?:_[FP])?\((\w+), (\w+)\)", re.MULTILINE)
PYTHON_TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)


def tests_of(root):
    """The names of all tests, written as the page writes them."""
    names = set()
    for path in sorted((root / "tests").rglob("*.cpp")):
        names.update(f"{suite}.{name}" for suite, name in CPP_TEST.findall(path.read_text(encoding="utf-8")))
    for path in sorted((root / "tests").rglob("test_*.py")):
        names.update(f"{path.name}::{name}" for name in PYTHON_TEST.findall(path.read_text(encoding="utf-8")))
    return names


def check(root):
    """(number of traps, faults)"""
    known = tests_of(root)
    faults = []
    expected = 1
    for line in (root / PAGE).read_text(encoding="utf-8").splitlines():
        row = ROW.match(line)
        if not row:
            continue
        number, cells = int(row[1]), [cell.strip() for cell in row[2].split(" | ")]
        if number != expected:
            faults.append(f"{PAGE}: trap {number} stands where {expected} is expected")
        expected = number + 1
        shown = NAMED.findall(cells[-1])
        if len(cells) != 3 or not all(cells) or not shown:
            faults.append(f"{PAGE}: trap {number} needs what is done and a test that shows it")
        faults += [f"{PAGE}: trap {number} names {name}, which is no test" for name in shown if name not in known]
    return expected - 1, faults


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    traps, faults = check(root)
    for fault in faults:
        print(fault)
    print(f"traps: {traps} traps, {len(faults)} violations")
    return 1 if faults or traps == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
