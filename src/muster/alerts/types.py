"""Values that alerts are made of, apart from where they are stored."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec


class AlertStatus(StrEnum):
    """How an alert stands. `acknowledged`: a person has seen it, which only Muster knows of. `snoozed`: the
    server leaves it alone for some days. `pruned`: it is gone from the server.
    """

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    PRUNED = "pruned"


OPEN = (AlertStatus.ACTIVE, AlertStatus.ACKNOWLEDGED, AlertStatus.SNOOZED)
OPEN_VALUES = frozenset(status.value for status in OPEN)


class Identity(StrEnum):
    """What an alert is known by: the server's own id; what is derived from its device and moment; or its
    device alone, of which there is one at a time.
    """

    NAMED = "named"
    DERIVED = "derived"
    DEVICE = "device"


class ChangeKind(StrEnum):
    """What a line of a timeline tells of."""

    RAISED = "raised"
    REPEATED = "repeated"
    REOPENED = "reopened"
    RESOLVED = "resolved"
    PRUNED = "pruned"
    ABSORBED = "absorbed"
    UNSEEN = "unseen"
    NAMED = "named"
    CONFIRMED = "confirmed"
    SEVERITY = "severity"
    MESSAGE = "message"
    LINKED = "linked"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    SNOOZED = "snoozed"
    UNSNOOZED = "unsnoozed"
    SNOOZE_ENDED = "snooze_ended"
    NOTE = "note"
    RULE = "rule"
    NOTIFIED = "notified"
    WRITE_BACK = "write_back"


class Verb(StrEnum):
    """What a person does that the server is told of."""

    RESOLVE = "resolve"
    SNOOZE = "snooze"
    UNSNOOZE = "unsnooze"


class Deed(StrEnum):
    """What a person can do to several alerts at once."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    SNOOZE = "snooze"
    UNSNOOZE = "unsnooze"
    RESOLVE = "resolve"


class WriteBackState(StrEnum):
    """How that stands: still to be told; seen done on the server; refused by it; or given up."""

    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class WriteBack(msgspec.Struct, frozen=True, kw_only=True):
    """How what a person did stands with the server. `since` is when he did it, or the server lost it, `at`
    when this last changed, `days` how long a snooze is, `by` who did it.
    """

    verb: Verb
    state: WriteBackState
    since: datetime
    at: datetime
    message: str | None = None
    days: int | None = None
    by: str | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the server is still to be told."""
        return self.state is WriteBackState.WAITING


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept of an alert but its raw payload: the columns of its row."""

    alert_id: UUID
    integration_id: UUID
    external_alert_id: str
    identity: Identity = Identity.NAMED
    dedup_key: str = ""
    previous_alert_id: UUID | None = None
    device_id: str | None = None
    device_name: str | None = None
    organization_id: str | None = None
    organization_name: str | None = None
    site_name: str | None = None
    asset_id: UUID | None = None
    client_id: UUID | None = None
    alert_type: str
    severity: str
    original_severity: str | None = None
    message: str | None = None
    message_key: str = ""
    status: AlertStatus
    hidden: bool = False
    confirmed: bool = False
    suppressed: bool = False
    rule_id: UUID | None = None
    rule_name: str | None = None
    opened_at: datetime | None = None
    first_seen_at: datetime | None = None
    last_seen_at: datetime | None = None
    occurrences: int = 1
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    snoozed_until: datetime | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    delivered_at: datetime | None = None
    delivery_code: int | None = None
    webhook_at: datetime | None = None
    write_back: WriteBack | None = None
    content_hash: str | None = None
    created_at: datetime
    updated_at: datetime | None = None

    @property
    def raised_at(self) -> datetime | None:
        """When it was raised last: by the server's word, else when Muster heard of it."""
        if self.identity is Identity.DEVICE:
            return self.last_seen_at
        return self.opened_at or self.first_seen_at

    @property
    def is_open(self) -> bool:
        """Whether it still needs somebody, or will again once its snooze is over."""
        return self.status in OPEN

    @property
    def waits_for(self) -> Verb | None:
        """What the server is still to be told."""
        return self.write_back.verb if self.write_back is not None and self.write_back.is_waiting else None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an alert belongs, as far as Muster can tell: what stands for its device and its organization.
    `device_name` is what Muster calls the device.
    """

    device_name: str | None = None
    asset_id: UUID | None = None
    client_id: UUID | None = None
    organization_id: str | None = None
    organization_name: str | None = None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a timeline, to be written. `detail` is JSON-ready."""

    kind: ChangeKind
    detail: dict[str, Any] = {}


class KnownAlert(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an alert of an integration, for those who count."""

    alert_id: UUID
    status: AlertStatus
    identity: Identity
    content_hash: str | None
    last_seen_at: datetime | None


class IntakeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch of records: the alerts' ids, by the server's. `resolved` are those of `updated`
    that were open before. `stale` were read before what is known already, and left alone.
    """

    created: dict[str, UUID] = {}
    updated: dict[str, UUID] = {}
    unchanged: dict[str, UUID] = {}
    resolved: dict[str, UUID] = {}
    stale: dict[str, UUID] = {}


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a webhook's own words. `device_known`: its device has an asset. `closed_nothing`: a
    resolve that does not say of what; only a reconciliation can tell.
    """

    alert_id: UUID | None
    device_known: bool
    closed_nothing: bool = False
