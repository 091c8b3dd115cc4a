"""The floors hold, a new module needs a floor, and rooms are entered by their doors."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.room_rules import closed_doors, relative_imports
from tests.architecture.tree import PROJECT, SourceFile, project_files, sample


def product_files() -> list[SourceFile]:
    return [file for file in project_files() if file.is_product and file.is_python]


def lint(folder: Path, contract: str) -> subprocess.CompletedProcess[str]:
    """Import-linter on the package below ``folder``/src, with one of the project's own contracts."""
    # The small house goes before the installed package of the same name.
    code = (
        f"import sys; sys.path.insert(0, {str(folder / 'src')!r})\n"
        "from importlinter.cli import lint_imports_command\n"
        "lint_imports_command()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "--no-logo", "--no-cache", "--contract", contract],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def small_house(tmp_path: Path) -> Path:
    """A package called muster with a few modules, under the project's own contracts."""
    shutil.copy(PROJECT / ".importlinter", tmp_path)
    for name in ("__init__", "cli", "bootstrap", "demo", "clock", "errors", "tenancy"):
        write(tmp_path, f"{name}.py", "")
    for room in ("assets", "clients", "integrations", "providers", "simulator", "egress", "db"):
        write(tmp_path, f"{room}/__init__.py", "")
    return tmp_path


def write(house: Path, name: str, text: str) -> None:
    path = house / "src" / "muster" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


ALL = ["floors", "simulator", "simulator-users", "providers"]


@pytest.mark.parametrize("contract", ALL)
def test_a_clean_house_passes(small_house: Path, contract: str) -> None:
    write(small_house, "assets/service.py", "from muster.clients import service\nfrom muster import clock\n")
    write(small_house, "clients/service.py", "")
    result = lint(small_house, contract)
    assert result.returncode == 0, result.stdout


BREACHES = [
    ("floors", "utils.py", ""),
    ("floors", "helpers/__init__.py", ""),
    ("floors", "clients/service.py", "from muster.assets import service\n"),
    ("floors", "clock.py", "import muster.db\n"),
    ("floors", "egress/__init__.py", "import muster.db\n"),
    ("simulator", "simulator/server.py", "from muster import clock\n"),
    ("simulator-users", "assets/service.py", "from muster.simulator import fleet\n"),
    ("providers", "providers/base.py", "from muster import tenancy\n"),
]


@pytest.mark.parametrize(("contract", "name", "text"), BREACHES)
def test_a_breach_of_a_contract_is_found(small_house: Path, contract: str, name: str, text: str) -> None:
    write(small_house, "assets/service.py", "")
    write(small_house, "simulator/fleet.py", "")
    write(small_house, name, text)
    result = lint(small_house, contract)
    assert result.returncode == 1, result.stdout + result.stderr


def test_rooms_are_entered_by_their_doors() -> None:
    files = product_files()
    modules = frozenset(file.module for file in files)
    assert [line for file in files for line in closed_doors(file, modules)] == []


def test_imports_are_absolute() -> None:
    assert [line for file in product_files() for line in relative_imports(file)] == []


MODULES = frozenset(
    f"muster.{name}"
    for name in [
        "clients",
        "clients.models",
        "clients.service",
        "assets.repository",
        "providers.contract",
        "providers.tacticalrmm",
        "providers.tacticalrmm.client",
        "db.session",
    ]
)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/muster/sync/service.py", "from muster.clients.models import Client\n"),
        ("src/muster/sync/service.py", "from muster.clients import models\n"),
        ("src/muster/sync/service.py", "import muster.assets.repository\n"),
        ("src/muster/sync/service.py", "from ..clients.models import Client\n"),
        ("src/muster/sync/service.py", "from muster.providers.tacticalrmm.client import Client\n"),
        ("src/muster/cli.py", "from muster.clients import models\n"),
    ],
)
def test_a_closed_door_is_found(path: str, text: str) -> None:
    assert len(list(closed_doors(sample(path, text), MODULES))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/muster/sync/service.py", "from muster.clients.service import ClientService\n"),
        ("src/muster/sync/service.py", "from muster.clients import ClientService\n"),
        ("src/muster/sync/service.py", "from muster.providers.contract import Provider\n"),
        ("src/muster/sync/service.py", "from muster.db.session import Database\n"),
        ("src/muster/clients/service.py", "from muster.clients.models import Client\n"),
        ("src/muster/bootstrap/__init__.py", "from muster.clients.models import Client\n"),
        ("src/muster/db/migrations/env.py", "import muster.clients.models\n"),
    ],
)
def test_an_open_door_passes(path: str, text: str) -> None:
    assert list(closed_doors(sample(path, text), MODULES)) == []


def test_a_relative_import_is_found() -> None:
    assert len(list(relative_imports(sample("src/muster/sync/service.py", "from . import plan\n")))) == 1
