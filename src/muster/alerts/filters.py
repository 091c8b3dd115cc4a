"""The filters of a list of alerts, and what they mean. How alerts stand is not among them: that is the list's
main division, chosen above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from muster.alerts import words
from muster.alerts.schemas import AlertFilter, AlertOrder, AlertSort
from muster.alerts.types import AlertStatus
from muster.errors import InvalidInput
from muster.naming import as_id
from muster.providers import registry
from muster.providers.alerting import AlertSeverity, AlertType
from muster.web.filters import Field, Filters

PATH = "/alerts"
SPANS = ("within-1", "within-7", "within-30", "older-1", "older-7", "older-30", "older-90")

FIELDS: Sequence[Field] = (
    Field("severity", "Severity", several=True),
    Field("type", "Type", several=True),
    Field("client", "Client"),
    Field("asset", "Device"),
    Field("provider", "Provider"),
    Field("integration", "Integration"),
    Field("raised", "Raised"),
    Field("last", "Last"),
    Field("suppressed", "Kept quiet by a rule"),
    Field("hidden", "Hidden on the server"),
    Field("confirmed", "Confirmed by the server"),
    Field("linked", "Has an asset"),
)
# Beside the filters: which part of the list, and which alert stands beside it.
_PART, _CHOSEN = "status", "alert"


class Part(StrEnum):
    """A part of all alerts, as the list divides them. `resolved` holds what is gone from the server, too."""

    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    RESOLVED = "resolved"
    ALL = "all"

    @property
    def statuses(self) -> tuple[AlertStatus, ...]:
        """The statuses of its alerts."""
        return _PARTS[self]


_PARTS: Mapping[Part, tuple[AlertStatus, ...]] = {
    Part.ACTIVE: (AlertStatus.ACTIVE,),
    Part.ACKNOWLEDGED: (AlertStatus.ACKNOWLEDGED,),
    Part.SNOOZED: (AlertStatus.SNOOZED,),
    Part.RESOLVED: (AlertStatus.RESOLVED, AlertStatus.PRUNED),
    Part.ALL: (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertQuery(Filters):
    """What an address asks for: a part of the alerts that match, in an order. `chosen` is the alert that
    stands beside the list.
    """

    part: Part
    chosen: UUID | None
    wanted: AlertFilter
    order: AlertOrder


def read(items: Iterable[tuple[str, str]], now: datetime) -> AlertQuery:
    """The query of an address; InvalidInput for a filter or a value that nobody knows."""
    asked = Filters.read(
        items,
        FIELDS,
        sorts=[sort.value for sort in AlertSort],
        usual=f"-{AlertSort.RAISED.value}",
        also=(_PART, _CHOSEN),
    )
    part = _part(asked.also.get(_PART))
    chosen = as_id(asked.also.get(_CHOSEN, ""))
    also = {_PART: "" if part is Part.ACTIVE else part.value, _CHOSEN: str(chosen or "")}
    return AlertQuery(
        **{**asdict(asked), "also": {name: text for name, text in also.items() if text}},
        part=part,
        chosen=chosen,
        wanted=_wanted(asked, part, now),
        order=AlertOrder(AlertSort(asked.sort.removeprefix("-")), asked.sort.startswith("-")),
    )


def of_statuses(query: AlertQuery, statuses: Sequence[AlertStatus]) -> AlertQuery:
    """The same query of alerts with these statuses; of all there are when there are none."""
    wanted = msgspec.structs.replace(query.wanted, statuses=tuple(statuses))
    return replace(query, part=Part.ALL, wanted=wanted)


def _part(text: str | None) -> Part:
    if text is None:
        return Part.ACTIVE
    if text not in tuple(Part):
        raise InvalidInput(
            f"The filter {_PART!r} knows no {text[:50]!r}.", remedy=f"Choose one of: {', '.join(Part)}."
        )
    return Part(text)


def _wanted(asked: Filters, part: Part, now: datetime) -> AlertFilter:
    raised_since, raised_before = asked.span("raised", now)
    seen_since, seen_before = asked.span("last", now)
    return AlertFilter(
        statuses=part.statuses,
        severities=tuple(AlertSeverity(text) for text in asked.choices("severity", words.SEVERITIES)),
        types=tuple(AlertType(text) for text in asked.choices("type", words.TYPES)),
        client_id=asked.identity("client"),
        asset_id=asked.identity("asset"),
        provider=asked.choice("provider", registry.display_names()),
        integration_id=asked.identity("integration"),
        raised_since=raised_since,
        raised_before=raised_before,
        seen_since=seen_since,
        seen_before=seen_before,
        suppressed=asked.flag("suppressed"),
        hidden=asked.flag("hidden"),
        confirmed=asked.flag("confirmed"),
        linked=asked.flag("linked"),
        search=asked.search or None,
    )
