"""What the server takes to answer a page of software, with a hundred thousand installs: asked through the
whole application, one request after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from benchmarks.pages import asked_for, empty_tenant, settle
from benchmarks.setting import load_settings
from benchmarks.values import Order, PagesResult
from muster.bootstrap import open_application
from muster.db import Database
from muster.software.schemas import TitleFilter, TitleOrder, TitleSort, TitleView
from muster.software.service import SoftwareCatalog
from muster.tenancy import TenantScope
from tests.support.installed import CLIENTS, Inventory


async def measure(order: Order) -> PagesResult:
    """Fill a prepared database, then ask."""
    async with open_application(load_settings(order)) as application:
        scope, database = TenantScope(UUID(order.tenant_id)), application.database
        inventory = Inventory(database, scope, UUID(order.integration_id))
        await inventory.fill(order.installs)
        await settle(database)
        empty = await empty_tenant(database)
        floor = await asked_for(application, empty, [("an empty tenant's search", "/software")], order.asked)
        there = await _named(database, scope, inventory)
        cases = await asked_for(application, scope, list(_cases(there)), order.asked)
        return PagesResult(
            assets=len(inventory.lists),
            clients=CLIENTS,
            installs=order.installs,
            floor=floor[0],
            cases=cases,
        )


class _Named:
    """What was made, as far as questions name it: `common` is the title that most machines have."""

    def __init__(self, common: TitleView, titles: int, client_id: UUID, asset_id: UUID) -> None:
        self.common = common
        self.titles = titles
        self.client_id = client_id
        self.asset_id = asset_id


async def _named(database: Database, scope: TenantScope, inventory: Inventory) -> _Named:
    order = TitleOrder(TitleSort.MACHINES, descending=True)
    async with database.read(scope) as session:
        catalog = SoftwareCatalog(session, scope)
        found, titles = await catalog.titles(TitleFilter(), order, limit=1, offset=0)
    return _Named(found[0], titles, inventory.clients[7], next(iter(inventory.lists)))


def _cases(there: _Named) -> Iterator[tuple[str, str]]:
    search = "/software"
    yield "search, first page", search
    for column in ("name", "publisher", "machines", "first_seen"):
        yield f"sorted by {column}, descending", f"{search}?sort=-{column}"
    last = -(-there.titles // 25)
    yield f"last page, sorted by machines ({last})", f"{search}?sort=-machines&page={last}"
    yield "250 rows", f"{search}?rows=250"
    for name, query in {
        "one title": "q=office+0000",
        "a word, many found": "q=runtime",
        "none found": "q=qqqqqq",
        "an umlaut": "q=%C3%BCbersetzer&sort=-machines",
        "a publisher": "publisher=Mozilla",
        "a version below": "version=10.5&op=below&sort=-machines",
        "title and version as typed": "q=Office+below+9.5",
        "one client": f"client={there.client_id}&sort=-machines",
        "client, word and version": f"client={there.client_id}&q=update&version=7&op=at_least",
    }.items():
        yield f"search, {name}", f"{search}?{query}"
    title = f"{search}/{there.common.software_id}"
    version = there.common.newest_version
    yield f"title on {there.common.machines:,} machines", title
    for name, query in {
        "by client": "sort=client",
        "by version, page 20": "sort=-version&page=20",
        "below its newest": f"version={version}&op=below",
        "one client": f"client={there.client_id}",
    }.items():
        yield f"title, {name}", f"{title}?{query}"
    changes = f"{search}/changes"
    yield "changes of a week", changes
    yield "changes of a week, updates, page 100", f"{changes}?kind=updated&page=100"
    yield "all changes of a title", f"{changes}?days=all&title={there.common.software_id}"
    yield "changes of a client", f"{changes}?client={there.client_id}"
    machine = f"/assets/{there.asset_id}/software"
    yield "tab of a machine", machine
    yield "tab of a machine, search", f"{machine}?q=office"
    yield "a client's page", f"/clients/{there.client_id}"
    yield "dashboard", "/"
    yield "API, 100 titles by machines", "/api/v1/software?limit=100&sort=-machines"
    yield "API, 250 installs of a title", f"/api/v1{title}/machines?limit=250"
