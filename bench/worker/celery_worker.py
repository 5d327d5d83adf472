"""A Celery application over its SQS transport. BROKER (sqs://KEY:SECRET@HOST:PORT), QUEUE, HANDLER (none, http, program), ENDPOINT_URL."""

import os
import subprocess

import requests
from celery import Celery

app = Celery("celery_worker")
app.conf.update(
    broker_url=os.environ["BROKER"],
    broker_transport_options={"region": "us-east-1", "is_secure": False, "visibility_timeout": 60, "wait_time_seconds": 10, "polling_interval": 0},
    task_default_queue=os.environ["QUEUE"], task_acks_late=True, worker_prefetch_multiplier=10, worker_enable_remote_control=False,
    task_ignore_result=True, broker_connection_retry_on_startup=True)
session = requests.Session()


def post(body):
    session.post(os.environ["ENDPOINT_URL"], data=body).raise_for_status()


def run(body):
    subprocess.run(["/bin/true"], check=True)


handle = {"none": lambda body: None, "http": post, "program": run}[os.environ["HANDLER"]]


@app.task
def work(body):
    handle(body)
