"""Which of the known alerts a record or a webhook is about. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from muster.alerts.identity import Span, derived_id, real_one
from muster.alerts.plan import Plan
from muster.alerts.types import AlertState, Identity
from muster.providers.alerting import AlertRecord, WebhookMessage


class Meeting:
    """Known alerts, and those that come to be known while a batch goes on."""

    def __init__(self, states: Iterable[AlertState]) -> None:
        self._states: dict[UUID, AlertState] = {}
        self._by_external: dict[str, UUID] = {}
        self._adopted: set[UUID] = set()
        for state in states:
            self._keep(state)

    def remember(self, plan: Plan) -> None:
        """Go on with what a plan makes of its alert."""
        if plan.before is not None:
            self._by_external.pop(plan.before.external_alert_id, None)
        self._keep(plan.after)

    def device_alerts(self) -> Sequence[UUID]:
        """Known alerts that stand for all that a device says."""
        return [each.alert_id for each in self._states.values() if each.identity is Identity.DEVICE]

    # --- records --------------------------------------------------------------------------------------------

    def of_records(self, records: Sequence[AlertRecord]) -> dict[str, AlertState]:
        """The known alert of each record, by the server's id; those that have none are new. An alert that a
        webhook told of by its device alone is taken over by the record that it was about.
        """
        found: dict[str, AlertState] = {}
        for record in records:
            state = self._named(record.external_id) or self._derived(record.device_id, record.opened_at)
            if state is not None:
                found[record.external_id] = state
        strangers = [record for record in records if record.external_id not in found]
        for provisional in self._provisional():
            spans = [_span(record) for record in strangers if record.device_id == provisional.device_id]
            real = real_one(provisional, (span for span in spans if span.external_id not in found))
            if real is not None:
                found[real] = provisional
                self._adopted.add(provisional.alert_id)
        return found

    def leftovers(
        self, records: Sequence[AlertRecord], at: datetime
    ) -> Iterable[tuple[AlertState, AlertState]]:
        """(provisional, real) where a webhook told of an alert by its device alone that was known already."""
        for provisional in self._provisional():
            if not provisional.is_open or (provisional.last_seen_at or at) > at:
                continue
            spans = [_span(record) for record in records if record.device_id == provisional.device_id]
            real = real_one(provisional, (span for span in spans if self._named(span.external_id)))
            state = self._named(real) if real is not None else None
            if state is not None:
                yield provisional, state

    # --- webhooks -------------------------------------------------------------------------------------------

    def of_message(
        self, message: WebhookMessage, name: tuple[Identity, str], at: datetime
    ) -> AlertState | None:
        """The known alert that a webhook is about, None for a new one."""
        identity, external_id = name
        if identity is Identity.DEVICE:
            return next((each for each in self._of_device(message.device_id) if each.is_open), None)
        state = self._named(external_id) or self._derived(message.device_id, message.opened_at)
        if state is not None:
            return state
        if identity is Identity.DERIVED:
            return self._raised_at(message.device_id, message.opened_at)
        span = Span(external_id=external_id, opened_at=message.opened_at or at)
        fitting = (each for each in self._of_device(message.device_id) if real_one(each, [span]))
        return next(fitting, None)

    # --- inside --

    def _keep(self, state: AlertState) -> None:
        self._states[state.alert_id] = state
        self._by_external[state.external_alert_id] = state.alert_id

    def _named(self, external_id: str) -> AlertState | None:
        alert_id = self._by_external.get(external_id)
        return None if alert_id is None else self._states[alert_id]

    def _derived(self, device_id: str | None, opened_at: datetime | None) -> AlertState | None:
        if device_id is None or opened_at is None:
            return None
        return self._named(derived_id(device_id, opened_at))

    def _raised_at(self, device_id: str | None, opened_at: datetime | None) -> AlertState | None:
        """The alert that a device raised at a moment; None when there were several: which is not known."""
        alike = [
            each
            for each in self._states.values()
            if each.device_id == device_id and each.opened_at == opened_at
        ]
        return alike[0] if len(alike) == 1 else None

    def _of_device(self, device_id: str | None) -> Sequence[AlertState]:
        return [each for each in self._provisional() if each.device_id == device_id]

    def _provisional(self) -> Sequence[AlertState]:
        return [
            each
            for each in self._states.values()
            if each.identity is Identity.DEVICE and each.alert_id not in self._adopted
        ]


def _span(record: AlertRecord) -> Span:
    resolved_at = record.resolved_at if record.resolved else None
    return Span(external_id=record.external_id, opened_at=record.opened_at, resolved_at=resolved_at)
