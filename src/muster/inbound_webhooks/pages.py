"""Pages of webhooks: the section of the panel, with its secret; receipts and one of them; replays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Template

from muster import clock
from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.inbound_webhooks import words
from muster.inbound_webhooks.parts import RMM, devices_of
from muster.inbound_webhooks.receipts import ReceiptService
from muster.inbound_webhooks.schemas import ReceiptFilter
from muster.inbound_webhooks.types import ReceiptState
from muster.integrations.service import IntegrationService
from muster.integrations.types import State
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, fragment, go, is_part
from muster.web.paging import Page, address
from muster.web.wording import plural

_TRAIL = (("Settings", "/settings"), ("Integrations", RMM), ("RMM", RMM))
_ONE = f"{RMM}/{{integration_id:uuid}}/receipts"
_READ, _REPLAY = [needs(Permission.SETTINGS_READ)], [needs(Permission.ALERT_UPDATE)]
# States of which a person may want all to be processed again.
REPLAYABLE = (
    ReceiptState.NOT_UNDERSTOOD,
    ReceiptState.FAILED,
    ReceiptState.KEPT,
    ReceiptState.UNKNOWN_DEVICE,
)

Text = Annotated[str | None, QueryParameter(max_length=200)]
Number = Annotated[int | None, QueryParameter(ge=1, le=1_000_000)]


@get(_ONE, guards=_READ)
async def receipt_list(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
    shown_state: Annotated[str | None, QueryParameter(name="state", max_length=40)] = None,
    device: Text = None,
    since: Text = None,
    page: Number = None,
    rows: Number = None,
) -> Template:
    """What the integration's server sent, newest first, and what became of it."""
    query = _known({"state": shown_state, "device": device, "since": since})
    wanted = _filter(integration_id, query)
    async with database.read(actor.scope) as session:
        view = await IntegrationService(session, actor.scope, secrets).get(integration_id)
        service = ReceiptService(session, actor.scope, secrets)
        counts = await service.counts(_filter(integration_id, {**query, "state": ""}))
        total = counts.get(wanted.state, 0) if wanted.state else sum(counts.values())
        shown = Page.wanted(page, rows).of(total)
        receipts = await service.list(wanted, limit=shown.size, offset=shown.offset)
        devices = await devices_of(session, actor, secrets, receipts)
    context: dict[str, Any] = {
        "view": view,
        "here": f"{RMM}/{integration_id}/receipts",
        "receipts": receipts,
        "devices": devices,
        "counts": counts,
        "page": shown,
        "query": {**query, **({"rows": str(shown.size)} if rows else {})},
        "link": address,
        "words": words,
        "replayable": bool(total) and wanted.state in REPLAYABLE and view.state is not State.DISCONNECTED,
        "may_replay": actor.may(Permission.ALERT_UPDATE),
        "question": _question(total, wanted.state),
    }
    if is_part(request):
        return fragment("inbound_webhooks/_receipts.html", **context)
    trail = [*_TRAIL, (view.name, f"{RMM}/{integration_id}")]
    return frame.page(
        "inbound_webhooks/receipts.html", title="Receipts", place="settings", trail=trail, **context
    )


@get(f"{_ONE}/replay", guards=_REPLAY)
async def replay_question(
    *,
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    integration_id: FromPath[UUID],
    shown_state: Annotated[str | None, QueryParameter(name="state", max_length=40)] = None,
    device: Text = None,
    since: Text = None,
) -> Template:
    """The question before all receipts of a filter are processed again, for browsers without scripts."""
    query = _known({"state": shown_state, "device": device, "since": since})
    wanted = _filter(integration_id, query)
    async with database.read(actor.scope) as session:
        view = await IntegrationService(session, actor.scope, secrets).get(integration_id)
        total = await ReceiptService(session, actor.scope, secrets).count(wanted)
    here = f"{RMM}/{integration_id}/receipts"
    return frame.page(
        "inbound_webhooks/replay.html",
        title="Replay receipts",
        place="settings",
        trail=[*_TRAIL, (view.name, f"{RMM}/{integration_id}"), ("Receipts", here)],
        here=here,
        query=query,
        link=address,
        question=_question(total, wanted.state),
    )


@post(f"{_ONE}/replay", guards=_REPLAY, status_code=303)
async def replay_all(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    integration_id: FromPath[UUID],
) -> Response[Any]:
    """Process every receipt of a filter again."""
    form = await Form.read(request)
    query = _known({name: form.text(name)[:200] for name in ("state", "device", "since")})
    async with database.write(actor.scope) as session:
        service = ReceiptService(session, actor.scope, secrets)
        count = await service.replay_all(integration_id, _filter(integration_id, query))
    kept = {name: value for name, value in query.items() if name != "state"}
    text = f"{plural(count, 'receipt')} will be processed again." if count else "There was nothing to replay."
    return go(request, address(f"{RMM}/{integration_id}/receipts", kept), Toast(text))


@get(f"{RMM}/receipts/{{receipt_id:uuid}}", guards=_READ)
async def receipt_page(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    receipt_id: FromPath[UUID],
) -> Template:
    """One receipt: how it came, what it was understood as, what became of it."""
    async with database.read(actor.scope) as session:
        found = await ReceiptService(session, actor.scope, secrets).get(receipt_id)
        receipt = found.receipt
        view = await IntegrationService(session, actor.scope, secrets).get(receipt.integration_id)
        devices = await devices_of(session, actor, secrets, [receipt])
    context: dict[str, Any] = {
        "found": found,
        "receipt": receipt,
        "view": view,
        "here": f"{RMM}/receipts/{receipt_id}",
        "asset": devices.get(receipt.device_id or ""),
        "words": words,
        "may_replay": actor.may(Permission.ALERT_UPDATE),
        "is_disconnected": view.state is State.DISCONNECTED,
    }
    if is_part(request):
        return fragment("inbound_webhooks/_receipt.html", **context)
    list_path = f"{RMM}/{receipt.integration_id}/receipts"
    trail = [*_TRAIL, (view.name, f"{RMM}/{receipt.integration_id}"), ("Receipts", list_path)]
    return frame.page(
        "inbound_webhooks/receipt.html", title="Receipt", place="settings", trail=trail, **context
    )


@post(f"{RMM}/receipts/{{receipt_id:uuid}}/replay", guards=_REPLAY, status_code=303)
async def replay(
    *,
    request: Request[Actor, Any, Any],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    receipt_id: FromPath[UUID],
) -> Response[Any]:
    """Process a receipt again."""
    async with database.write(actor.scope) as session:
        await ReceiptService(session, actor.scope, secrets).replay(receipt_id)
    return go(request, f"{RMM}/receipts/{receipt_id}", Toast("It will be processed again."))


ROUTES: list[BaseRouteHandler] = [receipt_list, replay_question, replay_all, receipt_page, replay]


def _known(typed: Mapping[str, str | None]) -> dict[str, str]:
    """What of an address is a filter: an old link with a word that is gone shows all, not an error."""
    allowed: Mapping[str, Any] = {"state": set(ReceiptState), "since": words.SINCE}
    return {
        name: value.strip()
        for name, value in typed.items()
        if value and value.strip() and (name not in allowed or value in allowed[name])
    }


def _filter(integration_id: UUID, query: Mapping[str, str]) -> ReceiptFilter:
    period = words.SINCE.get(query.get("since", ""))
    chosen = query.get("state")
    return ReceiptFilter(
        integration_id=integration_id,
        state=ReceiptState(chosen) if chosen else None,
        device_id=query.get("device"),
        since=clock.now() - timedelta(hours=period[1]) if period else None,
    )


def _question(total: int, state: ReceiptState | None) -> Mapping[str, str]:
    """What is asked before all receipts of a filter are processed again."""
    which = f" that are {words.STATES[state].text.lower()}" if state else ""
    return {
        "title": f"Replay {plural(total, 'receipt')}?",
        "text": f"Every receipt{which} and matches the other filters is processed again. Alerts that"
        " are up to date stay as they are.",
    }
