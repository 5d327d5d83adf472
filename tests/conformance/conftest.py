import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

from sdk_fixtures import background, client, endpoint, fetch, proxy, sqs  # noqa: E402,F401


def pytest_configure(config):
    config.addinivalue_line("markers", "rows(NAME...): the rows of tests/conformance/rows that this case covers")
