"""Alerts follow their devices: linked when a device is synced at last, moved with it, and with its asset."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from muster.alerts.jobs import job_handlers
from muster.alerts.requests import FOLLOW
from muster.alerts.subscribers import subscribers
from muster.assets.missing.service import MissingService
from muster.db import Database
from muster.events.relay import EventRelay
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync.types import SyncMode
from tests.alerts.saying import START, Alerts, after, record
from tests.support.job import Job
from tests.support.world import World


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=12, seed=7, alerts=0), frozen=True) as running:
        yield running


@pytest.fixture
async def world(database: Database, server: SimulatorServer) -> World:
    """A tenant that has mapped everything, and synced nothing."""
    world = await World.make(database)
    await world.map_all(await world.connect(server))
    return world


async def _alerts(world: World) -> Alerts:
    async with world.database.read(world.scope) as session:
        found = await IntegrationService(session, world.scope, world.box).list(limit=1)
    return await Alerts.of(world, found[0].integration_id)


async def settle(alerts: Alerts) -> int:
    """Tell the room what happened, and do what it asks for; the number of jobs."""
    await EventRelay(alerts.database, subscribers(), timedelta(days=1)).relay_once()
    async with alerts.database.read(alerts.scope) as session:
        jobs = await JobService(session, alerts.scope).list(["requested"], kinds=[FOLLOW])
    handler = job_handlers(alerts.database, alerts.world.connector)[FOLLOW]
    for job in jobs:
        await handler(Job(alerts.scope, job.job_id, job.payload))
    async with alerts.database.write(alerts.scope) as session:
        for job in jobs:
            await JobService(session, alerts.scope).cancel(job.job_id)
    return len(jobs)


async def test_an_alert_of_an_unknown_device_is_linked_once_it_is_synced(
    world: World, server: SimulatorServer
) -> None:
    alerts = await _alerts(world)
    first, second = (agent.agent_id for agent in list(server.fleet)[:2])
    heard = await alerts.hear(device_id=first)
    await alerts.apply(record(device_id=second, resolved=True, resolved_at=START))
    assert not heard.device_known
    assert await settle(alerts) == 0
    await world.devices(alerts.integration.integration_id)
    assert await settle(alerts) == 1
    assets = await world.assets()
    for alert in await alerts.all():
        asset = assets[alert.device_id or ""]
        assert (alert.asset_id, alert.client_id) == (asset.asset_id, asset.client_id)
    assert heard.alert_id is not None
    assert [line.kind for line in (await alerts.get(heard.alert_id)).timeline] == ["raised", "linked"]
    assert await alerts.told() == ["TRIGGERED", "UPDATED"]
    # A sync that changes no device asks for nothing.
    await world.devices(alerts.integration.integration_id, SyncMode.INCREMENTAL)
    assert await settle(alerts) == 0


async def test_open_alerts_move_with_their_device_to_another_client(
    world: World, server: SimulatorServer
) -> None:
    alerts = await _alerts(world)
    integration_id = alerts.integration.integration_id
    await world.devices(integration_id)
    agent = next(iter(server.fleet))
    await alerts.apply(
        record("1", device_id=agent.agent_id),
        record("2", device_id=agent.agent_id, opened_at=after(-9), resolved=True, resolved_at=after(-5)),
    )
    before = (await alerts.named("1")).client_id
    site = next(
        site
        for site in server.fleet.sites.values()
        if site.client != server.fleet.sites[agent.site_id].client
    )
    server.fleet.move_agent(agent, site.pk)
    await world.devices(integration_id, SyncMode.INCREMENTAL)
    await settle(alerts)
    asset = (await world.assets())[agent.agent_id]
    assert asset.client_id != before
    assert (await alerts.named("1")).client_id == asset.client_id
    # What is over stays where it was.
    assert (await alerts.named("2")).client_id == before


async def test_alerts_follow_a_device_that_a_person_links_and_separates(
    world: World, server: SimulatorServer
) -> None:
    alerts = await _alerts(world)
    integration_id = alerts.integration.integration_id
    await world.devices(integration_id)
    old = next(iter(server.fleet))
    old_asset = (await world.assets())[old.agent_id].asset_id
    site = server.fleet.site_of(old.pk)
    await alerts.apply(record("1", device_id=old.agent_id))
    server.fleet.remove_agent(old)
    server.fleet.add_agent(site, hostname=old.hostname, hardware=old.hardware, agent_id="n" * 40)
    for _ in range(2):
        await world.devices(integration_id, SyncMode.FULL)
    new_asset = (await world.assets())["n" * 40].asset_id
    await alerts.apply(record("2", device_id="n" * 40), at=after(1))
    await settle(alerts)
    assert (await alerts.named("2")).asset_id == new_asset

    async def decide(verb: str, *ids: UUID) -> None:
        async with world.database.write(world.scope) as session:
            await getattr(MissingService(session, world.scope), verb)(*ids)
        assert await settle(alerts) == 1

    await decide("link", old_asset, new_asset)
    assert {(await alerts.named(each)).asset_id for each in ("1", "2")} == {old_asset}
    # Words of a device whose mapping is gone change nothing of where its alerts are.
    await alerts.apply(record("1", device_id=old.agent_id, message="Again."), at=after(2))
    assert (await alerts.named("1")).asset_id == old_asset
    await decide("separate", new_asset)
    assert (await alerts.named("1")).asset_id == old_asset
    assert (await alerts.named("2")).asset_id == new_asset
