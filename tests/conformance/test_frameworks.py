"""Celery and sqs-consumer, each doing a hundred jobs with a failure and a retry among them. (JMS: test_java.py.)"""

import os
import pathlib
import subprocess
import sys
import urllib.parse
import uuid

import foreign_programs
import pytest
from ferry_server import KEYS, wait_until

HERE = pathlib.Path(__file__).resolve().parent
NODE_ENV = HERE.parents[1] / "build/test-env/node"
CONSUMER = HERE / "frameworks/sqs_consumer.test.mjs"


@pytest.fixture(scope="module")
def consumer(proxy):
    proxy.take()
    passed, output = foreign_programs.run([NODE_ENV / "node", "--test", "--test-reporter=tap", CONSUMER], proxy.url, FERRY_NODE_ENV=NODE_ENV)
    foreign_programs.spoke(proxy, "json", 6)
    return passed, output


@pytest.mark.parametrize("case", foreign_programs.case_names(CONSUMER, r'^test\("([^"]+)"'))
def test_sqs_consumer(consumer, case):
    passed, output = consumer
    assert passed.get(case), output[-6000:]


def test_celery(sqs_client, proxy, tmp_path):
    queue, jobs_file = f"celery-{uuid.uuid4().hex[:8]}", tmp_path / "jobs"
    access_key, secret = KEYS["admin"][:2]
    environment = {**os.environ, "FERRY_BROKER": f"sqs://{access_key}:{secret}@{urllib.parse.urlsplit(proxy.url).netloc}", "FERRY_QUEUE": queue,
                   "FERRY_JOBS_FILE": str(jobs_file), "PYTHONPATH": str(HERE / "frameworks"), "AWS_DEFAULT_REGION": "us-east-1"}
    python = [sys.executable, "-B"]
    proxy.take()
    sent = subprocess.run([*python, "-c", "import celery_jobs\nfor n in range(celery_jobs.JOBS): celery_jobs.job.delay(n)"], env=environment, cwd=tmp_path,
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert sent.returncode == 0, sent.stderr
    log = tmp_path / "log"
    with open(log, "wb") as out:
        worker = subprocess.Popen([*python, "-m", "celery", "-A", "celery_jobs", "worker", "-P", "threads", "-c", "4", "-l", "INFO", "--without-gossip",
                                   "--without-mingle"], env=environment, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def attempts():
        return [line.split() for line in jobs_file.read_text().splitlines()] if jobs_file.exists() else []

    try:
        def settled():
            counts = sqs_client.get_queue_attributes(QueueUrl=sqs_client.get_queue_url(QueueName=queue)["QueueUrl"], AttributeNames=["All"])["Attributes"]
            waiting = sum(int(counts[name]) for name in counts if name.startswith("ApproximateNumberOfMessages"))
            return waiting == 0 and len(attempts()) >= 101

        wait_until(settled, 60, "a hundred jobs are done")
        worker.terminate()
        assert worker.wait(60) == 0, log.read_text()[-4000:]
    except AssertionError as error:
        raise AssertionError(f"{error}\n{sorted(attempts())}\n{log.read_text()[-6000:]}") from None
    finally:
        worker.kill()
        worker.wait()
    expected = [[str(n), "1", "done"] for n in range(100) if n not in (13, 42)]
    assert sorted(attempts()) == sorted([*expected, ["13", "1", "failed"], ["42", "1", "again"], ["42", "2", "done"]])
    foreign_programs.spoke(proxy, "json", 4)


@pytest.fixture
def sqs_client(client):
    return client("admin")
