"""What the pages of alerts show: a part of the list with its figures, and one alert with its history."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts import timeline
from muster.alerts.filters import AlertQuery, Part
from muster.alerts.schemas import AlertDetail, AlertFilter, AlertView
from muster.alerts.service import AlertService
from muster.alerts.timeline import Told
from muster.alerts.types import AlertStatus, ChangeKind
from muster.integrations import directory
from muster.providers import registry
from muster.tenancy import TenantScope
from muster.web.paging import Page

_ACTIVE = AlertFilter(statuses=(AlertStatus.ACTIVE,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A page of the list. `parts` says how many of what the filters leave stand in each part; `severities`
    and `quiet` are of all active alerts, whatever the filters. `stamp` is another one when anything that is
    shown is.
    """

    rows: Sequence[AlertView]
    page: Page
    parts: Mapping[Part, int]
    severities: Mapping[str, int]
    quiet: int
    stamp: str

    @property
    def active(self) -> int:
        """How many alerts are active."""
        return sum(self.severities.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One alert as its page shows it: its history in words, newest first, and where a person finds the
    device on the server (None: the address does not tell). `stamp` as for a Board.
    """

    alert: AlertDetail
    lines: Sequence[Told]
    device_url: str | None
    stamp: str

    @property
    def notes(self) -> int:
        """How many notes stand in its history."""
        return sum(entry.kind == ChangeKind.NOTE for entry in self.alert.timeline)

    @property
    def raw(self) -> str:
        """The item that it was read from, laid out to be read."""
        return json.dumps(self.alert.raw, indent=2, ensure_ascii=False)


class AlertBoard:
    """Gathers what pages show of one tenant's alerts."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._alerts = AlertService(session, scope)

    async def board(self, query: AlertQuery, *, unseen: int) -> Board:
        """The page of the list that an address asks for; past the end it is the last one. `unseen` is the
        figure of the navigation: active alerts that no rule keeps quiet.
        """
        page = Page.wanted(query.page, query.rows)
        counts = await self._alerts.counts(msgspec.structs.replace(query.wanted, statuses=()))
        parts = {part: sum(counts.by_status[each] for each in part.statuses or AlertStatus) for part in Part}
        page = page.of(parts[query.part])
        rows = await self._alerts.page(query.wanted, query.order, limit=page.size, offset=page.offset)
        severities = (await self._alerts.counts(_ACTIVE)).by_severity
        quiet = max(0, sum(severities.values()) - unseen)
        return Board(
            rows=rows,
            page=page,
            parts=parts,
            severities=severities,
            quiet=quiet,
            stamp=stamp([rows, parts, severities, quiet, page.number]),
        )

    async def sheet(self, alert_id: UUID) -> Sheet:
        """One alert; NotFound when this tenant has none with that id."""
        alert = await self._alerts.get(alert_id)
        return Sheet(
            alert=alert,
            lines=timeline.told(alert),
            device_url=await self._device_url(alert),
            stamp=stamp(alert),
        )

    async def _device_url(self, alert: AlertView) -> str | None:
        found = await directory.views(self._session, self._scope, [alert.integration_id])
        integration = found.get(alert.integration_id)
        if integration is None or alert.device_id is None:
            return None
        return registry.device_url(integration.provider, integration.instance_url, alert.device_id)


def stamp(shown: Any) -> str:
    """Stands for what is shown: another one when anything in it is."""
    return hashlib.sha256(msgspec.json.encode(shown)).hexdigest()[:16]
