"""What the server or its webhook says, held against what is known of an alert: the row as it is to be, the
lines of its timeline, the event for others. Pure.

The server is right about what it was asked for; a webhook's own words are taken where nothing better is
known. What a person did stands until the server has been told of it and says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from muster.alerts.identity import content_hash, dedup_key, device_alert_id, message_key
from muster.alerts.news import Cause, event_of, lines_of
from muster.alerts.standing import ended, standing
from muster.alerts.types import AlertState, AlertStatus, ChangeKind, Identity, Line, Place
from muster.events.types import EventType
from muster.providers.alerting import AlertRecord, AlertSeverity, AlertType, WebhookMessage

# Of a device's webhooks that name no alert, as many are remembered as anybody will replay.
_RECEIPTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all plans of a batch share. `at` is our own clock's moment, from before the server was asked."""

    integration_id: UUID
    at: datetime
    cause: Cause
    make_id: Callable[[], UUID]


@dataclass(slots=True, kw_only=True)
class Plan:
    """What is to be written of one alert. `before` is None for a new one; `raw` None: it stays as it is.

    `raised`: rules are to decide about it. `tell_server`: what a person did is to be told to the server,
    once more or at last. `event` is None when nobody need hear of it.
    """

    before: AlertState | None
    after: AlertState
    cause: Cause
    lines: list[Line] = field(default_factory=list)
    raw: dict[str, Any] | None = None
    event: EventType | None = None
    raised: bool = False
    tell_server: bool = False


def changed(before: AlertState, at: datetime, cause: Cause, *lines: Line, **values: Any) -> Plan:
    """The plan of an alert that is known, with some columns set."""
    after = msgspec.structs.replace(before, **values, updated_at=at)
    return Plan(
        before=before, after=after, cause=cause, lines=list(lines), event=event_of(before, after, cause)
    )


# --- what the server says -----------------------------------------------------------------------------------


def is_stale(current: AlertState | None, at: datetime) -> bool:
    """Whether more is known of an alert than what was asked for at a moment can tell."""
    return current is not None and current.last_seen_at is not None and at < current.last_seen_at


def of_record(
    setting: Setting,
    current: AlertState | None,
    record: AlertRecord,
    place: Place,
    previous: AlertState | None = None,
) -> Plan | None:
    """An alert as the server describes it; None when that is no news. `current` may be one that the server
    had not named; `previous` is the one before it with the same problem.
    """
    base = current or _new(setting, record.external_id, Identity.NAMED)
    told = _described(base, record, place)
    if not base.dedup_key and previous is not None:
        told |= _following(base, previous, told)
    status, again = standing(base, record, setting.at, is_new=current is None)
    after = msgspec.structs.replace(base, **told, **status)
    if setting.cause == "webhook" and not has_landed(record):
        is_news = current is None or current.content_hash != after.content_hash
        after = msgspec.structs.replace(after, webhook_at=setting.at if is_news else base.webhook_at)
    plan = _plan(setting, current, after)
    if plan is None:
        return None
    plan.tell_server = again or (base.identity is not Identity.NAMED and after.waits_for is not None)
    if current is None or current.content_hash != after.content_hash:
        plan.raw = record.raw
    return plan


def _described(base: AlertState, record: AlertRecord, place: Place) -> dict[str, Any]:
    message = record.message or base.message
    device_id = record.device_id or base.device_id
    return {
        "external_alert_id": record.external_id,
        "identity": Identity.NAMED,
        "confirmed": True,
        "device_id": device_id,
        "device_name": record.device_name or base.device_name or place.device_name,
        "organization_name": record.organization_name or place.organization_name or base.organization_name,
        "site_name": record.site_name or base.site_name,
        "alert_type": record.alert_type.value,
        "severity": record.severity.value,
        "original_severity": record.original_severity,
        "message": message,
        "message_key": message_key(message),
        "dedup_key": dedup_key(device_id, record.alert_type.value, record.cause, message),
        "opened_at": record.opened_at,
        "hidden": record.hidden,
        "delivered_at": record.delivered_at,
        "delivery_code": record.delivery_code,
        "webhook_at": None if has_landed(record) else base.webhook_at,
        "content_hash": content_hash(record),
        **placed(base, place),
    }


def placed(base: AlertState, place: Place) -> dict[str, Any]:
    """The columns that say where an alert belongs. What is over stays where it was, unless it never had an
    asset.
    """
    organization_id = place.organization_id or base.organization_id
    # A device that is not known any more says nothing of where its alerts belong.
    settled = base.asset_id is not None and (place.asset_id is None or not base.is_open)
    if settled:
        return {"organization_id": organization_id}
    return {
        "organization_id": organization_id,
        "asset_id": place.asset_id or base.asset_id,
        "client_id": place.client_id or base.client_id,
    }


def _following(base: AlertState, previous: AlertState, told: Mapping[str, Any]) -> dict[str, Any]:
    """The tie to the alert before. While its cause lasted (it is open as far as Muster knows, or a person
    here resolved it), this is the same trouble once more, and is counted on.
    """
    opened_at = told["opened_at"] or base.first_seen_at
    before = previous.opened_at or previous.first_seen_at
    if previous.alert_id == base.alert_id or before is None or opened_at is None or before > opened_at:
        return {}
    lasted = previous.is_open or previous.resolved_by is not None
    occurrences = base.occurrences + (previous.occurrences if lasted else 0)
    return {"previous_alert_id": previous.alert_id, "occurrences": occurrences}


def has_landed(record: AlertRecord) -> bool:
    """Whether the server has noted the answer to every webhook that it may have sent about this."""
    return record.delivered_at is not None and (
        not record.resolved or record.resolve_delivered_at is not None
    )


# --- what a webhook says ------------------------------------------------------------------------------------


def of_message(
    setting: Setting,
    current: AlertState | None,
    message: WebhookMessage,
    place: Place,
    *,
    receipt_id: UUID,
    receipts: Collection[str] = (),
    previous: AlertState | None = None,
    name: tuple[Identity, str],
) -> Plan | None:
    """An alert as a webhook's own words tell of it; None when they are no news. `name` is what it is known
    by; `receipts` are those that were counted already.
    """
    ends = message.event == "resolve"
    if current is not None and current.confirmed and is_stale(current, setting.at):
        return None
    base = current or _new(setting, name[1], name[0])
    told = _filled_in(base, message, place)
    if not base.dedup_key and previous is not None:
        told |= _following(base, previous, told)
    if name[0] is Identity.NAMED and base.identity is not Identity.NAMED:
        told |= {"identity": Identity.NAMED, "external_alert_id": name[1]}
    counted = str(receipt_id) in receipts
    if ends and (current is None or base.is_open or base.waits_for is not None):
        told |= ended(base, None, setting.at)
    elif not ends and base.identity is Identity.DEVICE and current is not None and not counted:
        told["occurrences"] = base.occurrences + 1
    after = msgspec.structs.replace(base, **told)
    if current is None or after.status is not base.status:
        after = msgspec.structs.replace(after, webhook_at=setting.at)
    elif base.is_open and base.delivered_at is None:
        after = msgspec.structs.replace(after, webhook_at=base.webhook_at or setting.at)
    if after.identity is Identity.DEVICE and current is None:
        after = msgspec.structs.replace(after, external_alert_id=device_alert_id(base.alert_id))
    plan = _plan(setting, current, after)
    if plan is None:
        return None
    plan.tell_server = base.identity is not after.identity and after.waits_for is not None
    if not base.confirmed:
        kept = [*receipts, *([] if counted else [str(receipt_id)])]
        words = {name: value for name, value in msgspec.to_builtins(message).items() if value is not None}
        plan.raw = {"webhook": words, "receipts": kept[-_RECEIPTS:]}
    return plan


def _filled_in(base: AlertState, message: WebhookMessage, place: Place) -> dict[str, Any]:
    """What a webhook adds to what is known. Nothing that was read from the server is overwritten."""
    organization_id = base.organization_id or message.organization_id
    where = placed(base, place)
    where["organization_id"] = where["organization_id"] or organization_id
    if base.confirmed:
        text = base.message or message.message
        return {"message": text, "message_key": message_key(text), **where}
    alert_type = base.alert_type if base.alert_type != AlertType.UNKNOWN else message.alert_type.value
    text = base.message or message.message
    device_id = base.device_id or message.device_id
    severe = base.original_severity is None and message.severity is not None
    return {
        "device_id": device_id,
        "device_name": base.device_name or message.device_name or place.device_name,
        "organization_name": base.organization_name or place.organization_name,
        "alert_type": alert_type,
        "severity": message.severity.value if severe and message.severity else base.severity,
        "original_severity": base.original_severity or message.original_severity,
        "message": text,
        "message_key": message_key(text),
        "dedup_key": base.dedup_key or dedup_key(device_id, alert_type, None, text),
        "opened_at": base.opened_at or message.opened_at,
        **where,
    }


# --- what a plan is made of ---------------------------------------------------------------------------------


def _new(setting: Setting, external_id: str, identity: Identity) -> AlertState:
    return AlertState(
        alert_id=setting.make_id(),
        integration_id=setting.integration_id,
        external_alert_id=external_id,
        identity=identity,
        alert_type=AlertType.UNKNOWN.value,
        severity=AlertSeverity.NONE.value,
        status=AlertStatus.ACTIVE,
        first_seen_at=setting.at,
        last_seen_at=setting.at,
        created_at=setting.at,
    )


def _plan(setting: Setting, current: AlertState | None, after: AlertState) -> Plan | None:
    if current is not None:
        if current == after:
            return None
        seen = max(setting.at, current.last_seen_at or setting.at)
        after = msgspec.structs.replace(after, last_seen_at=seen, updated_at=setting.at)
    event = event_of(current, after, setting.cause)
    return Plan(
        before=current,
        after=after,
        cause=setting.cause,
        lines=lines_of(current, after, setting.cause),
        event=event,
        raised=after.is_open and (event is EventType.ALERT_TRIGGERED or _is_news(current, after)),
    )


def _is_news(before: AlertState | None, after: AlertState) -> bool:
    """Whether rules that decided by a webhook's few words have to look again."""
    return before is not None and after.confirmed and not before.confirmed


# --- what the server says by not naming an alert ------------------------------------------------------------


def pruned(current: AlertState, at: datetime) -> Plan | None:
    """An alert that the server has no more; None for one that is over, or of which more is known since."""
    if not current.is_open or is_stale(current, at):
        return None
    line = Line(kind=ChangeKind.PRUNED)
    return changed(current, at, "sync", line, status=AlertStatus.PRUNED, last_seen_at=at)


def absorbed(provisional: AlertState, real: AlertState, at: datetime) -> Plan:
    """A webhook named only a device, and was about an alert that was known already: that one goes on."""
    line = Line(kind=ChangeKind.ABSORBED, detail={"alert_id": str(real.alert_id)})
    values = {"status": AlertStatus.PRUNED, "last_seen_at": at, "write_back": None}
    return changed(provisional, at, "sync", line, **values)


def woken(current: AlertState, at: datetime) -> Plan:
    """An alert whose snooze is over, and which is open still as far as anybody knows."""
    status = AlertStatus.ACTIVE if current.acknowledged_at is None else AlertStatus.ACKNOWLEDGED
    line = Line(kind=ChangeKind.SNOOZE_ENDED, detail={"until": str(current.snoozed_until)})
    return changed(current, at, "sync", line, status=status, snoozed_until=None)


def moved(current: AlertState, place: Place, at: datetime) -> Plan | None:
    """An alert whose device, by now, stands for another asset or belongs to another client; None when it does
    not. What is over stays where it was, unless it never had an asset.
    """
    values = placed(current, place)
    if all(getattr(current, name) == value for name, value in values.items()):
        return None
    lines = []
    if values.get("asset_id", current.asset_id) != current.asset_id:
        lines.append(Line(kind=ChangeKind.LINKED, detail={"asset_id": str(values["asset_id"])}))
    return changed(current, at, "sync", *lines, **values)
