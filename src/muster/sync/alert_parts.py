"""Parts of the page of alerts: when they were last held against their servers, and the button for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.sync import kinds
from muster.sync.history import RunHistory
from muster.sync.schemas import RunFilter, RunView
from muster.sync.types import RunStatus
from muster.web.frame import Part, PartSource

_INTEGRATIONS = 1000
# So many servers are told of by name; of more the rest is a number.
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Checked:
    """When an integration's alerts were last held against its server (None: never), and the run after that
    which could not do so.
    """

    integration: IntegrationView
    at: datetime | None
    failed: RunView | None


def checked(database: Database, secrets: SecretBox) -> PartSource:
    """The fact in the head of the page: "Checked against Tactical RMM 9 min ago"."""

    async def part(request: Request[Any, Any, Any], _: UUID | None) -> Part:
        actor: Actor = request.user
        async with database.read(actor.scope) as session:
            able = await _able(session, actor, secrets)
            history = RunHistory(session, actor.scope)
            found = [await _checked(history, each) for each in able[:_NAMED]]
        named = len({each.integration.provider_name for each in found}) == len(found) == len(able)
        context = {"checked": found, "more": len(able) - len(found), "by_provider": named}
        return Part("sync/_alerts_checked.html", context)

    return part


def button(database: Database, secrets: SecretBox) -> PartSource:
    """Sync alerts: of the one integration there is, else where to choose."""

    async def part(request: Request[Any, Any, Any], _: UUID | None) -> Part:
        actor: Actor = request.user
        async with database.read(actor.scope) as session:
            able = await _able(session, actor, secrets)
        context = {"integrations": able, "kind": kinds.ALERTS, "may_sync": actor.may(Permission.RMM_SYNC)}
        return Part("sync/_alerts_button.html", context)

    return part


async def _able(session: AsyncSession, actor: Actor, secrets: SecretBox) -> Sequence[IntegrationView]:
    """The connected integrations whose alerts can be read."""
    views = await IntegrationService(session, actor.scope, secrets).list(limit=_INTEGRATIONS)
    return [view for view in views if view.is_active and kinds.ALERTS in kinds.offered(view)]


async def _checked(history: RunHistory, integration: IntegrationView) -> Checked:
    wanted = RunFilter(
        integration_id=integration.integration_id,
        sync_type=kinds.ALERTS.sync_type.value,
        status=RunStatus.SUCCEEDED.value,
    )
    passed = next(iter(await history.page(wanted, limit=1)), None)
    last = await history.latest_ended(integration.integration_id, kinds.ALERTS)
    is_newer = last is not None and (passed is None or last.started_at > passed.started_at)
    at = None if passed is None else passed.finished_at
    return Checked(integration, at, last if is_newer and last and last.status == RunStatus.FAILED else None)
