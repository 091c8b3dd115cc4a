"""Schedules for programs."""

from __future__ import annotations

from uuid import UUID

from litestar import get, put
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.service import IntegrationService
from muster.schedules.schemas import ScheduleChange, ScheduleList, ScheduleView
from muster.schedules.service import ScheduleService

_PATH = "/integrations/{integration_id:uuid}/schedules"


@get(_PATH, operation_id="listSchedules", guards=[needs(Permission.SETTINGS_READ)])
async def list_schedules(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
) -> ScheduleList:
    """What an integration syncs by itself, how often, and when next. `paused_error` says what a person has
    to do before it goes on.
    """
    async with database.read(actor.scope) as session:
        view = await IntegrationService(session, actor.scope, secrets).get(integration_id)
        found = await ScheduleService(session, actor.scope, secrets).list(view.integration_id)
    return ScheduleList(items=list(found), total=len(found))


@put(_PATH + "/{kind:str}", operation_id="changeSchedule", guards=[needs(Permission.SETTINGS_UPDATE)])
async def change_schedule(
    *,
    data: JSONBody[ScheduleChange],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
    kind: FromPath[str],
) -> ScheduleView:
    """Change how often, or whether, something is synced by itself; what is left out stays."""
    async with database.write(actor.scope) as session:
        schedules = ScheduleService(session, actor.scope, secrets)
        return await schedules.set(integration_id, kind, minutes=data.minutes, enabled=data.enabled)


ROUTES: list[BaseRouteHandler] = [list_schedules, change_schedule]
