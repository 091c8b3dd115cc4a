"""The part about rules in the panel of an integration."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Request

from muster.accounts.types import Actor
from muster.alerts.rule_pages import list_path, names_in, rows_of
from muster.alerts.rule_service import RuleService
from muster.db import Database
from muster.errors import NotFound
from muster.web.frame import Part, PartSource

# The first of them; the rest is a click away.
_SHOWN = 5


def panel(database: Database) -> PartSource:
    """An integration's first rules."""

    async def part(request: Request[Actor, Any, Any], integration_id: UUID | None) -> Part:
        if integration_id is None:
            raise NotFound("There is no integration.")
        scope = request.user.scope
        async with database.read(scope) as session:
            rules = await RuleService(session, scope).list(integration_id)
            rows = rows_of(rules[:_SHOWN], await names_in(session, scope, integration_id))
        context = {"rows": rows, "total": len(rules), "path": list_path(integration_id)}
        return Part("rules/_panel.html", context)

    return part
