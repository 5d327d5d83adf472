"""Compiles and runs java/*.java: the AWS SDK for Java v2 of today (JSON) and of the Query era, and Amazon's JMS library."""

import pathlib
import shutil
import subprocess

import foreign_programs
import pytest

HERE = pathlib.Path(__file__).resolve().parent
TEST_ENV = HERE.parents[1] / "build/test-env"
CASES = foreign_programs.case_names(HERE / "java/SdkCases.java", r'^    cases\.put\("([^"]+)"')
JOBS = foreign_programs.case_names(HERE / "java/JmsJobs.java", r'^    run\("([^"]+)"')


def outcomes_of(program, version, protocol, actions, proxy, folder):
    if not shutil.which("javac"):
        pytest.skip("no javac; scripts/setup --for test installs it")
    jars = f"{TEST_ENV}/{version}/jars/*"
    built = subprocess.run(["javac", "-cp", jars, "-d", str(folder), str(HERE / f"java/{program}.java")], capture_output=True, text=True, timeout=300,
                           stdin=subprocess.DEVNULL)
    assert built.returncode == 0, built.stdout + built.stderr
    proxy.take()
    passed, output = foreign_programs.run(["java", "-cp", f"{folder}:{jars}", program], proxy.url)
    foreign_programs.spoke(proxy, protocol, actions)
    return passed, output


@pytest.fixture(scope="module", params=["java-json", "java-query"])
def sdk(request, proxy, tmp_path_factory):
    protocol = request.param.partition("-")[2]
    return outcomes_of("SdkCases", request.param, protocol, 23, proxy, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def jms(proxy, tmp_path_factory):
    return outcomes_of("JmsJobs", "java-json", "json", 7, proxy, tmp_path_factory.mktemp("jms"))


@pytest.mark.parametrize("case", CASES)
def test_sdk_v2(sdk, case):
    passed, output = sdk
    assert passed.get(case), output[-6000:]


@pytest.mark.parametrize("case", JOBS)
def test_jms_does_a_hundred_jobs(jms, case):
    passed, output = jms
    assert passed.get(case), output[-6000:]
