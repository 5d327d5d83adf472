#!/usr/bin/env python3
"""Every mutant of tests/mutants/mutants.toml still fits the sources: one that does not would test nothing."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mutants"))
import table  # noqa: E402


def faults_of(root):
    """(number of mutants, sentences)"""
    try:
        mutants = table.load(root / "tests" / "mutants" / "mutants.toml")
    except (OSError, ValueError) as error:
        return 0, [str(error)]
    faults = []
    for mutant in mutants:
        try:
            table.edited(mutant, root)
        except ValueError as error:
            faults.append(str(error))
    return len(mutants), faults or ([] if mutants else ["there is no mutant"])


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    count, faults = faults_of(root)
    for fault in faults:
        print(fault)
    print(f"mutants: {count}, {len(faults)} do not fit")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
