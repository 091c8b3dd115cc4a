"""Calls an integration's webhook as its server would, and works off what was kept."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx2
import msgspec

from muster.alerts.schemas import AlertFilter, AlertView
from muster.alerts.service import AlertService
from muster.events.schemas import EventView
from muster.events.service import EventService
from muster.events.types import EventType
from muster.inbound_webhooks.drain import ReceiptDrain
from muster.inbound_webhooks.receipts import ReceiptService
from muster.inbound_webhooks.receiver import WebhookReceiver
from muster.inbound_webhooks.schemas import EndpointView, ReceiptFilter, ReceiptView
from muster.inbound_webhooks.service import WebhookService, webhook_provider
from muster.inbound_webhooks.types import EndpointId
from tests.support.job import Job
from tests.support.site import Browser, some_id
from tests.support.world import World

HEADER = "X-Alga-Webhook-Secret"


async def kept(world: World, integration_id: UUID, body: bytes) -> UUID:
    """Have a body received without a request; the receipt's id."""
    receiver = WebhookReceiver(world.database, world.box)
    async with world.database.write(world.scope) as session:
        secret = await WebhookService(session, world.scope, world.box).secret(integration_id)
    named = EndpointId(world.scope.tenant_id, integration_id)
    caller = await receiver.authenticate("tacticalrmm", named, secret)
    assert caller is not None
    provider = webhook_provider("tacticalrmm")
    found = await receiver.keep(caller, provider, body, content_type=None, sender="127.0.0.1")
    return found.receipt_id


class Hook:
    """One integration's webhook. `client` reaches the application; it has no login."""

    def __init__(self, world: World, integration_id: UUID, secret: str, client: httpx2.AsyncClient) -> None:
        self.world = world
        self.integration_id = integration_id
        self.secret = secret
        self.client = client
        self.path = EndpointId(world.scope.tenant_id, integration_id).path("tacticalrmm")

    @classmethod
    async def of(cls, world: World, integration_id: UUID, browser: Browser) -> "Hook":
        """The webhook of an integration, with its secret."""
        async with world.database.write(world.scope) as session:
            secret = await WebhookService(session, world.scope, world.box).secret(integration_id)
        return cls(world, integration_id, secret, browser.client)

    async def call(
        self,
        body: bytes | str | Mapping[str, Any],
        *,
        path: str | None = None,
        secret: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Send a body as it is, or an object as JSON; with the right secret unless another is given."""
        content = msgspec.json.encode(body) if isinstance(body, Mapping) else body
        given = self.secret if secret == "" else secret
        named = {**({} if given is None else {HEADER: given}), **(headers or {})}
        return await self.client.post(path or self.path, content=content, headers=named)

    async def receipts(self, **wanted: Any) -> Sequence[ReceiptView]:
        """What is kept, oldest first."""
        async with self.world.database.read(self.world.scope) as session:
            service = ReceiptService(session, self.world.scope, self.world.box)
            found = await service.list(
                ReceiptFilter(integration_id=self.integration_id, **wanted), limit=100_000
            )
        return list(reversed(found))

    async def alerts(self) -> dict[str, AlertView]:
        """The integration's alerts, by what they are known by."""
        async with self.world.database.read(self.world.scope) as session:
            service = AlertService(session, self.world.scope)
            found, _ = await service.list(AlertFilter(integration_id=self.integration_id), limit=10_000)
        return {alert.external_alert_id or str(alert.alert_id): alert for alert in found}

    async def events(self) -> Sequence[EventView]:
        """What others heard of the calls, oldest first."""
        async with self.world.database.read(self.world.scope) as session:
            found = await EventService(session, self.world.scope).list(
                [EventType.WEBHOOK_RECEIVED], limit=100_000
            )
        return list(reversed(found))

    async def endpoint(self) -> EndpointView:
        """How the webhook stands."""
        world = self.world
        async with world.database.read(world.scope) as session:
            return await WebhookService(session, world.scope, world.box).endpoint(self.integration_id)

    async def drain(self) -> Mapping[str, int]:
        """Process what waits, as a worker would."""
        world = self.world
        job = Job(world.scope, some_id(), {"integration_id": str(self.integration_id)})
        return await ReceiptDrain(world.database, world.box, world.connector).drain(job)
