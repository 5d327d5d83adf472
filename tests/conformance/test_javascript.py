"""Runs sdk_v3.test.mjs, one case here for each case there."""

import os
import pathlib
import re
import subprocess

import pytest
from ferry_server import KEYS

HERE = pathlib.Path(__file__).resolve().parent
NODE_ENV = HERE.parents[1] / "build/test-env/node"
CASES = re.findall(r'^test\("([^"]+)"', (HERE / "sdk_v3.test.mjs").read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def outcomes(proxy):
    """Case name -> whether it passed; and the whole output."""
    environment = {**os.environ, "FERRY_URL": proxy.url, "FERRY_NODE_ENV": str(NODE_ENV), "FERRY_ACCESS_KEY": KEYS["admin"][0],
                   "FERRY_SECRET_KEY": KEYS["admin"][1]}
    done = subprocess.run([str(NODE_ENV / "node"), "--test", "--test-reporter=tap", str(HERE / "sdk_v3.test.mjs")], env=environment,
                          capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL)
    found = {name: word == "ok" for word, name in re.findall(r"^\s*(ok|not ok) \d+ - (.*)$", done.stdout, re.MULTILINE)}
    return found, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES)
def test_sdk_v3(outcomes, case):
    found, output = outcomes
    assert found.get(case), output[-6000:]
