"""`muster` itself: help, version, wrong usage, errors and exit codes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from muster import __version__
from muster.cli import app
from tests.support.cli import Muster

GROUPS = ["tenant", "user", "client", "integration", "mapping", "sync", "run", "asset", "simulator", "key"]


def test_alone_it_shows_its_help(muster: Muster) -> None:
    ended = muster()
    assert ended.code == 0
    for name in (*GROUPS, "migrate", "doctor", "demo"):
        assert f" {name} " in ended.out


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_alone_shows_its_help(muster: Muster, name: str) -> None:
    ended = muster(name)
    assert ended.code == 2
    assert "Usage: muster" in ended.out + ended.err


def _all_commands() -> list[list[str]]:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    return list(_below(root, []))


def _below(group: typer.core.TyperGroup, path: list[str]) -> Iterator[list[str]]:
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from _below(command, [*path, name])
        else:
            yield [*path, name]


@pytest.mark.parametrize("path", _all_commands(), ids=" ".join)
def test_every_command_has_help_with_an_example_and_speaks_json(muster: Muster, path: list[str]) -> None:
    ended = muster(*path, "--help", settings={"COLUMNS": "200"})
    assert ended.code == 0
    assert "Example" in ended.out
    assert f"muster {' '.join(path)}" in ended.out
    assert "--json" in ended.out


def test_the_version(muster: Muster) -> None:
    assert muster("--version").out == f"muster {__version__}\n"
    assert muster.done("--version") == {"version": __version__}


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["clint"], "Did you mean 'client'?"),
        (["client", "creat"], "Did you mean 'create'?"),
        (["client", "create"], "Missing argument"),
        (["client", "list", "--limit", "0"], "--limit"),
        (["client", "list", "--limit", "many"], "--limit"),
        (["client", "list", "--limt", "1"], "--limt"),
        (["user", "create", "a@example.com", "--role", "king"], "--role"),
    ],
)
def test_wrong_usage_is_one_line_and_2(muster: Muster, arguments: list[str], hint: str) -> None:
    ended = muster(*arguments)
    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("Error: ")
    assert ended.err.count("\n") == 1
    assert hint in ended.err
    as_json = muster(*arguments, "--json")
    assert as_json.code == 2
    assert as_json.error["code"] == "usage"
    assert "--help" in as_json.error["remedy"]


def test_a_wrong_setting_is_one_line(muster: Muster, tmp_path: Path) -> None:
    ended = muster("client", "list", settings={"MUSTER_TENNANT": "x"})
    assert ended.code == 1
    assert ended.err == "Error: MUSTER_TENNANT is not a setting of Muster. Did you mean MUSTER_TENANT?\n"
    assert not (tmp_path / "data").exists()


def test_errors_can_be_json(muster: Muster) -> None:
    for arguments in (["--json", "client", "list"], ["client", "list", "--json"]):
        ended = muster(*arguments)
        assert ended.code == 1
        assert ended.out == ""
        assert ended.error == {
            "code": "no_tenant",
            "message": "There is no tenant yet.",
            "remedy": "Make one: muster tenant create NAME",
        }


def test_bad_input_is_2_and_what_clashes_1(muster: Muster) -> None:
    muster.done("tenant", "create", "Acme")
    assert muster("client", "create", "  ").code == 2
    assert muster("client", "create", "Contoso").code == 0
    assert muster("client", "create", "contoso").code == 1


def test_an_unexpected_error_is_one_line_with_a_hint(muster: Muster, tmp_path: Path) -> None:
    muster.done("tenant", "create", "Acme")
    # A table that is gone is nothing that any code reckons with.
    path = tmp_path / "data" / "muster.db"
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sqlite3; sqlite3.connect({str(path)!r}).execute('DROP TABLE tenants')",
        ],
        check=True,
    )
    ended = muster("tenant", "list")
    assert ended.code == 1
    assert ended.err.startswith("Error: Something unexpected went wrong: OperationalError: ")
    assert ended.err.count("\n") == 1
    assert "MUSTER_LOG_LEVEL=debug" in ended.err
    assert "Traceback" in muster("tenant", "list", settings={"MUSTER_LOG_LEVEL": "debug"}).err


def _environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "MUSTER_DATA_DIR": str(tmp_path / "data")}


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path, muster: Muster) -> None:
    muster.done("tenant", "create", "Acme")
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "muster", "tenant", "list", "--json"],
        env=_environment(tmp_path),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert ended.stderr == b""


def test_what_it_writes_is_for_its_user_alone(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "muster", "tenant", "create", "Acme", "--json"],
        env=_environment(tmp_path),
        check=True,
        capture_output=True,
    )
    folder = tmp_path / "data"
    assert {path.name for path in folder.iterdir()} >= {"muster.db", "secret.key"}
    assert [path.name for path in (folder, *folder.iterdir()) if path.stat().st_mode & 0o077] == []


def test_json_is_one_document(muster: Muster) -> None:
    text = muster("tenant", "create", "Ünïcode 株式会社", "--json").out
    assert json.loads(text)["name"] == "Ünïcode 株式会社"
