"""`muster client contact` on the command line."""

from tests.support.cli import Muster


def test_contacts_are_added_and_listed(muster_on: Muster) -> None:
    muster_on.done("tenant", "create", "Acme IT")
    client = muster_on.done("client", "create", "Contoso")
    people = ("client", "contact")
    made = muster_on.done(*people, "add", "contoso", "Ann", "--email", "Ann@Contoso.example")
    assert (made["name"], made["email"], made["phone"]) == ("Ann", "ann@contoso.example", None)
    assert made["client_id"] == client["id"]
    assert muster_on.done(*people, "list", client["id"]) == {"items": [made]}
    assert "This client has no contact yet" in _empty(muster_on)
    wrong = muster_on(*people, "add", "Contoso", "Bob", "--email", "nowhere", "--json")
    assert (wrong.code, wrong.error["code"]) == (2, "contact_email")
    unknown = muster_on(*people, "list", "Nobody", "--json")
    assert unknown.error["code"] == "not_found"


def _empty(muster: Muster) -> str:
    muster.done("client", "create", "Empty")
    return muster("client", "contact", "list", "Empty").out
