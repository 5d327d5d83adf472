#!/usr/bin/env python3
"""Turns what a test runner wrote into one line, "PASSED FAILED SKIPPED"; names the failed cases on stderr.

  test_results.py junit FILE            pytest, node --test with the junit reporter
  test_results.py ctest FILE GTEST_DIR  ctest's junit file and the folder of the GoogleTest XML files of its programs
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def cases_of(file):
    """Yields (name, 'passed' | 'failed' | 'skipped') of each case in a junit-like file."""
    for case in ElementTree.parse(file).getroot().iter("testcase"):
        parts = [case.get("classname"), case.get("name")]
        name = ".".join(part for part in dict.fromkeys(parts) if part)  # ctest gives the same name twice
        if case.find("failure") is not None or case.find("error") is not None:
            yield name, "failed"
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            yield name, "skipped"
        else:
            yield name, "passed"


def ctest_cases(file, gtest_dir):
    """The cases inside each GoogleTest program; other programs, and those that died, count as one case."""
    programs = {}
    for report in pathlib.Path(gtest_dir).glob("*.xml"):
        try:
            programs[report.stem] = list(cases_of(report))
        except ElementTree.ParseError:
            pass  # the program died while writing: ctest tells below that it failed
    for name, outcome in cases_of(file):
        inside = programs.get(f"test_{name}", [])
        if not inside:
            yield name, outcome
            continue
        yield from inside
        if outcome == "failed" and all(result != "failed" for _, result in inside):
            yield f"{name} (the program itself)", "failed"


def main():
    kind, file = sys.argv[1], sys.argv[2]
    try:
        cases = list(ctest_cases(file, sys.argv[3]) if kind == "ctest" else cases_of(file))
    except (OSError, ElementTree.ParseError) as error:
        print(f"    no results: {error}", file=sys.stderr)
        cases = []
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for name, outcome in cases:
        counts[outcome] += 1
        if outcome != "passed":
            print(f"    {outcome.upper()} {name}", file=sys.stderr)
    print(counts["passed"], counts["failed"], counts["skipped"])


if __name__ == "__main__":
    main()
