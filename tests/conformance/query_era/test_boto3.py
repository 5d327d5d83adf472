"""boto3 from before the JSON protocol: Query, answers in XML."""

import botocore
import pytest
from boto3_cases import *  # noqa: F401,F403


@pytest.fixture
def protocol():
    return "query"


def test_this_is_an_sdk_of_the_query_era():
    assert tuple(map(int, botocore.__version__.split("."))) < (1, 31, 81)
