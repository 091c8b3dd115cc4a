"""Reading lists: pages that adapt, counts that prove, faults that stay where they are."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from muster.egress import EgressPolicy
from muster.providers.contract import (
    OrganizationRecord,
    ProviderAuthError,
    ProviderConfigurationError,
    ProviderNotFound,
    ProviderPayloadError,
    ProviderPermissionError,
    ProviderUnavailable,
    SiteRecord,
)
from muster.providers.tacticalrmm import lists
from muster.providers.tacticalrmm.wire import PAGE
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.opening import Fleet, impatient, opened, read
from tests.support.replay import NOT_FOUND, ReplayServer, Reply, Seen, as_html, as_json, serving

BETA = "/beta/v1/agent/"
INVALID_PAGE = as_json({"detail": "Invalid page."}, 404)


def agent_row(number: int, **fields: Any) -> dict[str, Any]:
    """A beta row, light unless padded."""
    return {
        "id": number,
        "agent_id": f"agent{number:035d}",
        "hostname": f"PC-{number}",
        "site": 1,
        "monitoring_type": "workstation",
        "plat": "windows",
        "last_seen": "2026-11-23T15:19:40.576107Z",
        "offline_time": 4,
        "overdue_time": 30,
        "wmi_detail": {},
        **fields,
    }


def light_row(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "agent_id": f"agent{number:035d}",
        "hostname": f"PC-{number}",
        "client_name": "Acme",
        "site_name": "HQ",
        "monitoring_type": "server",
        "status": "online",
        "last_seen": None,
        **fields,
    }


def organization(count: int | None = None, number: int = 1, name: str = "Acme") -> OrganizationRecord:
    return OrganizationRecord(
        external_id=str(number),
        name=name,
        device_count=count,
        sites=(SiteRecord(external_id=str(number), name="HQ"),),
    )


class Pages:
    """A beta list of rows; `cap` is a page size it silently does not exceed."""

    def __init__(self, rows: list[dict[str, Any]], *, cap: int = 1000) -> None:
        self.rows = rows
        self.cap = cap
        self.sizes: list[int] = []
        self.before: Callable[[int], object] = int

    def __call__(self, seen: Seen) -> Reply:
        if seen.path != BETA:
            return as_json({"detail": "Authentication credentials were not provided."}, 401)
        assert seen.query["client_id"] == "1"
        assert seen.query["ordering"] == "id"
        size, page = min(int(seen.query["page_size"]), self.cap), int(seen.query["page"])
        self.before(page)
        self.sizes.append(int(seen.query["page_size"]))
        start = (page - 1) * size
        if start >= len(self.rows) and page > 1:
            return INVALID_PAGE
        more = start + size < len(self.rows)
        return as_json(
            {
                "count": len(self.rows),
                "next": "https://elsewhere.invalid/?page=2" if more else None,
                "previous": None,
                "results": self.rows[start : start + size],
            }
        )


async def full(server: ReplayServer, *organizations: OrganizationRecord) -> Fleet:
    async with opened(server.url, api_key="K", source="beta") as connection:
        return await read(connection, "full", organizations or [organization()])


async def light(server: ReplayServer, *organizations: OrganizationRecord) -> Fleet:
    async with opened(server.url, api_key="K") as connection:
        return await read(connection, "light", organizations or [organization()])


# --- pages -----------------------------------------------------------------------------------------------


async def test_light_pages_grow_without_gap_or_double() -> None:
    pages = Pages([agent_row(number) for number in range(1, 1338)])
    with serving(pages) as server:
        fleet = await full(server)
    assert len(fleet.of("detail")) == 1337
    (end,) = fleet.reads
    assert (end.received, end.expected, end.complete, end.problem) == (1337, 1337, True, None)
    assert pages.sizes[0] == lists.Pace.START
    assert max(pages.sizes) > 100
    assert all(len(chunk.records) <= lists.CHUNK for chunk in fleet.chunks)


async def test_heavy_pages_shrink_to_about_four_megabytes() -> None:
    heavy = "x" * 400_000
    pages = Pages([agent_row(number, services=heavy) for number in range(1, 63)])
    with serving(pages) as server:
        fleet = await full(server)
    assert len(fleet.of("detail")) == 62
    assert fleet.reads[0].complete
    assert pages.sizes[0] == 25
    assert set(pages.sizes[1:]) <= {5, 10}


@pytest.mark.parametrize("cap", [7, 10, 30])
async def test_a_server_that_silently_caps_its_pages_loses_nothing(cap: int) -> None:
    pages = Pages([agent_row(number) for number in range(1, 201)], cap=cap)
    with serving(pages) as server:
        fleet = await full(server)
    assert len(fleet.of("detail")) == 200
    assert fleet.reads[0].complete


async def test_a_page_too_large_is_asked_for_in_smaller_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "PAGE", PAGE._replace(max_body=300_000))
    pages = Pages([agent_row(number, services="x" * 20_000) for number in range(1, 41)])
    with serving(pages) as server:
        fleet = await full(server)
    assert len(fleet.of("detail")) == 40
    assert pages.sizes[:2] == [25, 5]


async def test_a_list_that_shrinks_while_it_is_read_is_not_complete() -> None:
    pages = Pages([agent_row(number) for number in range(1, 61)])

    def shrink(page: int) -> None:
        if page > 1:
            del pages.rows[20:]

    pages.before = shrink
    with serving(pages) as server:
        fleet = await full(server)
    (end,) = fleet.reads
    assert not end.complete
    assert end.error is None
    assert "shorter" in str(end.problem)
    assert len(fleet.of("detail")) == 25


async def test_a_device_that_slips_onto_the_next_page_is_taken_once() -> None:
    pages = Pages([agent_row(number) for number in range(2, 42)])
    pages.before = lambda page: pages.rows.insert(0, agent_row(1)) if page == 2 else None
    with serving(pages) as server:
        fleet = await full(server)
    (end,) = fleet.reads
    assert len(fleet.of("detail")) == 40
    assert (end.received, end.expected, end.complete) == (40, 41, False)


async def test_every_list_may_come_bare_or_in_pages() -> None:
    rows = [agent_row(number) for number in range(1, 8)]
    with serving(lambda _: as_json(rows)) as server:
        fleet = await full(server, organization(7))
    assert fleet.reads[0].complete
    assert len(fleet.of("detail")) == 7

    def enveloped(seen: Seen) -> Reply:
        lists_by_path = {
            "/clients/": [{"id": 1, "name": "Acme", "agent_count": 2, "sites": [{"id": 9, "name": "HQ"}]}],
            "/agents/": [light_row(1), light_row(2)],
        }
        return as_json({"count": 2, "next": None, "previous": None, "results": lists_by_path[seen.path]})

    with serving(enveloped) as server:
        async with opened(server.url) as connection:
            fleet = await read(connection, "light")
            assert len(await connection.roster()) == 2
    assert fleet.reads[0].complete
    assert {record.site_id for record in fleet.of("light").values()} == {"9"}


async def test_rows_of_unmapped_sites_are_left_out() -> None:
    rows = [agent_row(number, site=number % 2 + 1) for number in range(1, 101)]
    with serving(Pages(rows)) as server:
        fleet = await full(server)
    assert len(fleet.of("detail")) == 50
    assert {record.site_id for record in fleet.of("detail").values()} == {"1"}
    assert not fleet.reads[0].complete


async def test_memory_stays_flat_with_agents_of_real_weight() -> None:
    """A page is fetched only when the one before has been taken, and what is handed on is small."""
    with SimulatorServer(FleetSpec(agents=150, weight="real", clients=2)) as server:
        async with opened(server.url, api_key=server.api_key, source="beta") as connection:
            organizations = (await connection.organizations()).records
            received = 0
            async for item in connection.devices(organizations, "full"):
                if not hasattr(item, "records"):
                    continue
                asked = sum(seen.path.startswith(BETA) for seen in server.requests)
                received += len(item.records)
                assert asked <= received // lists.Pace.LEAST + 1
                assert all(len(msgspec.json.encode(record)) < 4_000 for record in item.records)
        pages = [seen.bytes for seen in server.requests if seen.path.startswith(BETA)]
        assert received == 150
        assert len(pages) > 2
        assert max(pages) < 2 * lists.Pace.BYTES
        assert sum(pages) > 2 * max(pages)


# --- rows ------------------------------------------------------------------------------------------------


async def test_one_malformed_agent_is_told_and_the_others_stand() -> None:
    with SimulatorServer(FleetSpec(agents=30)) as server:
        server.add_fault("malformed-agent=type@/agents/")
        server.add_fault("malformed-agent=missing@/beta/v1/agent/")
        async with opened(server.url, api_key=server.api_key) as connection:
            organizations = (await connection.organizations()).records
            fleet = await read(connection, "full", organizations)
    refused: dict[str, int] = {}
    for chunk in fleet.chunks:
        refused[chunk.source] = refused.get(chunk.source, 0) + len(chunk.rejected)
    for source in ("light", "detail"):
        assert refused[source] >= 1
        assert len(fleet.of(source)) + refused[source] == 30
    assert all(row.field and row.reason for row in fleet.rejected)
    # A rejected row was received: it proves that the device is there.
    assert all(end.complete for end in fleet.reads)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"hostname": 7}, "hostname"),
        ({"hostname": " \u0000 "}, "hostname"),
        ({"agent_id": ""}, "agent_id"),
        ({"agent_id": "a/../b"}, "agent_id"),
        ({"agent_id": "x" * 201}, "agent_id"),
        ({"status": "dancing"}, "status"),
        ({"monitoring_type": "toaster"}, "monitoring_type"),
        ({"last_seen": "yesterday"}, "last_seen"),
        ({"last_seen": "2026-11-23T15:19:40"}, "last_seen"),
        ({"cpu_model": "one"}, "cpu_model"),
        ({"boot_time": "noon"}, "boot_time"),
        ({"needs_reboot": "yes"}, "needs_reboot"),
    ],
)
async def test_a_rejected_row_names_its_field(fields: dict[str, Any], field: str) -> None:
    rows = [light_row(1), light_row(2, **fields), light_row(3)]
    with serving(lambda _: as_json(rows)) as server:
        fleet = await light(server, organization(3))
    (row,) = fleet.rejected
    assert (row.field, row.position) == (field, 1)
    assert row.reason
    assert len(fleet.of("light")) == 2
    assert fleet.reads[0].complete


async def test_a_row_without_a_required_field_is_rejected_by_name() -> None:
    rows = [light_row(1), {key: value for key, value in light_row(2).items() if key != "client_name"}]
    with serving(lambda _: as_json(rows)) as server:
        fleet = await light(server, organization(2))
    (row,) = fleet.rejected
    assert (row.field, row.external_id) == ("client_name", light_row(2)["agent_id"])


async def test_a_malformed_row_of_another_organization_does_not_count_as_ours() -> None:
    rows = [light_row(1), light_row(2, hostname=None, client_name="Other")]
    with serving(lambda _: as_json(rows)) as server:
        fleet = await light(server, organization(1))
    assert not fleet.rejected
    assert fleet.reads[0].received == 1
    assert "1 devices of other organizations" in str(fleet.reads[0].problem)


async def test_text_that_is_no_unicode_costs_one_row() -> None:
    body = json.dumps([light_row(1), light_row(2, hostname="BAD")]).encode().replace(b"BAD", b"\xff\xfe")
    with serving(lambda _: Reply(body=body)) as server:
        fleet = await light(server, organization(2))
    assert len(fleet.of("light")) == 1
    assert len(fleet.rejected) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"[{"),
        Reply(body=b"\x00\x01"),
        Reply(body=b""),
        Reply(body=b'"ok"'),
        Reply(body=b"{}"),
        Reply(body=b"[" * 100_000),
        Reply(body=b"[]", content_type="text/plain"),
        as_json({"results": {"a": 1}}),
    ],
)
async def test_an_answer_that_is_no_list_is_that_organizations_problem(reply: Reply) -> None:
    good = as_json([light_row(1, client_name="Fine")])

    def handler(seen: Seen) -> Reply:
        return reply if seen.query["client"] == "1" else good

    with serving(handler) as server:
        fleet = await light(server, organization(5), organization(1, 2, "Fine"))
    bad, fine = fleet.reads
    assert bad.error is not None
    assert (bad.error.code, bad.complete, bad.received) == ("payload", False, 0)
    assert fine.complete


# --- faults of one organization, faults of all ------------------------------------------------------------


def by_client(**replies: Reply) -> Callable[[Seen], Reply]:
    return lambda seen: replies[f"c{seen.query['client']}"]


async def test_one_organizations_refusal_does_not_stop_the_others() -> None:
    handler = by_client(
        c1=as_json({"detail": "You do not have permission to perform this action."}, 403),
        c2=as_json([light_row(1, client_name="Two")]),
        c3=as_html(500),
        c4=as_json([light_row(2, client_name="Four")]),
    )
    with serving(handler) as server:
        fleet = await light(
            server,
            organization(1, 1, "One"),
            organization(1, 2, "Two"),
            organization(1, 3, "Three"),
            organization(1, 4, "Four"),
        )
    assert [end.error.code if end.error else None for end in fleet.reads] == [
        "permission_missing",
        None,
        "unavailable",
        None,
    ]
    assert [end.error.retryable for end in fleet.reads if end.error] == [False, True]
    assert len(fleet.of("light")) == 2


async def test_a_server_that_stays_away_ends_the_reading() -> None:
    organizations = [organization(1, number, f"Org {number}") for number in range(1, 9)]
    with serving(lambda _: as_html(502)) as server:
        async with opened(server.url) as connection:
            items = connection.devices(organizations, "light")
            assert [(await anext(items)).organization_id for _ in range(2)] == ["1", "2"]
            with pytest.raises(ProviderUnavailable):
                await anext(items)


async def test_refused_credentials_end_the_reading_at_once() -> None:
    with serving(lambda _: as_json({"detail": "Invalid token."}, 401)) as server:
        async with opened(server.url) as connection:
            with pytest.raises(ProviderAuthError):
                await anext(connection.devices([organization(), organization(1, 2)], "light"))
    assert len(server.seen) == 1


async def test_beta_switched_off_under_way_is_a_matter_of_settings() -> None:
    with serving(lambda _: NOT_FOUND) as server:
        async with opened(server.url, api_key="K", source="beta") as connection:
            with pytest.raises(ProviderConfigurationError) as caught:
                await anext(connection.devices([organization()], "full"))
    assert caught.value.code == "beta_disabled"


async def test_an_organization_id_of_another_kind_is_not_asked_for() -> None:
    with serving(lambda _: as_json([])) as server:
        strange = OrganizationRecord(external_id="1&site=2", name="Strange")
        fleet = await light(server, strange)
    assert fleet.reads[0].error is not None
    assert fleet.reads[0].error.code == "not_found"
    assert not server.seen


async def test_clients_that_may_not_be_listed_are_taken_from_the_beta_api() -> None:
    clients = [{"id": 1, "name": "Acme"}, {"id": 2, "name": "Other"}, {"id": 3, "name": " "}]
    sites = [{"id": 7, "name": "HQ", "client": 1}, {"id": 8, "name": "Far", "client": 2}]

    def handler(seen: Seen) -> Reply:
        if seen.path == "/clients/":
            return as_json({"detail": "You do not have permission to perform this action."}, 403)
        if seen.path == "/beta/v1/client/":
            return as_json(clients)
        page = int(seen.query["page"])
        return as_json({"count": 2, "next": "x" if page == 1 else None, "results": sites[page - 1 : page]})

    with serving(handler) as server:
        async with opened(server.url, api_key="K", source="beta") as connection:
            snapshot = await connection.organizations()
        async with opened(server.url, api_key="K") as connection:
            with pytest.raises(ProviderPermissionError, match="can_list_clients"):
                await connection.organizations()
    assert [(record.external_id, record.name, record.sites[0].name) for record in snapshot.records] == [
        ("1", "Acme", "HQ"),
        ("2", "Other", "Far"),
    ]
    assert [row.external_id for row in snapshot.rejected] == ["3"]


@pytest.mark.parametrize("shape", ["array", "object"])
async def test_ten_megabytes_of_something_else_change_nothing(shape: str) -> None:
    with SimulatorServer(FleetSpec(agents=5)) as server:
        server.add_fault(f"huge-body={shape}")
        async with opened(server.url, api_key=server.api_key) as connection:
            assert not (await connection.check()).ok
            with pytest.raises(ProviderPayloadError):
                await connection.organizations()
            with pytest.raises(ProviderPayloadError):
                await connection.device("a" * 40)


# --- one agent -------------------------------------------------------------------------------------------


async def test_one_agent_in_detail_and_its_organization() -> None:
    with SimulatorServer(FleetSpec(agents=20)) as server:
        agent = next(iter(server.fleet))
        async with opened(server.url, api_key=server.api_key) as connection:
            before = await connection.device(agent.agent_id)
            client = int(before.organization_id)
            server.fleet.rename_client(client, "Another Name")
            after = await connection.device(agent.agent_id)
            (record,) = after.records
            assert after.organization_id == before.organization_id
            assert record.external_id == agent.agent_id
            assert record.ram_gb
            assert record.disks
            # Once for the first agent, once more for the name not met before.
            assert sum(seen.path == "/clients/" for seen in server.requests) == 2


@pytest.mark.parametrize(
    "agent_id", ["", "short", "../clients/1/................", "a" * 201, "x y" * 10, "12"]
)
async def test_an_impossible_agent_id_never_becomes_a_path(agent_id: str) -> None:
    with serving(lambda _: as_json({})) as server:
        async with opened(server.url) as connection:
            with pytest.raises(ProviderNotFound):
                await connection.device(agent_id)
    assert not server.seen


async def test_an_unknown_and_a_hidden_agent() -> None:
    with SimulatorServer(FleetSpec(agents=30)) as server:
        async with opened(server.url, api_key=server.api_key) as connection:
            with pytest.raises(ProviderNotFound):
                await connection.device("a" * 40)
            everything = set(await connection.roster())
        async with opened(server.url, api_key=server.users["limited"].api_key) as connection:
            hidden = everything - set(await connection.roster())
            with pytest.raises(ProviderPermissionError):
                await connection.device(hidden.pop())


async def test_another_agent_than_asked_for_is_not_taken() -> None:
    row = {**light_row(1), "client": "Acme", "site": 1}
    with serving(lambda _: as_json(row)) as server:
        async with opened(server.url) as connection:
            with pytest.raises(ProviderPayloadError, match="another agent"):
                await connection.device("b" * 40)


async def test_the_roster_holds_every_device_or_is_none() -> None:
    """It proves absence: a malformed row still says that its device is there, a row without id ends it."""
    rows = [{"agent_id": "a" * 40, "id": 1}, {"agent_id": "b" * 40, "id": "x"}, {"agent_id": "c" * 40}]
    with serving(lambda _: as_json(rows)) as server:
        async with opened(server.url) as connection:
            roster = await connection.roster()
            assert [entry.external_pk for entry in roster.values()] == [1, None, None]
            rows.append({"id": 4})
            with pytest.raises(ProviderPayloadError, match="Row 3"):
                await connection.roster()


# --- roles, traffic --------------------------------------------------------------------------------------


async def test_a_role_for_one_client_never_makes_others_look_missing() -> None:
    with SimulatorServer(FleetSpec(agents=60)) as server:
        async with opened(server.url, api_key=server.api_key) as connection:
            everything = await connection.organizations()
        async with opened(server.url, api_key=server.users["limited"].api_key) as connection:
            visible = await connection.organizations()
            assert 0 < len(visible.records) < len(everything.records)
            fleet = await read(connection, "light", everything.records)
    hidden = {record.external_id for record in everything.records} - {
        record.external_id for record in visible.records
    }
    for end in fleet.reads:
        stated = next(r.device_count for r in everything.records if r.external_id == end.organization_id)
        if end.organization_id in hidden and stated:
            assert not end.complete
        if end.organization_id not in hidden:
            assert end.complete


async def test_a_role_for_one_site_gets_no_hardware_of_the_others() -> None:
    """The beta lists ignore roles; who is not in the light list does not come in by them."""
    with SimulatorServer(FleetSpec(agents=60)) as server:
        async with opened(server.url, api_key=server.users["onesite"].api_key) as connection:
            roster = await connection.roster()
            fleet = await read(connection, "full")
    assert 0 < len(roster) < 60
    assert set(fleet.of("light")) == set(fleet.of("detail")) == set(roster)
    assert any("left out" in (end.problem or "") for end in fleet.reads)


async def test_an_organization_whose_light_list_failed_is_not_read_in_detail() -> None:
    def handler(seen: Seen) -> Reply:
        if seen.path == "/agents/":
            return as_html(500) if seen.query["client"] == "1" else as_json([])
        if seen.path == BETA:
            return as_json({"count": 0, "next": None, "results": []})
        return as_json([], 401)

    with serving(handler) as server:
        async with opened(server.url) as connection:
            fleet = await read(connection, "full", [organization(1), organization(0, 2, "Two")])
    assert [(end.organization_id, end.source) for end in fleet.reads] == [
        ("1", "light"),
        ("2", "light"),
        ("2", "detail"),
    ]


async def test_traffic_is_counted() -> None:
    with SimulatorServer(FleetSpec(agents=10)) as server:
        async with opened(server.url, api_key=server.api_key) as connection:
            await read(connection, "light")
            assert connection.traffic.requests == len(server.requests)
            assert connection.traffic.bytes_received == sum(seen.bytes for seen in server.requests)


async def test_reads_survive_a_restarting_server() -> None:
    with SimulatorServer(FleetSpec(agents=10)) as server:
        for fault in (
            "error502@/agents/,times=2",
            "drop@/clients/,times=1",
            "throttle429=1@/clients/,times=1",
        ):
            server.add_fault(fault)
        async with opened(server.url, api_key=server.api_key, egress=impatient(EgressPolicy())) as connection:
            fleet = await read(connection, "light")
    assert len(fleet.of("light")) == 10


async def test_hardware_of_devices_that_the_light_list_hides_is_left_out() -> None:
    def handler(seen: Seen) -> Reply:
        if seen.path == "/agents/":
            return as_json([light_row(1), light_row(2)])
        if seen.path == BETA:
            rows = [agent_row(number) for number in range(1, 6)]
            return as_json({"count": 5, "next": None, "results": rows})
        return as_json([], 401)

    with serving(handler) as server:
        async with opened(server.url) as connection:
            fleet = await read(connection, "full", [organization(5)])
    assert set(fleet.of("detail")) == {light_row(1)["agent_id"], light_row(2)["agent_id"]}
    assert not any(end.complete for end in fleet.reads)
    assert "3 devices that the light list does not show" in str(fleet.reads[1].problem)
