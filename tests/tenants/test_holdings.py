"""A tenant's export and deletion cover every table there is."""

import json
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary

from muster.db import Database
from muster.db.types import tenant_tables
from muster.tenancy import TenantScope
from muster.tenants.holdings import TenantHoldings
from muster.tenants.service import TenantService
from tests.support.cli import Muster
from tests.support.rows import row_of, tenant_with_everything

EVERYTHING = dict.fromkeys((table.name for table in tenant_tables()), 1)
# What others sent, as it came.
PLAIN_BYTES = {("webhook_receipts", "body")}
# Words in a column's name that stand for a secret, unless what is kept is nothing but a fingerprint.
SECRET_WORDS = ("password", "secret", "token", "sealed", "api_key")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def test_an_export_holds_a_row_of_every_table(
    muster_on: Muster, database: Database, tmp_path: Path
) -> None:
    scope = await tenant_with_everything(database, "One")
    await tenant_with_everything(database, "Two")
    path = tmp_path / "one.jsonl"
    said = muster_on.done("tenant", "export", "one", "--to", path)
    assert said == {"rows": len(EVERYTHING), "tables": EVERYTHING}
    head, *rows, last = _lines(path)
    assert (head["muster_export"], head["tenant"]["name"]) == (1, "One")
    assert last == said
    assert {row["table"] for row in rows} == set(EVERYTHING)
    for row in rows:
        assert row["row"]["tenant_id"] == str(scope.tenant_id)
        _check(row, scope)
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    assert "secret of" not in text


def _check(exported: dict[str, Any], scope: TenantScope) -> None:
    """All columns but secret ones, with their values."""
    (table,) = (table for table in tenant_tables() if table.name == exported["table"])
    shown = {column.name for column in table.columns if not column.info.get("secret")}
    assert set(exported["row"]) == shown
    wanted = row_of(table, scope)
    for name in shown - {"tenant_id"}:
        value = wanted[name]
        if isinstance(value, str | int | dict):
            assert exported["row"][name] == value, (table.name, name)


def test_columns_of_secrets_are_marked() -> None:
    for table in tenant_tables():
        for column in table.columns:
            sealed = isinstance(column.type, LargeBinary) and (table.name, column.name) not in PLAIN_BYTES
            looks_secret = sealed or any(word in column.name for word in SECRET_WORDS)
            assert bool(column.info.get("secret")) == looks_secret, f"{table.name}.{column.name}: see SECRET"


def test_an_export_overwrites_nothing(muster: Muster, tmp_path: Path) -> None:
    muster.done("tenant", "create", "Acme")
    path = tmp_path / "acme.jsonl"
    path.write_text("mine")
    refused = muster("tenant", "export", "Acme", "--to", path, "--json")
    assert (refused.code, refused.error["code"]) == (1, "conflict")
    assert path.read_text() == "mine"
    muster.done("tenant", "export", "Acme", "--to", path, "--force")
    assert _lines(path)[-1] == {"rows": 0, "tables": {}}
    nowhere = muster("tenant", "export", "Acme", "--to", tmp_path / "no" / "where", "--json")
    assert (nowhere.code, nowhere.error["code"]) == (2, "invalid_input")


async def test_a_deletion_takes_every_table_and_no_other_tenant(
    muster_on: Muster, database: Database
) -> None:
    one = await tenant_with_everything(database, "One")
    two = await tenant_with_everything(database, "Two")
    asked = muster_on("tenant", "delete", "One", "--json")
    assert asked.code == 2
    assert str(len(EVERYTHING)) in asked.error["message"]
    assert await TenantHoldings(database, one).counts() == EVERYTHING
    said = muster_on.done("tenant", "delete", "One", "--yes")
    assert said == {"rows": len(EVERYTHING), "tables": EVERYTHING}
    assert await TenantHoldings(database, one).counts() == {}
    assert await TenantHoldings(database, two).counts() == EVERYTHING
    async with database.read() as session:
        assert [tenant.name for tenant in await TenantService(session).list()] == ["Two"]
    gone = muster_on("tenant", "delete", "One", "--yes", "--json")
    assert gone.error["code"] == "not_found"
