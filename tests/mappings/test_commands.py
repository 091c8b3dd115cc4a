"""`muster mapping` on the command line."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from muster import clock
from muster.bootstrap import Application
from muster.mappings.service import MappingService
from muster.providers.contract import OrganizationRecord
from tests.integrations.shell import Shell

LISTED = {"1": "Contoso", "2": "Fabrikam Ltd", "3": "Tailspin", "4": "Wingtip", "5": "WINGTIP"}


def prepare(shell: Shell, listed: Mapping[str, str] = LISTED, tenant: str = "Acme IT") -> UUID:
    """An integration called Main with these organizations."""
    added = shell.json(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", "https://api.example.com"),
        *("--api-key-file", shell.file("ABCDEFGH12345678"), "--tenant", tenant),
    )
    integration_id = UUID(added["id"])
    records = [OrganizationRecord(external_id=key, name=name) for key, name in listed.items()]

    async def save(application: Application) -> None:
        scope = await application.scope(tenant)
        async with application.database.write() as session:
            await MappingService(session, scope).save_listed(integration_id, records, clock.now())

    shell.inside(save)
    return integration_id


def rows(shell: Shell) -> dict[str, Any]:
    listed = shell.json("mapping", "list", "Main")["items"]
    return {row["external_organization_id"]: row for row in listed}


def clients(shell: Shell, *names: str) -> list[str]:
    return [shell.json("client", "create", name)["id"] for name in names]


def test_the_list_shows_clients_and_proposals(shell: Shell) -> None:
    prepare(shell)
    contoso, fabrikam = clients(shell, "Contoso GmbH", "Fabrikm")
    shell.json("mapping", "assign", "Main", "Tailspin", contoso)
    listed = rows(shell)
    assert set(listed["3"]) == {
        "external_organization_id",
        "external_organization_name",
        "client_id",
        "client_name",
        "auto_sync_assets",
        "device_count",
        "missing_since",
        "proposal",
    }
    assert (listed["3"]["client_id"], listed["3"]["client_name"]) == (contoso, "Contoso GmbH")
    assert listed["3"]["proposal"] is None
    # It stands for another organization already.
    assert listed["1"]["proposal"] == {
        "client_id": contoso,
        "client_name": "Contoso GmbH",
        "confidence": 0.95,
    }
    assert listed["2"]["proposal"]["client_id"] == fabrikam
    assert 0.75 <= listed["2"]["proposal"]["confidence"] < 0.95
    assert listed["4"]["proposal"] is None
    assert len(shell.json("mapping", "list", "Main", "--limit", 2)["items"]) == 2
    assert "Contoso GmbH (95%)" in shell("mapping", "list", "Main").out


def test_assign_by_id_and_name_and_take_back(shell: Shell) -> None:
    prepare(shell)
    contoso, other = clients(shell, "Contoso", "Other")
    row = shell.json("mapping", "assign", "Main", "1", "contoso")
    assert (row["client_id"], row["client_name"], row["auto_sync_assets"]) == (contoso, "Contoso", True)
    assert shell.json("mapping", "assign", "Main", "contoso", other)["client_id"] == other
    assert shell.json("mapping", "assign", "Main", "1", "--none")["client_id"] is None
    assert rows(shell)["1"]["client_id"] is None


def test_a_client_is_made_from_the_row(shell: Shell) -> None:
    prepare(shell)
    assert shell.json("mapping", "assign", "Main", "1", "--create-client")["client_name"] == "Contoso"
    named = shell.json("mapping", "assign", "Main", "2", "Fabrikam Europe", "--create-client")
    assert named["client_name"] == "Fabrikam Europe"
    taken = shell("mapping", "assign", "Main", "3", "Contoso", "--create-client", "--json")
    assert (taken.code, taken.error["code"]) == (1, "conflict")
    assert rows(shell)["3"]["client_id"] is None
    assert [client["name"] for client in shell.json("client", "list")["items"]] == [
        "Contoso",
        "Fabrikam Europe",
    ]


def test_auto_sync(shell: Shell) -> None:
    prepare(shell)
    assert shell.json("mapping", "auto-sync", "Main", "Contoso", "off")["auto_sync_assets"] is False
    assert [row["auto_sync_assets"] for row in rows(shell).values()].count(False) == 1
    assert shell.json("mapping", "auto-sync", "Main", "1", "on")["auto_sync_assets"] is True


def test_automatch_proposes_then_applies(shell: Shell) -> None:
    prepare(shell)
    contoso, _ = clients(shell, "Contoso S.A.", "Fabrikm")
    before = rows(shell)
    plan = shell.json("mapping", "automatch", "Main", "--create-missing")
    assert plan["applied"] is False
    assert {item["external_organization_id"]: item["action"] for item in plan["items"]} == {
        "1": "map",
        "2": "review",
        "3": "create",
        "4": "review",
        "5": "review",
    }
    assert plan["counts"] == {"map": 1, "create": 1, "review": 3, "none": 0}
    assert rows(shell) == before
    assert "--apply" in shell("mapping", "automatch", "Main").err

    applied = shell.json("mapping", "automatch", "Main", "--apply")
    assert (applied["applied"], applied["counts"]["create"]) == (True, 0)
    mapped = {key: row["client_name"] for key, row in rows(shell).items() if row["client_id"]}
    assert mapped == {"1": "Contoso S.A."}
    assert rows(shell)["1"]["client_id"] == contoso

    shell.json("mapping", "automatch", "Main", "--apply", "--create-missing")
    mapped = {key: row["client_name"] for key, row in rows(shell).items() if row["client_id"]}
    assert mapped == {"1": "Contoso S.A.", "3": "Tailspin"}
    assert shell.json("mapping", "automatch", "Main", "--apply", "--create-missing")["counts"]["map"] == 0


def test_missing_organizations_are_not_proposed_for(shell: Shell) -> None:
    integration_id = prepare(shell, {"1": "Contoso", "2": "Fabrikam"})
    clients(shell, "Contoso", "Fabrikam")

    async def lose(application: Application) -> None:
        scope = await application.scope(None)
        async with application.database.write() as session:
            await MappingService(session, scope).save_missing(integration_id, ["1"], clock.now())

    shell.inside(lose)
    assert [
        item["external_organization_id"] for item in shell.json("mapping", "automatch", "Main")["items"]
    ] == ["2"]
    assert (rows(shell)["1"]["proposal"], rows(shell)["1"]["missing_since"] is None) == (None, False)


BAD = [
    (["assign", "Main", "99", "Contoso"], 1, "No organization '99'"),
    (["assign", "Main", "1", "Nobody"], 1, "no client Nobody"),
    (["assign", "Main", "wingtip", "Contoso"], 1, "2 organizations"),
    (["assign", "Main", "1"], 2, "Which client?"),
    (["assign", "Main", "1", "Contoso", "--none"], 2, "--none"),
    (["assign", "Elsewhere", "1", "Contoso"], 1, "no integration 'Elsewhere'"),
    (["auto-sync", "Main", "99", "off"], 1, "No organization '99'"),
    (["auto-sync", "Main", "1", "maybe"], 2, "maybe"),
    (["list", "Elsewhere"], 1, "no integration 'Elsewhere'"),
    (["automatch", "Elsewhere", "--apply"], 1, "no integration 'Elsewhere'"),
]


def test_bad_input_is_named_and_changes_nothing(sqlite_shell: Shell) -> None:
    prepare(sqlite_shell)
    clients(sqlite_shell, "Contoso")
    before = rows(sqlite_shell)
    for arguments, code, told in BAD:
        result = sqlite_shell("mapping", *arguments, "--json")
        assert (arguments, result.code, told in result.err) == (arguments, code, True), result.err
    assert rows(sqlite_shell) == before


def test_a_strangers_client_cannot_be_assigned(shell: Shell) -> None:
    shell.json("tenant", "create", "Other MSP")
    foreign = shell.json("client", "create", "Secret customer", "--tenant", "Other MSP")["id"]
    prepare(shell)
    for verb in (["assign", "Main", "1", foreign], ["assign", "Main", "1", "Secret customer"]):
        result = shell("mapping", *verb, "--tenant", "Acme IT", "--json")
        assert (result.code, result.error["code"]) == (1, "not_found")
    for verb in (["list", "Main"], ["automatch", "Main", "--apply"], ["assign", "Main", "1", foreign]):
        result = shell("mapping", *verb, "--tenant", "Other MSP", "--json")
        assert (result.code, result.error["code"]) == (1, "not_found")
    listed = shell.json("mapping", "list", "Main", "--tenant", "Acme IT")["items"]
    assert all(row["client_id"] is None for row in listed)


def test_help_has_an_example(sqlite_shell: Shell) -> None:
    for verb in ("list", "assign", "automatch", "auto-sync"):
        result = sqlite_shell("mapping", verb, "--help")
        assert result.code == 0
        assert f"muster mapping {verb}" in result.out
        assert "Example" in result.out
