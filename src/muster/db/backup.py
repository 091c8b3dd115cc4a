"""Backup and restore of the embedded database, one zip archive each.

It holds `manifest.json`, `muster.db` (a consistent copy, made while others go on writing) and, only when
asked for, `secret.key`. PostgreSQL has its own tools for this (pg_dump, pg_basebackup).
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import sqlite3
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from muster import clock
from muster.db import migrate
from muster.db.engine import parse_url
from muster.errors import Conflict, InvalidInput, NotConfigured

FORMAT = 1
_DATABASE, _KEY, _MANIFEST = "muster.db", "secret.key", "manifest.json"
_MANIFEST_BYTES, _KEY_BYTES = 64 * 1024, 64 * 1024
_CHUNK = 1024 * 1024
_OTHERS_SECONDS = 5.0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup says of itself. `schema` is the database's revision, `size` its bytes."""

    format: int
    version: str
    schema: str
    created_at: datetime
    size: int
    sha256: str
    with_key: bool


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore put in place, and where it moved what had been there."""

    manifest: Manifest
    database: str
    kept: list[str]
    key_restored: bool


def database_file(url: str) -> Path:
    """The file of the embedded database; NotConfigured for another one."""
    parsed = parse_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise NotConfigured(
            "Muster backs up the embedded database only.",
            remedy="For PostgreSQL use its own tools, such as pg_dump, and keep the key beside them.",
        )
    return Path(str(parsed.database)).expanduser().absolute()


async def backup(database: Path, to: Path, *, version: str, key: bytes | None, force: bool) -> Manifest:
    """Write a backup, mode 0600, whole or not at all; Conflict when the file is there already."""
    return await asyncio.to_thread(_backup, database, to, version, key, force)


async def restore(
    source: Path, database: Path, *, jobs: Path, key_file: Path | None, force: bool
) -> Restored:
    """Put a backup in place of the database. Everything is verified before anything is touched.

    What was there is moved aside, never deleted; Conflict without `force` or while a process uses it.
    `jobs`, the file of the engine of background work, is moved aside too: what it knows belongs to other
    requests. Jobs that were under way begin anew. With `key_file` a key in the backup is restored as well.
    """
    return await asyncio.to_thread(_restore, source, database, jobs, key_file, force)


# --- backup -------------------------------------------------------------------------------------------------


def _backup(database: Path, to: Path, version: str, key: bytes | None, force: bool) -> Manifest:
    if not database.exists():
        raise NotConfigured(f"There is no database {database} yet.", remedy="Nothing to back up.")
    if to.exists() and not force:
        raise Conflict(f"{to} is there already.", remedy="Choose another file, or add --force.")
    try:
        with tempfile.TemporaryDirectory(dir=to.parent, prefix=".muster-backup-") as folder:
            copy, archive = Path(folder) / _DATABASE, Path(folder) / "archive.zip"
            _copy(database, copy)
            manifest = Manifest(
                format=FORMAT,
                version=version,
                schema=_verified(copy),
                created_at=clock.now(),
                size=copy.stat().st_size,
                sha256=_digest(copy),
                with_key=key is not None,
            )
            os.close(os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as target:
                target.writestr(_MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
                target.write(copy, _DATABASE)
                if key is not None:
                    target.writestr(_KEY, key)
            with archive.open("rb") as written:
                os.fsync(written.fileno())
            archive.replace(to)
    except OSError as problem:
        raise InvalidInput(f"The backup cannot be written to {to}: {problem.strerror or problem}.") from None
    return manifest


def _copy(database: Path, copy: Path) -> None:
    with _opened(database, read_only=True) as source, closing(sqlite3.connect(copy)) as target:
        # In one step: between two steps a writer would make it begin again. Writers need not wait for it.
        source.backup(target)
        # A file of its own, without a write-ahead log beside it.
        target.execute("PRAGMA journal_mode = DELETE")


# --- restore ------------------------------------------------------------------------------------------------


def _restore(source: Path, database: Path, jobs: Path, key_file: Path | None, force: bool) -> Restored:
    if database.exists() and not force:
        raise Conflict(
            f"There is a database {database} already.",
            remedy="Stop Muster, then add --force: the database is kept under another name.",
        )
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=database.parent, prefix=".muster-restore-") as folder:
        staged = Path(folder) / _DATABASE
        manifest, key = _unpacked(source, staged)
        _check_schema(_verified(staged))
        _begin_jobs_anew(staged)
        stamp = f"replaced-{clock.now():%Y%m%dT%H%M%SZ}"
        in_use = [file for file in (database, jobs) if file.exists()]
        for file in in_use:
            _nobody_uses(file)
        restores_key = key is not None and key_file is not None
        replaced = [*in_use, *([key_file] if restores_key and key_file and key_file.exists() else [])]
        kept = [_moved_aside(file, stamp) for file in replaced]
        if key is not None and key_file is not None:
            _write_key(key_file, key)
        staged.chmod(0o600)
        staged.replace(database)
    return Restored(
        manifest=manifest,
        database=str(database),
        kept=[str(path) for path in kept],
        key_restored=restores_key,
    )


def _unpacked(source: Path, staged: Path) -> tuple[Manifest, bytes | None]:
    try:
        with zipfile.ZipFile(source) as archive:
            manifest = msgspec.json.decode(_small(archive, _MANIFEST, _MANIFEST_BYTES), type=Manifest)
            if manifest.format != FORMAT:
                raise InvalidInput(
                    f"{source} has the format {manifest.format}.", remedy="Use the Muster that wrote it."
                )
            if archive.getinfo(_DATABASE).file_size != manifest.size:
                raise _damaged(source)
            with archive.open(_DATABASE) as packed, staged.open("wb") as target:
                shutil.copyfileobj(packed, target, _CHUNK)
            key = _small(archive, _KEY, _KEY_BYTES) if manifest.with_key else None
    except (zipfile.BadZipFile, KeyError, EOFError, msgspec.DecodeError, NotImplementedError):
        raise _damaged(source) from None
    except OSError as problem:
        raise InvalidInput(f"{source} cannot be read: {problem.strerror or problem}.") from None
    if _digest(staged) != manifest.sha256:
        raise _damaged(source)
    return manifest, key


def _small(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    if archive.getinfo(name).file_size > limit:
        raise KeyError(name)
    return archive.read(name)


def _check_schema(schema: str) -> None:
    if not migrate.is_known(schema):
        raise migrate.newer(schema)


def _begin_jobs_anew(database: Path) -> None:
    """Requests that were being worked on are requests again; the syncs among them go on where they were."""
    with _opened(database) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "job_requests" in tables:
            connection.execute(
                "UPDATE job_requests SET state = 'requested', worker = NULL WHERE state = 'started'"
            )
            connection.commit()
        connection.execute("PRAGMA journal_mode = DELETE")


def _nobody_uses(database: Path) -> None:
    """Fold the write-ahead log into the file, which works only when nobody else has it open."""
    try:
        with _opened(database) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.DatabaseError as problem:
        if "locked" not in str(problem):
            # A damaged database is what a restore is for.
            return
        mode = "wal"
    if mode != "delete":
        raise Conflict(
            f"A process still uses {database}.", remedy="Stop Muster first.", code="database_in_use"
        )


def _moved_aside(path: Path, stamp: str) -> Path:
    target = path.with_name(f"{path.name}.{stamp}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.replace(target.with_name(target.name + suffix))
    return target


def _write_key(path: Path, key: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())


# --- both ---------------------------------------------------------------------------------------------------


@contextmanager
def _opened(database: Path, *, read_only: bool = False) -> Iterator[sqlite3.Connection]:
    mode = "?mode=ro" if read_only else "?mode=rw"
    with closing(
        sqlite3.connect(f"{database.as_uri()}{mode}", uri=True, timeout=_OTHERS_SECONDS)
    ) as connection:
        yield connection


def _verified(database: Path) -> str:
    """The schema's revision of a whole and consistent database; InvalidInput for anything else."""
    try:
        with _opened(database) as connection:
            whole = connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
            broken = connection.execute("PRAGMA foreign_key_check").fetchone()
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError:
        whole, broken, row = False, None, None
    if not whole or broken is not None or row is None:
        raise InvalidInput("The database in it is damaged, or none of Muster's.", code="database_damaged")
    return str(row[0])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(source: Path) -> InvalidInput:
    return InvalidInput(
        f"{source} is damaged, or no backup of Muster.", remedy="Take another one.", code="backup_damaged"
    )
