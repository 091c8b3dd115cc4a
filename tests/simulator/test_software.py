"""Installed software: as odd as recorded, moving with the simulated time, changed by hand."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from muster.simulator import FleetSpec, SimulatorServer
from muster.simulator.agents import DAY
from muster.simulator.programs import FIRST_COMPONENT, FIRST_ERRAND, FIRST_RELEASED
from muster.simulator.software_names import SCHEMES
from muster.simulator.state import Settings, State
from tests.support.recordings import Recordings

AT = datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC)
Ask = Callable[..., httpx2.Response]
Entries = Sequence[dict[str, str]]

_SENTINEL = "0001-01-01 00:00:00 +0000 UTC"
# What recorded entries are like: the share of the entries of which it is true.
_ODD: dict[str, Callable[[dict[str, str]], bool]] = {
    "no day": lambda entry: entry["install_date"] == _SENTINEL,
    "no size": lambda entry: entry["size"] == "0 B",
    "no publisher": lambda entry: not entry["publisher"],
    "no version": lambda entry: not entry["version"],
    "no source": lambda entry: not entry["source"],
    "a location": lambda entry: bool(entry["location"]),
    "the version in the name": lambda entry: bool(entry["version"]) and entry["version"] in entry["name"],
}


def _state(agents: int, weight: str = "light", at: datetime = AT, seed: int = 3) -> State:
    return State.make(FleetSpec(agents, seed, weight=weight), Settings(frozen=True, at=at))  # type: ignore[arg-type]


def _rows(state: State) -> dict[int, list[dict[str, str]]]:
    now, found = state.clock.now_us(), {}
    for pk in state.fleet.pks():
        row = state.software.row(state.fleet.agent(pk), now)
        if row is not None:
            decoded = json.loads(b"".join(row))
            assert decoded["agent"] == pk
            found[pk] = decoded["software"]
    return found


def _pairs(entries: Entries) -> Counter[tuple[str, str]]:
    return Counter((entry["name"], entry["version"]) for entry in entries)


def _numbers(version: str) -> list[int]:
    """What a version is sorted by; a release comes after its candidates."""
    ended = version if "-rc" in version else f"{version}-rc.9"
    return [int(number) for number in re.findall(r"\d+", ended)]


def _names(entries: Entries | None) -> list[str]:
    assert entries is not None
    return [entry["name"] for entry in entries]


# ---- as recorded


@pytest.mark.recordings
def test_rows_are_as_odd_and_as_heavy_as_the_recorded_ones(recordings: Recordings) -> None:
    recorded = [row["software"] for row in recordings.load_snapshot("software.json.gz")]
    simulated = list(_rows(_state(250, "real")).values())
    assert 0.85 < len(simulated) / len(recorded) < 1.15
    seen = []
    for rows in (recorded, simulated):
        new = [entry for row in rows for entry in row if len(entry) == 8]
        old = [entry for row in rows for entry in row if len(entry) == 2]
        seen.append({
            **{name: sum(map(is_so, new)) / len(new) for name, is_so in _ODD.items()},
            "old": len(old) / len(new + old),
            "empty": sum(not row for row in rows) / len(rows),
            "doubles": sum(len(row) - len(_pairs(row)) for row in rows) / len(new + old),
            "bytes": len(json.dumps(rows)) / len(rows),
        })  # fmt: skip
    for name, wanted in seen[0].items():
        assert wanted / 3 < seen[1][name] < wanted * 3, name
    keys = [{tuple(entry) for row in rows for entry in row} for rows in (recorded, simulated)]
    assert keys[0] == keys[1]
    days = {entry["install_date"] for row in simulated for entry in row if len(entry) == 8}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d 00:00:00 \+0000 UTC", day) for day in days)


def test_twenty_light_agents_show_every_oddity() -> None:
    state = _state(20)
    rows = _rows(state)
    windows = {agent.pk for agent in state.fleet if agent.plat == "windows"}
    assert rows.keys() < windows
    assert [] in rows.values()
    new = [entry for row in rows.values() for entry in row if len(entry) == 8]
    assert all(any(map(is_so, new)) for is_so in _ODD.values())
    assert any(row and len(row[0]) == 2 for row in rows.values())
    assert any(set(_pairs(row).values()) > {1} for row in rows.values())
    versions = [Counter(re.sub(r"[\d.]+", "", name) for name, _ in _pairs(row)) for row in rows.values()]
    assert any(max(counted.values(), default=0) > 1 for counted in versions)
    assert any(not entry["name"].isascii() for entry in new)
    assert any(entry["name"] != entry["name"].strip() for entry in new)
    assert 8 < sum(map(len, rows.values())) / len(rows) < 25


def test_no_version_goes_back() -> None:
    for name, scheme in SCHEMES.items():
        released = [scheme(number) for number in range(150)]
        assert len(set(released)) == 150, name
        assert sorted(released, key=_numbers) == released, name
    assert (
        sum(
            sorted(scheme(n) for n in range(50)) != [scheme(n) for n in range(50)]
            for scheme in SCHEMES.values()
        )
        > 6
    )


def test_five_thousand_real_weight_agents_share_their_entries() -> None:
    state = _state(5_000, "real")
    now = state.clock.now_us()
    rows = [row for agent in state.fleet if (row := state.software.row(agent, now)) is not None]
    weighs = sum(len(piece) for row in rows for piece in row)
    held = {id(piece): len(piece) for row in rows for piece in row}
    assert 160_000_000 < weighs < 190_000_000
    assert 45_000 < weighs / len(rows) < 55_000
    assert sum(held.values()) < 5_000_000


# ---- as time goes on


def test_equal_seeds_list_equal_software() -> None:
    first, second, other = _rows(_state(40)), _rows(_state(40)), _rows(_state(40, seed=4))
    assert first == second != other


def test_machines_report_once_a_day_and_what_they_report_moves(server: SimulatorServer, ask: Ask) -> None:
    def listed() -> dict[int, Counter[tuple[str, str]]]:
        return {row["agent"]: _pairs(row["software"]) for row in ask("/software/").json()}

    gone = [agent.pk for agent in server.fleet if agent.presence.kind == "gone"]
    first = before = listed()
    assert listed() == before
    installed = removed = updated = 0
    for _ in range(30):
        server.clock.advance(timedelta(days=1))
        now = listed()
        assert now.keys() == before.keys()
        for pk, entries in now.items():
            more, less = entries - before[pk], before[pk] - entries
            # An update takes one entry away and brings one that differs in nothing but its version.
            lost = Counter(re.sub(r"v?[\d._]+", "", name) for name, _ in less)
            came = Counter(re.sub(r"v?[\d._]+", "", name) for name, _ in more)
            updated += (lost & came).total()
            installed += (came - lost).total()
            removed += (lost - came).total()
        before = now
    assert updated > 20
    assert installed > 2
    assert removed > 2
    assert any(first[pk] for pk in gone if pk in first)
    assert all(first[pk] == before[pk] for pk in gone if pk in first)


_moments = st.tuples(st.integers(-46, 1_500), st.integers(-46, 1_500)).map(sorted)


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6), moments=_moments)
@example(seed=10_912, moments=[-16, 0])
def test_releases_only_go_on_and_nothing_is_installed_later_than_reported(
    seed: int, moments: list[int]
) -> None:
    state = _state(1, "real", seed=seed)
    agent, first_day = state.fleet.agent(1), state.clock.start // DAY

    def installed(day: int) -> dict[int, tuple[list[int], int | None]]:
        found = state.software.installed(agent, state.clock.start + day * DAY)
        return {made.title: (_numbers(made.version), when) for made, when in found}

    earlier, later = (installed(day) for day in moments)
    for day, found in zip(moments, (earlier, later), strict=True):
        assert all(when is None or when <= first_day + day for _, when in found.values())
    released = {title for title in earlier if title < FIRST_ERRAND}
    assert released == {title for title in later if title < FIRST_ERRAND}
    for title in released:
        (before, _), (after, when) = earlier[title], later[title]
        assert before <= after
        if when is not None and FIRST_RELEASED <= title < FIRST_COMPONENT:
            assert (
                installed(when - first_day - 1)[title][0] < after == installed(when - first_day + 1)[title][0]
            )


def test_an_agent_of_long_ago_is_updated_and_lists_the_same(server: SimulatorServer) -> None:
    software = server.software
    old = software.of(9), software.of(10)
    assert all(entries and {len(entry) for entry in entries} == {2} for entries in old)
    server.clock.advance(timedelta(days=1))
    before = software.of(10)
    software.update_agent(10)
    after = software.of(10)
    assert before is not None
    assert after is not None
    assert _pairs(before) == _pairs(after)
    assert {len(entry) for entry in after} == {8}
    software.restore(10)
    assert software.of(10) == before
    server.clock.advance(timedelta(days=21))
    soon = software.of(10)
    assert soon is not None
    assert {len(entry) for entry in soon} == {8}


# ---- changed by hand


def test_hands_install_upgrade_and_remove(server: SimulatorServer, ask: Ask) -> None:
    software, agent = server.software, server.fleet.agent(1)
    before = _pairs(software.of(1) or [])
    software.install(agent, "Basalt Zip 9.20 (x64)", "9.20", publisher="Basalt", size="5.2 MB")
    software.install(agent.agent_id, "Basalt Zip 9.21 (x64)", "9.21", dated=False)
    row = ask(f"/software/{agent.agent_id}/").json()
    assert row in ask("/software/").json()
    assert row["software"][-2:] == [
        {
            "name": "Basalt Zip 9.20 (x64)", "size": "5.2 MB", "source": "", "version": "9.20",
            "location": "", "publisher": "Basalt", "uninstall": "",
            "install_date": "2030-05-06 00:00:00 +0000 UTC",
        },
        {
            "name": "Basalt Zip 9.21 (x64)", "size": "0 B", "source": "", "version": "9.21", "location": "",
            "publisher": "", "uninstall": "", "install_date": _SENTINEL,
        },
    ]  # fmt: skip
    software.remove(1, "Basalt Zip 9.21 (x64)")
    software.upgrade(1, "Basalt Zip 9.20 (x64)", "19.00")
    upgraded = (software.of(1) or [])[-1]
    assert (upgraded["name"], upgraded["version"]) == ("Basalt Zip 19.00 (x64)", "19.00")
    assert (upgraded["publisher"], upgraded["size"]) == ("Basalt", "5.2 MB")
    software.remove(1, "Basalt Zip 19.00 (x64)", "19.00")
    assert _pairs(software.of(1) or []) == before


def test_what_hands_removed_does_not_come_back_by_itself(server: SimulatorServer) -> None:
    software, name = server.software, "Heron Antivirus"

    def versions(agent: int) -> list[str]:
        return [entry["version"] for entry in software.of(agent) or [] if entry["name"] == name]

    steady = [agent.pk for agent in server.fleet if agent.presence.kind == "steady" and versions(agent.pk)]
    software.remove(steady[0], name)
    software.upgrade(steady[1], name, "99")
    before = [versions(pk) for pk in steady]
    server.clock.advance(timedelta(days=90))
    after = [versions(pk) for pk in steady]
    assert before[:2] == after[:2] == [[], ["99"]]
    assert before[2:] != after[2:]
    assert all(after[2:])


def test_all_versions_go_unless_one_is_named(server: SimulatorServer) -> None:
    for version in ("1", "2", "2", "3"):
        server.software.install(1, "Basalt Toolbar", version)
    server.software.remove(1, "Basalt Toolbar", "2")
    left = [entry for entry in server.software.of(1) or [] if entry["name"] == "Basalt Toolbar"]
    assert [entry["version"] for entry in left] == ["1", "3"]
    server.software.upgrade(1, "Basalt Toolbar", "4")
    left = [entry for entry in server.software.of(1) or [] if entry["name"] == "Basalt Toolbar"]
    assert [entry["version"] for entry in left] == ["4"]


def test_lists_can_come_empty_or_not_at_all(server: SimulatorServer, ask: Ask) -> None:
    software, agent_id = server.software, server.fleet.agent(1).agent_id
    software.empty(1)
    assert ask(f"/software/{agent_id}/").json()["software"] == []
    software.install(1, "Basalt Toolbar", "1")
    assert _names(software.of(1)) == ["Basalt Toolbar"]
    software.forget(1)
    assert software.of(1) is None
    assert ask(f"/software/{agent_id}/").json() == []
    assert 1 not in {row["agent"] for row in ask("/software/").json()}
    software.restore(1)
    assert len(_names(software.of(1))) > 5
    assert software.of(5) is None
    software.install(5, "Basalt Toolbar", "1")
    assert _names(software.of(5)) == ["Basalt Toolbar"]


def test_hands_that_cannot_say_so(server: SimulatorServer) -> None:
    with pytest.raises(ValueError, match="no Windows machine"):
        server.software.install(2, "Basalt Toolbar", "1")
    with pytest.raises(TypeError, match="an entry has no vendor"):
        server.software.install(1, "Basalt Toolbar", "1", vendor="x")
    for agent in (1, 2, 5, 8):
        with pytest.raises(KeyError, match="has no 'Basalt Toolbar 7' installed"):
            server.software.remove(agent, "Basalt Toolbar", "7")
    with pytest.raises(KeyError, match="has no 'Basalt Toolbar' installed"):
        server.software.upgrade(1, "Basalt Toolbar", "7")


# ---- told to report


def test_a_machine_told_to_report_reports_at_once(server: SimulatorServer, ask: Ask) -> None:
    agent = server.fleet.wake(1)
    told = f"/software/{agent.agent_id}/"
    server.clock.advance(timedelta(days=90) - timedelta(minutes=1))
    server.clock.advance(timedelta(minutes=1))
    book, fleet = server.state.software, server.fleet
    at = book.reported_us(fleet.agent(1), server.clock.now_us())
    assert at < server.clock.now_us()
    answer = ask(told, method="PUT", json={})
    assert (answer.status_code, answer.json()) == (200, "ok")
    assert book.reported_us(fleet.agent(1), server.clock.now_us()) == server.clock.now_us()
    assert server.requests[-1].method == "PUT"
    # One without a row has one then.
    without = server.fleet.wake(14)
    assert server.software.of(14) is None
    assert ask(f"/software/{without.agent_id}/", method="PUT", json={}).json() == "ok"
    assert server.software.of(14)


def test_who_may_only_read_tells_no_machine_to_report(server: SimulatorServer, ask: Ask) -> None:
    told = f"/software/{server.fleet.wake(1).agent_id}/"
    for method in ("PUT", "POST"):
        assert ask(told, method=method, user="nototp", json={"name": "x"}).status_code == 403
    assert ask(told, method="POST", json={}).status_code == 500
    assert ask(told, method="POST", json=["name"]).status_code == 500
    assert ask(told, method="POST", json={"name": "7zip"}).status_code == 501
    assert ask("/software/", method="PUT", json={}).status_code == 500


# ---- faults


def test_a_short_list_is_well_formed_and_lacks_rows(server: SimulatorServer, ask: Ask) -> None:
    whole = len(ask("/software/").json())
    server.add_fault("short-list@/software/,times=1")
    assert len(ask("/software/").json()) == whole // 2
    server.add_fault("short-list=1@/software/,times=1")
    assert len(ask("/software/").json()) == whole - 1
    server.add_fault("short-list=100,times=2")
    assert ask("/software/").json() == ask("/agents/").json() == []
    for wrong in ("0", "101", "half"):
        with pytest.raises(ValueError, match="percentage from 1 to 100"):
            server.add_fault(f"short-list={wrong}")


def test_one_row_can_be_ill_formed(server: SimulatorServer, ask: Ask) -> None:
    spoiled = []
    for how in ("type", "missing", "entry"):
        server.add_fault(f"malformed-software={how}@/software/,times=1")
        rows = ask("/software/").json()
        spoiled.append(next(row for row in rows if row.get("agent", 1) == 1))
    assert isinstance(spoiled[0]["software"], dict)
    assert "agent" not in spoiled[1]
    assert spoiled[2]["software"][:2] == [7, None]
    assert len(spoiled[2]["software"]) == 5 + len(server.software.of(1) or [])
    fault = server.add_fault("malformed-software@/software/,times=1")
    fault.agent_id = server.fleet.agent(4).agent_id
    assert isinstance(ask(f"/software/{fault.agent_id}/").json()["software"], dict)


@pytest.mark.parametrize("weight", ["light", "real"])
def test_a_cut_body_is_half_of_what_was_announced(weight: Any) -> None:
    with SimulatorServer(FleetSpec(60, 3, weight=weight), frozen=True, at=AT) as server:
        server.add_fault("cut-body,times=1")
        headers = {"X-API-KEY": server.api_key}
        pieces: list[bytes] = []
        with httpx2.stream("GET", f"{server.url}/software/", headers=headers) as answer:
            with pytest.raises(httpx2.RemoteProtocolError):
                pieces.extend(answer.iter_raw())
            announced = int(answer.headers["content-length"])
        assert sum(map(len, pieces)) == announced // 2
