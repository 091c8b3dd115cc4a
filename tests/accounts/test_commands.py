"""`muster user`: what an administrator does at the server."""

from muster.db import Database
from muster.tenants.service import TenantService
from tests.support.cli import Muster
from tests.support.site import PASSWORD


async def test_users_are_made_changed_and_given_passwords(muster_on: Muster, database: Database) -> None:
    async with database.write() as session:
        await TenantService(session).create("Acme IT")
    password = PASSWORD.encode()
    given = ("--password-file", "-")
    made = muster_on.done(
        "user", "create", "ann@example.com", "--role", "admin", "--name", "Ann", *given, stdin=password
    )
    assert (made["email"], made["name"], made["role"], made["is_active"]) == (
        "ann@example.com",
        "Ann",
        "admin",
        True,
    )
    last = muster_on("user", "update", "Ann@Example.com", "--role", "viewer", "--json")
    assert (last.code, last.error["code"]) == (1, "last_administrator")
    assert muster_on("user", "update", "ann@example.com", "--inactive").code == 1
    muster_on.done("user", "create", "bob@example.com", "--role", "admin", *given, stdin=password)
    changed = muster_on.done("user", "update", made["id"], "--role", "technician", "--name", "", "--inactive")
    assert (changed["role"], changed["name"], changed["is_active"]) == ("technician", None, False)
    assert muster_on.done("user", "update", "ann@example.com", "--active")["is_active"] is True
    new = muster_on.done("user", "password", "ann@example.com", *given, stdin=b"another good password\n")
    assert new["id"] == made["id"]
    short = muster_on("user", "password", "ann@example.com", *given, "--json", stdin=b"short")
    assert (short.code, short.error["code"]) == (2, "password_length")
    nobody = muster_on("user", "password", "nobody@example.com", *given, "--json", stdin=password)
    assert (nobody.code, nobody.error["code"]) == (1, "not_found")
    nothing = muster_on("user", "update", "ann@example.com")
    assert (nothing.code, "--role" in nothing.err) == (2, True)
    listed = muster_on("user", "list")
    assert "technician" in listed.out
