"""The rows of tests/conformance/rows: what Amazon SQS answers, one row for each fact that can be seen from outside.

A row is [EVIDENCE, TEXT] under its name. EVIDENCE is one of EVIDENCE's keys. A case names the rows that it covers:
@rows("send.body-empty"). Run as a script: names the rows that no case covers and the names that are no row.
"""

import ast
import pathlib
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
EVIDENCE = {
    "confirmed": "recorded against Amazon SQS",
    "code confirmed": "the outcome is recorded against Amazon SQS; the wording is asserted by emulators",
    "documented": "stated by Amazon's documentation or service model",
    "asserted": "asserted by emulators, not seen from Amazon",
    "ours": "nothing is known; a choice of this server",
}


def rows(*names):
    """The decorator of a case."""
    import pytest  # the script does without

    return pytest.mark.rows(*names)


def load(folder=HERE / "rows"):
    """Section title -> {row: (evidence, text)}, in the order of the files."""
    sections, known = {}, set()
    for file in sorted(folder.glob("*.toml")):
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        found = {}
        for name, (evidence, text) in content["rows"].items():
            if evidence not in EVIDENCE or not text.strip() or name in known:
                raise ValueError(f"{file.name}: {name}: unknown evidence, no text, or a name used twice")
            known.add(name)
            found[name] = (evidence, text)
        sections[content["title"]] = found
    return sections


def names():
    return {name for section in load().values() for name in section}


def named_by_cases(folder=HERE):
    """Row -> the files that name it, of every rows("…") in a test file."""
    found = {}
    for file in sorted([*folder.rglob("test_*.py"), *folder.glob("*_cases.py")]):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "rows":
                for argument in node.args:
                    if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                        raise ValueError(f"{file.name}:{node.lineno}: the row is no plain string")
                    found.setdefault(argument.value, set()).add(file.name)
    return found


def faults(known, covered):
    """One sentence for each row without a case and each name that is no row."""
    return [f"no case covers {name}" for name in sorted(known - set(covered))] + [
        f"{', '.join(sorted(covered[name]))}: there is no row {name}" for name in sorted(set(covered) - known)]


def main():
    known, covered = names(), named_by_cases()
    found = faults(known, covered)
    for fault in found:
        print(fault)
    print(f"{len(known)} rows, {len(covered)} named by cases, {len(found)} faults")
    return 1 if found or not known else 0


if __name__ == "__main__":
    sys.exit(main())
