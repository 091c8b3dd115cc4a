"""What a person does to an alert: where it may be done, once, with a trace; and the lists worked from."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from muster import clock
from muster.alerts.schemas import AlertFilter, AlertOrder, AlertSort, AlertView
from muster.alerts.service import AlertService
from muster.alerts.types import AlertStatus
from muster.audit.schemas import AuditView
from muster.audit.service import AuditService
from muster.errors import Conflict, InvalidInput, NotFound
from muster.providers.alerting import AlertSeverity, AlertType
from muster.tenancy import TenantScope
from tests.alerts.saying import Alerts, after, record
from tests.support.world import World

VERBS = ("acknowledge", "unacknowledge", "snooze", "unsnooze", "resolve")
# By status: what each verb makes of it; None is a refusal.
MADE: dict[str, dict[str, str | None]] = {
    "active": dict(zip(VERBS, ("acknowledged", "active", "snoozed", "active", "resolved"), strict=True)),
    "acknowledged": dict(
        zip(VERBS, ("acknowledged", "active", "snoozed", "acknowledged", "resolved"), strict=True)
    ),
    "snoozed": dict(zip(VERBS, (None, None, "snoozed", "active", "resolved"), strict=True)),
    "resolved": dict(zip(VERBS, (None, None, None, None, "resolved"), strict=True)),
    "pruned": dict.fromkeys(VERBS),
}
PERSON = "ilja@example.com"


async def do(alerts: Alerts, verb: str, alert_id: UUID, *rest: Any, **options: Any) -> str:
    """What a person does; the alert's status then."""
    scope = TenantScope(alerts.scope.tenant_id, PERSON)
    if verb == "snooze" and not options:
        options = {"days": 3}
    async with alerts.database.write(scope) as session:
        done: AlertView = await getattr(AlertService(session, scope), verb)(alert_id, *rest, **options)
    return done.status


async def audit(alerts: Alerts) -> list[AuditView]:
    async with alerts.database.read(alerts.scope) as session:
        found = await AuditService(session, alerts.scope).list(limit=1000)
    return [entry for entry in found if entry.subject_type == "alert"]


async def brought_to(alerts: Alerts, status: str) -> UUID:
    """An alert that stands so."""
    await alerts.apply(record(device_id=alerts.devices[0]))
    alert_id = (await alerts.only()).alert_id
    match status:
        case "acknowledged":
            await do(alerts, "acknowledge", alert_id)
        case "snoozed":
            await alerts.apply(
                record(snoozed=True, snoozed_until=clock.now() + timedelta(days=9)), at=after(1)
            )
        case "resolved":
            await alerts.apply(record(resolved=True, resolved_at=after(1)), at=after(1))
        case "pruned":
            await alerts.absent("214", at=after(1))
    assert (await alerts.only()).status == status
    return alert_id


@pytest.mark.parametrize("status", MADE)
async def test_each_verb_is_done_from_where_it_makes_sense_and_leaves_a_trace(
    alerts: Alerts, status: str
) -> None:
    alert_id = await brought_to(alerts, status)
    for verb in VERBS:
        before = await alerts.get(alert_id)
        lines, entries = len(before.timeline), len(await audit(alerts))
        expected = MADE[before.status][verb]
        if expected is None:
            with pytest.raises(Conflict):
                await do(alerts, verb, alert_id)
            expected = before.status
        else:
            assert await do(alerts, verb, alert_id) == expected
        done = await alerts.get(alert_id)
        changed = done.status != before.status or done.snoozed_until != before.snoozed_until
        assert len(done.timeline) == lines + changed
        assert len(await audit(alerts)) == entries + changed
        if changed:
            assert done.timeline[-1].actor == PERSON
            entry = (await audit(alerts))[0]
            assert (entry.actor, entry.action) == (PERSON, f"alert.{done.timeline[-1].kind}")
            assert entry.subject_id == str(alert_id)
            event = (await alerts.events())[-1]
            assert (event.data["cause"], event.data["status"]) == ("person", done.status)


async def test_twice_is_once(alerts: Alerts) -> None:
    alert_id = await brought_to(alerts, "active")
    for verb in ("acknowledge", "snooze", "unsnooze", "unacknowledge", "resolve"):
        await do(alerts, verb, alert_id)
        before = await alerts.get(alert_id)
        await do(alerts, verb, alert_id)
        assert await alerts.get(alert_id) == before


async def test_acknowledging_survives_syncs_and_snoozes(alerts: Alerts) -> None:
    alert_id = await brought_to(alerts, "acknowledged")
    await alerts.apply(record(severity=AlertSeverity.MINOR), at=after(2))
    await alerts.apply(record(snoozed=True, snoozed_until=after(60)), at=after(3))
    assert (await alerts.get(alert_id)).status == "snoozed"
    await alerts.apply(record(), at=after(4))
    alert = await alerts.get(alert_id)
    assert (alert.status, alert.acknowledged_by) == ("acknowledged", PERSON)


async def test_a_snooze_takes_days_or_a_moment(alerts: Alerts) -> None:
    alert_id = await brought_to(alerts, "active")
    for options in ({"days": 0}, {"days": 4000}, {"until": clock.now()}, {"days": 1, "until": after(1)}):
        with pytest.raises(InvalidInput):
            await do(alerts, "snooze", alert_id, **options)
    until = clock.now() + timedelta(days=1, hours=2)
    await do(alerts, "snooze", alert_id, until=until)
    alert = await alerts.get(alert_id)
    assert alert.write_back is not None
    assert (alert.write_back.verb, alert.write_back.days) == ("snooze", 2)
    assert alert.snoozed_until is not None
    assert until <= alert.snoozed_until <= until + timedelta(days=1)


async def test_notes_stand_in_the_timeline(alerts: Alerts) -> None:
    alert_id = await brought_to(alerts, "resolved")
    await do(alerts, "note", alert_id, "  The line is being repaired. ")
    with pytest.raises(InvalidInput):
        await do(alerts, "note", alert_id, " ")
    with pytest.raises(InvalidInput):
        await do(alerts, "note", alert_id, "x" * 4001)
    alert = await alerts.get(alert_id)
    (note,) = [line for line in alert.timeline if line.kind == "note"]
    assert (note.detail["text"], note.actor) == ("The line is being repaired.", PERSON)
    assert (await alerts.told())[-1] == "UPDATED"


async def test_another_tenants_alert_is_not_there(alerts: Alerts) -> None:
    alert_id = await brought_to(alerts, "active")
    other = await World.make(alerts.database, "Other MSP")
    async with alerts.database.write(other.scope) as session:
        service = AlertService(session, other.scope)
        for verb in (service.get, service.acknowledge, service.resolve, service.unsnooze):
            with pytest.raises(NotFound):
                await verb(alert_id)
        assert await service.list(AlertFilter(), limit=10) == ([], 0)
    assert (await alerts.get(alert_id)).status == "active"


async def test_lists_are_filtered_counted_and_sorted(alerts: Alerts) -> None:
    first, second = alerts.devices[:2]
    check: dict[str, Any] = {"alert_type": AlertType.CHECK}
    await alerts.apply(
        record("1", device_id=first, device_name="WSUS-1", message="Das Überlaufen von C: (90%)"),
        record("2", device_id=second, device_name="DC-1", severity=AlertSeverity.MINOR, cause="c:1", **check),
        record(
            "3",
            device_id=first,
            device_name="WSUS-1",
            resolved=True,
            resolved_at=after(5),
            cause="c",
            **check,
        ),
        record(
            "4", opened_at=after(30), hidden=True, alert_type=AlertType.CUSTOM, severity=AlertSeverity.MAJOR
        ),
        at=after(40),
    )
    assets = await alerts.world.assets()

    async def ids(**wanted: Any) -> set[str | None]:
        return {each.external_alert_id for each in await alerts.all(**wanted)}

    assert await ids(statuses=(AlertStatus.ACTIVE,)) == {"1", "2", "4"}
    assert await ids(severities=(AlertSeverity.MINOR, AlertSeverity.MAJOR)) == {"2", "4"}
    assert await ids(types=(AlertType.CHECK,)) == {"2", "3"}
    assert await ids(asset_id=assets[first].asset_id) == {"1", "3"}
    assert await ids(client_id=assets[second].client_id) >= {"2"}
    assert (
        await ids(search="überlaufen") == await ids(search="ÜBERLAUFEN") == await ids(search="90%") == {"1"}
    )
    assert await ids(search="dc-1") == {"2"}
    assert await ids(raised_since=after(30)) == {"4"}
    assert await ids(raised_before=after(30)) == {"1", "2", "3"}
    assert await ids(seen_before=after(40)) == set()
    assert await ids(hidden=True) == await ids(linked=False) == {"4"}
    assert await ids(provider="tacticalrmm") == {"1", "2", "3", "4"}
    assert await ids(provider="another") == set()
    async with alerts.database.read(alerts.scope) as session:
        service = AlertService(session, alerts.scope)
        worst, _ = await service.list(AlertFilter(), AlertOrder(AlertSort.SEVERITY), limit=2)
        rest, total = await service.list(AlertFilter(), AlertOrder(AlertSort.SEVERITY), limit=2, offset=2)
        assert [each.severity for each in (*worst, *rest)] == ["critical", "critical", "major", "minor"]
        assert total == 4
        by_device, _ = await service.list(AlertFilter(), AlertOrder(AlertSort.DEVICE, False), limit=9)
        assert [each.device_name for each in by_device] == ["DC-1", "WSUS-1", "WSUS-1", None]
        counts = await service.counts()
        assert (counts.open, counts.by_status["resolved"], counts.by_severity["critical"]) == (3, 1, 1)
        assert await service.count_open() == await service.count_unseen() == 3
        assert await service.count_active(alerts.integration.integration_id) == 3
        asset_id = assets[first].asset_id
        assert await service.open_by_asset([asset_id]) == {asset_id: 1}
        assert [each.external_alert_id for each in await service.of_asset(asset_id, limit=9)] == ["3", "1"]
