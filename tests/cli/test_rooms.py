"""Tenants, users and clients from the command line, on both databases."""

import re

import pytest

from muster.terminal import SECRET_LIMIT
from tests.support.cli import Muster

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
PASSWORD = "correct horse battery"


def test_a_tenant_with_users_and_clients(muster_on: Muster) -> None:
    tenant = muster_on.done("tenant", "create", "Acme IT")
    assert tenant["id"] == tenant["tenant_id"]
    assert UUID.fullmatch(tenant["id"])
    assert MOMENT.fullmatch(tenant["created_at"])
    assert muster_on.done("tenant", "list") == {"items": [tenant]}

    user = muster_on.done(
        "user", "create", "Ann@example.com", "--role", "admin", settings={"MUSTER_USER_PASSWORD": PASSWORD}
    )
    assert (user["email"], user["role"], user["id"]) == ("ann@example.com", "admin", user["user_id"])
    assert muster_on.done("user", "list") == {"items": [user]}

    names = ["Zeta", "alpha", "Contoso"]
    made = [muster_on.done("client", "create", name) for name in names]
    items = muster_on.done("client", "list")["items"]
    assert [item["name"] for item in items] == ["alpha", "Contoso", "Zeta"]
    assert sorted(item["id"] for item in items) == sorted(client["client_id"] for client in made)
    assert [i["name"] for i in muster_on.done("client", "list", "--limit", 1)["items"]] == ["alpha"]
    assert [i["name"] for i in muster_on.done("client", "list", "--search", "TOS")["items"]] == ["Contoso"]


def test_the_tenant_is_chosen_by_option_variable_or_being_alone(muster_on: Muster) -> None:
    acme = muster_on.done("tenant", "create", "Acme")
    muster_on.done("client", "create", "Of Acme")
    muster_on.done("tenant", "create", "Beta")
    ended = muster_on("client", "list", "--json")
    assert (ended.code, ended.error["code"]) == (1, "tenant_needed")
    muster_on.done("client", "create", "Of Beta", "--tenant", "beta")

    def names(*arguments: str, tenant: str = "") -> list[str]:
        items = muster_on.done(*arguments, settings={"MUSTER_TENANT": tenant})["items"]
        return [item["name"] for item in items]

    assert names("client", "list", "--tenant", "BETA") == ["Of Beta"]
    assert names("--tenant", "beta", "client", "list") == ["Of Beta"]
    assert names("client", "list", "--tenant", acme["id"]) == ["Of Acme"]
    assert names("client", "list", tenant="acme") == ["Of Acme"]
    assert names("client", "list", "--tenant", "Beta", tenant="acme") == ["Of Beta"]
    assert muster_on("client", "list", "--tenant", "Gamma", "--json").error["code"] == "not_found"


def test_tables_are_for_people(muster: Muster) -> None:
    assert "There is no tenant yet" in muster("tenant", "list").out
    muster.done("tenant", "create", "Acme")
    muster.done("client", "create", "[red]Contoso[/red]")
    out = muster("client", "list").out
    assert out.splitlines()[0].startswith("Name")
    assert "[red]Contoso[/red]" in out


# --- secrets ---------------------------------------------------------------------------------------------


@pytest.fixture
def acme(muster: Muster) -> Muster:
    muster.done("tenant", "create", "Acme")
    return muster


def _create(acme: Muster, *arguments: str, stdin: bytes = b"") -> tuple[int, str]:
    ended = acme("user", "create", "ann@example.com", *arguments, "--json", stdin=stdin)
    assert PASSWORD not in ended.out + ended.err
    return ended.code, "" if ended.code == 0 else ended.error["code"]


def test_a_password_comes_from_a_file_or_standard_input(acme: Muster) -> None:
    assert _create(acme, "--password-file", "-", stdin=f"{PASSWORD}\r\n".encode()) == (0, "")


def test_without_a_terminal_nobody_is_asked(acme: Muster) -> None:
    assert _create(acme) == (2, "secret_missing")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"short\n",
        b"\xff" * 20,
        b"two\nlines of it",
        b"x" * (SECRET_LIMIT + 1),
        b"n\x00ll byte in it",
    ],
)
def test_an_unusable_password_is_refused(acme: Muster, content: bytes) -> None:
    code, _ = _create(acme, "--password-file", "-", stdin=content)
    assert code == 2
    assert acme.done("user", "list") == {"items": []}


def test_a_file_that_is_not_there_is_said(acme: Muster) -> None:
    assert _create(acme, "--password-file", "/nowhere/at/all")[0] == 2


def test_a_password_is_never_an_argument(acme: Muster) -> None:
    ended = acme("user", "create", "ann@example.com", "--password", PASSWORD)
    assert ended.code == 2
