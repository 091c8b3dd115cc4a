"""The floor: what nobody can do without. The same bytes downloaded by the same client, their decoding, and
the same rows written bare, by the fastest way each database's driver has.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
from sqlalchemy.engine import make_url

from benchmarks.values import DownloadResult, Order, Spent, StoreResult
from muster.egress import Egress
from muster.providers.tacticalrmm.payloads import BetaRow, ClientRow, LightRow, Page, RosterRow

# Parents first: the tables have the foreign keys of the real ones.
TABLES = (
    "sync_runs",
    "assets",
    "workstation_assets",
    "server_assets",
    "tenant_external_entity_mappings",
    "sync_run_entries",
)
_TOUCHED = ("agent_status", "last_seen_at", "last_rmm_sync_at")

Rows = Mapping[str, tuple[list[str], list[tuple[Any, ...]]]]


def _now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())


async def download(order: Order) -> DownloadResult:
    """The requests of a sync one after the other; then what came is decoded into typed rows."""
    bodies: list[tuple[str, bool, bytes]] = []
    async with Egress().server(order.server_url) as client:
        begun = _now()
        for request in order.requests:
            answer = await client.request(
                "GET",
                request.path,
                params=request.params,
                headers={"X-API-KEY": order.api_key} if request.key else None,
                max_body=256 * 1024 * 1024,
            )
            bodies.append((request.path, "detail" in request.params, answer.body))
        downloaded = _now() - begun
    begun = _now()
    for path, is_roster, body in bodies:
        _decoder(path, is_roster).decode(body)
    return DownloadResult(downloaded, _now() - begun, sum(len(body) for _, _, body in bodies))


_ROSTER = msgspec.json.Decoder(list[RosterRow])
_LIGHT = msgspec.json.Decoder(list[LightRow])
_DETAIL = msgspec.json.Decoder(Page[BetaRow])
_CLIENTS = msgspec.json.Decoder(list[ClientRow])
_ANYTHING = msgspec.json.Decoder(msgspec.Raw)


def _decoder(path: str, is_roster: bool) -> msgspec.json.Decoder[Any]:
    if path == "/agents/":
        return _ROSTER if is_roster else _LIGHT
    known: dict[str, msgspec.json.Decoder[Any]] = {
        "/beta/v1/agent/": _DETAIL,
        "/clients/": _CLIENTS,
        "/beta/v1/client/": _ANYTHING,
    }
    return known[path]


async def store(order: Order) -> StoreResult:
    """Read what a cold sync wrote (`written_url`) and write it bare into a prepared, empty database."""
    if is_sqlite(order):
        rows = read_sqlite(order, TABLES)
        with opened_sqlite(order) as target:
            target.execute("DELETE FROM sync_runs")
            inserted = insert_sqlite(target, rows)
            signs = _signs(rows)
            begun = _now()
            target.execute("BEGIN IMMEDIATE")
            assignments = ", ".join(f"{name} = ?" for name in _TOUCHED)
            target.executemany(f"UPDATE assets SET {assignments} WHERE tenant_id = ? AND asset_id = ?", signs)
            target.execute("COMMIT")
            return StoreResult(inserted, _now() - begun, count(rows))
    rows = await read_postgres(order, TABLES)
    target = await asyncpg.connect(address(order.database_url))
    await target.execute("DELETE FROM sync_runs")
    inserted = await insert_postgres(target, rows)
    touched = await _touch_postgres(target, _signs(rows))
    await target.close()
    return StoreResult(inserted, touched, count(rows))


def is_sqlite(order: Order) -> bool:
    """Whether rows go into a file."""
    return make_url(order.database_url).get_backend_name() == "sqlite"


def count(rows: Rows) -> int:
    """How many there are."""
    return sum(len(values) for _, values in rows.values())


def read_sqlite(order: Order, tables: Sequence[str]) -> Rows:
    """What was written into these tables, in the order of writing."""
    rows: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {}
    with closing(sqlite3.connect(_file(_written(order)))) as source:
        for table in tables:
            found = source.execute(f"SELECT * FROM {table} ORDER BY rowid")
            rows[table] = ([column[0] for column in found.description], found.fetchall())
    return rows


@contextmanager
def opened_sqlite(order: Order) -> Iterator[sqlite3.Connection]:
    """The empty database, as Muster opens one."""
    with closing(sqlite3.connect(_file(order.database_url), isolation_level=None)) as target:
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
            target.execute(f"PRAGMA {pragma}")
        yield target


def insert_sqlite(target: sqlite3.Connection, rows: Rows) -> Spent:
    """All of it in one transaction."""
    begun = _now()
    target.execute("BEGIN IMMEDIATE")
    for table, (columns, values) in rows.items():
        if values:
            names, marks = ", ".join(f'"{c}"' for c in columns), ", ".join("?" * len(columns))
            target.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)
    target.execute("COMMIT")
    return _now() - begun


async def read_postgres(order: Order, tables: Sequence[str]) -> Rows:
    """What was written into these tables, in the order of writing."""
    rows: dict[str, tuple[list[str], list[tuple[Any, ...]]]] = {}
    source = await asyncpg.connect(address(_written(order)))
    for table in tables:
        found = await source.fetch(f"SELECT * FROM {table} ORDER BY ctid")
        rows[table] = (list(found[0].keys()) if found else [], [tuple(row) for row in found])
    await source.close()
    return rows


async def insert_postgres(target: Any, rows: Rows) -> Spent:
    """All of it in one transaction."""
    begun = _now()
    async with target.transaction():
        for table, (columns, values) in rows.items():
            if values:
                await target.copy_records_to_table(table, records=values, columns=columns)
    return _now() - begun


async def _touch_postgres(target: Any, signs: list[tuple[Any, ...]]) -> Spent:
    await target.execute(
        "CREATE TEMP TABLE signs (agent_status text, last_seen_at timestamptz, last_rmm_sync_at timestamptz, "
        "tenant_id uuid, asset_id uuid)"
    )
    begun = _now()
    async with target.transaction():
        await target.copy_records_to_table("signs", records=signs)
        assignments = ", ".join(f"{name} = s.{name}" for name in _TOUCHED)
        await target.execute(
            f"UPDATE assets a SET {assignments} FROM signs s "
            "WHERE a.tenant_id = s.tenant_id AND a.asset_id = s.asset_id"
        )
    return _now() - begun


def _written(order: Order) -> str:
    if order.written_url is None:
        raise ValueError("there is nothing to write")
    return order.written_url


def _signs(rows: Rows) -> list[tuple[Any, ...]]:
    """(status, last seen, read at, tenant, asset) of every asset."""
    columns, values = rows["assets"]
    places = [columns.index(name) for name in (*_TOUCHED, "tenant_id", "asset_id")]
    read_at: Any = datetime.now(UTC)
    if values and isinstance(values[0][places[2]], str):
        read_at = read_at.replace(tzinfo=None).isoformat(" ")
    return [tuple(read_at if n == 2 else row[place] for n, place in enumerate(places)) for row in values]


def _file(url: str) -> str:
    return str(make_url(url).database)


def address(url: str) -> str:
    """Where a database is, as its driver has it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
