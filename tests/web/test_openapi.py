"""The description of the API is what the program gives, and every route keeps to it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from muster.accounts.auth import COOKIE
from muster.accounts.permissions import Role
from muster.accounts.service import UserService
from muster.accounts.sessions import SessionService
from muster.db import Database
from muster.encryption import FixedKeys, SecretBox, new_key
from muster.simulator import FleetSpec, SimulatorServer
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from muster.web.problems import CSRF_COOKIE
from scripts.make_openapi import PAGE, page
from tests.support.postgres import run_apart
from tests.support.routes import furnish
from tests.support.serving import Serving
from tests.support.site import PASSWORD
from tests.support.world import World

DESCRIPTION = json.loads(PAGE.read_text()) if PAGE.exists() else {"paths": {}}
# What is deleted cannot be read afterwards.
METHODS = ("get", "post", "put", "patch", "delete")
OPERATIONS = sorted(
    (
        (operation["operationId"], method, path)
        for path, operations in DESCRIPTION["paths"].items()
        for method, operation in operations.items()
    ),
    key=lambda each: METHODS.index(each[1]),
)
EXAMPLES = 12
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@dataclass
class Api:
    """A served installation, asked with the session of an administrator."""

    url: str
    session: requests.Session
    headers: Mapping[str, str]
    ids: Mapping[str, str]


@pytest.fixture(scope="module")
def description() -> Any:
    return schemathesis.openapi.from_dict(json.loads(PAGE.read_text()))


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Api]:
    key = new_key()
    given_settings = {
        "MUSTER_DATA_DIR": str(tmp_path / "data"),
        "MUSTER_DATABASE_URL": database_url,
        "MUSTER_SECRET_KEY": key.material.hex(),
    }
    with SimulatorServer(FleetSpec(agents=6, seed=5), frozen=True) as server:
        token, ids = run_apart(_prepare(database_url, SecretBox(FixedKeys((key,))), server))
        with Serving(given_settings, "--no-worker") as serving, requests.Session() as session:
            session.cookies.set(COOKIE, token)
            session.get(f"{serving.url}/account", timeout=60).raise_for_status()
            csrf_token = session.cookies[CSRF_COOKIE]
            assert csrf_token is not None
            headers = {"x-csrftoken": csrf_token}
            yield Api(serving.url, session, headers, ids)


async def _prepare(
    database_url: str, box: SecretBox, server: SimulatorServer
) -> tuple[str, Mapping[str, str]]:
    database = Database(database_url)
    try:
        async with database.write() as session:
            scope = TenantScope((await TenantService(session).create("Acme IT")).tenant_id)
        async with database.write(scope) as session:
            user = await UserService(session, scope).create(
                "admin@example.com", password=PASSWORD, role=Role.ADMIN
            )
            await session.flush()
            token = await SessionService(session, scope).open(user, address=None, user_agent=None)
        return str(token), await furnish(World(database, scope, box), server)
    finally:
        await database.close()


def test_the_written_description_is_what_the_program_gives() -> None:
    """Make it anew with: python -m scripts.make_openapi"""
    assert page() == PAGE.read_text()


def test_every_operation_says_what_it_does() -> None:
    assert len({name for name, _, _ in OPERATIONS}) == len(OPERATIONS)
    for name, method, path in OPERATIONS:
        operation = DESCRIPTION["paths"][path][method]
        assert path.startswith("/api/v1/")
        assert operation.get("description"), name
        assert operation.get("tags"), name
        assert {"400", "401", "403", "404", "500"} <= operation["responses"].keys(), name


@pytest.mark.slow
def test_every_route_keeps_to_its_description(api: Api, description: Any) -> None:
    """What the description allows is asked, for things that are there and for others: never an answer that
    the description does not have, never a mistake of ours.
    """
    for _, method, path in OPERATIONS:
        _examine(api, description[path][method.upper()])


def _examine(api: Api, operation: Any) -> None:
    statuses = set()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_known=st.booleans())
    def ask(case: Any, is_known: bool) -> None:
        if is_known and case.path_parameters:
            case.path_parameters.update(
                {name: api.ids[name] for name in case.path_parameters if name in api.ids}
            )
        case.cookies.clear()
        case.headers.update(api.headers)
        answer = case.call(base_url=api.url, session=api.session, timeout=60)
        case.validate_response(answer, checks=CHECKS)
        statuses.add(answer.status_code)

    ask()
    assert 401 not in statuses, "the session is gone: nothing was tried"
    if operation.method == "get":
        assert 200 in statuses, f"{operation.label} answered nothing but {statuses}"
