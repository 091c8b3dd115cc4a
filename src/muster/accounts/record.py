"""The audit log's page. The log lies below the rooms that write it; who asks and what they may see is known
only here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromQuery, QueryParameter
from litestar.response import Template

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.sentences import label, person, sentence
from muster.accounts.types import Actor
from muster.audit.service import AuditService
from muster.db import Database
from muster.web.frame import Frame
from muster.web.paging import Page, address

PATH = "/audit"


@get(PATH, guards=[needs(Permission.SETTINGS_READ)])
async def audit_log(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    *,
    who: Annotated[str | None, QueryParameter(name="person", max_length=254)] = None,
    action: Annotated[str | None, QueryParameter(max_length=100)] = None,
    page: FromQuery[int | None] = None,
    rows: FromQuery[int | None] = None,
) -> Template:
    """Who did what, newest first."""
    wanted = Page.wanted(page, rows)
    async with database.read(actor.scope) as session:
        audit = AuditService(session, actor.scope)
        shown_page = wanted.of(await audit.count(actor=who or None, action=action or None))
        entries = await audit.list(
            actor=who or None, action=action or None, limit=shown_page.size, offset=shown_page.offset
        )
        people, actions = await audit.actors(), await audit.actions()
    query = {"person": who or "", "action": action or "", "rows": "" if rows is None else str(rows)}
    return frame.page(
        "audit/log.html",
        title="Audit log",
        place="audit",
        sentences=[sentence(entry) for entry in entries],
        people=_options("Everybody", people, who, person),
        actions=_options("Every action", actions, action, label),
        who=who or "",
        action=action or "",
        page=shown_page,
        query={name: value for name, value in query.items() if value},
        link=address,
        path=PATH,
    )


ROUTES: list[BaseRouteHandler] = [audit_log]


def _options(
    every: str, known: Sequence[str], chosen: str | None, name: Callable[[str], str]
) -> Sequence[tuple[str, str]]:
    """What a filter offers; what is chosen by the address stands there even when nobody did it."""
    values = {*known, *([chosen] if chosen else [])}
    return [("", every), *sorted(((value, name(value)) for value in values), key=lambda option: option[1])]
