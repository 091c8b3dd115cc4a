"""Machines by the thousand that report software, without a server being asked for it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import cycle
from uuid import UUID

from muster import clock
from muster.assets.service import AssetService
from muster.assets.types import AssetContent, NewAsset
from muster.clients.service import ClientService
from muster.db import Database
from muster.db.types import new_id
from muster.providers.contract import AgentStatus
from muster.providers.inventory import SoftwareRecord
from muster.simulator import SimulatorServer
from muster.software.intake import SoftwareIntake
from muster.software.types import AssetReport
from muster.tenancy import TenantScope

CLIENTS = 50
# Of what a machine has, six in ten are titles that most machines have; the rest is spread wide.
_EACH, _COMMON_EACH = 100, 60
_COMMON, _RARE, _VERSIONS = 80, 2_000, 12
# Machines whose lists are written at a time.
_CHUNK = 50
# How many machines' lists changed on each of the days before now, and how many entries of each.
_DAYS, _CHANGED, _CHANGES = 10, 100, 8
_PUBLISHERS = ("Microsoft Corporation", "Mozilla", "Google LLC", "Igor Pavlov", "Müller Software GmbH", None)
_WORDS = ("Office", "Update", "Runtime", "Treiber", "Viewer", "Server", "Tools", "Connector", "Übersetzer")

# A title that most machines have, and what all machines' names begin with.
PROGRAM_NAME, MACHINE_NAME = f"{_WORDS[0]} 0000", "DESKTOP-"

OPENSSL = "OpenSSL"
_OPENSSL_VERSIONS = ("3.0.15", "3.3.1", "3.0.9", "3.0.15", "1.1.1w", "3.0.15", "3.0.9", "1.0.2u")

Lists = Mapping[UUID, Sequence[SoftwareRecord]]


def with_openssl(server: SimulatorServer) -> None:
    """Install OpenSSL on some of a server's machines, of several years."""
    for agent, version in zip(_listing(server), cycle(_OPENSSL_VERSIONS)):
        server.software.install(agent, OPENSSL, version, publisher="OpenSSL Software Foundation")


def change_software(server: SimulatorServer) -> None:
    """Bring some of a server's machines to another OpenSSL, and install and remove something else."""
    for number, agent in enumerate(_listing(server)[:12]):
        listed = server.software.of(agent)
        assert listed is not None
        if number % 3 == 0:
            server.software.upgrade(agent, OPENSSL, "3.3.2")
        elif number % 3 == 1:
            server.software.install(agent, "Wireshark", "4.2.5", publisher="Wireshark Foundation")
        else:
            server.software.remove(agent, listed[0]["name"])


def _listing(server: SimulatorServer) -> Sequence[int]:
    return [agent.pk for agent in server.fleet if server.software.of(agent)]


class Inventory:
    """Machines that report their software, and other lists later on: `lists` are the last ones."""

    def __init__(self, database: Database, scope: TenantScope, integration_id: UUID) -> None:
        self._database = database
        self._scope = scope
        self._integration_id = integration_id
        self._dice = random.Random(1)
        self.clients: list[UUID] = []
        self.lists: dict[UUID, list[SoftwareRecord]] = {}

    async def fill(self, installs: int) -> None:
        """All machines and their first lists; then, day after day, those that changed."""
        machines, begun = installs // _EACH, clock.now() - timedelta(days=_DAYS)
        async with self._database.write(self._scope) as session:
            clients = ClientService(session, self._scope)
            for n in range(CLIENTS):
                self.clients.append((await clients.create(f"Client {n:03} GmbH")).client_id)
            new = [_machine(n, self.clients[n % CLIENTS], self._integration_id) for n in range(machines)]
            await AssetService(session, self._scope).create(new, begun)
        self.lists = {each.asset_id: self._list() for each in new}
        await self._report(self.lists, begun)
        for day in range(_DAYS):
            chosen = self._dice.sample(list(self.lists), min(_CHANGED, machines))
            for asset_id in chosen:
                self._change(self.lists[asset_id])
            at = begun + timedelta(days=day, hours=12)
            await self._report({each: self.lists[each] for each in chosen}, at)

    async def _report(self, lists: Lists, at: datetime) -> None:
        ids = list(lists)
        for start in range(0, len(ids), _CHUNK):
            reports = [
                AssetReport(asset_id=each, digest=f"{at.isoformat()} {each}", records=lists[each])
                for each in ids[start : start + _CHUNK]
            ]
            async with self._database.write(self._scope) as session:
                intake = SoftwareIntake(session, self._scope, self._integration_id)
                await intake.apply(reports, at=at)
        async with self._database.write(self._scope) as session:
            await SoftwareIntake(session, self._scope, self._integration_id).read_whole(at=at)

    def _list(self) -> list[SoftwareRecord]:
        numbers = self._dice.sample(range(_COMMON), _COMMON_EACH)
        numbers += self._dice.sample(range(_COMMON, _COMMON + _RARE), _EACH - _COMMON_EACH)
        return [self._program(number) for number in numbers]

    def _program(self, number: int) -> SoftwareRecord:
        version = self._dice.randrange(_VERSIONS)
        return SoftwareRecord(
            name=f"{_WORDS[number % len(_WORDS)]} {number:04}",
            version=f"{number % 20}.{version}.{version * 7}",
            publisher=_PUBLISHERS[number % len(_PUBLISHERS)],
            installed_on=date(2025, 1 + version, 1 + number % 28),
            size_bytes=1_000_000 * (1 + number),
        )

    def _change(self, records: list[SoftwareRecord]) -> None:
        for place in self._dice.sample(range(len(records)), _CHANGES):
            number = int(records[place].name.rpartition(" ")[2])
            records[place] = self._program(number)


def _machine(n: int, client_id: UUID, integration_id: UUID) -> NewAsset:
    content = AssetContent(
        name=f"{MACHINE_NAME}{n:06}",
        asset_type="workstation",
        client_id=client_id,
        rmm_organization_id=str(n % CLIENTS),
        never_reported=False,
        serial_number=f"SN{n:07}",
        os_type="windows",
        os_version="Windows 11 Pro, 64 bit v23H2",
        agent_version="2.8.0",
    )
    return NewAsset(
        asset_id=new_id(),
        provider="tacticalrmm",
        integration_id=integration_id,
        device_id=f"agent{n:035}",
        content=content,
        agent_status=AgentStatus.ONLINE,
        last_seen_at=clock.now(),
    )
