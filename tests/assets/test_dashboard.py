"""The dashboard: the answer first, the roll, and what waits for a person."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from muster import clock
from muster.accounts.permissions import Role
from muster.assets.fleet import rules
from muster.assets.fleet.service import FleetService
from muster.assets.models import Asset
from muster.clients.service import ClientService
from muster.db import Database, bulk
from muster.db.types import new_id, table_of
from muster.integrations.service import IntegrationService
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.site import Site
from tests.support.world import World


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=40, seed=7), frozen=True) as running:
        yield running


@pytest.fixture
async def world(database: Database) -> World:
    return await World.make(database)


async def synced(world: World, server: SimulatorServer) -> UUID:
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    return integration_id


async def add_assets(world: World, integration_id: UUID, per_client: dict[str, int]) -> None:
    """Many assets without a server that lists them."""
    at = clock.now()
    for name, count in per_client.items():
        async with world.database.write() as session:
            client_id = (await ClientService(session, world.scope).create(name)).client_id
            await session.flush()
            rows = [
                {
                    "asset_id": new_id(),
                    "name": f"PC-{number:04}",
                    "asset_type": "workstation",
                    "asset_type_overridden": False,
                    "client_id": client_id,
                    "rmm_provider": "tacticalrmm",
                    "rmm_integration_id": integration_id,
                    "rmm_device_id": f"{name}-{number}",
                    "agent_status": "overdue" if number % 10 == 0 else "online",
                    "never_reported": False,
                    "last_seen_at": at,
                    "last_rmm_sync_at": at,
                    "created_at": at,
                    "updated_at": at,
                }
                for number in range(count)
            ]
            await bulk.insert(session, world.scope, table_of(Asset), rows)


async def test_before_the_first_connection_the_three_steps_are_shown(world: World) -> None:
    async with Site.of(world).logged_in() as browser:
        page = await browser.get("/")
        assert page.text("h1") == "Nobody on the roll yet"
        assert page.text(".m-step-next b") == "Connect Tactical RMM"
        assert (
            page.attribute(".m-first-words .btn-primary", "href")
            == "/settings/integrations/rmm/new/tacticalrmm"
        )
        assert page.texts(".m-step .m-good") == []
    async with Site.of(world).logged_in(Role.VIEWER) as browser:
        page = await browser.get("/")
        assert page.texts("main .btn-primary") == []
        assert "An administrator connects it" in page.text()


async def test_the_steps_are_ticked_as_they_are_done(world: World, server: SimulatorServer) -> None:
    integration_id = await world.connect(server)
    async with Site.of(world).logged_in() as browser:
        page = await browser.get("/")
        assert page.text(".m-step-next b") == "Map organizations"
        assert len(page.texts(".m-step .m-good")) == 1
        await world.organizations(integration_id)
        assert "lists 4 organizations" in (await browser.get("/")).text()
        await world.map_all(integration_id)
        page = await browser.get("/")
        assert page.text(".m-step-next b") == "Sync devices"
        action = page.attribute(".m-first-words form", "action")
        assert action == f"/settings/integrations/rmm/{integration_id}/sync/devices"
        assert action is not None
        page = await browser.post(action)
        assert page.status == 200
        assert page.texts(".m-toast-text"), "the sync is asked for"
        await world.devices(integration_id)
        assert (await browser.get("/")).text("h1").endswith("answered")


async def test_the_headline_states_the_answer_and_the_figures_add_up(
    world: World, server: SimulatorServer
) -> None:
    await synced(world, server)
    rows = await world.all_assets()
    online = sum(row.agent_status == "online" for row in rows)
    async with Site.of(world).logged_in() as browser:
        page = await browser.get("/")
        assert page.text("h1") == f"{online} of 40 answered"
        assert "overdue" in page.text(".m-facts")
        assert len(page.html.css(".m-marks a")) == 40
        names = page.texts(".m-roll-client b")
        assert names == sorted({row.client_name or "" for row in rows}, key=str.casefold)
        total = sum(int(text.split()[0]) for text in page.texts(".m-roll-client small"))
        assert total == 40
        # The first marks of each client are those that did not answer.
        for marks in page.html.css(".m-marks"):
            titles = [node.attributes["title"] or "" for node in marks.css("a")]
            words = [title.split(", ")[1] for title in titles]
            assert words == sorted(words, key=["overdue", "unknown", "offline", "online"].index)
            assert all(node.attributes["tabindex"] == "-1" for node in marks.css("a"))
        assert page.texts("main .btn-primary") == ["Sync devices"]
        labels = page.texts(".m-fleet-labels text")
        assert f"Online {online}" in labels


async def test_more_than_500_devices_are_bars_and_more_than_20_clients_the_worst(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await synced(world, server)
    await add_assets(world, integration_id, {f"Client {number:02}": 20 + number for number in range(24)})
    async with Site.of(world).logged_in() as browser:
        page = await browser.get("/")
    assert page.html.css(".m-marks a") == []
    assert len(page.html.css(".m-roll .m-bar")) == 20
    assert "And 7 more" in page.text(".m-card-foot") or "And 8 more" in page.text(".m-card-foot")
    overdue = [text.partition(", ")[2] for text in page.texts(".m-roll-client small")]
    figures = [int(text.split()[0]) for text in overdue if "overdue" in text.split(",")[0]]
    assert figures == sorted(figures, reverse=True)


async def test_the_fleet_over_time_is_readable_without_scripts(world: World, server: SimulatorServer) -> None:
    await synced(world, server)
    now = clock.now()
    for hours in range(1, 20):
        async with world.database.write(world.scope) as session:
            moment = rules.floor(now, rules.QUARTER) - hours * rules.HOUR
            await FleetService(session, world.scope).sample({}, moment)
    async with Site.of(world).logged_in() as browser:
        page = await browser.get("/?range=24h")
        assert page.text(".m-segment [aria-current]") == "24 h"
        assert len(page.html.css(".m-fleet-plot polygon")) >= 1
        assert "40" in (page.attribute(".m-fleet-plot", "aria-label") or "")
        assert len(page.texts(".m-fleet-figures tbody tr")) == 20
        figures = page.texts(".m-fleet-figures td.m-numeric")
        assert figures[5:10] == ["0", "0", "0", "40", "40"]
        assert (await browser.get("/?range=nonsense")).text(".m-segment [aria-current]") == "30 days"
        assert (await browser.get("/?range=1y")).text(".m-segment [aria-current]") == "1 year"


async def test_what_needs_a_person_is_named_and_nothing_says_so(
    world: World, server: SimulatorServer
) -> None:
    integration_id = await synced(world, server)
    async with Site.of(world).logged_in() as browser:
        page = await browser.get("/")
        assert "missing device" not in page.text()
        server.fleet.remove_agent(next(iter(server.fleet)))
        await world.devices(integration_id)
        async with world.database.write() as session:
            await IntegrationService(session, world.scope, world.box).record_sync(
                integration_id,
                mode="incremental",
                status="failed",
                error={"code": "totp_required", "message": "The login needs a code.", "remedy": None},
                at=clock.now(),
            )
        page = await browser.get("/")
        rows = page.texts(".m-person-rows li")
        assert any(row.startswith("1 missing device first missed") for row in rows)
        assert any("Tactical needs a code The login needs a code." in row for row in rows)
        assert page.text('.m-place[href="/missing"] .m-place-count') == "1"
    async with Site.of(world).logged_in(Role.VIEWER) as viewer:
        rows = (await viewer.get("/")).texts(".m-person-rows li")
        assert [row.split(" first")[0] for row in rows] == ["1 missing device"]


async def test_a_viewer_reads_and_starts_nothing(world: World, server: SimulatorServer) -> None:
    await synced(world, server)
    async with Site.of(world).logged_in(Role.VIEWER) as browser:
        page = await browser.get("/")
        assert page.text("h1").endswith("of 40 answered")
        assert page.texts("main .btn-primary") == []


async def test_another_tenants_fleet_is_not_counted(
    world: World, server: SimulatorServer, database: Database
) -> None:
    await synced(world, server)
    stranger = await World.make(database, "Globex IT")
    async with Site.of(world).logged_in(world=stranger) as browser:
        assert (await browser.get("/")).text("h1") == "Nobody on the roll yet"


async def test_who_is_not_logged_in_is_led_to_the_login(world: World, server: SimulatorServer) -> None:
    await synced(world, server)
    site = Site.of(world)
    async with site.logged_in() as known:
        await known.get("/")
    async with site.browser() as browser:
        assert (await browser.get("/")).response.url.path == "/login"
