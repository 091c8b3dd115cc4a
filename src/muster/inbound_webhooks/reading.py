"""What the server itself says of the alerts that webhooks told of: it, not the webhook, is believed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog

from muster import clock
from muster.errors import MusterError
from muster.integrations.connections import Connector
from muster.providers.alerting import AlertConnection, AlertRecord
from muster.providers.contract import (
    ProviderError,
    ProviderNotFound,
    ProviderPayloadError,
    ProviderPermissionError,
)
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

# With more receipts than this waiting, one list is lighter for the server than one read for each.
MOST_SINGLE_READS = 50
_AT_ONCE = 4
# A server that is slower is as good as none: what the webhooks said stands until a reconciliation reads it.
# 2,285 alerts took a real one up to 28 s (CONTRACT section 4).
_SECONDS = 90.0


@dataclass(slots=True)
class Readings:
    """What was read, by the server's ids. `at` is a moment of our own from before it was asked. `gone`: the
    server has none of that id. `unseen`: these credentials may not see it. Of other ids nothing is known.
    """

    at: datetime = field(default_factory=clock.now)
    records: dict[str, AlertRecord] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)
    problem: str | None = None


async def read(
    connector: Connector, scope: TenantScope, integration_id: UUID, wanted: Collection[str], *, as_list: bool
) -> Readings:
    """Ask the server for these alerts: one by one, or `as_list` all open ones at once. A server that cannot
    be read ends with what was read until then.
    """
    found = Readings()
    if not wanted:
        return found
    try:
        async with asyncio.timeout(_SECONDS), connector.open(scope, integration_id) as connection:
            if not isinstance(connection, AlertConnection):
                return found
            if as_list:
                listed = await connection.open_alerts()
                found.records |= {
                    each.external_id: each for each in listed.records if each.external_id in wanted
                }
            else:
                await _each(connection, wanted, found)
    except (ProviderError, MusterError, TimeoutError) as error:
        found.problem = "timeout" if isinstance(error, TimeoutError) else error.code
    if found.problem is not None:
        log.info("receipts.server_not_read", integration=str(integration_id), code=found.problem)
    return found


async def _each(connection: AlertConnection, wanted: Collection[str], found: Readings) -> None:
    left = iter(wanted)

    async def some() -> None:
        for external_id in left:
            if found.problem is not None:
                return
            await _one(connection, external_id, found)

    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))


async def _one(connection: AlertConnection, external_id: str, found: Readings) -> None:
    try:
        found.records[external_id] = await connection.alert(external_id)
    except ProviderNotFound:
        found.gone.add(external_id)
    except ProviderPermissionError:
        found.unseen.add(external_id)
    except ProviderPayloadError as odd:
        # It is about this one alert; the others can be read.
        log.warning("receipts.alert_not_understood", alert=external_id, problem=odd.message[:200])
    except ProviderError as error:
        found.problem = error.code
