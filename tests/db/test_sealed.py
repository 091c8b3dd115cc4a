"""Rotating the key: nothing is lost, whenever it stops."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from muster import clock
from muster.bootstrap import Application, metadata, open_application, rotate_key, sealed_columns
from muster.db import Database, bulk
from muster.db.inspection import count_unopenable
from muster.db.sealed import reseal, rows
from muster.db.types import new_id
from muster.encryption import CannotOpen, FixedKeys, KeyFile, SecretBox, new_key
from muster.errors import InvalidInput
from muster.settings import Settings, load
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService


async def _credential(database: Database, secrets: SecretBox, tenant: str) -> tuple[UUID, UUID]:
    """A tenant with an integration with the secret "s of <tenant>"."""
    async with database.write() as session:
        scope = TenantScope((await TenantService(session).create(tenant)).tenant_id)
        integration_id = new_id()
        integration: dict[str, Any] = {
            "integration_id": integration_id,
            "provider": "tacticalrmm",
            "name": "n",
            "name_key": "n",
            "instance_url": "https://api.example.com",
            "is_active": False,
            "settings": {},
            "server_facts": {},
            "sync_status": "never",
            "created_at": clock.now(),
            "updated_at": clock.now(),
        }
        await bulk.insert(session, scope, metadata().tables["rmm_integrations"], [integration])
        await bulk.insert(
            session,
            scope,
            metadata().tables["rmm_integration_credentials"],
            [
                {
                    "integration_id": integration_id,
                    "name": "api_key",
                    "sealed": secrets.seal(scope.tenant_id, f"{integration_id}:api_key", f"s of {tenant}"),
                    "last_four": "",
                    "updated_at": clock.now(),
                }
            ],
        )
    return scope.tenant_id, integration_id


async def _opened(database: Database, secrets: SecretBox) -> set[str]:
    async with database.read(system=True) as session:
        return {
            secrets.open(row["tenant_id"], column.name(row), row[column.column])
            for column in sealed_columns()
            async for row in rows(session, column)
        }


def _settings(tmp_path: Path, url: str) -> Settings:
    return load({"MUSTER_DATA_DIR": str(tmp_path / "data"), "MUSTER_DATABASE_URL": url})


async def _two_tenants(application: Application) -> None:
    for tenant in ("One", "Two"):
        await _credential(application.database, application.secrets, tenant)


async def test_rotation_seals_everything_again_and_drops_the_old_key(
    database_url: str, tmp_path: Path
) -> None:
    settings = _settings(tmp_path, database_url)
    file = KeyFile(tmp_path / "data" / "secret.key")
    async with open_application(settings) as application:
        await _two_tenants(application)
        (old,) = file.current()
        assert await rotate_key(settings) == 2
        (new,) = file.current()
        assert new != old
        # The application that was open all the time goes on with the new key.
        assert await _opened(application.database, application.secrets) == {"s of One", "s of Two"}
        with pytest.raises(CannotOpen):
            await _opened(application.database, SecretBox(FixedKeys((old,))))
        assert await count_unopenable(application.database, sealed_columns(), application.secrets) == 0
    assert file.path.stat().st_mode & 0o777 == 0o600


async def test_an_interrupted_rotation_loses_nothing_and_can_be_repeated(
    database_url: str, tmp_path: Path
) -> None:
    settings = _settings(tmp_path, database_url)
    file = KeyFile(tmp_path / "data" / "secret.key")
    async with open_application(settings) as application:
        await _two_tenants(application)
        # Killed after the new key was written, before anything was sealed again ...
        with file.locked():
            file.write([new_key(), *file.current()])
        assert await _opened(application.database, application.secrets) == {"s of One", "s of Two"}
        # ... and after that, before the old key was dropped.
        async with application.database.write(system=True) as session:
            assert await reseal(session, sealed_columns(), application.secrets) == 2
        assert await _opened(application.database, application.secrets) == {"s of One", "s of Two"}
        assert await rotate_key(settings) == 2
        assert len(file.current()) == 1
        assert await _opened(application.database, application.secrets) == {"s of One", "s of Two"}


async def test_a_value_without_its_key_stops_the_rotation_whole(database_url: str, tmp_path: Path) -> None:
    settings = _settings(tmp_path, database_url)
    async with open_application(settings) as application:
        await _credential(application.database, application.secrets, "One")
        await _credential(application.database, SecretBox(FixedKeys((new_key(),))), "Lost")
        file = KeyFile(tmp_path / "data" / "secret.key")
        (old,) = file.current()
        with pytest.raises(CannotOpen):
            await rotate_key(settings)
        assert old in file.current()
        assert await count_unopenable(application.database, sealed_columns(), application.secrets) == 1
        assert await count_unopenable(application.database, sealed_columns(), None) == 2


async def test_keys_of_the_environment_are_changed_by_their_owner(sqlite_url: str, tmp_path: Path) -> None:
    old, new = new_key().material.hex(), new_key().material.hex()

    def settings(keys: str) -> Settings:
        return load(
            {
                "MUSTER_DATA_DIR": str(tmp_path / "data"),
                "MUSTER_DATABASE_URL": sqlite_url,
                "MUSTER_SECRET_KEY": keys,
            }
        )

    async with open_application(settings(old)) as application:
        await _two_tenants(application)
    with pytest.raises(InvalidInput, match="one key"):
        await rotate_key(settings(old))
    assert await rotate_key(settings(f"{new},{old}")) == 2
    async with open_application(settings(new)) as application:
        assert await _opened(application.database, application.secrets) == {"s of One", "s of Two"}
    assert not (tmp_path / "data" / "secret.key").exists()
