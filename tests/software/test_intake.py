"""What assets report becomes installs and changes, idempotently, on both databases."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from muster import clock
from muster.assets.models import Asset
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.providers.inventory import SoftwareRecord
from muster.software.intake import SoftwareIntake
from muster.software.models import SoftwareReported
from muster.software.schemas import (
    AssetSoftware,
    ChangeFilter,
    InstallFilter,
    InstallView,
    SoftwareChangeView,
    TitleFilter,
)
from muster.software.service import SoftwareCatalog
from muster.software.types import AssetReport, IntakeResult
from tests.software.shelf import Shelf, record
from tests.support.recordings import Recordings
from tests.support.statements import statements

BEGUN = clock.now() - timedelta(days=30)


def after(days: float) -> datetime:
    return BEGUN + timedelta(days=days)


class Intake:
    """The intake of a shelf's integration, one transaction a call."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.database, self.scope = shelf.world.database, shelf.world.scope
        self.ids: Sequence[UUID] = [each.asset_id for each in shelf.machines]

    async def apply(
        self, lists: Mapping[int, Sequence[SoftwareRecord]], *, at: datetime = BEGUN, digest: str = "1"
    ) -> IntakeResult:
        reports = [
            AssetReport(asset_id=self.ids[machine], digest=digest, records=records)
            for machine, records in lists.items()
        ]
        async with self.database.write(self.scope) as session:
            return await SoftwareIntake(session, self.scope, self.shelf.integration_id).apply(reports, at=at)

    async def read(self, *, at: datetime, seen: Sequence[int] = (), missed: Sequence[int] = ()) -> None:
        async with self.database.write(self.scope) as session:
            intake = SoftwareIntake(session, self.scope, self.shelf.integration_id)
            await intake.seen([self.ids[each] for each in seen], at=at)
            await intake.missed([self.ids[each] for each in missed], at=at)
            await intake.read_whole(at=at)

    async def digests(self) -> dict[UUID, str]:
        async with self.database.read(self.scope) as session:
            return dict(await SoftwareIntake(session, self.scope, self.shelf.integration_id).digests())

    async def of(self, machine: int) -> AssetSoftware:
        async with self.database.read(self.scope) as session:
            return await SoftwareCatalog(session, self.scope).of_asset(self.ids[machine], limit=500)

    async def installs(self, **wanted: Any) -> Sequence[InstallView]:
        async with self.database.read(self.scope) as session:
            catalog = SoftwareCatalog(session, self.scope)
            return (await catalog.installs(InstallFilter(**wanted), limit=500))[0]

    async def changes(self) -> Sequence[SoftwareChangeView]:
        async with self.database.read(self.scope) as session:
            return (await SoftwareCatalog(session, self.scope).changes(ChangeFilter(), limit=500))[0]

    async def everything(self) -> Any:
        """All that reading shows."""
        return [await self.of(machine) for machine in range(3)], await self.installs(), await self.changes()


@pytest.fixture
async def intake(database: Database) -> Intake:
    return Intake(await Shelf.make(database))


async def test_a_first_report_is_there_without_a_change(intake: Intake) -> None:
    chrome = SoftwareRecord(
        name="Google Chrome",
        version="87.0",
        publisher="Google LLC",
        installed_on=date(2026, 2, 3),
        size_bytes=5_200_000,
        source="C:\\Temp",
    )
    result = await intake.apply({0: [chrome, record("Sublime Text 3")], 1: []})
    assert {delta.is_first for delta in result.deltas.values()} == {True}
    assert [delta.changes for delta in result.deltas.values()] == [(), ()]
    assert await intake.changes() == []
    found = await intake.of(0)
    assert (found.reported, found.total, found.seen_at, found.changed_at) == (True, 2, BEGUN, BEGUN)
    one, other = found.installs
    assert (one.name, one.publisher, one.version) == ("Google Chrome", "Google LLC", "87.0")
    assert (one.installed_on, one.size_bytes, one.source) == (date(2026, 2, 3), 5_200_000, "C:\\Temp")
    assert (one.first_seen_at, one.last_seen_at, one.removed_at) == (BEGUN, BEGUN, None)
    assert (other.name, other.publisher, other.version, other.installed_on) == (
        "Sublime Text 3",
        None,
        None,
        None,
    )
    # Nothing installed is not the same as nobody knows.
    assert ((await intake.of(1)).reported, (await intake.of(2)).reported) == (True, False)


async def test_what_changes_is_written_and_told(intake: Intake) -> None:
    await intake.apply({0: [record("Chrome", "1.0"), record("Old", "1"), record("Same", "1")]})
    await intake.read(at=after(1), seen=[0])
    result = await intake.apply(
        {0: [record("Chrome", "1.1"), record("New", "1"), record("Same", "1")]}, at=after(2), digest="2"
    )
    delta = result.deltas[intake.ids[0]]
    assert [each.program.name for each in delta.installed] == ["New"]
    assert [(each.was and each.was.version, each.program.version) for each in delta.updated] == [
        ("1.0", "1.1")
    ]
    assert [each.program.name for each in delta.removed] == ["Old"]
    told = {(each.kind, each.name, each.from_version, each.version) for each in await intake.changes()}
    assert told == {
        ("installed", "New", None, "1"),
        ("updated", "Chrome", "1.0", "1.1"),
        ("removed", "Old", None, "1"),
    }
    assert {each.changed_at for each in await intake.changes()} == {after(2)}
    gone = {each.name: each for each in await intake.installs(removed=True)}
    assert set(gone) == {"Chrome", "Old"}
    # It was last there when the list was last seen, not when it was last written.
    assert {each.last_seen_at for each in gone.values()} == {after(1)}
    assert {each.removed_at for each in gone.values()} == {after(2)}
    assert {each.name: each.first_seen_at for each in (await intake.of(0)).installs} == {
        "Chrome": after(2),
        "New": after(2),
        "Same": BEGUN,
    }


async def test_the_same_again_writes_nothing(intake: Intake) -> None:
    lists = {0: [record("Chrome", "1.0"), record("Chrome", "2.0")], 1: [record("Chrome", "1.0")], 2: []}
    await intake.apply(lists)
    before = await intake.everything()
    with statements(intake.database) as seen:
        result = await intake.apply(lists, at=after(1))
        await intake.read(at=after(0), seen=[0, 1, 2])
    assert await intake.everything() == before
    assert all(not delta.changes for delta in result.deltas.values())
    written = [each for each in seen if each.startswith(("INSERT", "UPDATE", "DELETE"))]
    # Only that the reading took place.
    assert [each.split('"')[1] for each in written] == ["software_readings"]


async def test_what_comes_back_is_the_same_install(intake: Intake) -> None:
    await intake.apply({0: [record("A", "1"), record("B", "1")]})
    await intake.apply({0: [record("A", "1")]}, at=after(1), digest="2")
    await intake.apply({0: [record("A", "1"), record("B", "1")]}, at=after(2), digest="3")
    (back,) = [each for each in (await intake.of(0)).installs if each.name == "B"]
    assert (back.first_seen_at, back.removed_at) == (BEGUN, None)
    assert [each.kind for each in await intake.changes()] == ["installed", "removed"]


async def test_an_empty_list_after_one_that_was_not_is_not_believed(intake: Intake) -> None:
    await intake.apply({0: [record("A", "1")], 1: []})
    await intake.read(at=after(1), seen=[1], missed=[0])
    result = await intake.apply({0: [], 1: []}, at=after(2), digest="2")
    assert result.doubted == [intake.ids[0]]
    found = await intake.of(0)
    # It was in the answer, though: it is not missed any more.
    assert ([each.name for each in found.installs], found.missed_since) == (["A"], None)
    assert await intake.changes() == []
    # The next run asks again; and a list after nothing but empty ones is a first one.
    assert (await intake.digests())[intake.ids[0]] == "1"
    result = await intake.apply({1: [record("A", "1")]}, at=after(3), digest="3")
    assert result.deltas[intake.ids[1]].is_first
    assert await intake.changes() == []


async def test_old_agents_that_are_updated_change_nothing(intake: Intake) -> None:
    await intake.apply({0: [record("Chrome", "1.0"), record("7-Zip 19.00 (x64)", "19.00")]})
    records = [record("Chrome", "1.0", "Google LLC"), record("7-Zip 19.00 (x64)", "19.00", "Igor Pavlov")]
    await intake.apply({0: records}, at=after(1), digest="2")
    assert await intake.changes() == []
    found = (await intake.of(0)).installs
    assert [(each.name, each.publisher, each.first_seen_at) for each in found] == [
        ("7-Zip (x64)", "Igor Pavlov", BEGUN),
        ("Chrome", "Google LLC", BEGUN),
    ]
    # Nothing is left of the titles without a publisher.
    assert await intake.installs(removed=True) == []


async def test_a_report_that_went_with_its_integration_begins_anew(intake: Intake) -> None:
    await intake.apply({0: [record("A", "1"), record("B", "1")]})
    async with intake.database.write(intake.scope) as session:
        await bulk.delete_where(session, intake.scope, table_of(SoftwareReported), where={})
    result = await intake.apply({0: [record("A", "1"), record("C", "1")]}, at=after(1), digest="2")
    assert result.deltas[intake.ids[0]].is_first
    assert await intake.changes() == []
    assert {each.name: each.first_seen_at for each in (await intake.of(0)).installs} == {
        "A": BEGUN,
        "C": after(1),
    }


async def test_who_is_missed_and_comes_back(intake: Intake) -> None:
    await intake.apply({0: [record("A", "1")], 1: [record("A", "1")]})
    await intake.read(at=after(1), seen=[0, 1])
    await intake.read(at=after(2), seen=[1], missed=[0, 2])
    await intake.read(at=after(3), seen=[1], missed=[0, 2])
    missing = await intake.of(0)
    # Its list was last seen in the answer before the first without it, and stays.
    assert (missing.missed_since, missing.seen_at, missing.total) == (after(2), after(1), 1)
    assert (await intake.of(1)).seen_at == after(3)
    assert not (await intake.of(2)).reported
    await intake.read(at=after(4), seen=[0, 1])
    back = await intake.of(0)
    assert (back.missed_since, back.seen_at, back.changed_at) == (None, after(4), BEGUN)


async def test_a_list_in_another_order_is_no_other_list(intake: Intake) -> None:
    await intake.apply({0: [record("A", "1"), record("B", "1")]})
    await intake.apply({0: [record("B", "1"), record("A", "1")]}, at=after(1), digest="2")
    assert (await intake.of(0)).changed_at == BEGUN
    assert (await intake.digests())[intake.ids[0]] == "2"


async def test_no_text_of_a_server_stops_it(intake: Intake) -> None:
    records = [
        record("N\u0000ul \ud800 \n line", "1\u00002", "Half \udfff"),
        record("n" * 5000, "1." * 5000, "p" * 5000),
        record("𝒜" * 5000, "٣" * 5000, "漢" * 5000),
        SoftwareRecord(name="Big", size_bytes=2**80, source="s" * 9999),
        SoftwareRecord(name="Less", size_bytes=-1, source="\u0007"),
        record("", "1"),
        record("Version only", "9" * 500),
    ]
    result = await intake.apply({0: records})
    assert result.deltas[intake.ids[0]].installs == 6
    found = {each.name: each for each in (await intake.of(0)).installs}
    assert len(found) == 6
    assert (found["Big"].size_bytes, found["Less"].source) == (None, None)
    assert found["N ul line"].version == "1 2"


async def test_a_large_report_costs_as_many_statements_as_a_small_one(intake: Intake) -> None:
    costs = []
    for number, machines in ((1, [0]), (40, [1, 2, 3])):
        lists = {each: [record(f"P{n}", "1") for n in range(number)] for each in machines}
        changed = {each: [record(f"P{n}", "2") for n in range(number)] for each in machines}
        with statements(intake.database) as seen:
            await intake.apply(lists)
            await intake.apply(changed, at=after(1), digest="2")
        costs.append(
            len([each for each in seen if "pg_class" not in each and not each.startswith("ANALYZE")])
        )
    assert costs[0] == costs[1]


async def test_nothing_reaches_another_tenant(intake: Intake) -> None:
    await intake.apply({0: [record("A", "1")]})
    other = await Shelf.make(intake.database, "Another MSP")
    async with other.world.database.read(other.world.scope) as session:
        catalog = SoftwareCatalog(session, other.world.scope)
        assert (await catalog.titles(TitleFilter(), limit=10))[1] == 0
        assert (await catalog.installs(InstallFilter(), limit=10))[1] == 0
        assert not (await catalog.of_asset(intake.ids[0], limit=10)).reported
    await other.report(0, record("A", "1"))
    assert (await other.title("A")).software_id != (await intake.shelf.title("A")).software_id


@pytest.mark.recordings
async def test_the_recorded_fleet_gives_its_catalogue(intake: Intake, recordings: Recordings) -> None:
    rows = recordings.load_snapshot("software.json.gz")
    lists = {}
    for machine, row in enumerate([rows[0], *[each for each in rows if each["software"]][:60:6]]):
        if machine < len(intake.ids):
            lists[machine] = [
                record(entry["name"], entry["version"] or None, entry.get("publisher") or None)
                for entry in row["software"]
            ]
    await intake.apply(lists)
    assert ((await intake.of(0)).reported, (await intake.of(0)).total) == (True, 0)
    entries = {
        (each["name"], each["version"], each.get("publisher")) for row in rows for each in row["software"]
    }
    async with intake.database.read(intake.scope) as session:
        catalog = SoftwareCatalog(session, intake.scope)
        titles, total = await catalog.titles(TitleFilter(), limit=500)
        counts = await catalog.counts()
    assert total == len(titles) <= len(entries)
    assert counts.installs == sum([(await intake.of(each)).total for each in lists])
    assert counts.reporting == len(lists)
    git = next(each for each in titles if each.publisher == "The Git Development Community")
    assert (git.name, git.newest_version) == ("Git", "2.22.0.windows.1")


async def test_a_retired_asset_counts_nowhere_and_still_shows_its_own(intake: Intake) -> None:
    await intake.apply({0: [record("A", "1")], 1: [record("A", "1"), record("B", "1")]})
    await intake.apply(
        {0: [record("A", "2")], 1: [record("A", "2"), record("B", "1")]}, at=after(1), digest="2"
    )
    async with intake.database.write(intake.scope) as session:
        retired = [{"asset_id": intake.ids[1], "retired_at": clock.now()}]
        await bulk.update(session, intake.scope, table_of(Asset), retired, key=("asset_id",))
    async with intake.database.read(intake.scope) as session:
        catalog = SoftwareCatalog(session, intake.scope)
        titles, total = await catalog.titles(TitleFilter(), limit=10)
        counts = await catalog.counts()
    assert (total, titles[0].machines) == (1, 1)
    assert (counts.titles, counts.installs, counts.reporting, counts.not_reporting) == (1, 1, 1, 10)
    assert {each.asset_id for each in await intake.installs()} == {intake.ids[0]}
    assert {each.asset_id for each in await intake.changes()} == {intake.ids[0]}
    assert (await intake.of(1)).total == 2
