"""Fixtures of the SDK suites: a server with keys, a recording proxy in front of it, clients of each key."""

import os
import threading
import urllib.error
import urllib.request

import boto3
import botocore
import botocore.config
import pytest
from ferry_server import KEYS, FerryServer, write_keys
from recording_proxy import RecordingProxy


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory):
    """The URL that the SDKs speak to; FERRY_ENDPOINT names a server that runs already."""
    if "FERRY_ENDPOINT" in os.environ:
        yield os.environ["FERRY_ENDPOINT"]
        return
    folder = tmp_path_factory.mktemp("server")
    with FerryServer(folder, "--keys", write_keys(folder / "keys.toml"), "--no-deletion-wait", "--no-purge-wait") as server:
        yield server.url
        assert server.stop() == 0, server.words()


@pytest.fixture(scope="session")
def proxy(endpoint):
    with RecordingProxy(endpoint) as recording:
        yield recording


@pytest.fixture
def client(proxy):
    """client(KEY_NAME) -> a boto3 client that signs with that key; None: one that does not sign."""
    def make(name, access_key=None, secret=None, region="us-east-1"):
        options = {"retries": {"max_attempts": 0}, "user_agent_extra": "ferry-conformance"}
        if name is None:
            options["signature_version"] = botocore.UNSIGNED
            name = "admin"
        key = KEYS[name]
        return boto3.client("sqs", endpoint_url=proxy.url, region_name=region, aws_access_key_id=access_key or key[0],
                            aws_secret_access_key=secret or key[1], config=botocore.config.Config(**options))
    return make


@pytest.fixture
def sqs(client, proxy, protocol):
    """The administrator's client. Afterwards: every request was in the protocol that this suite is about."""
    proxy.take()
    yield client("admin")
    spoken = {request["protocol"] for request in proxy.take()}
    assert spoken <= {protocol, "other"} and (protocol in spoken), spoken


@pytest.fixture
def background():
    """background(call) starts it on a thread; the result is a function that waits for its answer."""
    def start(call):
        answers = []
        thread = threading.Thread(target=lambda: answers.append(call()), daemon=True)
        thread.start()

        def wait():
            thread.join(30)
            assert answers, "no answer came"
            return answers[0]
        return wait
    return start


@pytest.fixture
def fetch():
    """fetch(url) -> (status, text) of a plain GET."""
    def get(url):
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
    return get
