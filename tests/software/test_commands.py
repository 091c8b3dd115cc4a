"""`muster software`: what is installed where, on the command line."""

import json
from pathlib import Path

import pytest

from muster.bootstrap import metadata
from muster.db import Database, migrate
from tests.software.shelf import Shelf, record
from tests.support.cli import Muster


@pytest.fixture
async def desk(muster: Muster, tmp_path: Path) -> Muster:
    """A command line whose tenant has machines that report."""
    folder = tmp_path / "data"
    folder.mkdir(exist_ok=True)
    database = Database(f"sqlite:///{folder / 'muster.db'}")
    await migrate.upgrade(database, metadata())
    shelf = await Shelf.make(database)
    await shelf.fill()
    await shelf.report(8, record("OpenSSL Light", "3.0.1", "Shining Light"))
    await database.close()
    return muster


def test_titles_are_searched(desk: Muster) -> None:
    found = desk.done("software", "search", "openssl")
    assert [(row["name"], row["machines"]) for row in found["items"]] == [
        ("OpenSSL", 8),
        ("OpenSSL Light", 1),
    ]
    assert found["total"] == 2
    old = desk.done(
        "software", "search", "openssl", "--version", "<3.0.9", "--publisher", "openssl software foundation"
    )
    assert [(row["name"], row["newest_version"]) for row in old["items"]] == [("OpenSSL", "1.1.1w")]
    client = desk.done("software", "search", "--client", "Acme")
    assert {row["name"] for row in client["items"]} == {
        "OpenSSL",
        "OpenSSL Light",
        "Mozilla Firefox",
        "Übermut 4",
    }
    ended = desk("software", "search", "--limit", 1)
    assert ended.code == 0
    assert "OpenSSL" in ended.out
    assert "--limit shows more" in ended.err
    assert "Nothing that is installed matches." in desk("software", "search", "nothing like it").out


def test_machines_are_listed(desk: Muster) -> None:
    found = desk.done("software", "search", "openssl", "--version", "<3.0.15", "--machines")
    told = [(row["asset_name"], row["client_name"], row["version"]) for row in found["items"]]
    assert told == [
        ("MACHINE-01", "Bakery & Sons", "1.0.2"),
        ("MACHINE-01", "Bakery & Sons", "3.0.9"),
        ("MACHINE-05", "Bakery & Sons", "3.0.9"),
        ("MACHINE-06", "Übermut GmbH", "1.1.1w"),
        ("MACHINE-08", "Acme", "3.0.1"),
    ]


def test_a_title_is_shown_by_name_or_id(desk: Muster) -> None:
    shown = desk.done("software", "show", "openssl")
    assert [(each["version"], each["machines"]) for each in shown["version_list"]] == [
        ("3.3.1", 1),
        ("3.0.15", 3),
        ("3.0.9", 2),
        ("1.1.1w", 1),
        ("1.0.2", 1),
        (None, 1),
    ]
    assert {each["client_name"] for each in shown["clients"]} >= {"Acme", "Zoo"}
    assert desk.done("software", "show", shown["software_id"]) == shown
    assert desk.done("software", "show", "light")["name"] == "OpenSSL Light"


def test_what_cannot_be_found_is_said(desk: Muster) -> None:
    for unknown in ("nothing like it", "00000000-0000-7000-8000-000000000000"):
        ended = desk("software", "show", unknown, "--json")
        assert (ended.code, json.loads(ended.err)["error"]["code"]) == (1, "not_found")
    several = desk("software", "show", "übermut", "--json")
    assert (several.code, several.error["code"]) == (2, "title_ambiguous")
    refused = desk("software", "search", "--version", "latest", "--json")
    assert (refused.code, refused.error["code"]) == (2, "version_invalid")
