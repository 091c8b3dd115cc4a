"""The floor of reading software: the same bytes downloaded by the same client, every entry decoded into a
typed one, and the same rows written bare.
"""

from __future__ import annotations

import time
from typing import Any

import asyncpg
import msgspec

from benchmarks import floor
from benchmarks.values import Order, SoftwareFloor, Spent
from muster.egress import Egress
from muster.providers.tacticalrmm.payloads import SoftwareEntry, SoftwareRow

# Parents first: the tables have the foreign keys of the real ones.
TABLES = ("software_catalog", "software_versions", "asset_software", "software_reports")
_MOST_BYTES = 1024 * 1024 * 1024
_ROWS = msgspec.json.Decoder(list[SoftwareRow])
_ENTRIES = msgspec.json.Decoder(list[SoftwareEntry])


async def measure(order: Order) -> SoftwareFloor:
    """The requests of a reading, the decoding of what they brought, and its rows (`written_url`) bare."""
    bodies: dict[str, bytes] = {}
    async with Egress().server(order.server_url) as client:
        begun = _now()
        for request in order.requests:
            answer = await client.request(
                "GET",
                request.path,
                params=request.params,
                headers={"X-API-KEY": order.api_key},
                max_body=_MOST_BYTES,
            )
            bodies[request.path] = answer.body
        downloaded = _now() - begun
    begun = _now()
    for row in _ROWS.decode(bodies["/software/"]):
        _ENTRIES.decode(row.software)
    decoded = _now() - begun
    received = sum(map(len, bodies.values()))
    bodies.clear()
    if floor.is_sqlite(order):
        rows = floor.read_sqlite(order, TABLES)
        with floor.opened_sqlite(order) as target:
            written = floor.insert_sqlite(target, rows)
    else:
        rows = await floor.read_postgres(order, TABLES)
        written = await _insert_postgres(order, rows)
    return SoftwareFloor(
        download=downloaded,
        decode=decoded,
        written=written,
        received=received,
        rows=floor.count(rows),
        installs=len(rows["asset_software"][1]),
    )


async def _insert_postgres(order: Order, rows: Any) -> Spent:
    target = await asyncpg.connect(floor.address(order.database_url))
    written = await floor.insert_postgres(target, rows)
    await target.close()
    return written


def _now() -> Spent:
    return Spent(time.perf_counter(), time.process_time())
