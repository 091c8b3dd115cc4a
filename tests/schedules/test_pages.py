"""Schedules on pages and for programs: chosen from a list, typed in minutes, refused, switched off."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from muster.accounts.permissions import Role
from muster.audit.service import AuditService
from muster.simulator import FleetSpec, SimulatorServer
from tests.schedules.hands import Hands
from tests.support.site import Site, some_id
from tests.support.world import World


@pytest.fixture
def small() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=3, seed=7), frozen=True) as running:
        yield running


@pytest.fixture
def site(world: World) -> Site:
    return Site.of(world)


@pytest.fixture
async def connected(world: World, hands: Hands, small: SimulatorServer) -> UUID:
    integration_id = await world.connect(small)
    await hands.tick()
    return integration_id


def path(integration_id: UUID, kind: str = "devices_refresh") -> str:
    return f"/settings/integrations/rmm/{integration_id}/schedules/{kind}"


async def test_a_period_is_chosen_and_saved_at_once(site: Site, hands: Hands, connected: UUID) -> None:
    async with site.logged_in() as browser:
        page = await browser.post(path(connected), {"every": "30"}, part=True)
        assert page.attribute("option[selected]", "value") == "30"
        assert page.attribute("#next-devices_refresh", "hx-swap-oob") == "true"
        assert "every 30 min" in page.response.headers["hx-trigger"]
        plain = await browser.post(path(connected), {"every": "60"}, follow=False)
        home = f"/settings/integrations/rmm/{connected}"
        assert (plain.status, plain.response.headers["location"]) == (303, home)
    assert (await hands.schedules(connected))["devices_refresh"].minutes == 60


async def test_it_is_switched_off_and_on_again(site: Site, hands: Hands, connected: UUID) -> None:
    async with site.logged_in() as browser:
        page = await browser.post(path(connected), {"every": "off"}, part=True)
        assert page.attribute("option[selected]", "value") == "off"
        assert page.attribute("#next-devices_refresh [data-tip]", "data-tip") == "It is off."
        off = (await hands.schedules(connected))["devices_refresh"]
        assert (off.enabled, off.minutes) == (False, 15)
        await browser.post(path(connected), {"every": "15"}, part=True)
    assert (await hands.schedules(connected))["devices_refresh"].enabled


async def test_any_number_of_minutes_is_typed(site: Site, hands: Hands, connected: UUID) -> None:
    async with site.logged_in() as browser:
        page = await browser.post(path(connected), {"every": "other"}, part=True)
        assert page.attribute("input[name=minutes]", "value") == "15"
        for typed, said in (("3", "every 5 to 1,440 minutes"), ("2000", "2,000"), ("soon", "no number")):
            page = await browser.post(path(connected), {"every": "other", "minutes": typed}, part=True)
            assert page.status == 422
            assert said in page.text(".m-problem")
            assert page.attribute("input[name=minutes]", "value") == typed
        page = await browser.post(path(connected), {"every": "other", "minutes": "23"}, part=True)
        assert page.text("option[selected]") == "Every 23 min"
    assert (await hands.schedules(connected))["devices_refresh"].minutes == 23


async def test_it_works_without_scripts(site: Site, hands: Hands, connected: UUID) -> None:
    async with site.logged_in() as browser:
        page = await browser.post(path(connected), {"every": "other"})
        assert page.text("h1") == "Devices, light"
        assert page.attribute("#field-minutes", "value") == "15"
        page = await browser.post(path(connected), {"every": "other", "minutes": "1"})
        assert page.status == 422
        assert page.attribute("#field-minutes", "value") == "1"
        page = await browser.post(path(connected), {"every": "other", "minutes": "45"}, follow=False)
        assert page.status == 303
    assert (await hands.schedules(connected))["devices_refresh"].minutes == 45


async def test_a_change_is_put_on_record_once(site: Site, world: World, connected: UUID) -> None:
    async with site.logged_in() as browser:
        for _ in range(2):
            await browser.post(path(connected), {"every": "30"}, part=True)
    async with world.database.read(world.scope) as session:
        entries = await AuditService(session, world.scope).list(action="schedule.changed", limit=10)
    (entry,) = entries
    assert (entry.actor, entry.subject) == ("admin@example.com", "Tactical")
    assert entry.detail == {"schedule": "Devices, light", "minutes": [15, 30], "enabled": [True, True]}


async def test_only_who_may_change_settings_changes_schedules(
    site: Site, world: World, hands: Hands, connected: UUID
) -> None:
    for role in (Role.TECHNICIAN, Role.VIEWER):
        async with site.logged_in(role) as browser:
            assert (await browser.post(path(connected), {"every": "30"})).status == 403
            assert (await browser.get(path(connected))).status == 403
            url = f"/integrations/{connected}/schedules/devices_refresh"
            assert (await browser.json("PUT", url, {"minutes": 30})).status_code == 403
    stranger = await World.make(world.database, "Stranger IT")
    async with site.logged_in(world=stranger) as browser:
        assert (await browser.get(path(connected))).status == 404
        assert (await browser.post(path(connected), {"every": "30"})).status == 404
        assert (await browser.json("GET", f"/integrations/{connected}/schedules")).status_code == 404
    async with site.logged_in() as browser:
        assert (await browser.get(path(some_id()))).status == 404
        assert (await browser.get(path(connected, "nonsense"))).status == 404
    assert (await hands.schedules(connected))["devices_refresh"].minutes == 15


async def test_the_api_lists_and_changes(site: Site, connected: UUID) -> None:
    async with site.logged_in() as browser:
        url = f"/integrations/{connected}/schedules"
        listed = (await browser.json("GET", url)).json()
        assert listed["total"] == 6
        assert [item["kind"] for item in listed["items"]] == [
            "alerts",
            "alerts_backfill",
            "devices_full",
            "devices_refresh",
            "software",
            "webhook",
        ]
        changed = await browser.json("PUT", f"{url}/devices_full", {"enabled": False})
        assert (changed.status_code, changed.json()["enabled"], changed.json()["minutes"]) == (
            200,
            False,
            1440,
        )
        refused = await browser.json("PUT", f"{url}/devices_full", {"minutes": 7})
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_input")
