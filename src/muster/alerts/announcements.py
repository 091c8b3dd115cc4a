"""What alerts tell others: the data of their events. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from muster.alerts.news import Cause
from muster.alerts.types import AlertState, ChangeKind, Identity
from muster.events.types import EventType, NewEvent

# An event has 64 KiB at most, and the server's messages have no bound.
_MESSAGE_LENGTH = 4000


def of_alert(
    event: EventType,
    state: AlertState,
    *,
    provider: str,
    cause: Cause,
    changes: Sequence[ChangeKind],
    deliver_to: Sequence[UUID],
) -> NewEvent:
    """The event that tells of an alert as it is now. `changes` are what its timeline tells of this, and
    `deliver_to` the subscriptions of its rule.
    """
    data: dict[str, Any] = {
        "integration_id": state.integration_id,
        "provider": provider,
        "alert_id": state.alert_id,
        "external_alert_id": state.external_alert_id if state.identity is Identity.NAMED else None,
        "previous_alert_id": state.previous_alert_id,
        "asset_id": state.asset_id,
        "client_id": state.client_id,
        "device_id": state.device_id,
        "device_name": state.device_name,
        "alert_type": state.alert_type,
        "severity": state.severity,
        "original_severity": state.original_severity,
        "status": state.status.value,
        "message": state.message and state.message[:_MESSAGE_LENGTH],
        "opened_at": state.opened_at,
        "resolved_at": state.resolved_at,
        "snoozed_until": state.snoozed_until,
        "occurrences": state.occurrences,
        "confirmed": state.confirmed,
        "suppressed": state.suppressed,
        "rule": None if state.rule_id is None else {"id": state.rule_id, "name": state.rule_name},
        "deliver_to": list(deliver_to),
        "cause": cause,
        "changes": [change.value for change in changes],
    }
    source = f"/integrations/{state.integration_id}"
    return NewEvent(type=event, subject=state.alert_id, data=data, source=source)
