"""An alert's history in words."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from muster.alerts import timeline
from muster.alerts.schemas import AlertDetail, TimelineEntry
from muster.alerts.types import ChangeKind
from muster.db.types import new_id

AT = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
ASSET = "0199f0a3-0000-7000-8000-000000000001"


def told(kind: ChangeKind, actor: str | None = None, **detail: Any) -> timeline.Told:
    """The one line of an alert's history."""
    entry = TimelineEntry(id=new_id(), at=AT, kind=kind.value, actor=actor, detail=detail)
    plain = dict.fromkeys(AlertDetail.__struct_fields__)
    alert = msgspec.convert(
        {
            **plain,
            **dict.fromkeys(("id", "alert_id", "integration_id"), str(new_id())),
            "provider_name": "Tactical RMM",
            "alert_type": "check",
            "severity": "critical",
            "status": "active",
            "identity": "named",
            **dict.fromkeys(("hidden", "confirmed", "suppressed"), False),
            "occurrences": 1,
            "created_at": AT,
            "timeline": [msgspec.to_builtins(entry)],
        },
        AlertDetail,
    )
    (line,) = timeline.told(alert)
    assert line.at == AT
    return line


# What a line needs to be told, where that is not nothing.
DETAILS: dict[ChangeKind, dict[str, Any]] = {
    ChangeKind.REPEATED: {"occurrences": 3},
    ChangeKind.NAMED: {"external_id": "13"},
    ChangeKind.ABSORBED: {"alert_id": ASSET},
    ChangeKind.NOTIFIED: {"channel": "On call", "outcome": "delivered"},
    ChangeKind.RULE: {"name": "Servers", "action": "notify"},
    ChangeKind.WRITE_BACK: {"verb": "resolve", "state": "done"},
}


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_every_kind_of_change_has_words(kind: ChangeKind) -> None:
    line = told(kind, "dana@example.com", **DETAILS.get(kind, {}))
    assert line.label
    assert "{" not in f"{line.label}{line.cause}"
    assert "None" not in f"{line.label}{line.cause}"


@pytest.mark.parametrize(
    ("kind", "actor", "detail", "label", "cause"),
    [
        (
            ChangeKind.RAISED,
            None,
            {"cause": "webhook", "severity": "major"},
            "Raised as major",
            "Told by its webhook",
        ),
        (
            ChangeKind.REPEATED,
            None,
            {"cause": "sync", "occurrences": 3},
            "Raised again, third time",
            "Found when alerts were synced",
        ),
        (ChangeKind.REPEATED, None, {"occurrences": 21}, "Raised again, 21 times by now", None),
        (
            ChangeKind.RESOLVED,
            None,
            {"cause": "sync"},
            "Resolved by Tactical RMM",
            "Found when alerts were synced",
        ),
        (ChangeKind.RESOLVED, "dana@example.com", {}, "Resolved by dana@example.com", ""),
        (
            ChangeKind.REOPENED,
            None,
            {"refused": True},
            "Open again",
            "Tactical RMM did not take what was done here",
        ),
        (
            ChangeKind.SNOOZED,
            None,
            {"cause": "sync", "until": "2026-03-07T05:06:00+00:00"},
            "Snoozed by Tactical RMM",
            "Until 07 Mar 2026, 05:06 UTC",
        ),
        (ChangeKind.NOTE, "dana@example.com", {"text": "Ask Ilja."}, "Note by dana@example.com", "Ask Ilja."),
        (
            ChangeKind.RULE,
            None,
            {"name": "Servers", "action": "suppress"},
            "Kept quiet: nobody is told",
            "By the rule Servers",
        ),
        (
            ChangeKind.WRITE_BACK,
            None,
            {"verb": "snooze", "state": "refused", "message": "The key may not manage alerts."},
            "Tactical RMM refused to snooze it",
            "The key may not manage alerts.",
        ),
    ],
)
def test_a_line_says_what_happened_and_why(
    kind: ChangeKind, actor: str | None, detail: dict[str, Any], label: str, cause: str | None
) -> None:
    line = told(kind, actor, **detail)
    assert (line.label, line.cause) == (label, cause)


def test_a_line_leads_to_what_it_is_about() -> None:
    assert told(ChangeKind.LINKED, asset_id=ASSET).link == f"/assets/{ASSET}"
    assert told(ChangeKind.LINKED, asset_id="None").link is None
    assert told(ChangeKind.ABSORBED, alert_id=ASSET).link == f"/alerts/{ASSET}"
    line = told(ChangeKind.SEVERITY, **{"from": "minor", "to": "critical"})
    assert (line.old, line.new) == ("Minor", "Critical")
