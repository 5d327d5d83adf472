#!/usr/bin/env python3
"""Runs clang-tidy over the sources of src/. A file whose preprocessed text passed before is not looked at again."""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys
import xml.sax.saxutils

TIDY = "clang-tidy-14"


def fingerprint(entry, config):
    """Of everything that the verdict depends on: the preprocessed text, the flags, the checks."""
    words = shlex.split(entry["command"])
    words = words[1:] if pathlib.Path(words[0]).name == "ccache" else words
    command, skip = [], False
    for word in words:
        if skip or word == "-c":
            skip = False
        elif word in ("-o", "-MF", "-MT", "-MQ"):
            skip = True
        elif word not in ("-MD", "-MMD"):
            command.append(word)
    done = subprocess.run(command + ["-E", "-P"], cwd=entry["directory"], capture_output=True)
    if done.returncode != 0:
        return None
    return hashlib.sha256(done.stdout + "\0".join(command).encode() + config).hexdigest()


def look_at(entry, build, cache, config):
    """(source, faults as text or '')"""
    source = entry["file"]
    stamp = fingerprint(entry, config)
    if stamp and (cache / stamp).exists():
        return source, ""
    done = subprocess.run([TIDY, "-p", str(build), "--quiet", source], capture_output=True, text=True)
    if done.returncode == 0:
        if stamp:
            (cache / stamp).touch()
        return source, ""
    lines = [line for line in done.stdout.splitlines() if not line.startswith("Suppressed")]
    return source, "\n".join(lines) or done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--cache", type=pathlib.Path, required=True)
    parser.add_argument("--junit", type=pathlib.Path)
    parser.add_argument("files", nargs="*", help="only these")
    args = parser.parse_args()
    root = pathlib.Path(__file__).resolve().parents[2]
    config = (root / ".clang-tidy").read_bytes()
    args.cache.mkdir(parents=True, exist_ok=True)
    entries = {entry["file"]: entry for entry in json.loads((args.build / "compile_commands.json").read_text())
               if entry["file"].startswith(f"{root}/src/")}
    if args.files:
        wanted = {str(pathlib.Path(file).resolve()) for file in args.files}
        entries = {file: entry for file, entry in entries.items() if file in wanted}
    cases, failed = [], 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for source, faults in pool.map(lambda entry: look_at(entry, args.build, args.cache, config), entries.values()):
            name = os.path.relpath(source, root)
            print(f"{'FAIL' if faults else 'ok  '} {name}", flush=True)
            if faults:
                failed += 1
                print(faults, flush=True)
            text = f"<failure>{xml.sax.saxutils.escape(faults)}</failure>" if faults else ""
            cases.append(f"<testcase classname='tidy' name={xml.sax.saxutils.quoteattr(name)}>{text}</testcase>")
    if args.junit:
        args.junit.write_text(f"<testsuite>{''.join(cases)}</testsuite>\n")
    print(f"tidy: {len(cases)} files, {failed} with faults")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
