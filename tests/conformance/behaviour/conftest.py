"""The behaviour suite: each case runs over both protocols against one server without keys and without the 60-second rules."""

import json
import uuid

import pytest
from ferry_server import KEYS, FerryServer, write_keys
from two_protocols import Api


@pytest.fixture(scope="session")
def server_url(tmp_path_factory):
    with FerryServer(tmp_path_factory.mktemp("behaviour"), "--no-deletion-wait", "--no-purge-wait") as server:
        yield server.url
        assert server.stop() == 0, server.words()


@pytest.fixture(scope="session")
def locked_url(tmp_path_factory):
    """The URL of a server that has KEYS."""
    folder = tmp_path_factory.mktemp("locked")
    with FerryServer(folder, "--keys", write_keys(folder / "keys.toml"), "--no-deletion-wait", "--no-purge-wait") as server:
        yield server.url
        assert server.stop() == 0, server.words()


@pytest.fixture(params=["json", "query"])
def protocol(request):
    return request.param


@pytest.fixture
def api(protocol, server_url):
    return Api(protocol, server_url)


@pytest.fixture
def signed(protocol, locked_url):
    """signed(KEY_NAME, region=…) -> an Api that signs with that key."""
    return lambda name, region="us-east-1": Api(protocol, locked_url, KEYS[name][:2], region)


@pytest.fixture
def name():
    return f"b-{uuid.uuid4().hex[:16]}"


@pytest.fixture
def make(api):
    """make(ATTRIBUTE=…) -> the URL of a new standard queue; make.fifo(…) of a FIFO queue with content-based deduplication.
    make(dead_letters=(QUEUE, COUNT)) sets its RedrivePolicy. They go when the case ends."""
    made = []

    def new(suffix="", dead_letters=None, **attributes):
        if dead_letters:
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": api.arn(dead_letters[0]), "maxReceiveCount": dead_letters[1]})
        made.append(api.create(f"b-{uuid.uuid4().hex[:16]}{suffix}", **attributes))
        return made[-1]

    def fifo(**attributes):
        return new(".fifo", **{"FifoQueue": "true", "ContentBasedDeduplication": "true", **attributes})

    new.fifo = fifo
    yield new
    for queue in made:
        api.send("DeleteQueue", {"QueueUrl": queue})


@pytest.fixture
def queue(make):
    return make()


@pytest.fixture
def fifo(make):
    return make.fifo()


@pytest.fixture
def no_queue(protocol):
    """The text of QueueDoesNotExist."""
    return "The specified queue does not exist" + ("." if protocol == "json" else " for this wsdl version.")
