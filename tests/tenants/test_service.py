"""Tenants: made, listed, and found by what a person types."""

from uuid import uuid4

import pytest

from muster.db import Database
from muster.errors import Conflict, InvalidInput, NotConfigured, NotFound
from muster.tenants.service import TenantService


async def _create(database: Database, *names: str) -> None:
    async with database.write() as session:
        for name in names:
            await TenantService(session).create(name)


async def test_a_tenant_is_kept_with_its_clean_name(database: Database) -> None:
    await _create(database, "  Acme   IT ")
    async with database.read() as session:
        (tenant,) = await TenantService(session).list()
    assert tenant.name == "Acme IT"
    assert tenant.created_at.tzinfo is not None


async def test_a_name_is_taken_in_any_case(database: Database) -> None:
    await _create(database, "Acme")
    with pytest.raises(Conflict):
        await _create(database, "ACME")
    with pytest.raises(InvalidInput):
        await _create(database, "   ")
    async with database.read() as session:
        assert len(await TenantService(session).list()) == 1


async def test_it_is_found_by_id_and_by_name(database: Database) -> None:
    await _create(database, "Acme", "Beta")
    async with database.read() as session:
        service = TenantService(session)
        acme, beta = await service.list()
        assert (await service.resolve("aCmE", actor="ann")).tenant_id == acme.tenant_id
        assert (await service.resolve("aCmE", actor="ann")).actor == "ann"
        assert (await service.resolve(str(beta.tenant_id))).tenant_id == beta.tenant_id
        for stranger in ("Gamma", str(uuid4())):
            with pytest.raises(NotFound):
                await service.resolve(stranger)


async def test_it_may_be_left_out_while_there_is_one(database: Database) -> None:
    async with database.read() as session:
        with pytest.raises(NotConfigured) as none:
            await TenantService(session).resolve(None)
    assert none.value.code == "no_tenant"
    assert none.value.remedy == "Make one: muster tenant create NAME"
    await _create(database, "Acme")
    async with database.read() as session:
        (acme,) = await TenantService(session).list()
        assert (await TenantService(session).resolve(None)).tenant_id == acme.tenant_id
    await _create(database, "Beta")
    async with database.read() as session:
        with pytest.raises(Conflict) as several:
            await TenantService(session).resolve(None)
    assert several.value.code == "tenant_needed"
