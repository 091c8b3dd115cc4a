"""An item of Tactical's alerts to the record that Muster speaks in. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from muster.providers.alerting import AlertRecord, AlertSeverity
from muster.providers.tacticalrmm import alert_words, answers, cleaning, translate
from muster.providers.tacticalrmm.payloads import AlertRow
from muster.providers.tacticalrmm.translate import RowRefused

# Of an item beyond these: outputs of scripts may be of any size.
_MOST_KEYS = 100
_LONGEST_KEY = 100
_LONGEST_TEXT = 10_000
_INT32, _INT64 = 2**31 - 1, 2**63 - 1


def record(item: bytes | msgspec.Raw, now: datetime) -> AlertRecord:
    """The alert in an item, `now` being the answer's Date header; RowRefused where it cannot be one.

    A severity that is not known is `none`, its own word beside it: an alert is rather shown than left out.
    """
    row, whole = answers.decode_item(item, AlertRow)
    opened_at = cleaning.moment(row.alert_time, now)
    if opened_at is None:
        raise RowRefused("alert_time", "is not a sane moment")
    if alert_words.pk(str(row.id)) is None:
        raise RowRefused("id", "is not an alert's id")
    return AlertRecord(
        external_id=str(row.id),
        device_id=None if row.agent_id is None else translate.agent_id(row.agent_id),
        device_name=_name(row.hostname),
        organization_name=_name(row.client),
        site_name=_name(row.site),
        alert_type=alert_words.alert_type(row.alert_type),
        cause=_cause(row),
        severity=alert_words.severity(row.severity) or AlertSeverity.NONE,
        original_severity=_name(row.severity),
        message=None if row.message is None else cleaning.prose(row.message),
        opened_at=opened_at,
        resolved=row.resolved,
        resolved_at=cleaning.moment(row.resolved_on, now) if row.resolved else None,
        snoozed=row.snoozed,
        snoozed_until=_until(row.snooze_until) if row.snoozed else None,
        hidden=row.hidden,
        delivered_at=cleaning.moment(row.action_run, now),
        delivery_code=_code(row.action_retcode),
        resolve_delivered_at=cleaning.moment(row.resolved_action_run, now),
        raw=_storable(whole),
    )


def _cause(row: AlertRow) -> str | None:
    if row.assigned_check is not None:
        return f"check:{row.assigned_check}"
    return None if row.assigned_task is None else f"task:{row.assigned_task}"


def _name(text: str | None) -> str | None:
    return None if text is None else cleaning.label(text)


def _code(number: int | None) -> int | None:
    # Exit codes of scripts are wider than any HTTP status; none of those is meant here.
    return number if number is not None and abs(number) <= _INT32 else None


def _until(moment: datetime | None) -> datetime | None:
    """A moment in the future, however far."""
    try:
        return None if moment is None else moment.astimezone(UTC)
    except OverflowError:
        return None


def _storable(whole: dict[str, Any]) -> dict[str, Any]:
    """The item as it is, but for what no database takes or what has no bound."""
    return {_text(key, _LONGEST_KEY): _value(value) for key, value in list(whole.items())[:_MOST_KEYS]}


def _value(value: object) -> object:
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _INT64 else str(value)
    # Nothing in an item is nested as far as known; what is stays readable as text.
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return _text(text, _LONGEST_TEXT)


def _text(text: str, bound: int) -> str:
    return text[:bound].replace("\x00", " ")
