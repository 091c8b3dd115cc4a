"""The built wheel is whole: it works where there is nothing but Python and the pinned packages."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

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

    def run(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``muster`` in an empty folder, with nothing of this project or shell in the environment."""
        return subprocess.run(
            [self.programs / "muster", *arguments],
            cwd=folder,
            env={"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )


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
