"""`muster migrate`, `doctor` and `key rotate`."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from muster.db import migrate
from muster.encryption import new_key
from tests.support.cli import Muster


def _codes(ended: Any) -> dict[str, str]:
    return {finding["code"]: finding["level"] for finding in ended.json["findings"]}


def _execute(tmp_path: Path, statement: str) -> None:
    with closing(sqlite3.connect(tmp_path / "data" / "muster.db")) as connection, connection:
        connection.execute(statement)


def test_migrate_says_what_it_did(muster: Muster) -> None:
    assert muster.done("migrate") == {"before": None, "after": migrate.head()}
    assert muster.done("migrate") == {"before": migrate.head(), "after": migrate.head()}


def test_the_first_command_makes_everything(muster: Muster, tmp_path: Path) -> None:
    muster.done("tenant", "create", "Acme")
    assert sorted(path.name for path in (tmp_path / "data").iterdir() if path.name[0] != ".") == [
        "muster.db",
        "secret.key",
    ]


def test_a_database_of_another_version_is_not_touched(muster: Muster, tmp_path: Path) -> None:
    muster.done("migrate")
    _execute(tmp_path, "UPDATE alembic_version SET version_num = '9999'")
    for arguments in (["tenant", "list"], ["migrate"]):
        ended = muster(*arguments, "--json")
        assert (ended.code, ended.error["code"]) == (1, "database_newer")
    ended = muster("doctor", "--json")
    assert ended.code == 1
    assert _codes(ended) == {"database_newer": "error"}


def test_doctor_on_nothing_changes_nothing(muster: Muster, tmp_path: Path) -> None:
    ended = muster("doctor", "--json")
    assert ended.code == 0
    assert ended.json["ok"] is True
    assert _codes(ended) == {"data_dir_absent": "info", "key_absent": "info", "database_absent": "info"}
    assert not (tmp_path / "data").exists()


def test_doctor_on_a_working_installation(muster_on: Muster) -> None:
    muster_on.done("tenant", "create", "Acme")
    ended = muster_on("doctor", "--json")
    assert (ended.code, ended.json["findings"]) == (0, [])
    assert ended.json["facts"]["schema"] == migrate.head()
    assert "Everything is in order." in muster_on("doctor").out


@pytest.mark.postgres
def test_doctor_shows_no_password(postgres_url: str, tmp_path: Path) -> None:
    muster = Muster({"MUSTER_DATA_DIR": str(tmp_path), "MUSTER_DATABASE_URL": postgres_url})
    ended = muster("doctor", "--json")
    assert ended.json["facts"]["postgresql"]
    password = postgres_url.split("@", maxsplit=1)[0].rsplit(":", 1)[1]
    assert password not in ended.out + muster("doctor").out


def test_doctor_finds_what_others_can_read(muster: Muster, tmp_path: Path) -> None:
    muster.done("tenant", "create", "Acme")
    (tmp_path / "data").chmod(0o755)
    (tmp_path / "data" / "secret.key").chmod(0o644)
    ended = muster("doctor", "--json")
    assert ended.code == 0
    assert _codes(ended) == {"data_dir_open": "warning", "key_open": "warning"}
    assert all(finding["remedy"] for finding in ended.json["findings"])


def test_doctor_finds_a_broken_key_and_an_unreachable_database(muster: Muster) -> None:
    ended = muster(
        "doctor",
        "--json",
        settings={"MUSTER_SECRET_KEY": "nonsense", "MUSTER_DATABASE_URL": "postgresql://u:pw@127.0.0.1:1/d"},
    )
    assert ended.code == 1
    assert {code for code, level in _codes(ended).items() if level == "error"} == {
        "key_unusable",
        "database_unreachable",
    }
    assert ":pw@" not in ended.out


def test_doctor_takes_no_foreign_database(muster: Muster) -> None:
    ended = muster("doctor", "--json", settings={"MUSTER_DATABASE_URL": "mysql://u:pw@h/d"})
    assert ended.code == 1
    assert "not_configured" in _codes(ended)


def test_doctor_finds_a_data_folder_that_is_none(muster: Muster, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    ended = muster("doctor", "--json")
    assert ended.code == 1
    assert _codes(ended)["data_dir_not_writable"] == "error"


def test_doctor_finds_secrets_without_their_key(muster: Muster, tmp_path: Path) -> None:
    muster.done("tenant", "create", "Acme")
    muster.done(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", "https://api.example.com"),
        settings={"MUSTER_API_KEY": "A" * 32},
    )
    assert _codes(muster("doctor", "--json")) == {}
    (tmp_path / "data" / "secret.key").write_text(new_key().material.hex())
    (tmp_path / "data" / "secret.key").chmod(0o600)
    ended = muster("doctor", "--json")
    assert (ended.code, _codes(ended)) == (1, {"secrets_without_key": "error"})


def test_the_key_is_rotated(muster: Muster, tmp_path: Path) -> None:
    muster.done("tenant", "create", "Acme")
    muster.done(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", "https://api.example.com"),
        settings={"MUSTER_API_KEY": "A" * 32},
    )
    before = (tmp_path / "data" / "secret.key").read_text()
    assert muster.done("key", "rotate") == {"resealed": 1}
    assert (tmp_path / "data" / "secret.key").read_text() != before
    assert _codes(muster("doctor", "--json")) == {}
    ended = muster("key", "rotate", "--json", settings={"MUSTER_SECRET_KEY": new_key().material.hex()})
    assert ended.code == 2
