"""`muster doctor`: what keeps this installation from working, and what to do about it. Changes nothing."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from muster import bootstrap, clock, encryption
from muster.bootstrap import Application
from muster.db import Database, migrate
from muster.db.engine import parse_url
from muster.db.inspection import (
    clock_difference,
    count_unopenable,
    journal_mode,
    passes_row_security,
    server_version,
)
from muster.egress import Egress
from muster.encryption import KeyFile, SecretBox
from muster.errors import MusterError
from muster.providers.contract import CheckResult, Finding
from muster.settings import Settings

# ON CONFLICT, window functions and RETURNING all came before it; Debian 12 has 3.40.
OLDEST_SQLITE = (3, 35, 0)
OLDEST_POSTGRES = 15
# Workers on several machines take each other for dead after 30 seconds of silence.
MOST_CLOCK_SECONDS = 10
# No honest clock shows a time before this version of Muster existed.
_BUILT = datetime(2026, 1, 1, tzinfo=UTC)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


async def examine(settings: Settings) -> CheckResult:
    """Look at everything that can be looked at; an error in one place does not hide the next."""
    findings: list[Finding] = []
    facts: dict[str, str] = {"data_dir": str(settings.data_dir)}
    findings += _clock()
    findings += _data_dir(settings.data_dir)
    secrets, key_findings = _key(settings, facts)
    findings += key_findings
    try:
        findings += await _database(settings, secrets, facts)
    except MusterError as error:
        findings.append(_from(error))
    return CheckResult(
        ok=not any(finding.level == "error" for finding in findings), findings=tuple(findings), facts=facts
    )


def _clock() -> Sequence[Finding]:
    if clock.now() >= _BUILT:
        return ()
    return (
        Finding(
            code="clock_wrong",
            level="error",
            message=f"This machine's clock says {clock.now():%Y-%m-%d}, which is in the past.",
            remedy="Set it, best by NTP: one-time codes, TLS and every status depend on it.",
        ),
    )


def _data_dir(folder: Path) -> Sequence[Finding]:
    if not folder.exists():
        return (
            Finding(
                code="data_dir_absent",
                level="info",
                message=f"The data folder {folder} is not there yet.",
                remedy="The first command that needs it makes it.",
            ),
        )
    findings = []
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        findings.append(
            Finding(
                code="data_dir_not_writable",
                level="error",
                message=f"Muster cannot write to the data folder {folder}.",
                remedy="Give it to the user that runs Muster, or choose another one with MUSTER_DATA_DIR.",
            )
        )
    if folder.stat().st_mode & _OTHERS:
        findings.append(
            Finding(
                code="data_dir_open",
                level="warning",
                message=f"Other users of this machine can enter the data folder {folder}.",
                remedy=f"Run: chmod 700 {folder}",
            )
        )
    return findings


def _key(settings: Settings, facts: dict[str, str]) -> tuple[SecretBox | None, Sequence[Finding]]:
    file = encryption.key_file(settings)
    facts["key"] = "MUSTER_SECRET_KEY" if file is None else str(file.path)
    if file is not None and settings.secret_key_file is None and not file.path.exists():
        return None, (
            Finding(
                code="key_absent",
                level="info",
                message="There is no key for secrets yet.",
                remedy="The first command that needs it makes one.",
            ),
        )
    try:
        secrets = encryption.load_or_create(settings)
    except MusterError as error:
        return None, (_from(error, code="key_unusable"),)
    return secrets, _key_mode(file)


def _key_mode(file: KeyFile | None) -> Sequence[Finding]:
    if file is None or not file.path.stat().st_mode & _OTHERS:
        return ()
    return (
        Finding(
            code="key_open",
            level="warning",
            message=f"Other users of this machine can read the key file {file.path}.",
            remedy=f"Run: chmod 600 {file.path} and then: muster key rotate",
        ),
    )


async def _database(
    settings: Settings, secrets: SecretBox | None, facts: dict[str, str]
) -> Sequence[Finding]:
    url = parse_url(settings.database_url)
    facts["database"] = url.render_as_string()
    if url.get_backend_name() == "sqlite":
        findings = _sqlite(url.database, facts)
        if findings:
            return findings
    database = bootstrap.open_database(settings)
    try:
        revision = await migrate.current(database)
        server = await (_journal(database, facts) if database.is_sqlite else _postgres(database, facts))
        findings = [*server, *_schema(revision, facts)]
        # Tables can only be asked when they are the ones this version knows.
        if facts.get("schema") == migrate.head():
            findings += await _contents(settings, database, secrets)
    finally:
        await database.close()
    return findings


def _sqlite(file: str | None, facts: dict[str, str]) -> list[Finding]:
    facts["sqlite"] = sqlite3.sqlite_version
    findings = []
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        findings.append(
            Finding(
                code="sqlite_old",
                level="error",
                message=f"SQLite {sqlite3.sqlite_version} is too old.",
                remedy="Use a Python that comes with SQLite 3.35 or newer.",
            )
        )
    # Opening it would make it.
    if file and not Path(file).exists():
        findings.append(
            Finding(
                code="database_absent",
                level="info",
                message="There is no database yet.",
                remedy="The first command that needs it makes it; or run: muster migrate",
            )
        )
    return findings


async def _journal(database: Database, facts: dict[str, str]) -> Sequence[Finding]:
    facts["sqlite_journal"] = mode = await journal_mode(database)
    if mode == "wal":
        return ()
    return (
        Finding(
            code="sqlite_journal",
            level="warning",
            message=f"SQLite's journal is '{mode}' here, so readers and the writer block each other.",
            remedy="Keep the database on a local disk, not on a network file system.",
        ),
    )


async def _postgres(database: Database, facts: dict[str, str]) -> Sequence[Finding]:
    version = await server_version(database)
    facts["postgresql"] = version
    findings = []
    if int(version.split(".")[0]) < OLDEST_POSTGRES:
        findings.append(
            Finding(
                code="postgresql_old",
                level="error",
                message=f"PostgreSQL {version} is too old.",
                remedy=f"Muster needs PostgreSQL {OLDEST_POSTGRES} or newer.",
            )
        )
    if await passes_row_security(database):
        findings.append(
            Finding(
                code="row_security_bypassed",
                level="warning",
                message="Muster's database role is a superuser or has BYPASSRLS, so PostgreSQL does not keep"
                " tenants apart.",
                remedy="Give Muster a role of its own that owns its database and nothing else.",
            )
        )
    ahead = await clock_difference(database)
    if abs(ahead) > MOST_CLOCK_SECONDS:
        findings.append(
            Finding(
                code="clocks_differ",
                level="warning",
                message=f"The clock of the database's machine is {abs(ahead):.0f} seconds"
                f" {'ahead of' if ahead > 0 else 'behind'} this one.",
                remedy="Synchronize all machines by NTP: schedules and signs of life go by these clocks.",
            )
        )
    return findings


def _schema(revision: str | None, facts: dict[str, str]) -> Sequence[Finding]:
    if revision is None:
        return (
            Finding(
                code="schema_absent",
                level="info",
                message="The database is empty.",
                remedy="The first command that needs it fills it; or run: muster migrate",
            ),
        )
    facts["schema"] = revision
    if not migrate.is_known(revision):
        return (_from(migrate.newer(revision)),)
    if revision != migrate.head():
        return (
            Finding(
                code="database_older",
                level="error",
                message=f"The database has the schema {revision}; this Muster needs {migrate.head()}.",
                remedy="Make a backup, then run: muster migrate",
            ),
        )
    return ()


async def _contents(settings: Settings, database: Database, secrets: SecretBox | None) -> Sequence[Finding]:
    findings = []
    keyless = await count_unopenable(database, bootstrap.sealed_columns(), secrets)
    if keyless:
        findings.append(
            Finding(
                code="secrets_without_key",
                level="error",
                message=f"{keyless} sealed secrets need a key that is not here.",
                remedy="Put the key back that they were sealed with, or enter them again.",
            )
        )
    if secrets is not None:
        egress = Egress(bootstrap.egress_policy(settings))
        application = Application(settings, database, secrets, egress)
        for check in bootstrap.doctor_checks():
            findings += await check(application)
    return findings


def _from(error: MusterError, code: str | None = None) -> Finding:
    return Finding(
        code=code or error.code,
        level="error",
        message=error.message,
        remedy=error.remedy or "See docs/operations/settings.md.",
    )
