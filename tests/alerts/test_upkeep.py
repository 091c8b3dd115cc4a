"""Alerts that ended long ago are deleted, with their history; what is open stays."""

from datetime import timedelta

from muster.alerts import upkeep
from muster.alerts.service import AlertService
from tests.alerts.saying import START, Alerts, record
from tests.support.time import Time


async def test_what_ended_long_ago_goes(alerts: Alerts, time: Time) -> None:
    ended = START + timedelta(days=3)
    await alerts.apply(record("1"), record("2", resolved=True, resolved_at=ended))
    assert await upkeep.delete_old(alerts.database, 365) == 0
    time.pass_(days=400)
    assert await upkeep.delete_old(alerts.database, 365) == 1
    assert await upkeep.delete_old(alerts.database, 365) == 0
    (left,) = await alerts.all()
    assert left.external_alert_id == "1"
    async with alerts.database.read(alerts.scope) as session:
        assert (await AlertService(session, alerts.scope).get(left.alert_id)).timeline


async def test_what_waited_for_long_and_ended_lately_stays(alerts: Alerts, time: Time) -> None:
    await alerts.apply(record("1"))
    time.pass_(days=400)
    await alerts.apply(
        record("1", resolved=True, resolved_at=START + timedelta(days=399)), at=START + timedelta(days=400)
    )
    assert await upkeep.delete_old(alerts.database, 365) == 0
