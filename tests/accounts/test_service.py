"""Users: made with a hashed password, each tenant for itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.accounts.passwords import hash_password, is_password
from muster.accounts.permissions import Role
from muster.accounts.service import UserService, normalized_email
from muster.db import Database
from muster.errors import Conflict, InvalidInput
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService

PASSWORD = "correct horse battery"


async def _tenant(database: Database, name: str) -> TenantScope:
    async with database.write() as session:
        return TenantScope((await TenantService(session).create(name)).tenant_id)


async def _create(database: Database, scope: TenantScope, email: str, password: str = PASSWORD) -> None:
    async with database.write() as session:
        await UserService(session, scope).create(email, password=password, role=Role.ADMIN)


async def test_a_user_is_kept_without_the_password(database: Database) -> None:
    scope = await _tenant(database, "Acme")
    await _create(database, scope, " Ann@Example.COM ")
    async with database.read() as session:
        (user,) = await UserService(session, scope).list()
    assert (user.email, user.role, user.is_active) == ("ann@example.com", "admin", True)
    assert PASSWORD not in user.password_hash
    assert user.password_hash.startswith("$argon2id$")
    assert is_password(PASSWORD, user.password_hash)
    assert not is_password(PASSWORD + "!", user.password_hash)


async def test_an_address_is_taken_once_in_each_tenant(database: Database) -> None:
    acme, beta = await _tenant(database, "Acme"), await _tenant(database, "Beta")
    await _create(database, acme, "ann@example.com")
    with pytest.raises(Conflict):
        await _create(database, acme, "ANN@example.com")
    async with database.read() as session:
        assert await UserService(session, beta).list() == []
    await _create(database, beta, "ann@example.com")


@pytest.mark.parametrize("password", ["", "eleven char", "x" * 1025])
async def test_an_unusable_password_makes_no_user(database: Database, password: str) -> None:
    scope = await _tenant(database, "Acme")
    with pytest.raises(InvalidInput) as caught:
        await _create(database, scope, "ann@example.com", password)
    assert caught.value.code == "password_length"
    async with database.read() as session:
        assert await UserService(session, scope).list() == []


def test_a_password_may_be_in_any_script() -> None:
    password = "пароль-из-многих-слов"
    assert is_password(password, hash_password(password))
    assert not is_password(password, "not a hash")


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "ann",
        "@example.com",
        "ann@",
        "a@b@c",
        "ann smith@example.com",
        "ann@example..com",
        "ann@.com",
        "ann\x00@example.com",
        "x" * 65 + "@example.com",
        "ann@" + "x" * 252,
    ],
)
def test_what_is_no_address_is_refused(bad: str) -> None:
    with pytest.raises(InvalidInput):
        normalized_email(bad)


@given(st.text(max_size=300))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = normalized_email(text)
    except InvalidInput:
        return
    assert normalized_email(address) == address


@given(st.emails())
def test_real_addresses_are_taken(address: str) -> None:
    assert normalized_email(address).count("@") == 1
