"""Syncs and runs for programs."""

from uuid import UUID

from muster.accounts.permissions import Role
from muster.simulator import SimulatorServer
from muster.sync.types import SyncMode
from tests.schedules.hands import Hands
from tests.support.site import Site, some_id
from tests.support.world import World
from tests.sync.conftest import AGENTS


async def test_a_sync_is_asked_for_followed_and_read(site: Site, world: World, mapped: UUID) -> None:
    async with site.logged_in(Role.TECHNICIAN) as browser:
        asked = await browser.json("POST", f"/integrations/{mapped}/sync", {"kind": "devices_full"})
        assert asked.status_code == 202
        (ticket,) = asked.json()["items"]
        assert (ticket["kind"], ticket["joined"]) == ("devices_full", False)
        again = await browser.json("POST", f"/integrations/{mapped}/sync", {"kind": "devices_full"})
        assert again.json()["items"] == [{**ticket, "joined": True}]
        assert (await browser.json("GET", f"/runs/{ticket['run_id']}")).status_code == 404
        await Hands(world).work()
        run = (await browser.json("GET", f"/runs/{ticket['run_id']}")).json()
        assert (run["status"], run["created"]) == ("succeeded", AGENTS)
        assert run["started_by"] == "technician@example.com"
        entries = (await browser.json("GET", f"/runs/{ticket['run_id']}/entries?limit=10&offset=55")).json()
        assert (len(entries["items"]), entries["total"]) == (5, AGENTS)
        assert entries["items"][0]["reason"] == "new_device"


async def test_everything_is_four_syncs(site: Site, world: World, mapped: UUID) -> None:
    async with site.logged_in() as browser:
        asked = (await browser.json("POST", f"/integrations/{mapped}/sync", {})).json()
        assert [item["kind"] for item in asked["items"]] == [
            "organizations",
            "devices_full",
            "alerts",
            "software",
        ]
        for item in asked["items"]:
            ended = await browser.json("POST", f"/runs/{item['run_id']}/cancel")
            assert (ended.status_code, ended.json()["state"]) == (202, "cancelled")
        again = await browser.json("POST", f"/runs/{asked['items'][0]['run_id']}/cancel")
        assert (again.status_code, again.json()["code"]) == (409, "ended")
    assert await Hands(world).work() == []


async def test_runs_are_filtered_and_paged(
    site: Site, world: World, server: SimulatorServer, mapped: UUID
) -> None:
    await world.devices(mapped)
    server.add_fault("error500@/clients/")
    await world.devices(mapped, SyncMode.INCREMENTAL)
    server.faults.clear()
    async with site.logged_in(Role.VIEWER) as browser:
        for query, total in {
            "": 3,
            "status=failed": 1,
            "sync_type=devices": 2,
            "mode=incremental": 1,
            f"integration_id={mapped}": 3,
            f"integration_id={some_id()}": 0,
            "since=2020-01-01T00:00:00Z": 3,
            "since=2999-01-01T00:00:00%2B01:00": 0,
        }.items():
            answer = await browser.json("GET", f"/runs?{query}")
            assert (answer.status_code, answer.json()["total"]) == (200, total), query
        page = (await browser.json("GET", "/runs?limit=1&offset=1")).json()
        assert (len(page["items"]), page["items"][0]["mode"], page["total"]) == (1, "full", 3)
        for query in ("limit=0", "limit=251", "offset=-1", "status=nonsense", "since=2020-01-01T00:00:00"):
            assert (await browser.json("GET", f"/runs?{query}")).status_code == 400, query


async def test_entries_are_filtered(site: Site, world: World, server: SimulatorServer, mapped: UUID) -> None:
    await world.devices(mapped)
    gone, changed = list(server.fleet)[:2]
    server.fleet.remove_agent(gone)
    server.fleet.rename_agent(changed, "RECEPTION-7")
    run = await world.devices(mapped, SyncMode.INCREMENTAL)
    async with site.logged_in() as browser:
        entries = (await browser.json("GET", f"/runs/{run.run_id}/entries")).json()
        assert entries["items"][0]["action"] == "missing"
        missing = (await browser.json("GET", f"/runs/{run.run_id}/entries?action=missing")).json()
        assert (missing["total"], missing["items"][0]["external_id"]) == (1, gone.agent_id)
        found = (await browser.json("GET", f"/runs/{run.run_id}/entries?q=reception")).json()
        assert [item["name"] for item in found["items"]] == ["RECEPTION-7"]
        assert (await browser.json("GET", f"/runs/{run.run_id}/entries?action=nonsense")).status_code == 400


async def test_permissions_and_tenants(site: Site, world: World, mapped: UUID) -> None:
    run = await world.devices(mapped)
    async with site.logged_in(Role.VIEWER) as browser:
        refused = await browser.json("POST", f"/integrations/{mapped}/sync", {})
        assert (refused.status_code, refused.json()["code"]) == (403, "permission_refused")
        assert (await browser.json("POST", f"/runs/{run.run_id}/cancel")).status_code == 403
    stranger = await World.make(world.database, "Stranger IT")
    async with site.logged_in(world=stranger) as browser:
        assert (await browser.json("GET", "/runs")).json() == {"items": [], "total": 0}
        assert (await browser.json("GET", f"/runs/{run.run_id}")).status_code == 404
        assert (await browser.json("GET", f"/runs/{run.run_id}/entries")).status_code == 404
        assert (await browser.json("POST", f"/runs/{run.run_id}/cancel")).status_code == 404
        assert (await browser.json("POST", f"/integrations/{mapped}/sync", {})).status_code == 404
    async with site.logged_in() as browser:
        wrong = await browser.json("POST", f"/integrations/{mapped}/sync", {"kind": "nonsense"})
        assert wrong.status_code == 400
    assert await Hands(world).jobs() == []
