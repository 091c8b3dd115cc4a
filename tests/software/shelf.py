"""Machines that report software, without a server being asked for anything."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from muster import clock
from muster.assets.listing import AssetRow
from muster.assets.service import AssetService
from muster.assets.types import AssetContent, NewAsset
from muster.clients.service import ClientService
from muster.db import Database
from muster.db.types import new_id
from muster.providers.contract import AgentStatus
from muster.providers.inventory import SoftwareRecord
from muster.software.intake import SoftwareIntake
from muster.software.schemas import TitleFilter, TitleView
from muster.software.service import SoftwareCatalog
from muster.software.types import AssetReport
from tests.support.site import Page
from tests.support.world import World

OPENSSL = "OpenSSL"


def record(name: str, version: str | None = None, publisher: str | None = None) -> SoftwareRecord:
    """A program as a device reports it."""
    return SoftwareRecord(name=name, version=version, publisher=publisher)


def shown(page: Page) -> list[str]:
    """The names in the first column of the page's first table."""
    table = page.html.css_first("[data-rows]")
    return [] if table is None else [node.text().strip() for node in table.css("tbody td.m-name a")]


def days_ago(days: int) -> datetime:
    """A moment so long ago."""
    return clock.now() - timedelta(days=days)


def _machine(n: int, client_id: UUID, integration_id: UUID) -> NewAsset:
    content = AssetContent(
        name=f"MACHINE-{n:02}",
        asset_type="workstation",
        client_id=client_id,
        rmm_organization_id="1",
        never_reported=False,
        serial_number=None,
        os_type=("windows", "windows", "windows", "linux", "macos")[max(0, n - 7)],
    )
    return NewAsset(
        asset_id=new_id(),
        provider="tacticalrmm",
        integration_id=integration_id,
        device_id=f"device{n}",
        content=content,
        agent_status=AgentStatus.ONLINE,
        last_seen_at=clock.now(),
    )


@dataclass
class Shelf:
    """A tenant with its machines, and what they report."""

    world: World
    integration_id: UUID
    machines: Sequence[AssetRow]
    reports: int = field(default=0)

    @classmethod
    async def make(cls, database: Database, name: str = "Acme IT") -> "Shelf":
        """A tenant with twelve machines of four clients, the last three not of Windows."""
        world = await World.make(database, name)
        integration_id = await world.add(instance_url="https://api.example.com", api_key="0" * 32)
        async with database.write(world.scope) as session:
            names = ("Acme", "Bakery & Sons", "Übermut GmbH", "Zoo")
            clients = [(await ClientService(session, world.scope).create(name)).client_id for name in names]
            machines = [_machine(n, clients[n % len(clients)], integration_id) for n in range(12)]
            await AssetService(session, world.scope).create(machines, days_ago(40))
        return cls(world, integration_id, await world.all_assets())

    async def report(self, machine: int, *records: SoftwareRecord, at: datetime | None = None) -> None:
        """A machine's list, read at a moment (now)."""
        self.reports += 1
        report = AssetReport(
            asset_id=self.machines[machine].asset_id, digest=str(self.reports), records=records
        )
        async with self.world.database.write(self.world.scope) as session:
            intake = SoftwareIntake(session, self.world.scope, self.integration_id)
            await intake.apply([report], at=at or clock.now())

    async def read(self, *missed: int, at: datetime | None = None) -> None:
        """A complete answer was read at a moment (now), without some machines."""
        async with self.world.database.write(self.world.scope) as session:
            intake = SoftwareIntake(session, self.world.scope, self.integration_id)
            await intake.missed([self.machines[each].asset_id for each in missed], at=at or clock.now())
            await intake.read_whole(at=at or clock.now())

    async def fill(self) -> None:
        """Eight of the machines report: a browser each, OpenSSL in several versions, something of their own;
        two report another list three weeks later, which is three days ago.
        """
        versions = ["1.1.1w", "3.0.9", "3.0.15", "3.0.15", "3.3.1", "3.0.9", "1.1.1w", None]
        begun = days_ago(24)
        for machine, version in enumerate(versions):
            await self.report(
                machine,
                record(OPENSSL, version, "OpenSSL Software Foundation"),
                record("Mozilla Firefox", f"12{machine}.0", "Mozilla"),
                record(f"Übermut {machine}", "1.0", "Müller GmbH"),
                at=begun,
            )
        await self.report(0, record(OPENSSL, "3.0.15", "OpenSSL Software Foundation"), at=days_ago(3))
        await self.report(
            1,
            record(OPENSSL, "3.0.9", "OpenSSL Software Foundation"),
            record(OPENSSL, "1.0.2", "OpenSSL Software Foundation"),
            record("Mozilla Firefox", "121.0", "Mozilla"),
            record("Übermut 1", "1.0", "Müller GmbH"),
            at=days_ago(3),
        )
        await self.read()

    async def title(self, name: str, publisher: str | None = None) -> TitleView:
        """The title of this name, and of this publisher if one is given."""
        async with self.world.database.read(self.world.scope) as session:
            catalog = SoftwareCatalog(session, self.world.scope)
            rows, _ = await catalog.titles(TitleFilter(search=name), limit=10, offset=0)
        (found,) = [row for row in rows if row.name == name and publisher in (None, row.publisher)]
        return found
