"""boto3 of today: the JSON protocol."""

import botocore
import pytest
from boto3_cases import *  # noqa: F401,F403


@pytest.fixture
def protocol():
    return "json"


def test_this_is_an_sdk_of_today():
    assert tuple(map(int, botocore.__version__.split("."))) >= (1, 31, 81)
