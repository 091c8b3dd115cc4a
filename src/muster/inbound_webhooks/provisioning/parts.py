"""A part of the section Webhook: what Muster has set up on the server, and what it could."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request

from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.db import Database
from muster.encryption import SecretBox
from muster.inbound_webhooks.parts import RMM
from muster.inbound_webhooks.provisioning.schemas import SetupState
from muster.inbound_webhooks.provisioning.service import WebhookSetup
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.web.frame import Part, PartSource


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPart:
    """What the part shows."""

    view: IntegrationView
    state: SetupState
    may_change: bool

    @property
    def here(self) -> str:
        """Where the pages of the set-up are."""
        return f"{webhook_path(self.view.integration_id)}/setup"

    @property
    def coverage(self) -> str:
        """Where the page of the coverage is."""
        return f"{webhook_path(self.view.integration_id)}/coverage"


def webhook_path(integration_id: UUID) -> str:
    """Where an integration's section Webhook is a page of its own."""
    return f"{RMM}/{integration_id}/webhook"


def setup_part(database: Database, secrets: SecretBox, setup: WebhookSetup) -> PartSource:
    """The part for a section about an integration."""

    async def part(request: Request[Any, Any, Any], integration_id: UUID | None) -> Part:
        if integration_id is None:
            raise TypeError("the part is about one integration")
        actor: Actor = request.user
        async with database.read(actor.scope) as session:
            view = await IntegrationService(session, actor.scope, secrets).get(integration_id)
        shown = SetupPart(
            view=view,
            state=await setup.state(actor.scope, integration_id),
            may_change=actor.may(Permission.SETTINGS_UPDATE),
        )
        return Part("inbound_webhooks/_setup.html", {"setup": shown})

    return part
