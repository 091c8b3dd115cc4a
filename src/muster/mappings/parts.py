"""Parts of pages about organizations: the panel's section and its rows, and what other rooms' pages show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qsl, quote
from uuid import UUID

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.errors import NotFound
from muster.integrations import directory
from muster.integrations.schemas import IntegrationView
from muster.mappings.listing import MappingState, OrganizationListing, OrganizationsPage
from muster.mappings.service import MappingService
from muster.tenancy import TenantScope
from muster.web.frame import Part, PartSource
from muster.web.paging import PAGE_SIZES, Page, address

PANEL = "/settings/integrations/rmm"
_SEARCH_LIMIT = 200
_NUMBER_LIMIT = 6


@dataclass(frozen=True, slots=True)
class Position:
    """Which organizations the panel shows, as its address says: `?org=unmapped&org_q=...&org_page=2`."""

    integration_id: UUID
    state: MappingState = MappingState.ALL
    search: str = ""
    number: int = 1
    size: int = PAGE_SIZES[0]

    @classmethod
    def of(cls, integration_id: UUID, query: Mapping[str, str]) -> Self:
        """The position that a query says; what is odd in it is as if it were not there."""
        state = query.get("org", "")
        page = Page.wanted(_number(query.get("org_page")), _number(query.get("rows")))
        return cls(
            integration_id,
            MappingState(state) if state in tuple(MappingState) else MappingState.ALL,
            query.get("org_q", "").strip()[:_SEARCH_LIMIT],
            page.number,
            page.size,
        )

    @classmethod
    def back(cls, integration_id: UUID, text: str) -> Self:
        """The position that a form on the panel carries in its field `back`."""
        return cls.of(integration_id, dict(parse_qsl(text)))

    @property
    def query(self) -> Mapping[str, str]:
        """What of it is not as by itself."""
        given = {
            "org": "" if self.state is MappingState.ALL else self.state.value,
            "org_q": self.search,
            "org_page": "" if self.number == 1 else str(self.number),
            "rows": "" if self.size == PAGE_SIZES[0] else str(self.size),
        }
        return {name: value for name, value in given.items() if value}

    @property
    def text(self) -> str:
        """For a form's field `back`."""
        return address("", self.query).removeprefix("?")

    @property
    def panel(self) -> str:
        """The panel at this position."""
        return address(f"{PANEL}/{self.integration_id}", self.query)

    @property
    def there(self) -> str:
        """The panel's section at this position."""
        return f"{self.panel}#organizations"

    @property
    def offset(self) -> int:
        """Rows before this page."""
        return (self.number - 1) * self.size

    def link(self, base: str, query: Mapping[str, str], /, **changes: Any) -> str:
        """A link of the list's own pager, which knows the page's number as `page`."""
        return f"{address(base, query, org_page=changes.get('page'))}#organizations"

    def segment(self, base: str, state: str) -> str:
        """A link to the organizations in a state, with the same search."""
        kept = {name: value for name, value in self.query.items() if name in ("org_q", "rows")}
        return address(base, kept, org=None if state == MappingState.ALL else state)

    def organization(self, external_organization_id: str) -> str:
        """The address of one organization."""
        return f"{PANEL}/{self.integration_id}/organizations/{quote(external_organization_id, safe='')}"


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= _NUMBER_LIMIT else None


async def integration_of(session: AsyncSession, scope: TenantScope, integration_id: UUID) -> IntegrationView:
    """The tenant's integration; NotFound when there is none."""
    found = (await directory.views(session, scope, [integration_id])).get(integration_id)
    if found is None:
        raise NotFound("There is no such integration.", remedy="See Settings, Integrations.")
    return found


async def list_context(session: AsyncSession, actor: Actor, position: Position) -> dict[str, Any]:
    """What the templates of the section need."""
    integration = await integration_of(session, actor.scope, position.integration_id)
    shown = await OrganizationListing(session, actor.scope).page(
        position.integration_id,
        state=position.state,
        search=position.search,
        limit=position.size,
        offset=position.offset,
    )
    return {
        **_common(actor, position),
        "integration": integration,
        "rows": shown.rows,
        "total": shown.total,
        "page": _page_of(shown, position),
        "summary": shown.summary,
    }


async def row_context(
    session: AsyncSession, actor: Actor, position: Position, external_organization_id: str
) -> dict[str, Any]:
    """What the templates of one organization need, and of what stands around its list."""
    integration = await integration_of(session, actor.scope, position.integration_id)
    row, summary = await OrganizationListing(session, actor.scope).row(
        position.integration_id, external_organization_id, search=position.search
    )
    return {**_common(actor, position), "integration": integration, "row": row, "summary": summary}


def organizations_part(database: Database) -> PartSource:
    """The panel's section "Organizations"; its subject is the integration."""

    async def part(request: Request[Any, Any, Any], subject: UUID | None) -> Part:
        if subject is None:
            raise NotFound("There is no such integration.", remedy="See Settings, Integrations.")
        actor: Actor = request.user
        position = Position.of(subject, request.query_params)
        async with database.read(actor.scope) as session:
            return Part("mappings/_section.html", await list_context(session, actor, position))

    return part


def unmapped_part(database: Database) -> PartSource:
    """Lines of the dashboard's "Needs a person": organizations that nobody mapped, by integration."""

    async def part(request: Request[Any, Any, Any], _: UUID | None) -> Part:
        actor: Actor = request.user
        async with database.read(actor.scope) as session:
            unmapped = await MappingService(session, actor.scope).unmapped()
            integrations = await directory.views(
                session, actor.scope, [each.integration_id for each in unmapped]
            )
        # A server that nobody can read has nothing to wait for.
        waiting = [each for each in unmapped if integrations[each.integration_id].is_active]
        waiting.sort(key=lambda each: integrations[each.integration_id].name.casefold())
        return Part(
            "mappings/_waiting.html",
            {"waiting": waiting, "integrations": integrations, "panel": PANEL},
        )

    return part


def client_part(database: Database) -> PartSource:
    """The section "Organizations" of a client's page."""

    async def part(request: Request[Any, Any, Any], subject: UUID | None) -> Part:
        actor: Actor = request.user
        async with database.read(actor.scope) as session:
            views = await MappingService(session, actor.scope).of_client(subject) if subject else ()
            integrations = await directory.views(
                session, actor.scope, sorted({view.integration_id for view in views})
            )
        return Part(
            "mappings/_client.html",
            {
                "organizations": views,
                "integrations": integrations,
                "panel": PANEL,
                "may_open": actor.may(Permission.SETTINGS_READ),
            },
        )

    return part


def _common(actor: Actor, position: Position) -> dict[str, Any]:
    return {
        "position": position,
        "panel": f"{PANEL}/{position.integration_id}",
        "organizations": f"{PANEL}/{position.integration_id}/organizations",
        "may_change": actor.may(Permission.SETTINGS_UPDATE),
        "may_create": actor.may(Permission.ASSET_UPDATE),
    }


def _page_of(shown: OrganizationsPage, position: Position) -> Page:
    return Page(position.number, position.size).of(shown.total)
