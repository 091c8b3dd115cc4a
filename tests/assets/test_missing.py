"""Missing devices: the evidence, and every decision with what takes it back."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from muster.accounts.permissions import Role
from muster.assets.missing.schemas import Decision, MissingFilter, MissingView
from muster.assets.missing.service import MissingService
from muster.assets.schemas import AssetFilter
from muster.assets.service import AssetService
from muster.audit.schemas import AuditView
from muster.audit.service import AuditService
from muster.db import Database
from muster.errors import Conflict, NotFound
from muster.jobs.models import JobRequest
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync.types import SyncMode
from tests.support.cli import Muster
from tests.support.site import Site, some_id
from tests.support.world import World


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=40, seed=7), frozen=True) as running:
        yield running


class Fleet:
    """A synced tenant, its server, and what a test does with both."""

    def __init__(self, world: World, server: SimulatorServer, integration_id: UUID) -> None:
        self.world = world
        self.server = server
        self.integration_id = integration_id

    @classmethod
    async def make(cls, database: Database, server: SimulatorServer, name: str = "Acme IT") -> "Fleet":
        world = await World.make(database, name)
        integration_id = await world.connect(server)
        await world.map_all(integration_id)
        run = await world.devices(integration_id)
        assert run.status == "succeeded"
        return cls(world, server, integration_id)

    async def read(self, mode: SyncMode = SyncMode.INCREMENTAL) -> None:
        run = await self.world.devices(self.integration_id, mode)
        assert run.status == "succeeded", run.error

    async def lose(self, which: int) -> UUID:
        """Uninstall an agent and read the fleet; its asset."""
        agent = list(self.server.fleet)[which]
        asset_id = (await self.world.assets())[agent.agent_id].asset_id
        self.server.fleet.remove_agent(agent)
        await self.read()
        return asset_id

    async def reinstall(self, which: int, hostname: str | None = None) -> tuple[UUID, UUID]:
        """A machine gets another agent, the old one is gone: its asset, and the new agent's."""
        agent = list(self.server.fleet)[which]
        asset_id = (await self.world.assets())[agent.agent_id].asset_id
        site = self.server.fleet.site_of(agent.pk)
        self.server.fleet.remove_agent(agent)
        new = self.server.fleet.add_agent(
            site, hostname=hostname or agent.hostname, hardware=agent.hardware, agent_id="n" * 40
        )
        await self.read(SyncMode.FULL)
        return asset_id, (await self.world.assets())[new.agent_id].asset_id

    async def missing(self, decision: Decision = Decision.OPEN) -> list[MissingView]:
        async with self.world.database.read() as session:
            service = MissingService(session, self.world.scope)
            wanted = MissingFilter(decision=decision)
            found = list(await service.page(wanted, limit=100))
            assert await service.count(wanted) == len(found)
        return found

    async def audit(self, action: str) -> list[AuditView]:
        async with self.world.database.read() as session:
            return list(await AuditService(session, self.world.scope).list(action=action, limit=100))

    async def listed(self) -> set[UUID]:
        return {row.asset_id for row in await self.world.all_assets(AssetFilter())}


@pytest.fixture
async def fleet(database: Database, server: SimulatorServer) -> Fleet:
    return await Fleet.make(database, server)


async def test_the_evidence_is_counted_by_complete_answers(fleet: Fleet) -> None:
    asset_id = await fleet.lose(3)
    (device,) = await fleet.missing()
    assert (device.asset_id, device.missed_answers) == (asset_id, 1)
    assert device.missing_since == device.last_missed_at
    await fleet.read()
    await fleet.read(SyncMode.FULL)
    (again,) = await fleet.missing()
    assert again.missed_answers == 3
    assert again.missing_since == device.missing_since
    assert again.last_missed_at is not None
    assert again.missing_since is not None
    assert again.last_missed_at > again.missing_since
    assert again.organization_name == again.client_name
    assert again.site_name is not None


async def test_a_device_that_returned_and_went_again_is_counted_anew(fleet: Fleet) -> None:
    agent = list(fleet.server.fleet)[3]
    site = fleet.server.fleet.site_of(agent.pk)
    await fleet.lose(3)
    await fleet.read()
    fleet.server.fleet.add_agent(site, agent_id=agent.agent_id)
    await fleet.read()
    assert await fleet.missing() == []
    fleet.server.fleet.remove_agent(agent.agent_id)
    await fleet.read()
    (device,) = await fleet.missing()
    assert device.missed_answers == 1


async def test_a_retired_device_leaves_lists_and_counts_and_is_brought_back(fleet: Fleet) -> None:
    asset_id = await fleet.lose(3)
    before = await fleet.listed()
    site = Site.of(fleet.world)
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.get("/missing")
        assert page.text("h1") == "1 device did not answer the roll"
        question = await browser.get(f"/missing/{asset_id}/retire")
        assert "Its history and alerts stay" in question.text()
        page = await browser.post(f"/missing/{asset_id}/retire")
        assert "retired." in page.text(".m-toast-text")
        assert page.text("h1") == "Missing devices"
        assert await fleet.listed() == before - {asset_id}
        async with fleet.world.database.read() as session:
            counts = await AssetService(session, fleet.world.scope).count_by_status({})
        assert sum(counts.values()) == len(before) - 1
        (view,) = await fleet.missing(Decision.RETIRED)
        assert (view.asset_id, view.decided_by) == (asset_id, "technician@example.com")
        # The next complete answer lacks it too, and that is nothing new.
        await fleet.read()
        assert await fleet.missing() == []
        undo = page.attribute(".m-toast form", "action")
        assert undo == f"/missing/{asset_id}/bring-back"
        page = await browser.post(undo)
        assert "back in the review" in page.text(".m-toast-text")
    assert await fleet.listed() == before
    assert [view.asset_id for view in await fleet.missing()] == [asset_id]
    (entry,) = await fleet.audit("asset.retired")
    assert (entry.actor, entry.subject_id) == ("technician@example.com", str(asset_id))
    assert len(await fleet.audit("asset.brought_back")) == 1


async def test_a_retired_device_that_answers_is_back_by_itself(fleet: Fleet) -> None:
    agent = list(fleet.server.fleet)[3]
    site = fleet.server.fleet.site_of(agent.pk)
    asset_id = await fleet.lose(3)
    async with fleet.world.database.write() as session:
        await MissingService(session, fleet.world.scope).retire(asset_id)
    assert asset_id not in await fleet.listed()
    fleet.server.fleet.add_agent(site, agent_id=agent.agent_id)
    run = await fleet.world.devices(fleet.integration_id, SyncMode.INCREMENTAL)
    assert run.created == 0
    assert asset_id in await fleet.listed()
    assert await fleet.missing(Decision.RETIRED) == []
    (entry,) = await fleet.audit("asset.returned")
    assert (entry.actor, entry.subject_id) == ("sync", str(asset_id))
    assert "returned" in {each.action for each in await fleet.world.entries(run)}
    # Once: it is an asset like any other now.
    await fleet.read()
    assert len(await fleet.audit("asset.returned")) == 1


async def test_a_kept_device_comes_back_into_the_review_when_it_goes_missing_again(fleet: Fleet) -> None:
    agent = list(fleet.server.fleet)[3]
    site_of_agent = fleet.server.fleet.site_of(agent.pk)
    asset_id = await fleet.lose(3)
    async with Site.of(fleet.world).logged_in() as browser:
        page = await browser.post(f"/missing/{asset_id}/keep")
        assert "kept." in page.text(".m-toast-text")
        page = await browser.get("/missing?state=kept")
        assert "admin@example.com" in page.text("tbody")
    await fleet.read()
    assert await fleet.missing() == []
    assert asset_id in await fleet.listed()
    fleet.server.fleet.add_agent(site_of_agent, agent_id=agent.agent_id)
    await fleet.read()
    assert await fleet.missing(Decision.KEPT) == []
    fleet.server.fleet.remove_agent(agent.agent_id)
    await fleet.read()
    assert [view.asset_id for view in await fleet.missing()] == [asset_id]
    assert len(await fleet.audit("asset.kept")) == 1


async def test_keeping_is_taken_back(fleet: Fleet) -> None:
    asset_id = await fleet.lose(3)
    async with Site.of(fleet.world).logged_in() as browser:
        page = await browser.post(f"/missing/{asset_id}/keep")
        undo = page.attribute(".m-toast form", "action")
        assert undo is not None
        await browser.post(undo)
    assert [view.asset_id for view in await fleet.missing()] == [asset_id]
    assert await fleet.missing(Decision.KEPT) == []


async def test_a_reinstalled_machine_is_suggested_with_its_differences(fleet: Fleet) -> None:
    asset_id, other_id = await fleet.reinstall(3, "NEW-NAME-1")
    (device,) = await fleet.missing()
    assert device.suggestion is not None
    assert (device.asset_id, device.suggestion.asset_id) == (asset_id, other_id)
    assert device.suggestion.same == ("serial_number", "client", "site")
    names = {each.field: (each.old, each.new) for each in device.suggestion.differences}
    assert names["name"] == (device.name, "NEW-NAME-1")
    assert names["serial_number"] == (device.serial_number, device.serial_number)
    async with Site.of(fleet.world).logged_in() as browser:
        page = await browser.get("/missing")
        assert page.text(".m-suggestion h3") == "Probably reinstalled as NEW-NAME-1"
        assert page.texts(".m-suggestion del")[0] == device.name
        assert f"{device.serial_number} on both" in page.text(".m-suggestion")
        assert page.texts(".btn-primary") == ["Link to NEW-NAME-1"]


async def test_a_linked_asset_goes_on_with_the_other_agent_and_its_own_history(fleet: Fleet) -> None:
    asset_id, other_id = await fleet.reinstall(3, "NEW-NAME-1")
    before = {row.asset_id: row for row in await fleet.world.all_assets()}
    async with Site.of(fleet.world).logged_in() as browser:
        page = await browser.post(f"/missing/{asset_id}/link", {"agent": str(other_id)})
        assert page.text(".m-toast-text").startswith(f"{before[asset_id].name} goes on as NEW-NAME-1.")
        page = await browser.get(f"/assets/{other_id}")
        assert page.texts(".m-head .m-pill")[-1] == "Linked"
        assert "NEW-NAME-1 took over this machine's agent." in page.text(".m-finding")
        assert page.attribute(".m-finding a", "href") == f"/assets/{asset_id}"
    after = {row.asset_id: row for row in await fleet.world.all_assets()}
    assert set(after) == set(before) - {other_id}
    assert after[asset_id].name == "NEW-NAME-1"
    assert after[asset_id].rmm_device_id == after[asset_id].external_entity_id == "n" * 40
    assert after[asset_id].missing_since is None
    assert after[asset_id].created_at == before[asset_id].created_at
    async with fleet.world.database.read() as session:
        history = await AssetService(session, fleet.world.scope).history(asset_id)
    assert {"agent", "name"} <= {change.field for change in history}
    assert {change.cause for change in history if change.field == "agent"} == {"admin@example.com"}
    assert await fleet.missing() == []
    # The server sees one agent, Muster one asset: nothing is created, nothing is missing.
    run = await fleet.world.devices(fleet.integration_id)
    assert (run.created, run.missing, run.failed) == (0, 0, 0)
    assert set(await fleet.listed()) == set(after)
    fleet.server.fleet.rename_agent("n" * 40, "NEWER-NAME-1")
    await fleet.read()
    assert {r.asset_id: r.name for r in await fleet.world.all_assets()}[asset_id] == "NEWER-NAME-1"
    (entry,) = await fleet.audit("asset.linked")
    assert entry.detail["linked_asset_id"] == str(other_id)


async def test_linked_assets_are_separated_again(fleet: Fleet) -> None:
    asset_id, other_id = await fleet.reinstall(3, "NEW-NAME-1")
    before = {row.asset_id: row for row in await fleet.world.all_assets()}
    (missing,) = await fleet.missing()
    async with Site.of(fleet.world).logged_in() as browser:
        await browser.post(f"/missing/{asset_id}/link", {"agent": str(other_id)})
        await fleet.read()
        page = await browser.get("/missing?state=linked")
        assert "Goes on as NEW-NAME-1" in page.text("tbody")
        page = await browser.post(f"/missing/{other_id}/separate")
        assert "asset of its own again" in page.text(".m-toast-text")
    after = {row.asset_id: row for row in await fleet.world.all_assets()}
    assert set(after) == set(before)
    for name in (
        "name",
        "rmm_device_id",
        "client_id",
        "missing_since",
        "last_seen_at",
        "os_version",
        "disks",
    ):
        assert getattr(after[asset_id], name) == getattr(before[asset_id], name), name
        if name != "last_seen_at":
            assert getattr(after[other_id], name) == getattr(before[other_id], name), name
    (again,) = await fleet.missing()
    assert (again.missing_since, again.missed_answers) == (missing.missing_since, missing.missed_answers)
    run = await fleet.world.devices(fleet.integration_id)
    assert (run.created, run.missing, run.failed) == (0, 1, 0)


async def test_an_older_agent_that_returned_keeps_two_from_being_separated(fleet: Fleet) -> None:
    agent = list(fleet.server.fleet)[3]
    site = fleet.server.fleet.site_of(agent.pk)
    asset_id, other_id = await fleet.reinstall(3, "NEW-NAME-1")
    async with fleet.world.database.write() as session:
        await MissingService(session, fleet.world.scope).link(asset_id, other_id)
    fleet.server.fleet.add_agent(site, agent_id=agent.agent_id)
    run = await fleet.world.devices(fleet.integration_id)
    assert run.created == 1, "the older agent is another machine now"
    with pytest.raises(Conflict) as refused:
        async with fleet.world.database.write() as session:
            await MissingService(session, fleet.world.scope).separate(other_id)
    assert refused.value.code == "agent_returned"


async def test_nothing_is_linked_while_a_sync_works(fleet: Fleet) -> None:
    asset_id, other_id = await fleet.reinstall(3)
    async with fleet.world.database.write(fleet.world.scope) as session:
        now = (await fleet.world.all_assets())[0].created_at
        job = JobRequest(
            tenant_id=fleet.world.scope.tenant_id,
            kind="sync_devices",
            dedup_key="under way",
            payload={"integration_id": str(fleet.integration_id)},
            state="started",
            requested_at=now,
            not_before=now,
            attempts=1,
        )
        session.add(job)
    with pytest.raises(Conflict) as refused:
        async with fleet.world.database.write() as session:
            await MissingService(session, fleet.world.scope).link(asset_id, other_id)
    assert refused.value.code == "busy"


async def test_decisions_are_refused_for_a_device_that_answers(fleet: Fleet) -> None:
    living = (await fleet.world.all_assets())[0].asset_id
    async with Site.of(fleet.world).logged_in() as browser:
        for verb in ("retire", "keep", "review", "bring-back", "link", "separate"):
            page = await browser.post(f"/missing/{living}/{verb}", {"agent": str(living)})
            assert page.status == 404, verb
        assert (await browser.post(f"/missing/{living}/burn")).status == 404
    lost = await fleet.lose(3)
    async with Site.of(fleet.world).logged_in() as browser:
        page = await browser.post(f"/missing/{lost}/link", {"agent": str(lost)})
        assert page.status == 409
        assert (await browser.post(f"/missing/{lost}/link", {"agent": ""})).status == 400
        assert (await browser.post(f"/missing/{lost}/link", {"agent": str(some_id())})).status == 404
        assert (await browser.post(f"/missing/{lost}/review")).status == 409
        assert (await browser.post(f"/missing/{lost}/bring-back")).status == 409
        await browser.post(f"/missing/{lost}/retire")
        assert (await browser.post(f"/missing/{lost}/retire")).status == 409
        assert (await browser.post(f"/missing/{lost}/keep")).status == 409


async def test_a_viewer_looks_and_decides_nothing(fleet: Fleet) -> None:
    asset_id, _ = await fleet.reinstall(3)
    async with Site.of(fleet.world).logged_in(Role.VIEWER) as browser:
        page = await browser.get("/missing")
        assert page.status == 200
        assert page.texts(".m-decide") == []
        assert page.texts("main form") == []
        assert (await browser.get(f"/missing/{asset_id}/retire")).status == 403
        assert (await browser.get(f"/missing/{asset_id}/link")).status == 403
        refused = await browser.post(f"/missing/{asset_id}/retire")
        assert refused.status == 403
        assert "asset:update" in refused.text()
        assert (await browser.json("POST", f"/assets/{asset_id}/keep")).status_code == 403


async def test_another_tenants_devices_are_not_there(fleet: Fleet, database: Database) -> None:
    asset_id, other_id = await fleet.reinstall(3)
    stranger = await World.make(database, "Globex IT")
    async with Site.of(fleet.world).logged_in(world=stranger) as browser:
        assert "Everybody is on the list" in (await browser.get("/missing")).text()
        assert (await browser.get(f"/missing/{asset_id}/retire")).status == 404
        assert (await browser.get(f"/missing/{asset_id}/link")).status == 404
        for verb in ("retire", "keep", "link"):
            assert (await browser.post(f"/missing/{asset_id}/{verb}", {"agent": str(other_id)})).status == 404
        assert (await browser.json("GET", "/assets/missing")).json() == {"items": [], "total": 0}
        assert (await browser.json("POST", f"/assets/{asset_id}/retire")).status_code == 404
    assert len(await fleet.missing()) == 1


async def test_the_agent_is_searched_for_where_nothing_is_suggested(fleet: Fleet) -> None:
    asset_id = await fleet.lose(3)
    (device,) = await fleet.missing()
    async with Site.of(fleet.world).logged_in() as browser:
        page = await browser.get(f"/missing/{asset_id}/link")
        shown = page.texts("tbody tr")
        assert len(shown) == 20
        assert device.client_name is not None
        assert device.client_name in shown[0]
        wanted = (await fleet.world.all_assets())[5]
        page = await browser.get(f"/missing/{asset_id}/link?q={wanted.name.lower()}")
        assert all(wanted.name.lower() in row.lower() for row in page.texts("tbody td.m-name"))
        page = await browser.get(f"/missing/{asset_id}/link?q=nobody-is-called-so")
        assert "No agent matches" in page.text()


async def test_the_review_is_filtered_and_turned(fleet: Fleet) -> None:
    for _ in range(3):
        await fleet.lose(3)
    devices = await fleet.missing()
    client_id = devices[0].client_id
    mine = [device for device in devices if device.client_id == client_id]
    async with Site.of(fleet.world).logged_in() as browser:
        page = await browser.get(f"/missing?client={client_id}")
        assert len(page.texts("tbody td.m-name")) == len(mine)
        assert page.text(".m-chip b") == devices[0].client_name
        page = await browser.get(f"/missing?integration={some_id()}&state=nonsense")
        assert "No device matches" in page.text()
        assert page.attribute(".m-nothing .btn", "href") == "/missing"
        page = await browser.get("/missing?page=99")
        assert len(page.texts("tbody td.m-name")) == 3


async def test_programs_decide_too(fleet: Fleet) -> None:
    asset_id, other_id = await fleet.reinstall(3)
    async with Site.of(fleet.world).logged_in() as browser:
        found = (await browser.json("GET", "/assets/missing?limit=10")).json()
        assert found["total"] == 1
        assert found["items"][0]["suggestion"]["asset_id"] == str(other_id)
        assert found["items"][0]["missed_answers"] == 1
        kept = await browser.json("POST", f"/assets/{asset_id}/keep")
        assert (kept.status_code, kept.json()["decision"]) == (200, "kept")
        assert (await browser.json("GET", "/assets/missing?decision=kept")).json()["total"] == 1
        assert (await browser.json("POST", f"/assets/{asset_id}/review")).status_code == 200
        retired = await browser.json("POST", f"/assets/{asset_id}/retire")
        assert retired.json()["decision"] == "retired"
        assert (await browser.json("POST", f"/assets/{asset_id}/bring-back")).status_code == 204
        body = {"asset_id": str(other_id)}
        assert (await browser.json("POST", f"/assets/{asset_id}/link", body)).status_code == 204
        again = await browser.json("POST", f"/assets/{asset_id}/link", body)
        assert (again.status_code, again.headers["content-type"]) == (404, "application/problem+json")
        assert (await browser.json("POST", f"/assets/{other_id}/separate")).status_code == 204
        assert (await browser.json("GET", "/assets/missing?limit=251")).status_code == 400
    assert len(await fleet.missing()) == 1


async def test_who_is_not_there_is_not_found(fleet: Fleet) -> None:
    with pytest.raises(NotFound):
        async with fleet.world.database.read() as session:
            await MissingService(session, fleet.world.scope).get(some_id())


async def test_the_command_line_decides_and_is_recorded(fleet: Fleet, muster_on: Muster) -> None:
    asset_id, other_id = await fleet.reinstall(3, "NEW-NAME-1")
    (row,) = muster_on.done("asset", "missing")["items"]
    assert (row["asset_id"], row["suggested"]) == (str(asset_id), "NEW-NAME-1")
    assert muster_on.done("asset", "keep", asset_id)["asset_id"] == str(asset_id)
    kept = muster_on.done("asset", "missing", "--state", "kept")
    assert (kept["total"], kept["items"][0]["decided_by"]) == (1, None)
    muster_on.done("asset", "review", asset_id)
    muster_on.done("asset", "retire", asset_id)
    assert asset_id not in await fleet.listed()
    muster_on.done("asset", "bring-back", asset_id)
    muster_on.done("asset", "link", asset_id, other_id)
    assert other_id not in await fleet.listed()
    refused = muster_on("asset", "keep", asset_id, "--json")
    assert (refused.code, refused.error["code"]) == (1, "not_found")
    muster_on.done("asset", "separate", other_id)
    assert {asset_id, other_id} <= await fleet.listed()
    assert {entry.actor for entry in await fleet.audit("asset.linked")} == {"command line"}
    assert muster_on("asset", "retire", "nonsense").code == 1
