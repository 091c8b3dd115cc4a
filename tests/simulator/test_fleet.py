"""The invented fleet: repeatable, odd enough, of any size, and changeable while it is served."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.simulator import Fleet, FleetSpec, SimulatorServer
from muster.simulator.alert_settings import AlertSettings
from muster.simulator.clock import SimulatedClock
from muster.simulator.dice import AgentIds
from muster.simulator.rows import Rows

AT = datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC)
Ask = Callable[..., httpx2.Response]


def _fleet(agents: int, seed: int = 3) -> Fleet:
    return Fleet(FleetSpec(agents, seed), SimulatedClock(AT, frozen=True))


@given(seed=st.integers(0, 2**32), pk=st.integers(1, 10**9))
def test_agent_ids_turn_back_into_pks(seed: int, pk: int) -> None:
    ids = AgentIds(seed)
    agent_id = ids.encode(pk)
    assert len(agent_id) == 40
    assert agent_id.isalpha()
    assert ids.decode(agent_id) == pk
    assert AgentIds(seed + 1).decode(agent_id) is None


@given(text=st.text(max_size=60))
def test_any_other_text_is_no_agent_id(text: str) -> None:
    assert AgentIds(1).decode(text) is None


def _rows(fleet: Fleet) -> Rows:
    return Rows(fleet, AlertSettings(fleet, fleet.clock))


def test_equal_seeds_give_equal_fleets_and_others_do_not() -> None:
    now = SimulatedClock(AT, frozen=True).now_us()
    first, second, other = (_rows(_fleet(60, seed)) for seed in (3, 3, 4))
    for pk in range(1, 61):
        assert first.light(pk, now) == second.light(pk, now)
        assert first.beta(pk, now) == second.beta(pk, now)
        assert first.light(pk, now) != other.light(pk, now)


def test_twenty_agents_show_every_oddity() -> None:
    fleet = _fleet(20)
    rows, now = _rows(fleet), fleet.clock.now_us()
    agents = list(fleet)
    assert {agent.plat for agent in agents} == {"windows", "linux", "darwin"}
    assert {rows.status(agent, now) for agent in agents} == {"online", "offline", "overdue"}
    assert {agent.monitoring_type for agent in agents} == {"server", "workstation"}
    assert any(agent.presence.last_seen(now) is None and agent.hardware is None for agent in agents)
    assert any(agent.presence.last_seen(now) is None and agent.hardware is not None for agent in agents)
    assert any(agent.logged_in_username == "None" for agent in agents)
    assert any(agent.boot_time_us is None and agent.hardware for agent in agents)
    assert max(Counter(agent.hostname for agent in agents).values()) >= 2
    serials = {agent.hardware.serial for agent in agents if agent.hardware}
    assert {"", "To be filled by O.E.M."} <= serials
    names = [client.name for client in fleet.clients.values()]
    assert any("&" in name for name in names)
    assert not all(name.isascii() for name in names)
    sites = Counter(site.name for site in fleet.sites.values())
    assert max(sites.values()) >= 2


def test_one_client_is_empty_and_every_agent_has_a_site() -> None:
    fleet = _fleet(500)
    per_client = Counter(fleet.sites[agent.site_id].client for agent in fleet)
    assert len(per_client) == len(fleet.clients) - 1
    assert sum(per_client.values()) == len(fleet) == 500


def test_a_large_fleet_keeps_one_number_an_agent() -> None:
    fleet = _fleet(100_000)
    rows, now = _rows(fleet), fleet.clock.now_us()
    assert len(fleet) == 100_000
    assert not fleet._built
    assert fleet._site_of.itemsize * len(fleet._site_of) < 1_000_000
    # Asking for more agents than the caches hold leaves them at their bound.
    for pk in range(80_000, 80_050):
        rows.light(pk, now)
    assert len(fleet._built) == 50
    fleet._built.update(dict.fromkeys(range(-12_000, 0), fleet.agent(1)))
    held = len(fleet._built)
    fleet.agent(99_999)
    assert len(fleet._built) == held


@pytest.mark.parametrize(
    "bad", [{"agents": -1}, {"agents": 10**7}, {"clients": 1}, {"weight": "heavy"}, {"clients": 10**6}]
)
def test_a_senseless_fleet_is_refused(bad: dict[str, int | str]) -> None:
    with pytest.raises(ValueError, match=r"must be from|must be light"):
        FleetSpec(**bad)  # type: ignore[arg-type]


def test_an_empty_fleet_answers(server: SimulatorServer, ask: Ask) -> None:
    for agent in list(server.fleet):
        server.fleet.remove_agent(agent)
    assert ask("/agents/").json() == []
    assert ask("/beta/v1/agent/").json() == {"count": 0, "next": None, "previous": None, "results": []}
    assert sum(client["agent_count"] for client in ask("/clients/").json()) == 0


def test_changes_show_in_every_list(server: SimulatorServer, ask: Ask) -> None:
    fleet = server.fleet
    client = fleet.add_client("Brand New & Co", site="Cellar")
    site = fleet.sites_of_client(client)[0].pk
    moved, gone = fleet.agent(1), fleet.agent(2)
    ask("/agents/")
    fleet.move_agent(moved, site)
    fleet.rename_agent(moved, "renamed%s")
    fleet.remove_agent(gone)
    added = fleet.add_agent(site, hostname="added", agent_id="A" * 40)
    fleet.rename_client(client, "Renamed")

    rows = {row["agent_id"]: row for row in ask("/agents/").json()}
    assert gone.agent_id not in rows
    assert (rows[moved.agent_id]["hostname"], rows[moved.agent_id]["client_name"]) == ("renamed%s", "Renamed")
    assert rows[added.agent_id]["site_name"] == "Cellar"
    assert {row["agent_id"] for row in ask(f"/agents/?client={client}").json()} == {moved.agent_id, "A" * 40}
    beta = {row["id"]: row for row in ask("/beta/v1/agent/").json()["results"]}
    assert beta.keys() == {*range(1, 42)} - {2}
    assert beta[1]["site"] == beta[41]["site"] == site
    assert ask(f"/agents/{gone.agent_id}/").status_code == 404
    assert ask("/agents/" + "A" * 40 + "/").json()["hostname"] == "added"


def test_changed_hardware_shows_in_both_sources(server: SimulatorServer, ask: Ask) -> None:
    server.fleet.change_hardware(1, model="x1", serial="NEW-1", ram_gb=96, ips=("10.9.9.9",))
    light = next(row for row in ask("/agents/").json() if row["agent_id"] == server.fleet.agent(1).agent_id)
    detail = ask("/beta/v1/agent/1/").json()
    for name in ("serial_number", "local_ips", "make_model", "cpu_model", "physical_disks", "graphics"):
        assert light[name] == detail[name]
    assert (light["serial_number"], light["local_ips"]) == ("NEW-1", "10.9.9.9")
    assert detail["total_ram"] == 96
    with pytest.raises(ValueError, match="never reported any hardware"):
        server.fleet.change_hardware(5, serial="x")


def test_a_deleted_client_takes_its_agents_along(server: SimulatorServer, ask: Ask) -> None:
    before = {client["id"]: client["agent_count"] for client in ask("/clients/").json()}
    server.fleet.delete_client(1)
    assert {client["id"] for client in ask("/clients/").json()} == before.keys() - {1}
    assert len(ask("/agents/").json()) == 40 - before[1]
    assert ask("/clients/1/").status_code == 404


def test_an_unknown_agent_is_a_key_error(server: SimulatorServer) -> None:
    for which in (0, -1, 999, "nobody"):
        with pytest.raises(KeyError, match="has no agent"):
            server.fleet.agent(which)
    with pytest.raises(KeyError, match="has no site"):
        server.fleet.move_agent(1, 999)


def test_last_seen_can_be_nailed_down(server: SimulatorServer, ask: Ask) -> None:
    fleet = server.fleet
    for pk, ago in ((1, 1), (2, 20), (3, 200)):
        fleet.set_last_seen(pk, server.clock.now() - timedelta(minutes=ago))
        fleet.edit(pk, offline_time=4, overdue_time=30)
    fleet.set_last_seen(4, None)
    rows = {row["agent_id"]: row for row in ask("/agents/").json()}
    statuses = [rows[fleet.agent(pk).agent_id]["status"] for pk in (1, 2, 3, 4)]
    assert statuses == ["online", "offline", "overdue", "offline"]
    assert rows[fleet.agent(4).agent_id]["last_seen"] is None
