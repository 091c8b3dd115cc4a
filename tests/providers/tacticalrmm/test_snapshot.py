"""The recorded fleet of 250 agents through the real client and translation, by each source."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from muster.providers.contract import DeviceRecord, Disk
from tests.support.opening import Fleet, opened, read
from tests.support.recordings import Recordings
from tests.support.replay import ReplayServer, SnapshotHandler, serving

pytestmark = pytest.mark.recordings

SENTINEL = re.compile(
    r"^(|-|none|null|n/a|not specified|default string)$"
    r"|to be filled|error getting|^unknown |graphics info requires|no graphics cards",
    re.IGNORECASE,
)
# What belongs to the moment rather than to the device, and what the place of reading decides.
MOMENTARY = {"status", "last_seen_at"}


@pytest.fixture(scope="module")
def server(recordings: Recordings) -> Iterator[ReplayServer]:
    with serving(SnapshotHandler(recordings)) as replay:
        yield replay


def whole_fleet(server: ReplayServer, source: str) -> Fleet:
    async def reading() -> Fleet:
        async with opened(server.url, api_key="K", source=source) as connection:
            return await read(connection, "full")

    return asyncio.run(reading())


@pytest.fixture(scope="module")
def light(server: ReplayServer) -> Fleet:
    return whole_fleet(server, "stable")


@pytest.fixture(scope="module")
def detail(server: ReplayServer) -> Fleet:
    return whole_fleet(server, "beta")


@pytest.fixture(scope="module")
def rows(recordings: Recordings) -> dict[str, dict[str, Any]]:
    return {row["agent_id"]: row for row in recordings.load_snapshot("agents.json.gz")}


@pytest.fixture(scope="module")
def beta_rows(recordings: Recordings) -> dict[str, dict[str, Any]]:
    handler = SnapshotHandler(recordings)
    return {row["agent_id"]: row for row in handler.agents}


async def test_each_source_brings_every_agent_and_proves_it_by_counts(light: Fleet, detail: Fleet) -> None:
    for fleet, source in ((light, "light"), (detail, "detail")):
        assert list(fleet.records) == [source]
        assert len(fleet.of(source)) == 250
        assert not fleet.rejected
        assert sorted(read.received for read in fleet.reads) == [0, 54, 56, 56, 84]
        assert all(read.complete and read.error is None and read.problem is None for read in fleet.reads)
    assert set(light.of("light")) == set(detail.of("detail"))


async def test_status_is_the_one_the_server_computed(
    light: Fleet, detail: Fleet, rows: dict[str, dict[str, Any]]
) -> None:
    expected = {agent: row["status"] for agent, row in rows.items()}
    assert {agent: record.status.value for agent, record in light.of("light").items()} == expected
    assert {agent: record.status.value for agent, record in detail.of("detail").items()} == expected


async def test_never_reported_is_told_apart(
    light: Fleet, detail: Fleet, rows: dict[str, dict[str, Any]]
) -> None:
    expected = {agent for agent, row in rows.items() if row["last_seen"] is None}
    assert len(expected) == 24
    for records in (light.of("light"), detail.of("detail")):
        assert {agent for agent, record in records.items() if record.never_reported} == expected
        assert all((record.last_seen_at is None) == record.never_reported for record in records.values())


async def test_base_fields_against_the_raw_rows(
    light: Fleet, detail: Fleet, rows: dict[str, dict[str, Any]], beta_rows: dict[str, dict[str, Any]]
) -> None:
    for agent, row in rows.items():
        for record in (light.of("light")[agent], detail.of("detail")[agent]):
            assert record.name == row["hostname"]
            assert record.asset_type.value == row["monitoring_type"]
            assert record.serial_number == (row["serial_number"] or None)
            assert record.os_version == row["operating_system"]
            assert record.os_type == {"darwin": "macos"}.get(row["plat"], row["plat"])
            assert record.agent_version == row["version"]
            assert record.wan_ip == row["public_ip"]
            assert record.needs_reboot == row["needs_reboot"]
            assert record.maintenance_mode == row["maintenance_mode"]
            assert record.site_name == row["site_name"]
            assert record.site_id == str(beta_rows[agent]["site"])
            assert record.description == (row["description"] or None)
            if row["boot_time"] is None:
                assert record.boot_time is None
            else:
                assert record.boot_time is not UNSET
                assert record.boot_time is not None
                assert record.boot_time.timestamp() == round(row["boot_time"])


async def test_addresses_against_the_raw_rows(
    light: Fleet, detail: Fleet, rows: dict[str, dict[str, Any]]
) -> None:
    seen: set[str] = set()
    for agent, row in rows.items():
        for record in (light.of("light")[agent], detail.of("detail")[agent]):
            text = row["local_ips"]
            if text.startswith("error"):
                assert record.lan_ips is None
                continue
            assert isinstance(record.lan_ips, tuple)
            assert not any("/" in address for address in record.lan_ips)
            given = [part.partition("/")[0] for part in text.split(", ")]
            assert [address for address in given if address in record.lan_ips] == list(record.lan_ips)
            assert "." in record.lan_ips[0]
            seen.update(record.lan_ips)
    # fe10::3332:4hgr:9634:1097 is in the recording and is no address.
    assert "fe80::476:c390:c8dc:11af" in seen
    assert not any("4hgr" in address for address in seen)


async def test_make_and_model_against_the_raw_rows(
    light: Fleet, detail: Fleet, rows: dict[str, dict[str, Any]]
) -> None:
    for agent, row in rows.items():
        for record in (light.of("light")[agent], detail.of("detail")[agent]):
            joined = " ".join(str(part) for part in (record.make, record.model) if part)
            assert joined == ("" if row["make_model"] == "unknown make/model" else row["make_model"])
    found = {(record.make, record.model) for record in light.of("light").values()}
    assert found == {
        ("HP", "ProLiant DL380 Gen9"),
        ("Gigabyte Technology Co., Ltd.", "X570 AORUS ULTRA"),
        (None, "MacBookAir10,1"),
        ("Raspberry Pi", "2 Model B Rev 1.1"),
        ("QEMU", "pc-i440fx-3.1"),
        (None, None),
    }


async def test_users_against_the_raw_rows(
    light: Fleet, detail: Fleet, rows: dict[str, dict[str, Any]], beta_rows: dict[str, dict[str, Any]]
) -> None:
    for agent, row in beta_rows.items():
        logged_in = row["logged_in_username"]
        current = None if logged_in in {None, "None"} else logged_in
        full, thin = detail.of("detail")[agent], light.of("light")[agent]
        assert (full.current_user, full.last_user) == (current, row["last_logged_in_user"])
        assert thin.current_user == current
        if rows[agent]["italic"]:
            assert thin.last_user == row["last_logged_in_user"]
        else:
            assert thin.last_user is UNSET


async def test_hardware_comes_with_the_beta_list(detail: Fleet, beta_rows: dict[str, dict[str, Any]]) -> None:
    for agent, row in beta_rows.items():
        record = detail.of("detail")[agent]
        assert record.external_pk == row["id"]
        assert record.ram_gb == row["total_ram"]
        if row["disks"] is None:
            assert record.disks is None
            continue
        assert isinstance(record.disks, tuple)
        assert [disk.device for disk in record.disks] == [disk["device"] for disk in row["disks"]]
    wsus = detail.of("detail")["iVgRVIfLBcbfnoGMbJmTPSIAoCLrZaWZkSBvrjnW"]
    gib = 1024**3
    assert wsus.disks == (
        Disk(
            device="C:",
            filesystem="NTFS",
            total_bytes=round(475.6 * gib),
            free_bytes=round(346.5 * gib),
            used_bytes=round(129.1 * gib),
            percent_used=27,
        ),
    )
    assert wsus.cpu_cores == 16
    assert wsus.cpu_model == "Intel(R) Xeon(R) CPU E5-2620 v4 @ 2.10GHz"


def carried(record: DeviceRecord) -> dict[str, Any]:
    return {
        name: value
        for name in record.__struct_fields__
        if (value := getattr(record, name)) is not UNSET and name not in MOMENTARY
    }


async def test_both_sources_agree_wherever_both_carry_a_field(light: Fleet, detail: Fleet) -> None:
    for agent, thin in light.of("light").items():
        one, other = carried(thin), carried(detail.of("detail")[agent])
        both = one.keys() & other.keys()
        assert len(both) >= 20
        assert {name: one[name] for name in both} == {name: other[name] for name in both}


async def test_a_light_refresh_after_a_full_one_erases_nothing(light: Fleet, detail: Fleet) -> None:
    only_full = {"ram_gb", "disks", "external_pk"}
    for agent, full in detail.of("detail").items():
        thin = carried(light.of("light")[agent])
        assert not only_full & thin.keys()
        after = {**carried(full), **thin}
        assert not [
            name for name, value in carried(full).items() if value is not None and after[name] is None
        ]


async def test_no_sentinel_anywhere(light: Fleet, detail: Fleet) -> None:
    for record in [*light.of("light").values(), *detail.of("detail").values()]:
        plain = msgspec.to_builtins(record)
        assert [text for text in texts(plain) if SENTINEL.search(text)] == []


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from texts(inner)


async def test_auto_takes_the_light_way_and_hardware_on_top(server: ReplayServer) -> None:
    async with opened(server.url, api_key="K") as connection:
        fleet = await read(connection, "full")
        assert await connection.hardware_in_bulk()
    assert {source: len(records) for source, records in fleet.records.items()} == {
        "light": 250,
        "detail": 250,
    }
    sources = [read.source for read in fleet.reads]
    assert sources == ["light"] * 5 + ["detail"] * 5


async def test_auto_on_a_stock_server_is_the_light_way(recordings: Recordings) -> None:
    with serving(SnapshotHandler(recordings, beta=False)) as stock:
        async with opened(stock.url, api_key="K") as connection:
            fleet = await read(connection, "full")
            assert not await connection.hardware_in_bulk()
    assert {source: len(records) for source, records in fleet.records.items()} == {"light": 250}
    assert len(stock.asked("/beta/v1/client/")) == 1
    assert "x-api-key" not in stock.asked("/beta/v1/client/")[0].headers


async def test_rows_of_other_organizations_never_enter(server: ReplayServer, recordings: Recordings) -> None:
    """A proxy that drops the query makes the server send everything: what is not ours is left out."""
    replay = SnapshotHandler(recordings)

    def deaf(seen: Any) -> Any:
        seen.query.pop("client", None)
        seen.query.pop("client_id", None)
        return replay(seen)

    with serving(deaf) as everything:
        async with opened(everything.url, api_key="K") as connection:
            organizations = (await connection.organizations()).records
            mapped = [record for record in organizations if record.external_id == "2"]
            fleet = await read(connection, "full", mapped)
    assert len(fleet.of("light")) == len(fleet.of("detail")) == 56
    assert all(record.site_id in {"4", "5"} for record in fleet.of("detail").values())
    assert [read.received for read in fleet.reads] == [56, 56]
    assert all("194 devices of other organizations" in (read.problem or "") for read in fleet.reads)


async def test_the_roster_knows_every_pk(server: ReplayServer, beta_rows: dict[str, dict[str, Any]]) -> None:
    async with opened(server.url, api_key="K") as connection:
        roster = await connection.roster()
    assert {agent: entry.external_pk for agent, entry in roster.items()} == {
        agent: row["id"] for agent, row in beta_rows.items()
    }


async def test_single_agents_as_recorded(recordings: Recordings, rows: dict[str, dict[str, Any]]) -> None:
    from_snapshot = SnapshotHandler(recordings)
    bodies = {
        name: recordings.full_body(name)
        for name in ("agents_one_windows", "agents_one_linux", "agents_one_never_seen")
    }
    by_path = {f"/agents/{msgspec.json.decode(body)['agent_id']}/": body for body in bodies.values()}

    def answer(seen: Any) -> Any:
        from_file = by_path.get(seen.path)
        reply = from_snapshot(seen)
        return reply if from_file is None else type(reply)(body=from_file)

    with serving(answer) as server:
        async with opened(server.url, api_key="K") as connection:
            for path in by_path:
                agent = path.split("/")[2]
                chunk = await connection.device(agent)
                (record,) = chunk.records
                row = rows[agent]
                assert chunk.source == "single"
                assert record.serial_number is UNSET
                assert record.external_pk is UNSET
                assert record.pending_patches is UNSET
                assert record.name == row["hostname"]
                joined = " ".join(str(part) for part in (record.make, record.model) if part)
                assert joined == ("" if row["make_model"] == "unknown make/model" else row["make_model"])
                assert (record.ram_gb is None) == (row["make_model"] == "unknown make/model")
            # One look at the clients serves them all.
            assert len(server.asked("/clients/")) == 1
