"""The built wheel is whole: it works where there is nothing but Python and the pinned packages."""

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import PROJECT, project_files
from tests.support.locks import locked
from tests.support.session import session_folder

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Installed:
    """The wheel, and the folder of programs of the environment that it was installed in."""

    wheel: Path
    programs: Path

    def run(self, folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run ``muster`` in an empty folder, with nothing of this project or shell in the environment."""
        return subprocess.run(
            [self.programs / "muster", *arguments],
            cwd=folder,
            env={**environment(folder), **settings},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def done(self, folder: Path, *arguments: str, **settings: str) -> Any:
        """What a command that must succeed prints with --json."""
        result = self.run(folder, *arguments, "--json", **settings)
        assert result.returncode == 0, result.stdout + result.stderr
        return json.loads(result.stdout)

    @contextmanager
    def running(self, folder: Path, *arguments: str) -> Iterator[Any]:
        """A process that goes on, and what it said when it was ready; told to end, it must do so in order."""
        with (folder / f"{arguments[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                [self.programs / "muster", *arguments, "--json"],
                cwd=folder,
                env=environment(folder),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        with process:
            try:
                yield first_document(process)
                process.terminate()
                assert process.wait(60) == 0
            finally:
                process.kill()


def environment(folder: Path) -> dict[str, str]:
    """No more than a shell has that was just opened."""
    return {"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"}


def first_document(process: subprocess.Popen[str]) -> Any:
    """The first JSON document that a process prints, on one line or several."""
    assert process.stdout is not None
    text = ""
    while line := process.stdout.readline():
        text += line
        if line.rstrip().endswith("}"):
            return json.loads(text)
    raise AssertionError(f"it ended: {text}")


def run(*command: object, folder: Path = PROJECT) -> None:
    result = subprocess.run(
        [str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


@pytest.fixture(scope="session")
def installed() -> Installed:
    """Built and installed once in the session, by whichever worker comes first: it takes half a minute."""
    folder = session_folder() / "wheel"
    folder.mkdir(exist_ok=True)
    done = folder / "done"
    with locked(folder / "lock"):
        if not done.exists():
            build_and_install(folder)
            done.touch()
    (wheel,) = (folder / "dist").glob("*.whl")
    return Installed(wheel, folder / "venv" / "bin")


def build_and_install(folder: Path) -> None:
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", PROJECT)
    (wheel,) = (folder / "dist").glob("*.whl")
    run(sys.executable, "-m", "venv", "--clear", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--require-hashes", "--requirement", PROJECT / "requirements" / "runtime.txt")
    run(*pip, "--no-deps", wheel)
    # The pins cover everything that the wheel declares.
    run(python, "-m", "pip", "check")


def test_the_wheel_holds_every_file_of_the_package(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as archive:
        names = set(archive.namelist())
    ours = {file.path.removeprefix("src/") for file in project_files() if file.is_product}
    assert ours - names == set()
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_command_tells_its_version(installed: Installed, tmp_path: Path) -> None:
    result = installed.run(tmp_path, "--version")
    assert result.returncode == 0, result.stderr
    assert installed.wheel.name.split("-")[1] in result.stdout


def test_the_demo_runs_from_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    result = installed.run(tmp_path, "demo", "--once", "--agents", "20", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "20" in json.dumps(json.loads(result.stdout))


def test_workers_carry_out_queued_syncs(installed: Installed, tmp_path: Path) -> None:
    with installed.running(tmp_path, "simulator", "serve", "--port", "0", "--agents", "20") as server:
        installed.done(tmp_path, "tenant", "create", "Acme")
        add = ("integration", "add", "tacticalrmm", "--name", "Main", "--url", server["url"])
        installed.done(tmp_path, *add, MUSTER_API_KEY=server["api_key"])
        installed.done(tmp_path, "integration", "check", "Main")
        installed.done(tmp_path, "sync", "organizations", "Main")
        installed.done(tmp_path, "mapping", "automatch", "Main", "--apply", "--create-missing")
        for program in (("worker",), ("serve", "--port", "0")):
            asked = installed.done(tmp_path, "sync", "devices", "Main", "--background")
            with installed.running(tmp_path, *program):
                job = ended(installed, tmp_path, asked["job_id"])
            assert (job["state"], job["attempts"]) == ("succeeded", 1), job
        assert len(installed.done(tmp_path, "asset", "list")["items"]) == 20


def ended(installed: Installed, folder: Path, job_id: str) -> Any:
    """The job once it has ended; the test's timeout is the limit."""
    while (job := installed.done(folder, "job", "show", job_id))["state"] in {"requested", "started"}:
        time.sleep(0.2)
    return job
