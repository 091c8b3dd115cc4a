"""Alerts of one integration, told record by record and webhook by webhook, at moments that a test chooses."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self
from uuid import UUID

import msgspec

from muster.alerts.intake import AlertIntake, Said
from muster.alerts.schemas import AlertDetail, AlertFilter, AlertView
from muster.alerts.service import AlertService
from muster.alerts.types import Heard, IntakeResult
from muster.db.types import new_id
from muster.events.schemas import EventView
from muster.events.service import EventService
from muster.integrations.schemas import IntegrationView
from muster.providers.alerting import AlertRecord, AlertSeverity, AlertType, WebhookMessage
from muster.tenancy import TenantScope
from tests.support.world import World

START = datetime(2026, 11, 23, 14, 46, 17, 238507, tzinfo=UTC)


def after(minutes: float) -> datetime:
    """A moment that many minutes after START."""
    return START + timedelta(minutes=minutes)


def record(external_id: str = "214", **values: Any) -> AlertRecord:
    """A record as the server gives them: of an open availability alert, unless told otherwise."""
    usual: dict[str, Any] = {
        "device_id": None,
        "device_name": None,
        "organization_name": None,
        "site_name": None,
        "alert_type": AlertType.AVAILABILITY,
        "cause": None,
        "severity": AlertSeverity.CRITICAL,
        "original_severity": "error",
        "message": "It is overdue.",
        "opened_at": START,
        "resolved": False,
        "resolved_at": None,
        "snoozed": False,
        "snoozed_until": None,
        "hidden": False,
        "delivered_at": None,
        "delivery_code": None,
        "resolve_delivered_at": None,
        "raw": {},
    }
    given = {**usual, **values}
    plain = {name: value for name, value in given.items() if name != "raw"}
    raw = values.get("raw", {"id": external_id, **msgspec.to_builtins(plain)})
    return AlertRecord(external_id=external_id, **{**given, "raw": raw})


class Alerts:
    """What becomes of the alerts of one integration."""

    def __init__(self, world: World, integration: IntegrationView, devices: Sequence[str]) -> None:
        self.world = world
        self.database = world.database
        self.integration = integration
        self.devices = devices

    @classmethod
    async def of(cls, world: World, integration_id: UUID) -> Self:
        """The alerts of a synced integration."""
        devices = sorted(await world.assets())
        return cls(world, await world.integration(integration_id), devices)

    @property
    def scope(self) -> TenantScope:
        """The system's."""
        return self.world.scope

    async def apply(
        self,
        *records: AlertRecord,
        at: datetime = START,
        origin: Literal["webhook", "sync"] = "sync",
    ) -> IntakeResult:
        """What the server says."""
        async with self.database.write(self.scope) as session:
            return await AlertIntake(session, self.scope, self.integration).apply(
                records, at=at, origin=origin
            )

    async def hear(self, at: datetime = START, receipt_id: UUID | None = None, **values: Any) -> Heard:
        """What a webhook says."""
        async with self.database.write(self.scope) as session:
            return await AlertIntake(session, self.scope, self.integration).hear(
                WebhookMessage(**values), at=at, receipt_id=receipt_id or new_id()
            )

    async def hear_all(self, *messages: WebhookMessage, at: datetime = START) -> Sequence[Heard]:
        """What several webhooks say."""
        async with self.database.write(self.scope) as session:
            said = [Said(message=message, receipt_id=new_id(), at=at) for message in messages]
            return await AlertIntake(session, self.scope, self.integration).hear_all(said)

    async def absent(self, *external_ids: str, at: datetime = START) -> None:
        """The server has none of these."""
        async with self.database.write(self.scope) as session:
            await AlertIntake(session, self.scope, self.integration).absent(external_ids, at=at)

    async def unseen(self, *external_ids: str, at: datetime = START) -> None:
        """The server does not show these."""
        async with self.database.write(self.scope) as session:
            await AlertIntake(session, self.scope, self.integration).unseen(external_ids, at=at)

    async def all(self, **wanted: Any) -> list[AlertView]:
        """The alerts that match."""
        async with self.database.read(self.scope) as session:
            service = AlertService(session, self.scope)
            found, total = await service.list(AlertFilter(**wanted), limit=10_000)
        assert len(found) == total
        return list(found)

    async def only(self, **wanted: Any) -> AlertDetail:
        """The one alert that matches."""
        (found,) = await self.all(**wanted)
        return await self.get(found.alert_id)

    async def get(self, alert_id: UUID) -> AlertDetail:
        """One alert."""
        async with self.database.read(self.scope) as session:
            return await AlertService(session, self.scope).get(alert_id)

    async def named(self, external_id: str) -> AlertDetail:
        """The alert with the server's id."""
        (found,) = [each for each in await self.all() if each.external_alert_id == external_id]
        return await self.get(found.alert_id)

    async def events(self) -> list[EventView]:
        """What others were told of alerts, in order."""
        async with self.database.read(self.scope) as session:
            found = await EventService(session, self.scope).list(limit=10_000)
        return [event for event in reversed(found) if event.type.startswith("RMM_ALERT")]

    async def told(self) -> list[str]:
        """The kinds of those events, without their prefix."""
        return [event.type.removeprefix("RMM_ALERT_") for event in await self.events()]
