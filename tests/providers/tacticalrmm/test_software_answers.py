"""Answers about installed software that are not as they should be, all at once and agent by agent."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from muster.egress import Egress, EgressPolicy
from muster.providers.contract import (
    ProviderConfigurationError,
    ProviderError,
    ProviderPayloadError,
    ProviderPermissionError,
    ProviderUnavailable,
)
from muster.providers.tacticalrmm import software
from tests.providers.tacticalrmm.software_reading import (
    AGENTS,
    ROSTER,
    SEVEN,
    answered,
    answering,
    read_at,
    row,
)
from tests.support.opening import MemorySession, impatient
from tests.support.replay import Handler, ReplayServer, Reply, Seen, as_html, as_json, serving

# --- all at once ------------------------------------------------------------------------------------------


async def test_rows_in_any_order_and_form() -> None:
    found = await answered(
        {"agent": 3, "software": [SEVEN]}, row(1, more="x"), row(99, SEVEN), row(2, SEVEN, SEVEN)
    )
    assert found.names == {AGENTS[2]: [SEVEN["name"]], AGENTS[0]: [], AGENTS[1]: [SEVEN["name"]] * 2}
    assert (found.end.complete, found.end.reports) == (True, 4)
    assert not (await answered()).reports
    assert (await answered()).end.complete


async def test_of_two_rows_of_an_agent_the_older_counts() -> None:
    """The server writes into its first row, whichever it lists first."""
    old, new = row(1, {"name": "Written"}, id=7), row(1, {"name": "Left behind"}, id=8)
    for rows in ((old, new), (new, old), (new, {"agent": 1, "software": []}, old)):
        found = await answered(*rows, row(2))
        assert found.names == {AGENTS[0]: ["Written"], AGENTS[1]: []}
        assert (found.end.complete, found.end.reports) == (True, 2)


async def test_rows_that_make_no_sense_are_named_and_the_answer_is_not_complete() -> None:
    odd = [
        {"id": 5, "software": []},
        {"id": 6, "software": [], "agent": "1"},
        {"agent": -1},
        {"id": "x", "agent": 3},
    ]
    found = await answered(row(1, SEVEN), *odd, row(4))
    assert found.reports.keys() == {AGENTS[0], AGENTS[3]}
    assert [(one.position, one.field) for one in found.end.rejected] == [
        *((1, "agent"), (2, "agent"), (3, "agent"), (4, "id")),
    ]
    assert not found.end.complete
    assert found.end.problem == "4 rows could not be understood."


async def test_a_row_that_is_too_large_is_left_out_and_the_rest_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(software, "MOST_OF_AGENT", 500)
    found = await answered(row(1, SEVEN), row(2, {"name": '}]"' * 200}), row(3, SEVEN))
    assert found.reports.keys() == {AGENTS[0], AGENTS[2]}
    assert [one.position for one in found.end.rejected] == [1]
    assert not found.end.complete


async def test_a_list_of_something_else_is_refused() -> None:
    with pytest.raises(ProviderPayloadError, match="Hardly a row"):
        await answered(*[{"name": "x"}] * 60)
    good = [row(1), *[{"name": "x"}] * 1_000]
    assert len((await answered(*good)).end.rejected) == 1_000
    with pytest.raises(ProviderPayloadError, match="Hardly a row"):
        await answered(*good, {"name": "x"})


@pytest.mark.parametrize("body", [b"", b"null", b'"ok"', b"{}", b'{"results":[]}', b"<html>"])
async def test_what_is_no_list_is_an_error(body: bytes) -> None:
    with serving(answering(body)) as server, pytest.raises(ProviderPayloadError) as caught:
        await read_at(server.url)
    assert caught.value.code == "payload"


@pytest.mark.parametrize("tail", [b"", b",", b"]]", b"] []", b",null]", b",[]]", b"\x00]", b' {"id":2}]'])
async def test_a_list_that_does_not_end_as_it_should_proves_nothing(tail: bytes) -> None:
    body = b"[" + json.dumps(row(1, SEVEN)).encode() + tail
    with serving(answering(body)) as server:
        found = await read_at(server.url)
    assert found.names == {AGENTS[0]: [SEVEN["name"]]}
    assert not found.end.complete
    assert found.end.error is not None
    assert "/software/" in (found.end.problem or "")


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (as_html(), ProviderConfigurationError, "dashboard_host"),
        (as_html(404), ProviderConfigurationError, "not_tactical"),
        (Reply(body=b"[]", content_type="text/plain"), ProviderPayloadError, "payload"),
        (Reply(500), ProviderUnavailable, "unavailable"),
        (Reply(504, b"slow", "text/html"), ProviderUnavailable, "unavailable"),
    ],
)
async def test_other_answers(reply: Reply, kind: type[ProviderError], code: str) -> None:
    with serving(answering(reply)) as server:
        with pytest.raises(kind) as caught:
            await read_at(server.url)
        assert len(server.asked("/software/")) == (2 if kind is ProviderUnavailable else 1)
    assert caught.value.code == code
    assert ("one-by-one" in (caught.value.remedy or "")) == (kind is ProviderUnavailable)


async def test_an_answer_beyond_the_bound_says_what_else_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(software, "ALL", software.ALL._replace(max_body=50))
    with pytest.raises(ProviderPayloadError) as caught:
        await answered(row(1, SEVEN))
    assert caught.value.code == "body_too_large"
    assert "one-by-one" in (caught.value.remedy or "")


async def test_a_disk_that_will_not_have_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    egress = impatient(EgressPolicy(spool_folder=tmp_path / "file"))
    with pytest.raises(ProviderUnavailable) as caught:
        await answered(row(1), egress=egress)
    assert caught.value.code == "not_kept"
    assert "room" in (caught.value.remedy or "")


async def test_nobody_asked_for_costs_no_request() -> None:
    with serving(answering(b"[]")) as server:
        found = await read_at(server.url, [])
    assert not server.seen
    assert (found.end.complete, found.end.reports) == (True, 0)
    assert found.end.answered_at.tzinfo is not None


async def test_agents_that_cannot_be_joined_make_it_incomplete() -> None:
    nameless = as_json([{"id": 1, "agent_id": AGENTS[0]}, {"agent_id": AGENTS[1]}])
    rows = as_json([row(1), row(2)])
    with serving(lambda seen: nameless if seen.path == "/agents/" else rows) as server:
        found = await read_at(server.url, AGENTS[:2])
        assert found.reports.keys() == {AGENTS[0]}
        assert not found.end.complete
        assert (await read_at(server.url, AGENTS[:1])).end.complete


async def test_a_session_that_has_ended_is_renewed_for_a_spooled_answer() -> None:
    replies = {
        "/v2/checkcreds/": as_json({"token": "new", "totp": False}),
        "/agents/": ROSTER,
        "/software/": as_json([row(1, SEVEN)]),
    }

    def handler(seen: Seen) -> Reply:
        if seen.path == "/software/" and seen.headers["authorization"] == "Token old":
            return as_json({"detail": "Invalid token."}, 401)
        return replies[seen.path]

    with serving(handler) as server:
        found = await read_at(
            server.url, api_key="", username="u", password="p", session=MemorySession("old")
        )
        assert len(server.asked("/software/")) == 2
    assert found.names == {AGENTS[0]: [SEVEN["name"]]}


@pytest.fixture(scope="module")
def hostile() -> Iterator[tuple[ReplayServer, list[bytes]]]:
    body = [b""]
    with serving(lambda seen: ROSTER if seen.path == "/agents/" else Reply(body=body[0])) as server:
        yield server, body


def spoilt(data: st.DataObject) -> bytes:
    """A sound answer of which some bytes are replaced, removed, doubled or brought in."""
    body = bytearray(json.dumps([row(n, SEVEN, {"name": 'a"}],\\'}) for n in (1, 2, 9)]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        end = min(start + data.draw(st.integers(0, 30)), len(body))
        body[start:end] = data.draw(
            st.sampled_from(
                [b"", b'"', b"}", b"]", b"[", b"{", b"\\", b",", b"\x00\xff", bytes(body[start:end]) * 2]
            )
        )
    return bytes(body)


@settings(max_examples=50)
@given(st.data())
def test_no_body_gets_past_the_contract(
    hostile: tuple[ReplayServer, list[bytes]], data: st.DataObject
) -> None:
    server, body = hostile
    body[0] = spoilt(data)
    try:
        found = asyncio.run(read_at(server.url))
    except ProviderPayloadError:
        return
    assert found.reports.keys() <= set(AGENTS)
    assert found.end.complete == (found.end.problem is None)
    assert found.end.error is None or not found.end.complete
    for report in found.reports.values():
        try:
            assert all(one.name for one in report.read().records)
        except ProviderPayloadError:
            continue
    if found.end.complete:
        assert all(
            isinstance(one, dict) for one in json.loads(body[0].decode("utf-8", "replace"), strict=False)
        )


# --- agent by agent ---------------------------------------------------------------------------------------


def by_agent(replies: dict[str, Reply]) -> Handler:
    """A server that answers so about each agent, and that the others report nothing."""
    of_path = {f"/software/{key}/": reply for key, reply in replies.items()}
    return lambda seen: ROSTER if seen.path == "/agents/" else of_path.get(seen.path, as_json([]))


class Naps:
    """A sleep that only notes how long it should have been."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


async def test_the_server_is_left_alone_between_agents() -> None:
    naps = Naps()
    egress = Egress(sleep=naps)
    with serving(by_agent({AGENTS[0]: as_json(row(1, SEVEN))})) as server:
        started = time.monotonic()
        found = await read_at(server.url, software="one-by-one", egress=egress)
        took = time.monotonic() - started
    assert found.reports.keys() == {AGENTS[0]}
    assert len(naps.taken) == len(AGENTS)
    assert all(nap > 0 for nap in naps.taken)
    assert sum(naps.taken) <= 4 * took


@pytest.mark.parametrize(
    "reply",
    [
        *(
            as_json(row(3)),
            as_json([row(2)]),
            as_json("ok"),
            as_html(404),
            Reply(500),
            Reply(body=b'{"agent":2'),
        ),
        *(
            as_json({"detail": "No Agent matches the given query."}, 404),
            Reply(body=b"x" * 99, content_type="a/b"),
        ),
    ],
)
async def test_an_agent_that_cannot_be_read_does_not_end_the_reading(reply: Reply) -> None:
    with serving(by_agent({AGENTS[1]: reply, AGENTS[2]: as_json(row(3, SEVEN))})) as server:
        found = await read_at(server.url, software="one-by-one")
    assert found.names == {AGENTS[2]: [SEVEN["name"]]}
    assert found.end.problem == "1 of the devices asked for could not be read."
    assert found.end.error is not None
    assert not found.end.complete


async def test_a_server_that_fails_again_and_again_is_left_alone() -> None:
    with serving(by_agent(dict.fromkeys(AGENTS, Reply(500)))) as server:
        with pytest.raises(ProviderUnavailable):
            await read_at(server.url, software="one-by-one")
        assert {seen.path for seen in server.seen[1:]} == {f"/software/{key}/" for key in AGENTS[:3]}


async def test_a_role_without_the_permission_is_told_at_the_first_agent() -> None:
    refused = as_json({"detail": "You do not have permission to perform this action."}, 403)
    with serving(by_agent({AGENTS[0]: refused})) as server:
        with pytest.raises(ProviderPermissionError, match="can_list_software"):
            await read_at(server.url, software="one-by-one")
        assert len(server.seen) == 2


async def test_an_id_that_fits_no_url_is_not_asked_for() -> None:
    short = as_json([{"id": 1, "agent_id": ".."}, {"id": 2, "agent_id": AGENTS[1]}])
    with serving(lambda seen: short if seen.path == "/agents/" else as_json(row(2, SEVEN))) as server:
        found = await read_at(server.url, ["..", AGENTS[1]], software="one-by-one")
        assert [seen.path for seen in server.seen] == ["/agents/", f"/software/{AGENTS[1]}/"]
    assert found.reports.keys() == {AGENTS[1]}
    assert not found.end.complete
