"""The recorded fleet, from the wire to the assets, by each source."""

from typing import Any

import pytest

from muster.assets.types import AssetContent
from muster.sync.types import SyncMode
from tests.support.recordings import Recordings
from tests.support.replay import SnapshotHandler, serving
from tests.support.world import World

pytestmark = pytest.mark.recordings

# A light row carries no hardware; a beta row does not tell whether patches wait.
ONLY_ONE_SOURCE_KNOWS = {"ram_gb", "disks", "cpu_cores", "last_user", "pending_patches"}
BOTH_KNOW = (
    {*AssetContent.__struct_fields__, "site_id", "site_name", "external_pk", "last_seen_at"}
    - ONLY_ONE_SOURCE_KNOWS
    - {"client_id"}
)
SENTINELS = ("none", "-", "to be filled", "unknown", "error getting", "graphics info requires")


def recorded_rows(recordings: Recordings) -> dict[str, dict[str, Any]]:
    return {row["agent_id"]: row for row in recordings.load_snapshot("agents.json.gz")}


async def fleet_by(world: World, url: str, source: str) -> dict[str, Any]:
    integration_id = await world.add(source, instance_url=url, api_key="RECORDED", source=source)
    await world.map_all(integration_id)
    run = await world.devices(integration_id)
    assert (run.status, run.created, run.failed) == ("succeeded", 250, 0)
    return {
        device: row
        for device, row in (await world.assets()).items()
        if row.rmm_integration_id == integration_id
    }


async def test_250_agents_become_250_assets_by_either_source(world: World, recordings: Recordings) -> None:
    rows = recorded_rows(recordings)
    with serving(SnapshotHandler(recordings)) as replay:
        light = await fleet_by(world, replay.url, "stable")
        detail = await fleet_by(world, replay.url, "beta")
    assert set(light) == set(detail) == set(rows)
    for device, row in rows.items():
        for asset in (light[device], detail[device]):
            assert asset.agent_status == row["status"]
            assert asset.name == row["hostname"]
            assert asset.site_name == row["site_name"]
            assert asset.client_name == row["client_name"]
            assert asset.asset_type == row["monitoring_type"]
            assert (asset.serial_number or "") == row["serial_number"]
            assert asset.wan_ip == row["public_ip"]
            made_of = " ".join(filter(None, (asset.make, asset.model)))
            assert made_of == row["make_model"].replace("unknown make/model", "")
            user = row["logged_username"]
            nobody = row["italic"] or user in ("-", "None")
            assert asset.current_user == (None if nobody else user)
            texts = [
                v
                for v in (asset.cpu_model, asset.gpu_model, asset.serial_number, *(asset.lan_ips or ()))
                if v
            ]
            assert not any(text.lower().startswith(SENTINELS) or "/" in text[-3:] for text in texts)
        for field in BOTH_KNOW:
            assert getattr(light[device], field) == getattr(detail[device], field), (device, field)


async def test_a_light_refresh_of_the_recorded_fleet_erases_nothing(
    world: World, recordings: Recordings
) -> None:
    with serving(SnapshotHandler(recordings)) as replay:
        integration_id = await world.add(instance_url=replay.url, api_key="RECORDED")
        await world.map_all(integration_id)
        full = await world.devices(integration_id)
        assert (full.status, full.created) == ("succeeded", 250)
        before = await world.fleet()
        assert sum(1 for row in before.values() if row["ram_gb"]) > 200
        light = await world.devices(integration_id, SyncMode.INCREMENTAL)
        assert (light.unchanged, light.updated) == (250, 0)
    assert await world.fleet() == before
