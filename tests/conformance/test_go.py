"""Builds and runs go/main.go: the AWS SDK for Go v2."""

import os
import pathlib
import shutil
import subprocess

import foreign_programs
import pytest

HERE = pathlib.Path(__file__).resolve().parent
GO_ENV = HERE.parents[1] / "build/test-env/go"
CASES = foreign_programs.case_names(HERE / "go/main.go", r'^\t\{"([^"]+)", func')


@pytest.fixture(scope="module")
def outcomes(proxy, tmp_path_factory):
    if not (GO_ENV / "go").exists():
        pytest.skip("no Go 1.24 or newer in build/test-env/go; scripts/test conformance puts it there")
    program = tmp_path_factory.mktemp("go") / "program"
    environment = {**os.environ, "GOMODCACHE": str(GO_ENV / "modules"), "GOCACHE": str(GO_ENV / "cache"), "GOPROXY": "off", "GOFLAGS": "-mod=readonly",
                   "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    built = subprocess.run([shutil.which(GO_ENV / "go"), "build", "-o", str(program), "."], cwd=HERE / "go", env=environment, capture_output=True, text=True,
                           timeout=300, stdin=subprocess.DEVNULL)
    assert built.returncode == 0, built.stdout + built.stderr
    proxy.take()
    passed, output = foreign_programs.run([program], proxy.url)
    foreign_programs.spoke(proxy, "json", 23)
    return passed, output


@pytest.mark.parametrize("case", CASES)
def test_sdk_v2(outcomes, case):
    passed, output = outcomes
    assert passed.get(case), output[-6000:]
