"""Shapes of alerts as others see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec

from muster.alerts.types import AlertStatus, WriteBack
from muster.providers.alerting import AlertSeverity, AlertType


class AlertFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alerts; every given condition must hold, and of those with several values any one.

    Raised: by the server's word, else when Muster met it. Seen: when Muster last learnt anything of it. Both
    `since` a moment, that one included, and `before` one. `linked`: an asset stands for its device. `search`
    looks into the message and the device's name. None: whether or not.
    """

    statuses: tuple[AlertStatus, ...] = ()
    severities: tuple[AlertSeverity, ...] = ()
    types: tuple[AlertType, ...] = ()
    provider: str | None = None
    integration_id: UUID | None = None
    client_id: UUID | None = None
    asset_id: UUID | None = None
    device_id: str | None = None
    raised_since: datetime | None = None
    raised_before: datetime | None = None
    seen_since: datetime | None = None
    seen_before: datetime | None = None
    suppressed: bool | None = None
    hidden: bool | None = None
    confirmed: bool | None = None
    linked: bool | None = None
    search: str | None = None


class AlertSort(StrEnum):
    """What a list is sorted by. `raised` and `last_seen` are moments, `severity` goes from none to critical,
    `status` from pruned to active, `occurrences` is how often it was raised. By client they stand as the
    clients' names do, those without a client last either way.
    """

    LAST_SEEN = "last_seen"
    RAISED = "raised"
    SEVERITY = "severity"
    STATUS = "status"
    DEVICE = "device"
    CLIENT = "client"
    OCCURRENCES = "occurrences"


class AlertOrder(msgspec.Struct, frozen=True):
    """How a list is sorted; what is alike stands with the latest first."""

    by: AlertSort = AlertSort.RAISED
    descending: bool = True


class TimelineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an alert's history. `actor` is null for what the server said."""

    id: UUID
    at: datetime
    kind: str
    actor: str | None
    detail: dict[str, Any]


class AlertView(msgspec.Struct, frozen=True, kw_only=True):
    """An alert with the names of what it hangs on.

    `external_alert_id` is the server's id; null until the server has named it. `opened_at` is the server's
    moment, `first_seen_at` and `last_seen_at` are Muster's, `raised_at` is when it was raised last.
    `confirmed`: read from the server, not only told by a webhook. `suppressed`: a rule kept it from being
    told. `write_back`: how what a person did stands with the server.
    """

    id: UUID
    alert_id: UUID
    integration_id: UUID
    integration_name: str | None
    provider: str | None
    provider_name: str | None
    external_alert_id: str | None
    identity: str
    previous_alert_id: UUID | None
    device_id: str | None
    device_name: str | None
    organization_id: str | None
    organization_name: str | None
    site_name: str | None
    asset_id: UUID | None
    asset_name: str | None
    client_id: UUID | None
    client_name: str | None
    alert_type: str
    severity: str
    original_severity: str | None
    message: str | None
    status: str
    hidden: bool
    confirmed: bool
    suppressed: bool
    rule_id: UUID | None
    rule_name: str | None
    opened_at: datetime | None
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    raised_at: datetime | None
    occurrences: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None
    delivered_at: datetime | None
    delivery_code: int | None
    write_back: WriteBack | None
    created_at: datetime
    updated_at: datetime | None


class AlertDetail(AlertView, frozen=True, kw_only=True):
    """An alert with its history, oldest first, the raw item that it was read from, and the alert that
    followed it when its cause went on.
    """

    timeline: Sequence[TimelineEntry]
    raw: dict[str, Any] | None
    next_alert_id: UUID | None


class AlertCounts(msgspec.Struct, frozen=True, kw_only=True):
    """How many alerts match, by status, and how many of the open ones by severity."""

    by_status: Mapping[str, int]
    by_severity: Mapping[str, int]

    @property
    def open(self) -> int:
        """Active, acknowledged and snoozed ones."""
        return sum(self.by_severity.values())
