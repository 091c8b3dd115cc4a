"""What receipts say becomes alerts, within one transaction with what becomes of the receipts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.alerts.intake import AlertIntake, Said
from muster.alerts.types import Heard, IntakeResult
from muster.db import bulk
from muster.db.types import table_of
from muster.events.service import EventService
from muster.inbound_webhooks import announcements
from muster.inbound_webhooks.models import WebhookReceipt
from muster.inbound_webhooks.reading import Readings
from muster.inbound_webhooks.types import ReceiptState, columns_of
from muster.integrations.schemas import IntegrationView
from muster.jobs.service import JobService
from muster.mappings.service import MappingService
from muster.providers.alerting import AlertRecord, WebhookMessage
from muster.sync.jobs import request_alerts
from muster.sync.refreshes import request_refresh
from muster.tenancy import TenantScope

_RECEIPTS = table_of(WebhookReceipt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A receipt that is being processed. `attempts` counts this one too."""

    receipt_id: UUID
    received_at: datetime
    attempts: int
    message: WebhookMessage

    @property
    def is_usable(self) -> bool:
        """Whether it tells of an alert."""
        return self.message.problem is None and not self.message.test

    @property
    def external_id(self) -> str | None:
        """The server's id of the alert that it tells of."""
        return self.message.external_alert_id if self.is_usable else None


@dataclass(frozen=True, slots=True)
class _Ended:
    taken: Taken
    state: ReceiptState
    alert_id: UUID | None = None


class Settling:
    """Settles receipts of one integration, in the caller's transaction. `readings` is what the server said of
    the alerts they are about.
    """

    def __init__(
        self, session: AsyncSession, scope: TenantScope, integration: IntegrationView, readings: Readings
    ) -> None:
        self._session = session
        self._scope = scope
        self._integration = integration
        self._readings = readings
        self._intake = AlertIntake(session, scope, integration)
        self._at = clock.now()

    async def keep(self, receipts: Sequence[Taken]) -> Counter[str]:
        """Leave them as they are: the integration is disconnected."""
        return await self._end([_Ended(taken, ReceiptState.KEPT) for taken in receipts])

    async def settle(self, receipts: Sequence[Taken]) -> Counter[str]:
        """Take over what they say; how many came to which state."""
        usable = [taken for taken in receipts if taken.is_usable]
        records = {
            taken.external_id: record
            for taken in usable
            if (record := self._record(taken)) is not None and taken.external_id is not None
        }
        applied = IntakeResult()
        if records:
            applied = await self._intake.apply(list(records.values()), at=self._readings.at, origin="webhook")
        heard = await self._hear([taken for taken in usable if taken.external_id not in records])
        ids = {taken.external_id for taken in usable if taken.external_id is not None}
        if gone := ids & self._readings.gone:
            await self._intake.absent(gone, at=self._readings.at)
        if unseen := ids & self._readings.unseen:
            await self._intake.unseen(unseen, at=self._readings.at)
        known = await self._known(usable)
        await self._follow_up(usable, heard, known)
        return await self._end([self._outcome(taken, applied, heard, known) for taken in receipts])

    async def _hear(self, receipts: Sequence[Taken]) -> Mapping[UUID, Heard]:
        """Take webhooks by their own words, where the server said nothing; by receipt."""
        if not receipts:
            return {}
        told = [
            Said(message=taken.message, receipt_id=taken.receipt_id, at=taken.received_at)
            for taken in receipts
        ]
        heard = await self._intake.hear_all(told)
        return {taken.receipt_id: each for taken, each in zip(receipts, heard, strict=True)}

    def _record(self, taken: Taken) -> AlertRecord | None:
        return None if taken.external_id is None else self._readings.records.get(taken.external_id)

    def _device(self, taken: Taken) -> str | None:
        record = self._record(taken)
        return taken.message.device_id if record is None else record.device_id

    async def _known(self, usable: Sequence[Taken]) -> set[str]:
        """Those of the devices that have an asset."""
        devices = {device for taken in usable if (device := self._device(taken)) is not None}
        if not devices:
            return set()
        mappings = MappingService(self._session, self._scope)
        states = await mappings.device_states(self._integration.integration_id, sorted(devices))
        return {state.external_entity_id for state in states}

    def _outcome(
        self,
        taken: Taken,
        applied: IntakeResult,
        heard: Mapping[UUID, Heard],
        known: set[str],
    ) -> _Ended:
        if taken.message.test:
            return _Ended(taken, ReceiptState.TEST)
        if not taken.is_usable:
            return _Ended(taken, ReceiptState.NOT_UNDERSTOOD)
        device = self._device(taken)
        state = ReceiptState.PROCESSED if device is None or device in known else ReceiptState.UNKNOWN_DEVICE
        said = heard.get(taken.receipt_id)
        alert_id = _alert_of(applied, taken.external_id) if said is None else said.alert_id
        return _Ended(taken, state, alert_id)

    async def _follow_up(self, usable: Sequence[Taken], heard: Mapping[UUID, Heard], known: set[str]) -> None:
        """Have the devices refreshed, and the alerts reconciled where only the webhook's word stands."""
        view = self._integration
        if not view.is_active:
            return
        if known:
            await request_refresh(self._session, self._scope, view, known)
        if any(self._is_in_doubt(taken, heard) for taken in usable):
            await request_alerts(JobService(self._session, self._scope), view, trigger="webhook")

    def _is_in_doubt(self, taken: Taken, heard: Mapping[UUID, Heard]) -> bool:
        """Whether the server should be asked again what became of it."""
        record = self._record(taken)
        if record is not None:
            return taken.message.event == "resolve" and not record.resolved
        # What is gone is known, and what may not be seen cannot be asked for.
        return (
            taken.receipt_id in heard and taken.external_id not in self._readings.gone | self._readings.unseen
        )

    async def _end(self, ended: Sequence[_Ended]) -> Counter[str]:
        rows: list[dict[str, Any]] = [
            {
                "receipt_id": each.taken.receipt_id,
                "state": each.state.value,
                "processed_at": None if each.state is ReceiptState.KEPT else self._at,
                "alert_id": each.alert_id,
                **columns_of(each.taken.message),
            }
            for each in ended
        ]
        await bulk.update(self._session, self._scope, _RECEIPTS, rows, key=["receipt_id"])
        await EventService(self._session, self._scope).publish_many(
            [
                announcements.received(
                    each.taken.receipt_id,
                    integration_id=self._integration.integration_id,
                    provider=self._integration.provider,
                    received_at=each.taken.received_at,
                    state=each.state,
                    message=each.taken.message,
                    alert_id=each.alert_id,
                )
                for each in ended
                if each.state is not ReceiptState.KEPT
            ]
        )
        return Counter(each.state.value for each in ended)


def _alert_of(applied: IntakeResult, external_id: str | None) -> UUID | None:
    found = (applied.created, applied.updated, applied.unchanged, applied.stale)
    return next((ids[external_id] for ids in found if external_id in ids), None)
