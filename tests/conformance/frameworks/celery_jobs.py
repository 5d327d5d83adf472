"""A Celery application: a hundred jobs over its SQS transport. Each attempt is one line of FERRY_JOBS_FILE: "NUMBER ATTEMPT OUTCOME".

Job 42 fails once and is retried, job 13 fails for good.
"""

import os

from celery import Celery

JOBS = 100

app = Celery("jobs")
app.conf.update(
    broker_url=os.environ["FERRY_BROKER"],  # sqs://KEY:SECRET@HOST:PORT
    broker_transport_options={"region": "us-east-1", "is_secure": False, "visibility_timeout": 30, "wait_time_seconds": 2, "polling_interval": 0.1},
    task_default_queue=os.environ["FERRY_QUEUE"], task_acks_late=True, worker_prefetch_multiplier=2, worker_enable_remote_control=False,
    task_ignore_result=True, broker_connection_retry_on_startup=True)


def note(*words):
    with open(os.environ["FERRY_JOBS_FILE"], "a", encoding="utf-8") as out:
        out.write(" ".join(map(str, words)) + "\n")


@app.task(bind=True, max_retries=3)
def job(self, number):
    attempt = self.request.retries + 1
    if number == 13:
        note(number, attempt, "failed")
        raise ValueError("this job fails")
    if number == 42 and attempt == 1:
        note(number, attempt, "again")
        raise self.retry(countdown=1)
    note(number, attempt, "done")
