"""Readings of installed software for tests, and a server with four agents."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from muster.providers.contract import ProviderConnection
from muster.providers.inventory import SoftwareConnection, SoftwareRead, SoftwareReport
from tests.support.opening import opened
from tests.support.replay import Handler, Reply, as_json, serving

AGENTS = [f"{number:040d}" for number in range(1, 5)]
ROSTER = as_json(
    [{"id": number, "agent_id": key, "client": "C", "site": "S"} for number, key in enumerate(AGENTS, 1)]
)
SEVEN = {"name": "7-Zip 19.00 (x64)", "version": "19.00"}


class Answered:
    """Everything that one reading brought."""

    def __init__(self, items: Sequence[SoftwareReport | SoftwareRead]) -> None:
        assert isinstance(items[-1], SoftwareRead)
        self.end = items[-1]
        self.reports = {item.external_id: item for item in items if isinstance(item, SoftwareReport)}
        assert len(self.reports) == len(items) - 1

    @property
    def names(self) -> dict[str, list[str]]:
        return {key: [one.name for one in report.read().records] for key, report in self.reports.items()}

    @property
    def digests(self) -> dict[str, tuple[str, int]]:
        return {key: (report.digest, report.size) for key, report in self.reports.items()}


async def read(connection: ProviderConnection, device_ids: Collection[str] = AGENTS) -> Answered:
    assert isinstance(connection, SoftwareConnection)
    return Answered([item async for item in connection.software(device_ids)])


async def read_at(url: str, device_ids: Collection[str] = AGENTS, **fields: Any) -> Answered:
    async with opened(url, **{"api_key": "K", **fields}) as connection:
        return await read(connection, device_ids)


def answering(reply: Reply | bytes) -> Handler:
    """A server with four agents that answers so to every question about software."""
    answer = Reply(body=reply) if isinstance(reply, bytes) else reply
    return lambda seen: ROSTER if seen.path == "/agents/" else answer


def row(agent: object, *entries: Any, **more: Any) -> dict[str, Any]:
    return {"id": agent, "software": list(entries), "agent": agent, **more}


async def answered(*rows: Any, **fields: Any) -> Answered:
    with serving(answering(json.dumps(rows).encode())) as server:
        return await read_at(server.url, **fields)
