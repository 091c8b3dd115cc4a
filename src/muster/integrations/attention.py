"""The dashboard's rows of integrations that wait for a person."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request

from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.integrations.service import IntegrationService
from muster.integrations.types import State
from muster.web.frame import Part, PartSource

_MOST = 1000
# Rows of a card; the page of integrations has them all.
_SHOWN = 5


def person_rows(database: Database, secrets: SecretBox) -> PartSource:
    """A row for each integration that needs attention; empty when none does."""

    async def part(request: Request[Actor, Any, Any], _subject: UUID | None) -> Part:
        scope = request.user.scope
        async with database.read(scope) as session:
            views = await IntegrationService(session, scope, secrets).list(limit=_MOST)
        troubled = [view for view in views if view.state == State.NEEDS_ATTENTION]
        return Part(
            "integrations/_attention.html", {"troubled": troubled[:_SHOWN], "more": len(troubled[_SHOWN:])}
        )

    return part
