"""Pages of missing devices: the review, and the questions before a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.assets.missing.schemas import Decision, MissingFilter
from muster.assets.missing.service import MissingService
from muster.clients.service import ClientService
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import InvalidInput
from muster.integrations.service import IntegrationService
from muster.naming import as_id
from muster.tenancy import TenantScope
from muster.web.forms import Form
from muster.web.frame import Frame, Part, PartSource, Toast, go
from muster.web.paging import Page, address

PATH = "/missing"
_INTEGRATIONS = 1000
_AGENTS = 20
_DECIDES = [needs(Permission.ASSET_UPDATE)]


@get(PATH, guards=[needs(Permission.ASSET_READ)])
async def missing_list(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    decided: Annotated[str | None, QueryParameter(name="state", max_length=20)] = None,
    client: Annotated[str | None, QueryParameter(max_length=40)] = None,
    integration: Annotated[str | None, QueryParameter(max_length=40)] = None,
    page: FromQuery[int | None] = None,
    rows: FromQuery[int | None] = None,
) -> Template:
    """Devices that their server lists no longer, and what became of them."""
    wanted = MissingFilter(
        decision=Decision(decided) if decided in set(Decision) else Decision.OPEN,
        client_id=as_id(client or ""),
        integration_id=as_id(integration or ""),
    )
    async with database.read(actor.scope) as session:
        service = MissingService(session, actor.scope)
        counts = await service.counts(wanted)
        turned = Page.wanted(page, rows).of(counts[wanted.decision])
        devices = await service.page(wanted, limit=turned.size, offset=turned.offset)
        clients = await service.clients(wanted.decision)
        integrations = await IntegrationService(session, actor.scope, secrets).list(limit=_INTEGRATIONS)
        filtered_by = [wanted.client_id] if wanted.client_id is not None else []
        chosen = await ClientService(session, actor.scope).names(filtered_by)
    names = {view.integration_id: view.name for view in integrations}
    return frame.page(
        "missing/list.html",
        title="Missing devices",
        place="missing",
        devices=devices,
        counts=counts,
        wanted=wanted,
        page=turned,
        path=PATH,
        query=_query(wanted, turned),
        link=address,
        clients=clients,
        integrations=names,
        client_name=chosen.get(wanted.client_id) if wanted.client_id else None,
        integration_name=names.get(wanted.integration_id) if wanted.integration_id else None,
        suggested=next((device.asset_id for device in devices if device.suggestion), None),
        may_decide=actor.may(Permission.ASSET_UPDATE),
        connected=any(view.connected_at is not None for view in integrations),
        provider_names=sorted({view.provider_name for view in integrations}),
    )


@get("/missing/{asset_id:uuid}/retire", guards=_DECIDES)
async def retire_question(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    asset_id: FromPath[UUID],
) -> Template:
    """What retiring means, asked on a page of its own."""
    async with database.read(actor.scope) as session:
        device = await MissingService(session, actor.scope).get(asset_id)
    title = f"Retire {device.name}"
    return frame.page(
        "missing/retire.html", title=title, place="missing", trail=[("Missing devices", PATH)], device=device
    )


@get("/missing/{asset_id:uuid}/link", guards=_DECIDES)
async def link_question(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
    asset_id: FromPath[UUID],
    q: Annotated[str | None, QueryParameter(max_length=200)] = None,
) -> Template:
    """Which agent the missing device has now."""
    async with database.read(actor.scope) as session:
        service = MissingService(session, actor.scope)
        device = await service.get(asset_id)
        agents = await service.agents(asset_id, q or "", limit=_AGENTS)
    return frame.page(
        "missing/link.html",
        title=f"Link {device.name}",
        place="missing",
        trail=[("Missing devices", PATH)],
        device=device,
        agents=agents,
        q=q or "",
        most=_AGENTS,
    )


@dataclass(frozen=True, slots=True)
class _Done:
    """What was done, and the verb (for `undo_id`, else the same asset) that takes it back."""

    text: str
    undo: str | None = None
    undo_id: UUID | None = None


async def _retire(service: MissingService, asset_id: UUID, _form: Form) -> _Done:
    return _Done(f"{(await service.retire(asset_id)).name} retired.", "bring-back")


async def _bring_back(service: MissingService, asset_id: UUID, _form: Form) -> _Done:
    await service.bring_back(asset_id)
    return _Done(f"{(await service.get(asset_id)).name} is back in the review.")


async def _keep(service: MissingService, asset_id: UUID, _form: Form) -> _Done:
    return _Done(f"{(await service.keep(asset_id)).name} kept.", "review")


async def _review(service: MissingService, asset_id: UUID, _form: Form) -> _Done:
    return _Done(f"{(await service.review(asset_id)).name} is back in the review.")


async def _link(service: MissingService, asset_id: UUID, form: Form) -> _Done:
    other = form.identity("agent")
    if other is None:
        raise InvalidInput("No agent was chosen.", remedy="Go back and choose one.")
    device = await service.get(asset_id)
    await service.link(asset_id, other)
    merged = await service.get(other)
    return _Done(f"{device.name} goes on as {merged.name}.", "separate", other)


async def _separate(service: MissingService, asset_id: UUID, _form: Form) -> _Done:
    name = (await service.get(asset_id)).name
    await service.separate(asset_id)
    return _Done(f"{name} is an asset of its own again.")


_VERBS = {
    "retire": _retire,
    "bring-back": _bring_back,
    "keep": _keep,
    "review": _review,
    "link": _link,
    "separate": _separate,
}


@post([f"/missing/{{asset_id:uuid}}/{verb}" for verb in _VERBS], guards=_DECIDES)
async def decide(
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    asset_id: FromPath[UUID],
) -> Redirect:
    """Carry a decision out, or take one back: the verb is the address' last word."""
    form = await Form.read(request)
    carry_out = _VERBS[request.url.path.rpartition("/")[2]]
    async with database.write(actor.scope) as session:
        done = await carry_out(MissingService(session, actor.scope), asset_id, form)
    undo = None if done.undo is None else f"{PATH}/{done.undo_id or asset_id}/{done.undo}"
    return go(request, _back(form), Toast(done.text, undo=undo))


async def count_open(session: AsyncSession, scope: TenantScope) -> int:
    """How many missing devices wait for a decision: the figure in the navigation."""
    return await MissingService(session, scope).count(MissingFilter())


def person_row(database: Database) -> PartSource:
    """The dashboard's row of missing devices; empty when none waits for a decision."""

    async def part(request: Request[Actor, Any, Any], _subject: UUID | None) -> Part:
        scope = request.user.scope
        async with database.read(scope) as session:
            service = MissingService(session, scope)
            count = await service.count(MissingFilter())
            oldest = await service.oldest()
        return Part("missing/_person.html", {"count": count, "oldest": oldest})

    return part


def _back(form: Form) -> str:
    """To the list as it was filtered, as far as the form says so."""
    query = {name: form.text(name) for name in ("state", "client", "integration", "page", "rows")}
    return address(PATH, {}, **{name: value for name, value in query.items() if value})


def _query(wanted: MissingFilter, page: Page) -> Mapping[str, str]:
    query = {
        "state": "" if wanted.decision is Decision.OPEN else wanted.decision.value,
        "client": str(wanted.client_id or ""),
        "integration": str(wanted.integration_id or ""),
        "rows": "" if page.size == Page.wanted(1, None).size else str(page.size),
        "page": "" if page.number == 1 else str(page.number),
    }
    return {name: value for name, value in query.items() if value}


ROUTES: list[BaseRouteHandler] = [missing_list, retire_question, link_question, decide]
