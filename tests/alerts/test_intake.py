"""Intake: what the server or its webhook says becomes the right alert, once."""

from typing import Any

import pytest

from muster.alerts.types import AlertStatus
from muster.db.types import new_id
from muster.providers.alerting import AlertSeverity, AlertType, WebhookMessage
from tests.alerts.saying import START, Alerts, after, record


async def test_an_open_alert_becomes_one_with_asset_and_client(alerts: Alerts) -> None:
    device = alerts.devices[0]
    result = await alerts.apply(record(device_id=device, device_name="WSUS"), at=after(1))
    assert list(result.created) == ["214"]
    alert = await alerts.only()
    asset = (await alerts.world.assets())[device]
    assert (alert.asset_id, alert.client_id) == (asset.asset_id, asset.client_id)
    assert (alert.asset_name, alert.client_name) == (asset.name, asset.client_name)
    assert (alert.status, alert.severity, alert.confirmed) == ("active", "critical", True)
    assert (alert.opened_at, alert.first_seen_at) == (START, after(1))
    assert alert.raw is not None
    assert alert.raw["id"] == "214"
    assert [line.kind for line in alert.timeline] == ["raised"]
    (event,) = await alerts.events()
    assert event.type == "RMM_ALERT_TRIGGERED"
    assert event.data["alert_id"] == event.subject == str(alert.alert_id)
    assert event.data["asset_id"] == str(asset.asset_id)
    assert (event.data["cause"], event.data["rule"], event.data["deliver_to"]) == ("sync", None, [])


async def test_the_same_again_writes_nothing(alerts: Alerts) -> None:
    first = record(device_id=alerts.devices[0])
    await alerts.apply(first)
    before = await alerts.only()
    noisy = record(device_id=alerts.devices[0], raw={"id": 214, "action_stdout": "other words"})
    result = await alerts.apply(noisy, at=after(5))
    assert list(result.unchanged) == ["214"]
    assert await alerts.only() == before
    assert await alerts.told() == ["TRIGGERED"]


async def test_an_escalation_is_an_update(alerts: Alerts) -> None:
    await alerts.apply(record(severity=AlertSeverity.MODERATE, original_severity="warning"))
    await alerts.apply(record(), at=after(1))
    alert = await alerts.only()
    assert (alert.severity, alert.original_severity, alert.occurrences) == ("critical", "error", 1)
    assert alert.timeline[-1].kind == "severity"
    assert alert.timeline[-1].detail["from"] == "moderate"
    assert await alerts.told() == ["TRIGGERED", "UPDATED"]


async def test_what_the_server_has_resolved_is_resolved_since_then(alerts: Alerts) -> None:
    await alerts.apply(record())
    result = await alerts.apply(record(resolved=True, resolved_at=after(3)), at=after(5))
    assert list(result.resolved) == ["214"]
    alert = await alerts.only()
    assert (alert.status, alert.resolved_at, alert.resolved_by) == ("resolved", after(3), None)
    assert await alerts.told() == ["TRIGGERED", "RESOLVED"]


async def test_what_the_server_opens_again_is_active_again(alerts: Alerts) -> None:
    await alerts.apply(record(resolved=True, resolved_at=after(1)), origin="webhook")
    await alerts.apply(record(), at=after(5))
    alert = await alerts.only()
    assert (alert.status, alert.resolved_at, alert.occurrences) == ("active", None, 2)
    assert [line.kind for line in alert.timeline] == ["raised", "resolved", "reopened"]
    assert await alerts.told() == ["RESOLVED", "TRIGGERED"]


async def test_what_a_sync_meets_as_over_is_news_to_nobody(alerts: Alerts) -> None:
    await alerts.apply(record(resolved=True, resolved_at=after(1)), at=after(9))
    assert (await alerts.only()).status == "resolved"
    assert await alerts.told() == []


async def test_snoozed_on_the_server_is_snoozed_and_awake_when_it_is_over(alerts: Alerts) -> None:
    snoozed = record(snoozed=True, snoozed_until=after(60))
    await alerts.apply(snoozed, record("215", cause="check:1", alert_type=AlertType.CHECK))
    assert (await alerts.named("214")).status == "snoozed"
    await alerts.apply(at=after(59))
    assert (await alerts.named("214")).status == "snoozed"
    await alerts.apply(at=after(60))
    alert = await alerts.named("214")
    assert (alert.status, alert.snoozed_until) == ("active", None)
    assert alert.timeline[-1].kind == "snooze_ended"
    # The server ends snoozes by the hour: until then it says "snoozed" of one that is over.
    result = await alerts.apply(snoozed, at=after(61))
    assert list(result.unchanged) == ["214"]


async def test_gone_from_the_server_is_pruned_and_unseen_says_nothing(alerts: Alerts) -> None:
    await alerts.apply(record("1"), record("2"), record("3", resolved=True, resolved_at=after(1)))
    await alerts.absent("1", "3", "77", at=after(2))
    await alerts.unseen("2", at=after(2))
    await alerts.unseen("2", at=after(3))
    found = {each.external_alert_id: each.status for each in await alerts.all()}
    assert found == {"1": "pruned", "2": "active", "3": "resolved"}
    assert [line.kind for line in (await alerts.named("2")).timeline] == ["raised", "unseen"]
    assert (await alerts.events())[-1].data["status"] == "pruned"
    assert await alerts.told() == ["TRIGGERED", "TRIGGERED", "RESOLVED"]


async def test_an_answer_that_set_out_earlier_undoes_nothing(alerts: Alerts) -> None:
    await alerts.apply(record(), at=START)
    await alerts.apply(record(resolved=True, resolved_at=after(3)), at=after(3), origin="webhook")
    result = await alerts.apply(record(), at=after(2))
    assert list(result.stale) == ["214"]
    await alerts.absent("214", at=after(2))
    assert (await alerts.only()).status == "resolved"


async def test_two_checks_of_a_device_are_two_alerts(alerts: Alerts) -> None:
    same: dict[str, Any] = {"device_id": alerts.devices[0], "alert_type": AlertType.CHECK, "message": "No."}
    await alerts.apply(record("1", cause="check:1", **same), record("2", cause="check:2", **same))
    await alerts.apply(record("3", cause=None, **same), record("4", cause=None, **same), at=after(1))
    assert len(await alerts.all()) == 4
    assert [each.previous_alert_id for each in await alerts.all()] == [None] * 4


async def test_a_new_id_for_the_same_problem_follows_the_old_one(alerts: Alerts) -> None:
    check: dict[str, Any] = {
        "device_id": alerts.devices[0],
        "alert_type": AlertType.CHECK,
        "cause": "check:7",
    }
    await alerts.apply(record("1", **check))
    await alerts.apply(record("1", resolved=True, resolved_at=after(5), **check), at=after(6))
    # It had ended by itself: this is the next time.
    await alerts.apply(record("2", opened_at=after(10), **check), at=after(11))
    first, second = await alerts.named("1"), await alerts.named("2")
    assert (second.previous_alert_id, second.occurrences) == (first.alert_id, 1)
    assert first.next_alert_id == second.alert_id
    # The second is open as far as Muster knows: the cause went on.
    await alerts.apply(record("3", opened_at=after(20), **check), at=after(21))
    third = await alerts.named("3")
    assert (third.previous_alert_id, third.occurrences) == (second.alert_id, 2)


async def test_a_backfill_of_one_problem_is_a_chain(alerts: Alerts) -> None:
    device = alerts.devices[0]
    episodes = [
        record(str(n), device_id=device, opened_at=after(n), resolved=n < 5, resolved_at=after(n + 0.5))
        for n in (3, 1, 5, 2, 4)
    ]
    await alerts.apply(*episodes, at=after(10))
    by_id = {each.alert_id: each for each in await alerts.all()}
    chain = [await alerts.named("5")]
    while (before := chain[-1].previous_alert_id) is not None:
        chain.append(await alerts.get(by_id[before].alert_id))
    assert [each.external_alert_id for each in chain] == ["5", "4", "3", "2", "1"]


# --- webhooks by their own words ---------------------------------------------------------------------------


async def test_the_least_body_makes_an_alert(alerts: Alerts) -> None:
    heard = await alerts.hear(device_id=alerts.devices[0])
    assert (heard.device_known, heard.closed_nothing) == (True, False)
    alert = await alerts.only()
    assert alert.alert_id == heard.alert_id
    assert (alert.status, alert.confirmed, alert.identity) == ("active", False, "device")
    assert alert.external_alert_id is None
    assert alert.asset_id is not None


async def test_one_open_alert_per_device_counts_how_often_it_spoke(alerts: Alerts) -> None:
    first, other = alerts.devices[:2]
    receipt = new_id()
    await alerts.hear(device_id=first)
    await alerts.hear(after(1), receipt, device_id=first)
    await alerts.hear(after(2), receipt, device_id=first)
    await alerts.hear(after(2), device_id=other)
    found = {each.device_id: each.occurrences for each in await alerts.all()}
    assert found == {first: 2, other: 1}
    assert await alerts.told() == ["TRIGGERED", "UPDATED", "TRIGGERED"]


async def test_a_resolve_that_names_nothing_closes_nothing(alerts: Alerts) -> None:
    await alerts.hear(device_id=alerts.devices[0])
    heard = await alerts.hear(after(1), device_id=alerts.devices[0], event="resolve")
    assert (heard.closed_nothing, heard.alert_id) == (True, None)
    assert (await alerts.only()).status == "active"


@pytest.mark.parametrize("named", [True, False])
async def test_a_resolve_meets_its_trigger(alerts: Alerts, named: bool) -> None:
    by: dict[str, Any] = {"external_alert_id": "214"} if named else {"opened_at": START}
    trigger = await alerts.hear(device_id=alerts.devices[0], event="trigger", **by)
    resolve = await alerts.hear(after(1), device_id=alerts.devices[0], event="resolve", **by)
    assert trigger.alert_id == resolve.alert_id
    alert = await alerts.only()
    assert (alert.status, alert.resolved_at) == ("resolved", after(1))
    assert await alerts.told() == ["TRIGGERED", "RESOLVED"]


@pytest.mark.parametrize("named", [True, False])
async def test_a_resolve_before_its_trigger_stays_resolved(alerts: Alerts, named: bool) -> None:
    by: dict[str, Any] = {"external_alert_id": "214"} if named else {"opened_at": START}
    await alerts.hear(device_id=alerts.devices[0], event="resolve", **by)
    await alerts.hear(after(1), device_id=alerts.devices[0], event="trigger", **by)
    assert (await alerts.only()).status == "resolved"
    assert await alerts.told() == ["RESOLVED"]


async def test_the_server_names_what_was_only_heard_of(alerts: Alerts) -> None:
    """By its moment, or by its device alone: the row goes on, with what it was told by."""
    by_moment, by_device = alerts.devices[:2]
    await alerts.hear(device_id=by_moment, opened_at=START, message="It fell over.")
    await alerts.hear(after(1), device_id=by_device)
    before = {each.device_id: each.alert_id for each in await alerts.all()}
    await alerts.apply(
        record("1", device_id=by_moment, message=None), record("2", device_id=by_device), at=after(2)
    )
    first, second = await alerts.named("1"), await alerts.named("2")
    assert {by_moment: first.alert_id, by_device: second.alert_id} == before
    assert first.message == "It fell over."
    assert (second.identity, second.confirmed, second.severity) == ("named", True, "critical")
    assert [line.kind for line in second.timeline] == ["raised", "named", "confirmed"]
    assert await alerts.told() == ["TRIGGERED", "TRIGGERED", "UPDATED", "UPDATED"]


async def test_a_webhook_with_an_id_names_what_one_without_had_told(alerts: Alerts) -> None:
    device = alerts.devices[0]
    await alerts.hear(device_id=device)
    heard = await alerts.hear(after(1), device_id=device, external_alert_id="9", opened_at=START)
    alert = await alerts.only()
    assert (alert.alert_id, alert.external_alert_id) == (heard.alert_id, "9")
    assert not alert.confirmed


async def test_of_several_new_alerts_one_takes_over(alerts: Alerts) -> None:
    """The last that was raised before the webhook came; one that was over by then cannot be it."""
    device = alerts.devices[0]
    heard = await alerts.hear(after(30), device_id=device)
    await alerts.apply(
        record("1", device_id=device, opened_at=after(1)),
        record("2", device_id=device, opened_at=after(29), alert_type=AlertType.CHECK, cause="check:1"),
        record("3", device_id=device, opened_at=after(29.5), resolved=True, resolved_at=after(10)),
        record("4", device_id=device, opened_at=after(60), alert_type=AlertType.CHECK, cause="check:2"),
        at=after(61),
    )
    assert (await alerts.named("2")).alert_id == heard.alert_id
    assert len(await alerts.all()) == 4


async def test_a_webhook_about_a_known_alert_is_absorbed_by_it(alerts: Alerts) -> None:
    device = alerts.devices[0]
    await alerts.apply(record(device_id=device))
    heard = await alerts.hear(after(1), device_id=device)
    await alerts.apply(record(device_id=device), at=after(2))
    (left,) = await alerts.all(statuses=(AlertStatus.PRUNED,))
    assert left.alert_id == heard.alert_id
    assert (await alerts.named("214")).status == "active"


async def test_a_webhook_without_id_means_the_alert_of_that_moment(alerts: Alerts) -> None:
    device = alerts.devices[0]
    await alerts.apply(record(device_id=device))
    await alerts.hear(after(5), device_id=device, opened_at=START, event="resolve")
    assert (await alerts.only()).status == "resolved"


async def test_a_webhook_overwrites_nothing_that_was_read(alerts: Alerts) -> None:
    device = alerts.devices[0]
    await alerts.apply(record(device_id=device))
    await alerts.hear(
        after(1),
        device_id=device,
        external_alert_id="214",
        event="trigger",
        severity=AlertSeverity.MINOR,
        message="injected",
        alert_type=AlertType.CUSTOM,
    )
    alert = await alerts.only()
    assert (alert.severity, alert.message, alert.alert_type) == (
        "critical",
        "It is overdue.",
        "availability",
    )
    assert "webhook" not in (alert.raw or {"webhook": "no raw item"})


async def test_a_device_nobody_knows_belongs_to_its_organizations_client(alerts: Alerts) -> None:
    (mapping, *_) = await alerts.world.mappings(alerts.integration.integration_id)
    heard = await alerts.hear(device_id="x" * 40, organization_id=mapping.external_organization_id)
    await alerts.apply(record("1", device_id="y" * 40, organization_name=mapping.external_organization_name))
    assert not heard.device_known
    for alert in await alerts.all():
        assert (alert.asset_id, alert.client_id) == (None, mapping.client_id)


async def test_many_webhooks_at_once_are_heard_in_order(alerts: Alerts) -> None:
    device = alerts.devices[0]
    heard = await alerts.hear_all(
        WebhookMessage(device_id=device, external_alert_id="1", event="trigger"),
        WebhookMessage(device_id=device, external_alert_id="2", event="resolve"),
        WebhookMessage(device_id=device, external_alert_id="1", event="trigger"),
        WebhookMessage(device_id=device, external_alert_id="1", event="resolve"),
        WebhookMessage(device_id=device, event="resolve"),
        WebhookMessage(device_id=device),
        WebhookMessage(device_id=device),
    )
    assert heard[0].alert_id == heard[2].alert_id == heard[3].alert_id
    assert heard[4].closed_nothing
    found = {each.external_alert_id: (each.status, each.occurrences) for each in await alerts.all()}
    assert found == {"1": ("resolved", 1), "2": ("resolved", 1), None: ("active", 2)}
