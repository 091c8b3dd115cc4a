"""Every route of the application, and addresses of things that are really there for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types.internal_types import PathParameterDefinition
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.auth import Guard
from muster.accounts.permissions import Permission, Role
from muster.accounts.service import UserService
from muster.accounts.sessions import SessionService
from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import RuleAction
from muster.alerts.schemas import AlertFilter
from muster.alerts.service import AlertService
from muster.clients.service import ContactService
from muster.notifications.service import ChannelService
from muster.notifications.types import ChannelKind
from muster.outbound_webhooks.delivery_service import DeliveryService
from muster.outbound_webhooks.schemas import SubscriptionInput
from muster.outbound_webhooks.service import SubscriptionService
from muster.schedules.service import ScheduleService
from muster.simulator import SimulatorServer
from muster.software.schemas import TitleFilter
from muster.software.service import SoftwareCatalog
from tests.support.hook import kept
from tests.support.world import World

API = "/api/v1"
# Parameters that are ids of a tenant's things; `furnish` gives one of each.
IDS = (
    "alert_id",
    "asset_id",
    "channel_id",
    "client_id",
    "contact_id",
    "delivery_id",
    "integration_id",
    "missing_asset_id",
    "organization",
    "receipt_id",
    "rule_id",
    "run_id",
    "session_id",
    "software_id",
    "subscription_id",
    "user_id",
)
# What a route's parameter stands for where it is no id: a value that the route knows.
_WORDS: Mapping[str, str | Callable[[str], str]] = {
    "provider": "tacticalrmm",
    "tab": "history",
    "kind": lambda path: (
        "devices_refresh" if "/schedules/" in path else "mail" if "/channels/" in path else "devices_full"
    ),
    "verb": "keep",
    # The framework answers there that there is no such description.
    "path": "nothing",
}


@dataclass(frozen=True, eq=False)
class Route:
    """A method of an address."""

    method: str
    path: str
    pieces: Sequence[str | PathParameterDefinition]
    handler: HTTPRouteHandler

    @property
    def is_public(self) -> bool:
        """Whether it needs no login."""
        return bool(self.handler.opt.get("exclude_from_auth"))

    @property
    def guards(self) -> Sequence[Any]:
        """What has to let a request pass."""
        return self.handler.resolve_guards()

    @property
    def permission(self) -> Permission | None:
        """What it takes; None where a login is enough."""
        (guard,) = [guard for guard in self.guards if isinstance(guard, Guard)]
        return guard.permission

    @property
    def ids(self) -> set[str]:
        """Its parameters that are ids of a tenant's things."""
        return {piece.name for piece in self.pieces if not isinstance(piece, str)} - _WORDS.keys()

    def address(self, ids: Mapping[str, str]) -> str:
        """The address with something there in place of each parameter."""
        return "".join(f"/{self._piece(piece, ids)}" for piece in self.pieces) or "/"

    def _piece(self, piece: str | PathParameterDefinition, ids: Mapping[str, str]) -> str:
        if isinstance(piece, str):
            return piece
        word = _WORDS.get(piece.name)
        if word is not None:
            return word if isinstance(word, str) else word(self.path)
        assert piece.name in ids, (
            f"{self.method} {self.path} has the parameter {piece.name}, which this walk does not know: "
            "name a thing for it in tests/support/routes.py"
        )
        if piece.name == "asset_id" and self.path.startswith("/missing/"):
            return ids["missing_asset_id"]
        return ids[piece.name]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_of(app: Litestar) -> Sequence[Route]:
    """Every method of every route, but what the framework answers to OPTIONS and HEAD."""
    found = [
        Route(method, route.path, route.path_components, handler)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
        if method not in ("OPTIONS", "HEAD")
    ]
    return sorted(found, key=str)


async def furnish(world: World, server: SimulatorServer) -> Mapping[str, str]:
    """Give a tenant one of each thing that an address can name; what is there for each parameter."""
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    gone, stays, *_ = list(server.fleet)
    server.fleet.remove_agent(gone)
    run = await world.devices(integration_id)
    await world.alerts(integration_id)
    await world.software(integration_id)
    assets = await world.assets()
    asset = assets[stays.agent_id]
    mapping = next(iter(await world.mappings(integration_id)))
    async with world.database.write(world.scope) as session:
        await ScheduleService(session, world.scope, world.box).ensure(integration_id)
        user = await UserService(session, world.scope).create(
            "walked@example.com", password="correct horse battery", role=Role.VIEWER
        )
        await session.flush()
        token = await SessionService(session, world.scope).open(user, address=None, user_agent=None)
        assert asset.client_id is not None
        (title, *_), _ = await SoftwareCatalog(session, world.scope).titles(TitleFilter(), limit=1)
        (alert,) = await AlertService(session, world.scope).page(AlertFilter(linked=True), limit=1)
        contact = await ContactService(session, world.scope).create(
            asset.client_id, name="Walked", email="contact@example.com"
        )
        outgoing = await _outgoing(session, world, integration_id)
    receipt_id = await kept(world, integration_id, b'{"agent_id": "Walked"}')
    return {
        "integration_id": str(integration_id),
        "receipt_id": str(receipt_id),
        **outgoing,
        "alert_id": str(alert.alert_id),
        "asset_id": str(asset.asset_id),
        "missing_asset_id": str(assets[gone.agent_id].asset_id),
        "client_id": str(asset.client_id),
        "contact_id": str(contact.contact_id),
        "organization": mapping.external_organization_id,
        "run_id": str(run.run_id),
        "software_id": str(title.software_id),
        "user_id": str(user.user_id),
        "session_id": str(token.session_id),
    }


async def _outgoing(session: AsyncSession, world: World, integration_id: UUID) -> Mapping[str, str]:
    """A channel, a subscription with a delivery, and a rule that uses neither."""
    channel = await ChannelService(session, world.scope, world.box).add(
        "Walked", ChannelKind.APPRISE, "ntfys://walked", "ntfy"
    )
    made = await SubscriptionService(session, world.scope, world.box).add(
        SubscriptionInput(name="Walked", url="https://hooks.example.com/walked")
    )
    await session.flush()
    subscription_id = made.subscription.subscription_id
    draft = RuleDraft(name="Walked", action=RuleAction.SUPPRESS)
    rule = await RuleService(session, world.scope).add(integration_id, draft)
    return {
        "channel_id": str(channel.channel_id),
        "subscription_id": str(subscription_id),
        "delivery_id": str(await DeliveryService(session, world.scope).test(subscription_id)),
        "rule_id": str(rule.rule_id),
    }
