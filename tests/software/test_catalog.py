"""What pages, the API and the command line ask: filters, orders and counts, on both databases."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import uuid4

import pytest

from muster import clock
from muster.db import Database
from muster.errors import NotFound
from muster.software import upkeep
from muster.software.schemas import (
    ChangeFilter,
    InstallFilter,
    InstallOrder,
    InstallSort,
    InstallView,
    TitleFilter,
    TitleOrder,
    TitleSort,
    TitleView,
)
from muster.software.service import SoftwareCatalog
from muster.software.versions import VersionBound, bound_of, key
from tests.software.shelf import Shelf, days_ago, record
from tests.support.time import Time

# name, version, publisher; by machine.
LISTS: Sequence[Sequence[tuple[str, str | None, str | None]]] = (
    [("OpenSSL", "1.1.1w", "OpenSSL"), ("Zoom", "5.0", "Zoom"), ("Git version 2.22.0", "2.22.0", None)],
    [("OpenSSL", "3.0.9", "OpenSSL"), ("OpenSSL", "3.0.15", "OpenSSL"), ("Zoom", "5.10", "Zoom Inc.")],
    [("OpenSSL", "3.0.15", "OpenSSL"), ("Zoom", "5.9", "ZOOM"), ("Chrome", None, "Google LLC")],
    [("OpenSSL", None, "OpenSSL"), ("Chrome", "87.0", None), ("Öffi", "1", "Müller & Söhne GmbH")],
    [("Zoom", "5.10", "Zoom")],
)


class Catalog:
    """A shelf's catalogue, each question in a transaction of its own."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf

    async def titles(
        self, by: TitleSort = TitleSort.NAME, descending: bool = False, *, limit: int = 50, **wanted: object
    ) -> Sequence[TitleView]:
        async with self.shelf.world.database.read(self.shelf.world.scope) as session:
            catalog = SoftwareCatalog(session, self.shelf.world.scope)
            asked = TitleFilter(**wanted)  # type: ignore[arg-type]
            found, total = await catalog.titles(asked, TitleOrder(by, descending), limit=limit)
            piecewise = [
                each
                for offset in range(total)
                for each in (await catalog.titles(asked, TitleOrder(by, descending), limit=1, offset=offset))[
                    0
                ]
            ]
            beyond = await catalog.titles(asked, TitleOrder(by, descending), limit=5, offset=total + 3)
            counted = await catalog.titles(asked, TitleOrder(by, descending), limit=0)
        # Every part of a list is of one list.
        assert list(found) == piecewise
        assert (beyond, counted) == (([], total), ([], total))
        return found

    async def installs(
        self, by: InstallSort = InstallSort.MACHINE, descending: bool = False, **wanted: object
    ) -> Sequence[InstallView]:
        async with self.shelf.world.database.read(self.shelf.world.scope) as session:
            catalog = SoftwareCatalog(session, self.shelf.world.scope)
            asked = InstallFilter(**wanted)  # type: ignore[arg-type]
            order = InstallOrder(by, descending)
            found, total = await catalog.installs(asked, order, limit=500)
            piecewise: list[InstallView] = []
            for offset in range(0, total, 2):
                part, number = await catalog.installs(asked, order, limit=2, offset=offset)
                assert number == total
                piecewise += part
            beyond = await catalog.installs(asked, order, limit=5, offset=total + 3)
            counted = await catalog.installs(asked, order, limit=0)
        assert list(found) == piecewise
        assert (beyond, counted) == (([], total), ([], total))
        return found


@pytest.fixture
async def catalog(database: Database) -> Catalog:
    shelf = await Shelf.make(database)
    for machine, entries in enumerate(LISTS):
        await shelf.report(machine, *(record(*entry) for entry in entries), at=days_ago(10 - machine))
    return Catalog(shelf)


def names(rows: Sequence[TitleView]) -> list[str]:
    return [f"{row.name}/{row.publisher or ''}" for row in rows]


async def test_titles_are_found_by_what_they_are(catalog: Catalog) -> None:
    everything = await catalog.titles()
    assert names(everything) == [
        "Chrome/",
        "Chrome/Google LLC",
        "Git/",
        "OpenSSL/OpenSSL",
        "Zoom/Zoom",
        "Öffi/Müller & Söhne GmbH",
    ]
    zoom = everything[4]
    assert (zoom.machines, zoom.versions, zoom.newest_version) == (4, 3, "5.10")
    openssl = everything[3]
    # One machine has two versions of it, and one does not say which.
    assert (openssl.machines, openssl.versions, openssl.newest_version) == (4, 4, "3.0.15")
    assert (everything[1].newest_version, everything[1].versions) == (None, 1)
    assert names(await catalog.titles(search="CHROME google")) == ["Chrome/Google LLC"]
    assert names(await catalog.titles(search="müller söhne")) == ["Öffi/Müller & Söhne GmbH"]
    assert names(await catalog.titles(search="%")) == []
    assert names(await catalog.titles(publisher="Zoom Corporation")) == ["Zoom/Zoom"]
    assert names(await catalog.titles(publisher="")) == ["Chrome/", "Git/"]


async def test_titles_are_found_by_version_and_counted_so(catalog: Catalog) -> None:
    (old,) = await catalog.titles(search="openssl", bound=bound_of("<3.0.15"))
    assert (old.machines, old.versions, old.newest_version) == (2, 2, "3.0.9")
    assert names(await catalog.titles(bound=VersionBound(">=", "5.9"))) == ["Chrome/", "Zoom/Zoom"]
    (exact,) = await catalog.titles(bound=bound_of("5.9.0"))
    assert (exact.name, exact.machines) == ("Zoom", 1)
    assert names(await catalog.titles(by=TitleSort.MACHINES, bound=bound_of(">100"))) == []


async def test_titles_are_counted_for_a_client(catalog: Catalog) -> None:
    client = catalog.shelf.machines[0].client_id
    found = await catalog.titles(client_id=client)
    # Machines 0 and 4 are its.
    assert [(row.name, row.machines) for row in found] == [("Git", 1), ("OpenSSL", 1), ("Zoom", 2)]
    assert found[2].newest_version == "5.10"
    below = await catalog.titles(by=TitleSort.MACHINES, client_id=client, bound=bound_of("<5.9"))
    assert [(row.name, row.machines) for row in below] == [("Git", 1), ("OpenSSL", 1), ("Zoom", 1)]


async def test_titles_are_sorted(catalog: Catalog) -> None:
    by_machines = await catalog.titles(TitleSort.MACHINES, True)
    assert [row.machines for row in by_machines] == [4, 4, 1, 1, 1, 1]
    assert names(by_machines)[:2] == ["OpenSSL/OpenSSL", "Zoom/Zoom"]
    assert names(await catalog.titles(TitleSort.NAME, True)) == names(await catalog.titles())[::-1]
    by_publisher = names(await catalog.titles(TitleSort.PUBLISHER, True))
    assert by_publisher[0] == "Zoom/Zoom"
    assert by_publisher[-2:] == ["Chrome/", "Git/"]
    assert names(await catalog.titles(TitleSort.PUBLISHER))[-2:] == ["Chrome/", "Git/"]
    seen = [row.first_seen_at for row in await catalog.titles(TitleSort.FIRST_SEEN)]
    assert seen == sorted(seen)


async def test_a_title_with_its_versions_and_clients(catalog: Catalog) -> None:
    title = await catalog.shelf.title("OpenSSL")
    async with catalog.shelf.world.database.read(catalog.shelf.world.scope) as session:
        service = SoftwareCatalog(session, catalog.shelf.world.scope)
        detail = await service.title(title.software_id)
        assert await service.counts_by_client(title.software_id) == detail.clients
        with pytest.raises(NotFound):
            await service.title(uuid4())
    assert [(each.version, each.machines) for each in detail.version_list] == [
        ("3.0.15", 2),
        ("3.0.9", 1),
        ("1.1.1w", 1),
        (None, 1),
    ]
    assert sorted(each.machines for each in detail.clients) == [1, 1, 1, 1]
    assert (detail.machines, detail.namesakes) == (4, [])
    chrome = await catalog.shelf.title("Chrome", "Google LLC")
    async with catalog.shelf.world.database.read(catalog.shelf.world.scope) as session:
        (namesake,) = (
            await SoftwareCatalog(session, catalog.shelf.world.scope).title(chrome.software_id)
        ).namesakes
    assert (namesake.publisher, namesake.newest_version, namesake.machines) == (None, "87.0", 1)
    # A version that is gone everywhere stays in the list, with none.
    await catalog.shelf.report(0, record("OpenSSL", "3.5", "OpenSSL"))
    async with catalog.shelf.world.database.read(catalog.shelf.world.scope) as session:
        detail = await SoftwareCatalog(session, catalog.shelf.world.scope).title(title.software_id)
    assert [(each.version, each.machines) for each in detail.version_list][0::4] == [
        ("3.5", 1),
        ("1.1.1w", 0),
    ]


async def test_installs_are_found(catalog: Catalog) -> None:
    title = await catalog.shelf.title("OpenSSL")
    found = await catalog.installs(software_id=title.software_id)
    assert [(row.asset_name, row.version) for row in found] == [
        ("MACHINE-00", "1.1.1w"),
        ("MACHINE-01", "3.0.9"),
        ("MACHINE-01", "3.0.15"),
        ("MACHINE-02", "3.0.15"),
        ("MACHINE-03", None),
    ]
    below = await catalog.installs(search="openssl", bound=bound_of("<3.0.15"))
    assert [row.asset_name for row in below] == ["MACHINE-00", "MACHINE-01"]
    (one,) = await catalog.installs(version_id=found[1].version_id)
    assert one == found[1]
    mine = await catalog.installs(
        client_id=catalog.shelf.machines[1].client_id, software_id=title.software_id
    )
    assert {row.asset_name for row in mine} == {"MACHINE-01"}
    assert len(await catalog.installs()) == 13
    assert len(await catalog.installs(publisher="zoom inc")) == 4
    assert len(await catalog.installs(removed=None)) == 13
    assert await catalog.installs(removed=True) == []


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", list(InstallSort))
async def test_installs_are_sorted(catalog: Catalog, by: InstallSort, descending: bool) -> None:
    found = await catalog.installs(by, descending)
    clients = {machine.client_id: machine.client_name for machine in catalog.shelf.machines}

    def value(row: InstallView) -> object:
        match by:
            case InstallSort.MACHINE:
                return row.asset_name
            case InstallSort.CLIENT:
                return clients[row.client_id]
            case InstallSort.TITLE:
                return row.name.casefold()
            case InstallSort.VERSION:
                return key(row.version or "")
            case InstallSort.FIRST_SEEN:
                return row.first_seen_at
            case InstallSort.INSTALLED:
                return 0

    assert len(found) == 13
    values = [value(row) for row in found]
    assert values == sorted(values, reverse=descending)  # type: ignore[type-var]


async def test_an_assets_software_is_searched(catalog: Catalog) -> None:
    asset_id = catalog.shelf.machines[1].asset_id
    async with catalog.shelf.world.database.read(catalog.shelf.world.scope) as session:
        service = SoftwareCatalog(session, catalog.shelf.world.scope)
        found = await service.of_asset(asset_id, limit=2)
        rest = await service.of_asset(asset_id, limit=2, offset=2)
        searched = await service.of_asset(asset_id, search="zoom", limit=50)
    assert [(row.name, row.version) for row in (*found.installs, *rest.installs)] == [
        ("OpenSSL", "3.0.9"),
        ("OpenSSL", "3.0.15"),
        ("Zoom", "5.10"),
    ]
    assert (found.total, searched.total, searched.installs[0].name) == (3, 1, "Zoom")


async def test_changes_are_found_the_latest_first(catalog: Catalog) -> None:
    shelf = catalog.shelf
    await shelf.report(
        0, record("OpenSSL", "3.0.15", "OpenSSL"), record("Zoom", "5.0", "Zoom"), at=days_ago(2)
    )
    await shelf.report(4, record("Zoom", "6.0", "Zoom"), record("Chrome", "90"), at=days_ago(1))
    title = await shelf.title("Zoom")
    async with shelf.world.database.read(shelf.world.scope) as session:
        service = SoftwareCatalog(session, shelf.world.scope)

        async def told(*, limit: int = 50, offset: int = 0, **wanted: object) -> list[tuple[str, str]]:
            asked = ChangeFilter(**wanted)  # type: ignore[arg-type]
            found, _ = await service.changes(asked, limit=limit, offset=offset)
            return [(each.kind, each.name) for each in found]

        everything = await told()
        assert set(everything[:2]) == {("updated", "Zoom"), ("installed", "Chrome")}
        assert set(everything[2:]) == {("updated", "OpenSSL"), ("removed", "Git")}
        assert [each for n in range(4) for each in await told(limit=1, offset=n)] == everything
        assert await told(kind="updated") == [("updated", "Zoom"), ("updated", "OpenSSL")]
        assert set(await told(since=clock.now() - timedelta(days=1.5))) == set(everything[:2])
        assert await told(software_id=title.software_id) == [("updated", "Zoom")]
        assert len(await told(asset_id=shelf.machines[0].asset_id)) == 2
        assert len(await told(client_id=shelf.machines[0].client_id)) == 4
        assert await told(client_id=shelf.machines[1].client_id) == []
        counts = await service.change_counts(ChangeFilter())
        (update,), _ = await service.changes(ChangeFilter(software_id=title.software_id), limit=5)
    assert counts == {"installed": 1, "updated": 2, "removed": 1}
    assert (update.from_version, update.version, update.asset_name) == ("5.10", "6.0", "MACHINE-04")


async def test_what_is_counted_in_all(catalog: Catalog) -> None:
    await catalog.shelf.read(2)
    async with catalog.shelf.world.database.read(catalog.shelf.world.scope) as session:
        counts = await SoftwareCatalog(session, catalog.shelf.world.scope).counts()
    assert (counts.titles, counts.installs) == (6, 13)
    # Five machines of twelve report; one of them was missed in the last answer.
    assert (counts.reporting, counts.not_reporting) == (4, 8)


async def test_what_changed_long_ago_goes(catalog: Catalog, time: Time) -> None:
    shelf = catalog.shelf
    await shelf.report(0, record("OpenSSL", "3.0.15", "OpenSSL"))
    assert len(await catalog.installs(removed=True)) == 3
    assert await upkeep.delete_old(shelf.world.database, 365) == 0
    time.pass_(days=400)
    # An update and two removals, and the three installs that are gone.
    assert await upkeep.delete_old(shelf.world.database, 365) == 6
    assert await upkeep.delete_old(shelf.world.database, 365) == 0
    assert await catalog.installs(removed=True) == []
    assert len(await catalog.installs()) == 11
