"""The tests' server does not outlive the session, however that ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import postgres_supervisor
from tests.support.postgres import find_programs

pytestmark = pytest.mark.postgres


@pytest.fixture
def controller() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for the test session."""
    with subprocess.Popen(["sleep", "300"]) as process:
        yield process
        process.kill()


def wait_until(condition: object, what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.parametrize("way", ["session killed", "asked to stop"])
def test_the_server_ends_with_its_session(
    postgres_server: object,
    controller: subprocess.Popen[bytes],
    tmp_path_factory: pytest.TempPathFactory,
    way: str,
) -> None:
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs were not found: this is about starting them")
    folder = Path(os.environ["PYTEST_SESSION_FOLDER_OF_MUSTER"]) / f"own-{controller.pid}"
    folder.mkdir(mode=0o711)
    started = psutil.Process(controller.pid).create_time()
    (folder / "controller.json").write_text(json.dumps({"pid": controller.pid, "started": started}))
    supervisor = subprocess.Popen([sys.executable, postgres_supervisor.__file__, programs, folder])
    wait_until((folder / "postgres.json").exists, "the server did not start")
    (server,) = psutil.Process(supervisor.pid).children()
    assert server.is_running()
    if way == "session killed":
        controller.kill()
        controller.wait()
    else:
        supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(timeout=60) == 0
    assert not server.is_running()
    assert not (folder / "postgres").exists()
