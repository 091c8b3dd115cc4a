"""Parts of pages: the section Webhook of an integration's panel, its line of facts, a page of receipts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.assets.listing import AssetListing, AssetRow
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import NotFound
from muster.inbound_webhooks import words
from muster.inbound_webhooks.schemas import EndpointView, ReceiptView, SecretView
from muster.inbound_webhooks.service import WebhookService
from muster.inbound_webhooks.types import ReceiptState
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.integrations.types import State
from muster.mappings.service import MappingService
from muster.web.frame import Part, PartSource, Slot, render
from muster.web.security import base_url

RMM = "/settings/integrations/rmm"
Devices = Mapping[str, AssetRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Everything that the section Webhook shows. `revealed` has the secret in clear, if it was asked for."""

    view: IntegrationView
    endpoint: EndpointView
    url: str
    revealed: SecretView | None
    may_change: bool
    may_read_receipts: bool
    opened: bool
    inside: Sequence[Markup] = ()

    @property
    def path(self) -> str:
        """Where the integration's panel is."""
        return f"{RMM}/{self.view.integration_id}"

    @property
    def is_disconnected(self) -> bool:
        """Whether what comes is kept and not processed."""
        return self.view.state is State.DISCONNECTED

    def count(self, state: str) -> int:
        """Receipts of the last days in a state."""
        return self.endpoint.receipts.get(state, 0)

    @property
    def states(self) -> Sequence[tuple[ReceiptState, words.Word, int]]:
        """Every state that has receipts, with its word and their number."""
        return [(state, word, count) for state, word in words.STATES.items() if (count := self.count(state))]


async def read_section(
    request: Request[Actor, Any, Any],
    database: Database,
    secrets: SecretBox,
    public_url: str | None,
    integration_id: UUID,
    *,
    revealed: SecretView | None = None,
    opened: bool = False,
    inside: Sequence[Markup] = (),
) -> Section | None:
    """What the section shows; None for a provider whose servers call nobody. NotFound for the integration."""
    actor = request.user
    async with database.read(actor.scope) as session:
        view = await IntegrationService(session, actor.scope, secrets).get(integration_id)
        try:
            endpoint = await WebhookService(session, actor.scope, secrets).endpoint(integration_id)
        except NotFound:
            return None
    return Section(
        view=view,
        endpoint=endpoint,
        url=f"{base_url(request, public_url)}{endpoint.path}",
        revealed=revealed,
        may_change=actor.may(Permission.SETTINGS_UPDATE),
        may_read_receipts=actor.may(Permission.SETTINGS_READ),
        opened=opened,
        inside=inside,
    )


def panel(
    database: Database, secrets: SecretBox, public_url: str | None, slots: Sequence[Slot] = ()
) -> PartSource:
    """The section Webhook of an integration's panel; `slots` are what else stands in it."""

    async def part(request: Request[Any, Any, Any], integration_id: UUID | None) -> Part:
        if integration_id is None:
            raise TypeError("the section Webhook is about one integration")
        actor: Actor = request.user
        inside = [
            render(request, await slot.part(request, integration_id))
            for slot in slots
            if actor.may(slot.permission)
        ]
        section = await read_section(request, database, secrets, public_url, integration_id, inside=inside)
        return section_part(section)

    return part


def section_part(section: Section | None) -> Part:
    """The section as HTML is made of it."""
    return Part("inbound_webhooks/_panel.html", {"section": section, "words": words})


async def devices_of(
    session: AsyncSession, actor: Actor, secrets: SecretBox, receipts: Sequence[ReceiptView]
) -> Devices:
    """The assets of the devices that receipts of one integration name, by the server's id."""
    named = sorted({receipt.device_id for receipt in receipts if receipt.device_id is not None})
    if not named:
        return {}
    states = await MappingService(session, actor.scope).device_states(receipts[0].integration_id, named)
    of_asset = {state.asset_id: state.external_entity_id for state in states}
    rows = await AssetListing(session, actor.scope, secrets).some(list(of_asset))
    return {of_asset[row.asset_id]: row for row in rows}
