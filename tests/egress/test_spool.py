"""Bodies that go to disk instead of into memory."""

import asyncio
import contextlib
import gzip
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from muster.egress import Answer, Egress, EgressPolicy, ServerClient, Spool
from muster.egress.errors import BodyTooLarge, NotKept
from muster.egress.spool import BLOCK
from muster.providers.contract import Traffic
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.opening import no_pause
from tests.support.replay import Reply, Seen, serving

BODY = bytes(range(256)) * 10_000


@asynccontextmanager
async def client_of(
    url: str, folder: Path | None, traffic: Traffic | None = None, **policy: int
) -> AsyncIterator[ServerClient]:
    egress = Egress(EgressPolicy(spool_folder=folder, **policy), sleep=no_pause)  # type: ignore[arg-type]
    async with egress.server(url, meter=traffic) as client:
        yield client


async def whole(spool: Spool) -> bytes:
    return b"".join([block async for block in spool.blocks()])


async def test_a_success_lies_on_disk_and_is_read_in_pieces(tmp_path: Path) -> None:
    folder, traffic = tmp_path / "new" / "folder", Traffic()
    with serving(lambda _: Reply(body=BODY)) as server:
        async with client_of(server.url, folder, traffic) as client, client.spool() as spool:
            answer = await client.request("GET", "/", into=spool)
            assert (answer.status, answer.body, spool.size) == (200, b"", len(BODY))
            assert [len(block) async for block in spool.blocks()] == [BLOCK, BLOCK, len(BODY) - 2 * BLOCK]
            assert await whole(spool) == BODY
            assert await spool.read(1_000_000, 3_000) == BODY[1_000_000:1_003_000]
            assert await spool.read(len(BODY) - 5, 100) == BODY[-5:]
            # It has no name: a process that is killed leaves nothing behind.
            assert list(folder.iterdir()) == []
    assert (traffic.requests, traffic.bytes_received) == (1, len(BODY))


async def test_a_packed_body_is_unpacked_on_its_way_to_the_disk(tmp_path: Path) -> None:
    packed, traffic = gzip.compress(BODY), Traffic()
    with serving(lambda _: Reply(body=packed, headers={"content-encoding": "gzip"})) as server:
        async with client_of(server.url, tmp_path, traffic) as client, client.spool() as spool:
            await client.request("GET", "/", into=spool)
            assert await whole(spool) == BODY
    assert traffic.bytes_received == len(packed)


async def test_the_bound_of_a_spooled_body(tmp_path: Path) -> None:
    with serving(lambda _: Reply(body=BODY)) as server:
        async with client_of(server.url, tmp_path) as client, client.spool() as spool:
            await client.request("GET", "/", into=spool, max_body=len(BODY))
            assert spool.size == len(BODY)
            with pytest.raises(BodyTooLarge):
                await client.request("GET", "/", into=spool, max_body=len(BODY) - 1)
            assert spool.size < len(BODY)


async def test_what_is_no_success_is_held_but_no_larger_than_the_policy_allows(tmp_path: Path) -> None:
    replies = {"/short/": Reply(403, b'{"detail":"no"}'), "/long/": Reply(404, b"x" * 1_001)}

    async def asked(client: ServerClient, path: str, spool: Spool) -> Answer:
        return await client.request("GET", path, into=spool, max_body=10**9)

    with serving(lambda seen: replies[seen.path]) as server:
        async with client_of(server.url, tmp_path, max_body_bytes=1_000) as client, client.spool() as spool:
            answer = await asked(client, "/short/", spool)
            assert (answer.status, answer.body, spool.size) == (403, b'{"detail":"no"}', 0)
            with pytest.raises(BodyTooLarge):
                await asked(client, "/long/", spool)


async def test_a_repetition_begins_on_an_empty_spool(tmp_path: Path) -> None:
    with SimulatorServer(FleetSpec(agents=5), frozen=True) as server:
        headers = {"X-API-KEY": server.api_key}
        async with client_of(server.url, tmp_path) as client, client.spool() as spool:
            expected = (await client.request("GET", "/clients/", headers=headers)).body
            server.add_fault("cut-body@/clients/,times=2")
            answer = await client.request("GET", "/clients/", headers=headers, into=spool)
            assert answer.status == 200
            assert await whole(spool) == expected
        assert len([seen for seen in server.requests if seen.path == "/clients/"]) == 4


async def test_a_later_answer_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    def by_path(seen: Seen) -> Reply:
        return Reply(body=BODY if seen.path == "/long/" else b"[1]")

    with serving(by_path) as server:
        async with client_of(server.url, tmp_path) as client, client.spool() as spool:
            for path, body in (("/long/", BODY), ("/short/", b"[1]")):
                await client.request("GET", path, into=spool)
                assert await whole(spool) == body


async def test_a_disk_that_is_full_is_said_to_be(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool._file.close()
    with open("/dev/full", "r+b", buffering=0) as full:  # noqa: ASYNC230, PTH123 - as tempfile opens it
        spool._file = full
        with pytest.raises(NotKept, match="No space left on device") as caught:
            await spool.write(BODY[:BLOCK])
        assert caught.value.remedy
        # What could not be kept is not tried again when it is closed.
        await spool.aclose()


async def test_a_folder_that_cannot_be_one_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with client_of("http://127.0.0.1:1", tmp_path / "file") as client:
        with pytest.raises(NotKept):
            async with client.spool():
                pass


async def test_a_write_that_nobody_waits_for_any_more_ends_before_the_file_is_closed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool._file.close()
    reading, writing = os.pipe()
    # A pipe takes 64 KiB, then the writer waits for a reader, as it would for a slow disk.
    spool._file = pipe = os.fdopen(writing, "wb", buffering=0)
    with os.fdopen(reading, "rb") as end:
        task = asyncio.create_task(spool.write(BODY[:BLOCK]))
        await asyncio.sleep(0.05)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        closing = asyncio.create_task(spool.aclose())
        await asyncio.sleep(0.05)
        assert not closing.done()
        assert not pipe.closed
        assert await asyncio.to_thread(_read, end) == BODY[:BLOCK]
        await closing
        assert pipe.closed


def _read(end: BinaryIO) -> bytes:
    return end.read(BLOCK)
