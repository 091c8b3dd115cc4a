"""The first active rule that an alert meets decides."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.alerts import rules
from muster.alerts.rules import AlertFacts, RuleAction, RuleConditions, RuleView
from muster.errors import InvalidInput
from muster.providers.alerting import AlertSeverity, AlertType

NOW = datetime(2026, 11, 26, tzinfo=UTC)
CLIENTS = [UUID(int=number) for number in range(3)]


def rule(position: int = 1, *, is_active: bool = True, **conditions: object) -> RuleView:
    """A rule that suppresses."""
    return RuleView(
        rule_id=uuid4(),
        integration_id=UUID(int=9),
        position=position,
        name=f"Rule {position}",
        is_active=is_active,
        conditions=RuleConditions(**conditions),  # type: ignore[arg-type]
        action=RuleAction.SUPPRESS,
        targets=(),
        created_at=NOW,
        updated_at=NOW,
    )


words = st.sampled_from(["disk", "full", "cpu", "disk*full", "*"])
conditions = st.builds(
    RuleConditions,
    severities=st.lists(st.sampled_from(AlertSeverity), max_size=2).map(tuple),
    types=st.lists(st.sampled_from(AlertType), max_size=2).map(tuple),
    organizations=st.lists(st.sampled_from(["1", "2"]), max_size=2).map(tuple),
    clients=st.lists(st.sampled_from(CLIENTS), max_size=1).map(tuple),
    messages=st.lists(words, max_size=2).map(tuple),
    devices=st.lists(st.sampled_from(["srv-*", "pc-1"]), max_size=1).map(tuple),
)
facts = st.builds(
    AlertFacts,
    severity=st.sampled_from(AlertSeverity),
    alert_type=st.sampled_from(AlertType),
    organization_id=st.sampled_from(["1", "2", "3", None]),
    client_id=st.sampled_from([*CLIENTS, None]),
    device_name=st.sampled_from(["SRV-01", "PC-1", "other", None]),
    message=st.sampled_from(["Disk is full", "cpu is hot", "", None]),
)
known = st.lists(
    st.builds(
        lambda each, on: msgspec.structs.replace(rule(is_active=on), conditions=each),
        conditions,
        st.booleans(),
    ),
    max_size=6,
)


@given(known=known, alert=facts)
def test_the_first_that_is_met_decides(known: list[RuleView], alert: AlertFacts) -> None:
    decided = rules.decide(known, alert)
    met = [each for each in known if each.is_active and rules.is_met(each.conditions, alert)]
    assert decided is (met[0] if met else None)


@given(known=known, alert=facts, other=st.builds(rule))
def test_what_stands_behind_the_decision_changes_nothing(
    known: list[RuleView], alert: AlertFacts, other: RuleView
) -> None:
    decided = rules.decide(known, alert)
    if decided is not None:
        assert rules.decide([*known, other], alert) is decided
        assert rules.decide([other, *known], alert) is other
        assert rules.decide([msgspec.structs.replace(other, is_active=False), *known], alert) is decided


@given(known=known, alert=facts)
def test_the_explanation_agrees_with_the_decision(known: list[RuleView], alert: AlertFacts) -> None:
    decided = rules.decide(known, alert)
    trials = rules.explain(known, alert)
    assert [trial.rule for trial in trials] == known
    assert [trial.rule for trial in trials if trial.decides] == ([decided] if decided else [])
    for trial in trials:
        assert trial.passed_over is not trial.rule.is_active
        assert (trial.unmet == ()) == rules.is_met(trial.rule.conditions, alert)
        if decided is not None and trial.rule is not decided:
            before = known.index(trial.rule) < known.index(decided)
            assert not before or trial.passed_over or trial.unmet


@given(each=conditions, alert=facts)
def test_a_condition_more_never_makes_a_rule_meet_more(each: RuleConditions, alert: AlertFacts) -> None:
    for name in RuleConditions.__struct_fields__:
        if name not in ("organizations", "clients"):
            without = msgspec.structs.replace(each, **{name: ()})
            assert not rules.is_met(each, alert) or rules.is_met(without, alert)


def test_every_alert_meets_a_rule_without_conditions() -> None:
    assert rule().conditions.is_empty
    assert rules.is_met(rule().conditions, AlertFacts())


@pytest.mark.parametrize(
    ("asked", "unmet"),
    [
        ({"severities": (AlertSeverity.MINOR,)}, ("severities",)),
        ({"types": (AlertType.TASK,)}, ("types",)),
        ({"organizations": ("2",)}, ("organizations",)),
        ({"organizations": ("2",), "clients": (CLIENTS[0],)}, ()),
        ({"clients": (CLIENTS[1],)}, ("organizations",)),
        ({"devices": ("pc-*",), "messages": ("cpu",)}, ("devices", "messages")),
        ({"devices": ("srv-*",), "messages": ("cpu", "disk*full")}, ()),
    ],
)
def test_what_is_not_met_is_named(asked: dict[str, object], unmet: tuple[str, ...]) -> None:
    alert = AlertFacts(
        severity=AlertSeverity.CRITICAL,
        alert_type=AlertType.CHECK,
        organization_id="1",
        client_id=CLIENTS[0],
        device_name="SRV-01",
        message="Disk C: is full",
    )
    assert rules.unmet(rule(**asked).conditions, alert) == unmet  # type: ignore[arg-type]


def test_what_is_not_known_meets_no_condition() -> None:
    asked = RuleConditions(organizations=("1",), devices=("*x*",), messages=("x",))
    assert rules.unmet(asked, AlertFacts()) == ("organizations", "devices", "messages")


def test_conditions_are_kept_once_and_in_order() -> None:
    kept = rules.cleaned(
        RuleConditions(
            severities=(AlertSeverity.MINOR, AlertSeverity.CRITICAL, AlertSeverity.MINOR),
            messages=(" disk  full ", "disk full"),
        )
    )
    assert kept.severities == (AlertSeverity.CRITICAL, AlertSeverity.MINOR)
    assert kept.messages == ("disk full",)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"messages": ("*",)}, "messages"),
        ({"devices": ("a",) * 21}, "devices"),
        ({"organizations": ("1",) * 501}, "organizations"),
    ],
)
def test_what_cannot_be_used_names_its_field(asked: dict[str, tuple[str, ...]], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.cleaned(RuleConditions(**asked))  # type: ignore[arg-type]
    assert refused.value.field == field
