"""What all processes of one test session share: a folder, and the answer to "is this CI?"."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import psutil
import pytest

# Not MUSTER_...: Muster's settings refuse variables of that name that they do not know.
_FOLDER_VARIABLE = "PYTEST_SESSION_FOLDER_OF_MUSTER"


def in_ci() -> bool:
    """Whether a missing server, browser or recording is a failure rather than a skip."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist, not the one that the developer started."""
    return hasattr(config, "workerinput")


def session_folder() -> Path:
    """A folder of this session, the same in every worker; removed at the end."""
    return Path(os.environ[_FOLDER_VARIABLE])


def open_session() -> None:
    """Make the shared folder. Workers inherit its name through the environment."""
    folder = Path(tempfile.mkdtemp(prefix="muster-tests-"))
    # PostgreSQL may run as another user, who must get through to its own folder below.
    folder.chmod(0o711)
    myself = psutil.Process()
    controller = {"pid": myself.pid, "started": myself.create_time()}
    (folder / "controller.json").write_text(json.dumps(controller))
    os.environ[_FOLDER_VARIABLE] = str(folder)


def close_session() -> None:
    """Remove the shared folder."""
    shutil.rmtree(os.environ.pop(_FOLDER_VARIABLE), ignore_errors=True)
