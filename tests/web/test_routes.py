"""All routes there are, walked: a new one is covered by being there.

Each is public by name or has a guard; who is not logged in, who lacks the permission and who belongs to
another tenant is sent away.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from muster.accounts.auth import Guard
from muster.accounts.permissions import PERMISSIONS, Role
from muster.db import Database
from muster.simulator import FleetSpec, SimulatorServer
from muster.tenancy import TenantScope
from muster.tenants.holdings import TenantHoldings
from muster.web.openapi import description_of
from tests.support.routes import API, IDS, Route, furnish, routes_of
from tests.support.site import Browser, Site, some_id
from tests.support.world import World

# Whoever asks gets an answer here; nothing of a tenant is in it.
PUBLIC = {
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /static/{file_path:path}",
    "GET /login",
    "POST /login",
    "GET /setup",
    "POST /setup",
    "POST /theme",
    # Servers call here; the secret in the header is their login.
    "POST /api/webhooks/{provider:str}",
    "POST /api/webhooks/{provider:str}/{endpoint:str}",
    "GET /api/webhooks/{provider:str}",
    "GET /api/webhooks/{provider:str}/{endpoint:str}",
}
# Addresses that the framework adds around the description of the API, to say that nothing is there.
OF_THE_FRAMEWORK = {"/api", "/api/{path:str}"}
NOBODY = str(some_id())
# What a form may carry, so that it gets past the question whether it is complete.
FORM = {
    "name": "Walked",
    "role": "viewer",
    "how": "generate",
    "client": NOBODY,
    "asset_type": "server",
    "every": "60",
    "agent": NOBODY,
    "contact": NOBODY,
    "days": "3",
    "note": "Walked",
}


@dataclass
class Walk:
    """A furnished tenant, another one beside it, and the application that serves both."""

    site: Site
    stranger: World
    ids: Mapping[str, str]

    @property
    def routes(self) -> Sequence[Route]:
        return routes_of(self.site.app)

    @property
    def guarded(self) -> Sequence[Route]:
        return [route for route in self.routes if not route.is_public]

    async def ask(self, browser: Browser, route: Route, *, follow: bool = False) -> int:
        """Ask a route and give the status; with `follow` the one of the page that it leads to."""
        path = route.address(self.ids)
        if path.startswith("/api") and not path.startswith(API):
            return (await browser.client.get(path, headers={"accept": "application/json"})).status_code
        if path.startswith(API):
            body = self.body(route) if route.method != "GET" else None
            return (await browser.json(route.method, path.removeprefix(API), body)).status_code
        if route.method == "GET":
            return (await browser.get(path, follow=follow)).status
        assert route.method == "POST", f"{route}: a browser's form can only be posted"
        return (await browser.post(path, FORM, follow=False)).status

    def body(self, route: Route) -> Any:
        """A body that the description of the API allows."""
        described = description_of(self.site.app)
        operations = {_shape(path): operations for path, operations in described["paths"].items()}
        operation = operations[_shape(route.path)][route.method.lower()]
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        return None if schema is None else example(schema, described["components"]["schemas"])


def example(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Any:
    """The plainest value that a schema allows: an object with the properties it requires."""
    if "$ref" in schema:
        return example(components[schema["$ref"].rpartition("/")[2]], components)
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            return example(schema[choice][0], components)
    if "enum" in schema:
        return schema["enum"][0]
    if "default" in schema:
        return schema["default"]
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            return {name: example(schema["properties"][name], components) for name in required}
        case "array":
            return [example(schema["items"], components)] if schema.get("minItems") else []
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "string" if schema.get("format") == "uuid":
            return "00000000-0000-7000-8000-000000000000"
        case "string":
            return "walked@example.org".ljust(schema.get("minLength", 0), "x")
    return None


def _shape(path: str) -> str:
    """A path without the types of its parameters, as the description has them."""
    return "/".join(
        "{" + piece[1:-1].partition(":")[0] + "}" if piece.startswith("{") else piece
        for piece in path.split("/")
    )


@pytest.fixture
async def walk(database: Database) -> AsyncIterator[Walk]:
    world = await World.make(database)
    stranger = await World.make(database, "Beta IT")
    with SimulatorServer(FleetSpec(agents=6, seed=5), frozen=True) as server:
        yield Walk(Site.of(world), stranger, await furnish(world, server))


@pytest.fixture
async def bare_walk(sqlite_database: Database) -> Walk:
    world = await World.make(sqlite_database)
    return Walk(Site.of(world), world, {})


def test_every_route_is_public_by_name_or_has_one_guard(bare_walk: Walk) -> None:
    assert {str(route) for route in bare_walk.routes if route.is_public} == PUBLIC
    guarded = {str(route): route.guards for route in bare_walk.guarded}
    assert {name for name, guards in guarded.items() if [type(g) for g in guards] != [Guard]} == set()


def test_every_parameter_is_known(bare_walk: Walk) -> None:
    known = dict.fromkeys(IDS, "there")
    assert all(route.address(known) for route in bare_walk.guarded)


KNOWN_IDS = (
    "integration_id",
    "asset_id",
    "client_id",
    "contact_id",
    "organization",
    "receipt_id",
    "run_id",
    "user_id",
    "session_id",
)


async def test_without_a_login_there_is_no_way_in(walk: Walk) -> None:
    async with walk.site.browser() as browser:
        answers = {route: await walk.ask(browser, route) for route in walk.guarded}
    expected = {route: 401 if route.path.startswith("/api") else 303 for route in answers}
    assert _wrong(answers, expected) == {}


@pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.VIEWER])
async def test_a_role_is_refused_what_it_may_not_do(walk: Walk, role: Role) -> None:
    async with walk.site.logged_in(role) as browser:
        answers = {route: await walk.ask(browser, route) for route in walk.guarded if not _may(role, route)}
    assert len(answers) > 5
    assert _wrong(answers, dict.fromkeys(answers, 403)) == {}


@pytest.mark.parametrize("role", list(Role))
async def test_every_page_opens_for_who_may_see_it(walk: Walk, role: Role) -> None:
    async with walk.site.logged_in(role) as browser:
        answers = {
            route: await walk.ask(browser, route, follow=True)
            for route in walk.guarded
            if route.method == "GET" and _may(role, route) and route.path not in OF_THE_FRAMEWORK
        }
    assert len(answers) > 5
    # 286 tells htmx that there is nothing more to ask for.
    assert {route for route, status in answers.items() if status not in (200, 286)} == set()


async def test_what_another_tenant_has_is_not_there(walk: Walk, tmp_path: Path) -> None:
    world = walk.site.world
    before = await _everything(world.database, world.scope, tmp_path / "before")
    async with walk.site.logged_in(Role.ADMIN, walk.stranger) as browser:
        answers = {
            route: await walk.ask(browser, route, follow=route.method == "GET")
            for route in walk.guarded
            if route.ids
        }
    assert len(answers) > 10
    assert _wrong(answers, dict.fromkeys(answers, 404)) == {}
    assert await _everything(world.database, world.scope, tmp_path / "after") == before


def _may(role: Role, route: Route) -> bool:
    return route.permission is None or route.permission in PERMISSIONS[role]


def _wrong(answers: Mapping[Route, int], expected: Mapping[Route, int]) -> dict[str, int]:
    """What was answered where something else was expected."""
    return {str(route): status for route, status in answers.items() if status != expected[route]}


async def _everything(database: Database, scope: TenantScope, to: Path) -> list[str]:
    """Every row of the tenant but the head, which has the time of the export in it."""
    await TenantHoldings(database, scope).export(to)
    lines = await asyncio.to_thread(to.read_text)
    return sorted(lines.splitlines()[1:])
