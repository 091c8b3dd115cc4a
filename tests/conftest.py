"""Shared by all tests: the session's folder, servers, recordings, and the rules of the run."""

import pytest
from hypothesis import settings

from tests.support.session import close_session, in_ci, is_worker, open_session

pytest_plugins = [
    "pytester",
    "tests.support.postgres",
    # After what it imports: pytest wants to see its plugins first.
    "tests.support.databases",
    "tests.support.cli",
    "tests.support.recordings",
    "tests.support.skips",
    "tests.support.time",
]

# No test is judged by the clock. In CI the examples are the same every time, so that red means changed code.
settings.register_profile("muster", deadline=None)
settings.register_profile("muster-ci", deadline=None, derandomize=True, database=None)
settings.load_profile("muster-ci" if in_ci() else "muster")


def pytest_configure(config: pytest.Config) -> None:
    """Open what the workers share, before the first of them starts."""
    if not is_worker(config):
        open_session()


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove it again, after the servers in it have stopped."""
    if not is_worker(config):
        close_session()
