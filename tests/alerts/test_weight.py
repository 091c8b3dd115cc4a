"""What intake costs: as many statements for two hundred alerts as for one; and two intakes at once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import RuleAction
from muster.providers.alerting import AlertRecord, AlertType, WebhookMessage
from tests.alerts.saying import START, Alerts, after, record
from tests.support.statements import statements


def checks(alerts: Alerts, count: int, first: int = 0, **values: Any) -> Sequence[AlertRecord]:
    """So many alerts, each of a check of its own, over all devices."""
    return [
        record(
            str(n),
            device_id=alerts.devices[n % len(alerts.devices)],
            alert_type=AlertType.CHECK,
            cause=f"check:{n}",
            **values,
        )
        for n in range(first, first + count)
    ]


async def _cost(alerts: Alerts, records: Sequence[AlertRecord], at: datetime) -> int:
    with statements(alerts.database) as seen:
        await alerts.apply(*records, at=at, origin="webhook")
    return len(seen)


async def test_two_hundred_alerts_cost_what_one_does(alerts: Alerts) -> None:
    async with alerts.database.write(alerts.scope) as session:
        rules = RuleService(session, alerts.scope)
        await rules.add(
            alerts.integration.integration_id, RuleDraft(name="Quiet", action=RuleAction.SUPPRESS)
        )
    # The first event of a tenant makes its counter.
    await alerts.apply(*checks(alerts, 1, 900))
    raised = [await _cost(alerts, checks(alerts, n, 1000 * n), START) for n in (1, 200)]
    again = [await _cost(alerts, checks(alerts, n, 1000 * n), after(1)) for n in (1, 200)]
    over = {"resolved": True, "resolved_at": after(2)}
    ended = [await _cost(alerts, checks(alerts, n, 1000 * n, **over), after(3)) for n in (1, 200)]
    # PostgreSQL is asked for the lock, too.
    extra = 0 if alerts.database.is_sqlite else 1
    assert raised == [12 + extra, 12 + extra]
    assert again == [5 + extra, 5 + extra]
    assert ended == [11 + extra, 11 + extra]
    assert len(await alerts.all(suppressed=True)) == 202


async def test_two_hundred_webhooks_cost_what_one_does(alerts: Alerts) -> None:
    await alerts.apply(*checks(alerts, 1, 900))
    costs = []
    for n in (1, 200):
        said = [
            WebhookMessage(
                device_id=each.device_id,
                external_alert_id=each.external_id,
                event="trigger",
                alert_type=AlertType.CHECK,
            )
            for each in checks(alerts, n, 1000 * n)
        ]
        with statements(alerts.database) as seen:
            await alerts.hear_all(*said)
        costs.append(len(seen))
    extra = 0 if alerts.database.is_sqlite else 1
    assert costs == [10 + extra, 10 + extra]


async def test_what_is_told_twice_at_the_same_time_is_there_once(alerts: Alerts) -> None:
    records = checks(alerts, 20)
    device = alerts.devices[0]
    await asyncio.gather(
        *(alerts.apply(*records, at=START) for _ in range(4)),
        *(alerts.hear(START, device_id=device, external_alert_id="3", event="trigger") for _ in range(4)),
        *(alerts.hear(START, device_id="a stranger") for _ in range(4)),
    )
    found = await alerts.all()
    assert len(found) == 21
    assert sorted(each.occurrences for each in found)[-2:] == [1, 4]
    assert (await alerts.told()).count("TRIGGERED") == 21


@pytest.mark.slow
async def test_two_thousand_alerts_go_in_pieces(alerts: Alerts) -> None:
    with statements(alerts.database) as seen:
        result = await alerts.apply(*checks(alerts, 2000))
    assert len(result.created) == 2000
    assert len(seen) < 5 * 14
