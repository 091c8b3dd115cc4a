"""Backup and restore of the embedded database, by the command line."""

import hashlib
import json
import sqlite3
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from muster.db import migrate
from tests.support.cli import Muster


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "backup.zip"


def _names(muster: Muster) -> list[str]:
    return [tenant["name"] for tenant in muster.done("tenant", "list")["items"]]


def test_what_was_backed_up_comes_back(muster: Muster, data: Path, archive: Path) -> None:
    muster.done("tenant", "create", "Kept")
    made = muster.done("backup", "--to", archive)
    assert (made["schema"], made["with_key"]) == (migrate.head(), False)
    assert archive.stat().st_mode & 0o777 == 0o600
    key = (data / "secret.key").read_bytes()
    muster.done("tenant", "create", "Later")
    refused = muster("restore", "--from", archive, "--json")
    assert (refused.code, refused.error["code"]) == (1, "conflict")
    assert _names(muster) == ["Kept", "Later"]
    restored = muster.done("restore", "--from", archive, "--force")
    assert _names(muster) == ["Kept"]
    (old,) = restored["kept"]
    with sqlite3.connect(old) as connection:
        assert connection.execute("SELECT count(*) FROM tenants").fetchone() == (2,)
    connection.close()
    assert (data / "secret.key").read_bytes() == key
    assert (data / "muster.db").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in data.glob(".muster-*")] == []


def test_the_key_goes_along_only_when_asked_for(muster: Muster, archive: Path, tmp_path: Path) -> None:
    muster.done("tenant", "create", "Kept")
    muster.done("backup", "--to", archive)
    assert zipfile.ZipFile(archive).namelist() == ["manifest.json", "muster.db"]
    muster.done("backup", "--to", archive, "--with-key", "--force")
    elsewhere = {"MUSTER_DATA_DIR": str(tmp_path / "elsewhere")}
    restored = muster.done("restore", "--from", archive, settings=elsewhere)
    assert (restored["key_restored"], restored["kept"]) == (True, [])
    key = tmp_path / "elsewhere" / "secret.key"
    assert key.read_bytes() == (tmp_path / "data" / "secret.key").read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    listed = muster.done("tenant", "list", settings=elsewhere)
    assert [tenant["name"] for tenant in listed["items"]] == ["Kept"]


def test_a_backup_overwrites_nothing(muster: Muster, archive: Path) -> None:
    muster.done("tenant", "create", "Kept")
    archive.write_text("mine")
    refused = muster("backup", "--to", archive, "--json")
    assert (refused.code, refused.error["code"]) == (1, "conflict")
    assert archive.read_text() == "mine"


def test_a_backup_is_consistent_while_others_write(muster: Muster, data: Path, archive: Path) -> None:
    muster.done("tenant", "create", "Kept")
    stop = threading.Event()

    def write() -> None:
        connection = sqlite3.connect(data / "muster.db", timeout=30)
        while not stop.is_set():
            with connection:
                connection.execute("UPDATE tenants SET name = 'Kept' || abs(random())")
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        muster.done("backup", "--to", archive)
    finally:
        stop.set()
        writer.join()
    muster.done("restore", "--from", archive, "--force")
    assert len(_names(muster)) == 1


def test_nothing_is_restored_under_a_running_muster(muster: Muster, data: Path, archive: Path) -> None:
    muster.done("tenant", "create", "Kept")
    muster.done("backup", "--to", archive)
    connection = sqlite3.connect(data / "muster.db")
    connection.execute("SELECT count(*) FROM tenants").fetchone()
    refused = muster("restore", "--from", archive, "--force", "--json")
    assert refused.error["code"] == "database_in_use"
    connection.close()
    assert _names(muster) == ["Kept"]


def test_work_under_way_at_the_backup_begins_anew(muster: Muster, data: Path, archive: Path) -> None:
    tenant = muster.done("tenant", "create", "Kept")["tenant_id"].replace("-", "")
    (data / "jobs.db").write_bytes(b"")
    moment = "2026-01-01 00:00:00"
    with sqlite3.connect(data / "muster.db") as connection:
        connection.execute(
            "INSERT INTO job_requests (tenant_id, job_id, kind, dedup_key, payload, state, requested_at,"
            " not_before, attempts, worker) VALUES (?, ?, 'k', 'd', '{}', 'started', ?, ?, 1, 'gone')",
            (tenant, "0" * 32, moment, moment),
        )
    connection.close()
    muster.done("backup", "--to", archive)
    restored = muster.done("restore", "--from", archive, "--force")
    assert len(restored["kept"]) == 2
    assert not (data / "jobs.db").exists()
    with sqlite3.connect(data / "muster.db") as connection:
        states = connection.execute("SELECT state, worker FROM job_requests").fetchall()
    connection.close()
    assert states == [("requested", None)]


def _cut(archive: Path) -> None:
    archive.write_bytes(archive.read_bytes()[:-200])


def _no_archive(archive: Path) -> None:
    archive.write_bytes(b"nothing of that kind")


def _rewritten(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def damage(archive: Path) -> None:
        with zipfile.ZipFile(archive) as old:
            manifest, database = json.loads(old.read("manifest.json")), old.read("muster.db")
        change(manifest)
        with zipfile.ZipFile(archive, "w") as new:
            new.writestr("manifest.json", json.dumps(manifest))
            new.writestr("muster.db", database)

    return damage


def _other_schema(archive: Path) -> None:
    """A backup by a Muster of the future."""
    folder = archive.parent
    with zipfile.ZipFile(archive) as old:
        old.extract("muster.db", folder)
    with sqlite3.connect(folder / "muster.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    _packed(archive, folder / "muster.db")


def _packed(archive: Path, database: Path) -> None:
    content = database.read_bytes()
    with zipfile.ZipFile(archive) as old:
        manifest = json.loads(old.read("manifest.json"))
    manifest |= {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    with zipfile.ZipFile(archive, "w") as new:
        new.writestr("manifest.json", json.dumps(manifest))
        new.writestr("muster.db", content)


def _other_database(archive: Path) -> None:
    path = archive.with_name("other.db")
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE x (y)")
    connection.close()
    _packed(archive, path)


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (_cut, "backup_damaged"),
        (_no_archive, "backup_damaged"),
        (Path.unlink, "invalid_input"),
        (_rewritten(lambda manifest: manifest.update(sha256="0" * 64)), "backup_damaged"),
        (_rewritten(lambda manifest: manifest.update(size=1)), "backup_damaged"),
        (_rewritten(lambda manifest: manifest.pop("schema")), "backup_damaged"),
        (_rewritten(lambda manifest: manifest.update(format=2)), "invalid_input"),
        (_other_database, "database_damaged"),
        (_other_schema, "database_newer"),
    ],
)
def test_a_bad_backup_changes_nothing(
    muster: Muster, archive: Path, damage: Callable[[Path], None], code: str
) -> None:
    muster.done("tenant", "create", "Kept")
    muster.done("backup", "--to", archive)
    muster.done("tenant", "create", "Later")
    damage(archive)
    refused = muster("restore", "--from", archive, "--force", "--json")
    assert refused.error["code"] == code
    assert _names(muster) == ["Kept", "Later"]


def test_only_the_embedded_database(muster: Muster, archive: Path) -> None:
    settings = {"MUSTER_DATABASE_URL": "postgresql://127.0.0.1:1/nothing"}
    assert "pg_dump" in muster("backup", "--to", archive, settings=settings).err
    assert "pg_dump" in muster("restore", "--from", archive, settings=settings).err


def test_a_key_from_the_environment_stays_there(muster: Muster, archive: Path) -> None:
    settings = {"MUSTER_SECRET_KEY": "00" * 32}
    muster.done("tenant", "create", "Kept", settings=settings)
    refused = muster("backup", "--to", archive, "--with-key", "--json", settings=settings)
    assert refused.code == 2
    assert not archive.exists()
