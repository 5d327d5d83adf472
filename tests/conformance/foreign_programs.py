"""Runs a program that prints "ok NAME" or "not ok NAME: WHY" for each of its cases."""

import os
import re
import subprocess

from ferry_server import KEYS


def case_names(source, pattern):
    found = re.findall(pattern, source.read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"no case in {source.name}"
    return found


def run(command, url, seconds=180, **environment):
    """(case name -> whether it passed, the whole output)"""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, env={
        **os.environ, "FERRY_URL": url, "FERRY_ACCESS_KEY": KEYS["admin"][0], "FERRY_SECRET_KEY": KEYS["admin"][1],
        **{name: str(value) for name, value in environment.items()}})
    passed = {name: word == "ok" for word, name in re.findall(r"^\s*(ok|not ok) (?:\d+ - )?([^:\n]*)", done.stdout, re.MULTILINE)}
    return passed, done.stdout + done.stderr


def spoke(proxy, protocol, actions):
    """Every request since the last look was in that protocol; at least so many different actions."""
    seen = proxy.take()
    assert {request["protocol"] for request in seen} == {protocol}
    assert len({request["action"] for request in seen}) >= actions, sorted({request["action"] for request in seen})
