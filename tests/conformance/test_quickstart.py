"""scripts/quickstart as a person runs it: the story, again, with parameters, as another user, and as a server."""

import os
import pathlib
import re
import shutil
import signal
import subprocess

import boto3
import pytest
from ferry_server import binary, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOBODY = 65534


@pytest.fixture
def checkout(tmp_path):
    """What quickstart needs of a clone, with the binary built: it then builds nothing. Readable by everybody, written by none."""
    folder = tmp_path / "clone"
    (folder / "build/release").mkdir(parents=True)
    for name in ("scripts", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(binary(), folder / "build/release/ferry")
    for path in [folder, *folder.rglob("*")]:
        path.chmod((path.stat().st_mode | 0o055) & ~0o222)
    for path in (tmp_path, *(parent for parent in tmp_path.parents if parent.name.startswith(("pytest-", "popen-")))):
        path.chmod(path.stat().st_mode | 0o055)  # pytest keeps its folders to itself
    yield folder
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)


def environment(home):
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "AWS_PROFILE": "of-the-caller",
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


def as_nobody():
    return ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"] if os.getuid() == 0 else []


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir()
    if os.getuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    return folder


def processes_of(folder):
    """Command lines that name the folder."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(folder) in line:
                found.append(line)
    return found


def quickstart(checkout, home, *words):
    done = subprocess.run([*as_nobody(), str(checkout / "scripts/quickstart"), *words], env=environment(home), cwd=home, capture_output=True, text=True,
                          timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not processes_of(home)
    return done.stdout


def test_the_story_twice_and_with_parameters(checkout, home):
    said = quickstart(checkout, home)
    handled = [line.split("   (")[0].split(maxsplit=1) for line in said.splitlines() if re.match(r"\s+(enabled|disabled)  ", line)]
    assert sorted(handled) == [["disabled", "A Third One"], ["enabled", "All The Things"], ["enabled", "Another Example Parameter"]]
    assert re.search(r"http://127\.0\.0\.1:\d+/000000000000/ExampleBlogPostQueue", said)
    assert "refused (exit code 4)" in said
    assert "is gone" in said
    assert re.search(r"REFUSED [0-9a-f-]{36}.*Explode", said)
    assert re.search(r"ApproximateNumberOfMessages +1\b", said)
    transcript = pathlib.Path(re.search(r"transcript +(/\S+)", said).group(1))
    before = transcript.read_text()
    assert "All The Things" in before

    said = quickstart(checkout, home, "--", "My Parameter", "$(touch x); 'quoted'", "three")
    assert "My Parameter" in said and "4 requests were carried out" in said
    assert transcript.read_text().startswith(before)
    assert sorted(os.listdir(home)) == [".local"]


def test_a_server_to_try(checkout, home):
    process = subprocess.Popen([*as_nobody(), str(checkout / "scripts/quickstart"), "--serve"], env=environment(home), cwd=home, text=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        banner = ""
        while "Ctrl-C" not in banner:
            line = process.stdout.readline()
            assert line, banner
            banner += line
        exports = dict(re.findall(r"(AWS_\w+)=(\S+)", banner))
        assert "ferry queue create" in banner and "serve-data" in banner
        sqs = boto3.client("sqs", endpoint_url=exports["AWS_ENDPOINT_URL_SQS"], region_name=exports["AWS_REGION"],
                           aws_access_key_id=exports["AWS_ACCESS_KEY_ID"], aws_secret_access_key=exports["AWS_SECRET_ACCESS_KEY"])
        queue = sqs.create_queue(QueueName="hello")["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="world")
        os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C does
        process.wait(30)
        wait_until(lambda: not processes_of(home), 10, "no process is left")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_usage(checkout, home):
    done = subprocess.run([str(checkout / "scripts/quickstart"), "--colour"], env=environment(home), capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "usage" in done.stderr
