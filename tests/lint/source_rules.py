#!/usr/bin/env python3
"""House rules that no compiler checks: where time and chance come from, sizes, words that have no place here."""

import pathlib
import re
import sys

LINE_COLUMNS_MAX = 180  # clang-format keeps to 130; this is for what it cannot break
FILE_LINES_MAX = 600  # beyond it the head of the file says why it is one thing
HEAD_LINES = 40

CPP = {".h", ".cpp"}
TEXT = CPP | {".py", ".sh", ".md", ".txt", ".cmake", ".toml", ".json", ".js", ".mjs", ".lua", ".conf", ".in", ""}
FOLDERS = ["src", "include", "tests", "bench", "examples", "packaging", "scripts", "docs", "cmake", ".ci"]
SELF = {"tests/lint/source_rules.py", "tests/lint/test_lint.py"}

# Time and chance are arguments (Clock&, Random&): only src/base meets the system's.
TIME_AND_CHANCE = re.compile(
    r"\b(system_clock|steady_clock|high_resolution_clock)::now\b|\bthis_thread::sleep_(for|until)\b"
    r"|\b(clock_gettime|gettimeofday|usleep|nanosleep|srand|rand|random_device|getrandom)\s*\(|\brandom_device\b|(?<![\w.>])(::sleep\s*\(|sleep\s*\(\s*\d)"
)
USING_STD = re.compile(r"\busing namespace std\b")

WORDS = [
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "unfinished work belongs into an issue, not into the source"),
    (re.compile(r"""(?:^|[\s"'`(=])/(?:work|root|home/(?!me\b)\w+)/"""), "a path of one machine"),
    (re.compile(r"(?<![\w&])issues? #?\d+\b", re.IGNORECASE), "a text explains itself without a number elsewhere"),
    (re.compile(r"^(<{7}|>{7})( |$)"), "a conflict that was left"),
]


def faults_of(path, text):
    """Yields one sentence per fault of the file at repository-relative `path`."""
    suffix = pathlib.PurePosixPath(path).suffix
    lines = text.splitlines()
    is_cpp = suffix in CPP
    for number, line in enumerate(lines, 1):
        where = f"{path}:{number}"
        if is_cpp and len(line) > LINE_COLUMNS_MAX and 'R"(' not in line:  # a raw string's line cannot be broken
            yield f"{where}: {len(line)} columns, at most {LINE_COLUMNS_MAX}"
        if is_cpp and "\t" in line:
            yield f"{where}: a tab"
        if path.startswith("src/") and not path.startswith("src/base/"):
            match = TIME_AND_CHANCE.search(line.split("//")[0])
            if match:
                yield f"{where}: {match.group(0).strip()}: time and chance come from base/clock.h and base/random.h"
        if path.startswith("src/") and USING_STD.search(line):
            yield f"{where}: using namespace std"
        for pattern, why in WORDS:
            if pattern.search(line):
                yield f"{where}: {pattern.search(line).group(0).strip()!r}: {why}"
    if is_cpp and len(lines) > FILE_LINES_MAX and "one thing" not in " ".join(lines[:HEAD_LINES]):
        yield f"{path}: {len(lines)} lines; past {FILE_LINES_MAX} the head of the file says why it is one thing"
    if is_cpp and suffix == ".h" and not any(line.strip() == "#pragma once" for line in lines[:HEAD_LINES]):
        yield f"{path}: no #pragma once"
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at the end"


def check_tree(root):
    files, faults = 0, []
    candidates = [path for folder in FOLDERS for path in (root / folder).rglob("*")] + list(root.glob("*"))
    for path in sorted(candidates):
        name = path.relative_to(root).as_posix()
        if not path.is_file() or path.suffix not in TEXT or name in SELF or "node_modules" in name or "__pycache__" in name:
            continue
        if name == "LICENSE" or path.name == "package-lock.json":
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        files += 1
        faults.extend(faults_of(name, text))
    for module in sorted((root / "src").glob("**/CMakeLists.txt")):
        folder = module.parent
        if folder != root / "src" and not any((place / "README.md").is_file() for place in (folder, folder.parent)):
            faults.append(f"{folder.relative_to(root).as_posix()}: a module without README.md")
    return files, faults


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2])
    files, faults = check_tree(root)
    if not files:
        faults = [f"no files under {root}"]
    for fault in faults:
        print(fault)
    print(f"source rules: {files} files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
