"""The dashboard: who answered, how that went over time, and what needs a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.response import Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.assets.fleet.chart import Chart, chart
from muster.assets.fleet.rules import DEFAULT_RANGE, RANGES, Range, Sample
from muster.assets.fleet.schemas import RollCall
from muster.assets.fleet.service import FleetService
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.mappings.service import MappingService
from muster.providers import registry
from muster.tenancy import TenantScope
from muster.web.frame import Frame

_INTEGRATIONS = 1000


class Steps(msgspec.Struct, frozen=True):
    """How far the first set-up is: the integration that is connected, and its organizations."""

    integration: IntegrationView | None
    organizations: int
    mapped: int

    @property
    def next(self) -> str:
        """The step that comes next."""
        if self.integration is None:
            return "connect"
        return "sync" if self.mapped else "map"

    def is_done(self, step: str) -> bool:
        """Whether a step is behind: nothing is before the first asset but what comes before the next one."""
        order = ("connect", "map", "sync")
        return order.index(step) < order.index(self.next)


@get("/", guards=[needs(Permission.ASSET_READ)])
async def dashboard(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    span: Annotated[str | None, QueryParameter(name="range", max_length=10)] = None,
) -> Template:
    """Who answered the roll, now and over time, and what waits for a person."""
    now = clock.now()
    wanted = RANGES.get(span or "", RANGES[DEFAULT_RANGE])
    async with database.read(actor.scope) as session:
        integrations = IntegrationService(session, actor.scope, secrets)
        views = await integrations.list(limit=_INTEGRATIONS)
        fleet = FleetService(session, actor.scope)
        roll = await fleet.roll_call(await integrations.freshness(now))
        samples = await fleet.over_time(wanted, now)
        steps = None if roll.total else await _steps(session, actor.scope, views)
    connected = [view for view in views if view.connected_at is not None]
    return frame.page(
        "dashboard/dashboard.html" if steps is None else "dashboard/steps.html",
        title="Dashboard",
        place="dashboard",
        roll=roll,
        steps=steps,
        providers=[provider.manifest for provider in registry.all()],
        connected=connected,
        read_at=max((view.last_sync_at for view in views if view.last_sync_at), default=None),
        may_sync=actor.may(Permission.RMM_SYNC),
        may_update=actor.may(Permission.SETTINGS_UPDATE),
        may_read_settings=actor.may(Permission.SETTINGS_READ),
        chart=_chart(samples, roll, wanted, now),
        sampled=bool(samples),
        ranges=RANGES.values(),
        shown=wanted,
        waiting=[each for each in await frame.filled("dashboard-person") if each.html.strip()],
        main=await frame.filled("dashboard-main"),
        cards=await frame.filled("dashboard"),
    )


def _chart(samples: Sequence[Sample], roll: RollCall, wanted: Range, now: datetime) -> Chart:
    """The samples up to what the page's own figures say of now."""
    current = Sample(sampled_at=now, **roll.counts)
    return chart([*samples, current], wanted, now)


async def _steps(session: AsyncSession, scope: TenantScope, views: Sequence[IntegrationView]) -> Steps:
    first = next((view for view in views if view.connected_at is not None), None)
    if first is None:
        return Steps(None, 0, 0)
    counts = await MappingService(session, scope).counts(first.integration_id)
    return Steps(first, counts.organizations, counts.mapped_organizations)


ROUTES: list[BaseRouteHandler] = [dashboard]
