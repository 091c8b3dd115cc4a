"""Alerts for programs, as JSON under /api/v1."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.alerts import filters
from muster.alerts.chips import Chooser
from muster.alerts.filters import AlertQuery
from muster.alerts.schemas import AlertDetail, AlertView
from muster.alerts.service import MOST_TOGETHER, AlertService
from muster.alerts.types import AlertStatus, Deed
from muster.alerts.verbs import MOST_DAYS, NOTE_LIMIT
from muster.db import Database
from muster.encryption import SecretBox
from muster.providers.alerting import AlertSeverity, AlertType
from muster.web.filters import TEXT_LIMIT, as_in_address
from muster.web.paging import Limit, Offset

YesNo = Literal["yes", "no"]
_Text = Annotated[str | None, QueryParameter(max_length=TEXT_LIMIT)]
_Span = Annotated[str | None, QueryParameter(pattern="^(within|older)-[1-9][0-9]{0,3}$")]
_Days = Annotated[int, msgspec.Meta(ge=1, le=MOST_DAYS)]
_READ, _UPDATE = [needs(Permission.ALERT_READ)], [needs(Permission.ALERT_UPDATE)]
_ONE = "/alerts/{alert_id:uuid}"
_TAGS = ["Alerts"]


class AlertList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the alerts, and how many match in all."""

    items: Sequence[AlertView]
    total: int


class Snooze(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to leave an alert alone: a number of days, or until a moment, which is rounded up to whole
    days, as servers count them. One of the two.
    """

    days: _Days | None = None
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to write into the alert's history."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=NOTE_LIMIT)]


class Together(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do to several alerts; `days` for a snooze, and for nothing else."""

    deed: Deed
    alert_ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=MOST_TOGETHER)]
    days: _Days | None = None


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that was left as it is, and why."""

    alert_id: UUID
    code: str
    message: str


class TogetherDone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of several alerts: as they are now, and those that were left as they are."""

    items: Sequence[AlertView]
    left: Sequence[Left]


def provide_query(
    *,
    request: Request[Actor, Any, Any],
    q: _Text = None,
    status: FromQuery[list[AlertStatus] | None] = None,
    severity: FromQuery[list[AlertSeverity] | None] = None,
    alert_type: Annotated[list[AlertType] | None, QueryParameter(name="type")] = None,
    client: FromQuery[UUID | None] = None,
    asset: FromQuery[UUID | None] = None,
    provider: _Text = None,
    integration: FromQuery[UUID | None] = None,
    raised: _Span = None,
    last: _Span = None,
    suppressed: FromQuery[YesNo | None] = None,
    hidden: FromQuery[YesNo | None] = None,
    confirmed: FromQuery[YesNo | None] = None,
    linked: FromQuery[YesNo | None] = None,
    sort: _Text = None,
) -> AlertQuery:
    """The filters of a request; read as the page reads its address, so that the same list comes of both."""
    given = {
        "q": q,
        "severity": severity,
        "type": alert_type,
        "client": client,
        "asset": asset,
        "provider": provider,
        "integration": integration,
        "raised": raised,
        "last": last,
        "suppressed": suppressed,
        "hidden": hidden,
        "confirmed": confirmed,
        "linked": linked,
        "sort": sort,
    }
    items = as_in_address(given, request.query_params.multi_items(), known=["status"])
    return filters.of_statuses(filters.read(items, clock.now()), status or ())


@get(
    "/alerts",
    guards=_READ,
    dependencies={"asked": Provide(provide_query, sync_to_thread=False)},
    operation_id="listAlerts",
    tags=_TAGS,
)
async def alert_list(
    *,
    asked: NamedDependency[AlertQuery],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    limit: Limit = 100,
    offset: Offset = 0,
) -> AlertList:
    """Alerts that match every filter, in any state unless `status` says which. `status`, `severity` and
    `type` may be given several times; `raised` and `last` are within-N or older-N, in days; `linked` asks
    whether an asset stands for the device. `sort` is last_seen, raised, severity, status, device, client or
    occurrences, with a minus before it for the other way round; -last_seen is usual.
    """
    async with database.read(actor.scope) as session:
        await Chooser(session, actor.scope, secrets).choices(asked)
        rows, total = await AlertService(session, actor.scope).list(
            asked.wanted, asked.order, limit=limit, offset=offset
        )
    return AlertList(items=rows, total=total)


@get(_ONE, guards=_READ, operation_id="getAlert", tags=_TAGS)
async def alert_get(
    *, alert_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> AlertDetail:
    """One alert with its history, oldest first, and the raw item that it was read from."""
    async with database.read(actor.scope) as session:
        return await AlertService(session, actor.scope).get(alert_id)


@post(f"{_ONE}/acknowledge", guards=_UPDATE, operation_id="acknowledgeAlert", tags=_TAGS, status_code=200)
async def acknowledge(
    *, alert_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> AlertView:
    """Say that somebody takes it on. The server is not told: it knows no such thing."""
    async with database.write(actor.scope) as session:
        return await AlertService(session, actor.scope).acknowledge(alert_id)


@post(f"{_ONE}/unacknowledge", guards=_UPDATE, operation_id="unacknowledgeAlert", tags=_TAGS, status_code=200)
async def unacknowledge(
    *, alert_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> AlertView:
    """Give it back: it is active again."""
    async with database.write(actor.scope) as session:
        return await AlertService(session, actor.scope).unacknowledge(alert_id)


@post(f"{_ONE}/snooze", guards=_UPDATE, operation_id="snoozeAlert", tags=_TAGS, status_code=200)
async def snooze(
    *,
    alert_id: FromPath[UUID],
    data: JSONBody[Snooze],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> AlertView:
    """Leave it alone for some days. The server is told by a job; `write_back` says how that stands."""
    async with database.write(actor.scope) as session:
        service = AlertService(session, actor.scope)
        return await service.snooze(alert_id, days=data.days, until=data.until)


@post(f"{_ONE}/unsnooze", guards=_UPDATE, operation_id="unsnoozeAlert", tags=_TAGS, status_code=200)
async def unsnooze(
    *, alert_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> AlertView:
    """End its snooze. The server is told by a job; `write_back` says how that stands."""
    async with database.write(actor.scope) as session:
        return await AlertService(session, actor.scope).unsnooze(alert_id)


@post(f"{_ONE}/resolve", guards=_UPDATE, operation_id="resolveAlert", tags=_TAGS, status_code=200)
async def resolve(
    *, alert_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> AlertView:
    """Say that it is over. The server is told by a job; `write_back` says how that stands. If its cause
    lasts, a new alert comes, with this one as `previous_alert_id`.
    """
    async with database.write(actor.scope) as session:
        return await AlertService(session, actor.scope).resolve(alert_id)


@post(f"{_ONE}/notes", guards=_UPDATE, operation_id="noteAlert", tags=_TAGS)
async def note(
    *,
    alert_id: FromPath[UUID],
    data: JSONBody[Note],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> AlertView:
    """Write something into its history."""
    async with database.write(actor.scope) as session:
        return await AlertService(session, actor.scope).note(alert_id, data.text)


@post("/alerts/together", guards=_UPDATE, operation_id="changeAlerts", tags=_TAGS, status_code=200)
async def together(
    *, data: JSONBody[Together], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> TogetherDone:
    """Do the same to several alerts. Those that cannot be changed so, as they stand, are left as they are;
    when one of them does not exist, nothing is done.
    """
    async with database.write(actor.scope) as session:
        done, left = await AlertService(session, actor.scope).together(
            data.alert_ids, data.deed, days=data.days
        )
    reasons = [Left(alert_id=alert_id, code=why.code, message=why.message) for alert_id, why in left.items()]
    return TogetherDone(items=done, left=reasons)


ROUTES: list[BaseRouteHandler] = [
    alert_list,
    alert_get,
    acknowledge,
    unacknowledge,
    snooze,
    unsnooze,
    resolve,
    note,
    together,
]
