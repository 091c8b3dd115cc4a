"""When two programs are the same one: whatever their case, spacing, version and publisher's legal form."""

import unicodedata
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from muster.software.naming import clean, name_key, publisher_key, search_words, title_name
from tests.support.recordings import Recordings

TITLES = (
    ("7-Zip 19.00 (x64)", "19.00", "7-Zip (x64)"),
    ("7-Zip 19.00 (x64)", "19.00.00.0", "7-Zip (x64)"),
    ("Git version 2.22.0.windows.1", "2.22.0.windows.1", "Git"),
    ("Java(TM) SE Development Kit 13.0.2 (64-bit)", "13.0.2.0", "Java(TM) SE Development Kit (64-bit)"),
    ("Microsoft MPI (7.0.12437.8)", "7.0.12437.8", "Microsoft MPI"),
    (
        "Microsoft Visual C++ 2013 Redistributable (x86) - 12.0.40649",
        "12.0.40649.5",
        "Microsoft Visual C++ 2013 Redistributable (x86)",
    ),
    ("OpenSSL 1.1.1w (64-bit)", "1.1.1w", "OpenSSL (64-bit)"),
    ("Mozilla Firefox 60.9.0 ESR (x86 de)", "60.9.0", "Mozilla Firefox ESR (x86 de)"),
    ("node-v18.2.0-x64", "18.2.0", "node -x64"),
    ("TightVNC 1.2.0", "1.2", "TightVNC"),
    ("Foo V1.2", "v1.2.0", "Foo"),
    ("Foo - 1.2.3 - Bar", "1.2.3", "Foo - Bar"),
    ("  Spaced   out\t", "1", "Spaced out"),
)
# Numbers that are not the program's own version.
KEPT = (
    ("SQL Server 2016 Common Files", "13.2.5026.0"),
    ("Microsoft SQL Server 2016", "2016"),
    ("Windows 10 Update Assistant", "10"),
    ("Python 3.7.3 Core Interpreter (64-bit)", "3.7.3150.0"),
    ("Microsoft Visual C++ 2008 Redistributable - x86 9.0.30729.17", "9.0.30729"),
    ("Foo 1.2.3", "1.2.4"),
    ("Foo 11.2", "1.2"),
    ("Foo 1.20", "1.2"),
    ("Notepad++ (64-bit x64)", "8.1"),
    ("1.2.3", "1.2.3"),
)
words = st.sampled_from(
    [
        "Foo",
        "Bar",
        "SQL",
        "Server",
        "2016",
        "(x64)",
        "-",
        "3.0",
        "v1.2",
        "1.2.3",
        "Ä",
        "™",
        "7-Zip",
        "(1.2.3)",
    ]
)
names = st.lists(words, min_size=1, max_size=6).map(" ".join) | st.text(max_size=40)
versions = st.lists(st.integers(0, 30), max_size=4).map(lambda parts: ".".join(map(str, parts))) | st.text(
    max_size=10
)


@pytest.mark.parametrize(("name", "version", "title"), TITLES)
def test_a_name_without_its_version(name: str, version: str, title: str) -> None:
    assert title_name(name, version) == title


@pytest.mark.parametrize(("name", "version"), KEPT)
def test_other_numbers_stay(name: str, version: str) -> None:
    assert title_name(name, version) == name


@given(names, versions)
def test_a_title_has_nothing_left_to_lose(name: str, version: str) -> None:
    title = title_name(name, version)
    assert title_name(title, version) == title
    assert bool(title) is bool(clean(name))
    assert name_key(title, version) == name_key(name, version)


@given(st.text(max_size=20), st.lists(st.integers(0, 30), min_size=2, max_size=4))
def test_an_update_keeps_the_title(text: str, numbers: list[int]) -> None:
    name = clean(f"{text} Suite")
    assume(not any(letter.isdecimal() for letter in name))
    version = ".".join(map(str, numbers))
    for how in ("{} {}", "{} v{}", "{} ({})", "{} version {}", "{} - {}", "{} [v{}]", "{} {} (x64)"):
        carried = how.format(name, version)
        first = title_name(how.format(name, "0.0"), "0.0")
        assert version not in first
        assert first.startswith("Suite") or first.endswith(("Suite", "Suite (x64)"))
        # The same title, whatever the version is and however much of it the name has.
        assert title_name(carried, version) == title_name(carried, f"{version}.7") == first


@given(st.text(max_size=40))
def test_spelling_tells_no_titles_apart(name: str) -> None:
    made = name_key(name, "")
    assert made == name_key(f"  {name} ", "")
    assert made == name_key(unicodedata.normalize("NFD", name), "")
    assert made == name_key("".join(f" {letter} " if letter == " " else letter for letter in name), "")


def test_case_and_protection_tell_no_titles_apart() -> None:
    assert name_key("Intel(R) Processor Graphics", "") == name_key("INTEL® Processor™ Graphics", "")
    assert name_key("STRASSE", "") == name_key("Straße", "")
    assert name_key("Foo", "") != name_key("Foo 2", "")


@pytest.mark.parametrize(
    "spellings",
    [
        ("Microsoft Corporation", "Microsoft Corp.", "microsoft", "MICROSOFT  CORPORATION", "Microsoft"),
        ("HP Inc.", "HP, Inc", "hp"),
        ("Foo GmbH & Co. KG", "FOO GmbH", "foo"),
        ("Foo S.p.A.", "Foo SpA", "Foo"),
        ("Foo Co.,Ltd.", "Foo Co., Ltd", "Foo Limited"),
        ("Salt Stack, Inc", "SaltStack"),
        ("", "--", "  "),
    ],
)
def test_publishers_are_the_same_by_what_they_are_called(spellings: tuple[str, ...]) -> None:
    assert len({publisher_key(each) for each in spellings}) == 1


def test_publishers_are_told_apart() -> None:
    told = ("Microsoft", "Mozilla", "Limited", "GmbH", "Amazon.com Services LLC", "Amazon Web Services")
    assert len({publisher_key(each) for each in told}) == len(told)
    assert publisher_key(None) == ""


@given(st.text(max_size=30), st.sampled_from(["Inc.", ", Inc", "Corporation", "GmbH", "Ltd.", "S.A.", "LLC"]))
def test_a_legal_form_changes_nothing(publisher: str, form: str) -> None:
    assume(publisher_key(publisher))
    assert publisher_key(f"{publisher} {form}") == publisher_key(publisher)
    assert publisher_key(publisher_key(publisher)) == publisher_key(publisher)


@given(st.text(min_size=1), st.integers(1, 30))
def test_keys_fit_into_an_index_and_still_tell_names_apart(text: str, more: int) -> None:
    long = (text * 600)[:500]
    assert len(name_key(long, "")) <= 300
    assert len(publisher_key(long)) <= 150
    assert name_key("a" * 400 + "b" * more, "") != name_key("a" * 400 + "b" * (more + 1), "")


@given(st.text())
def test_no_text_steers_a_terminal_or_breaks_a_database(text: str) -> None:
    one_line = clean(text)
    assert not any(unicodedata.category(letter)[0] == "C" for letter in one_line)
    one_line.encode()
    assert clean(one_line) == one_line
    for made in (name_key(text, ""), publisher_key(text)):
        assert "\n" not in made
        made.encode()
    assert search_words("") == []


@pytest.mark.recordings
def test_a_real_fleet_has_the_titles_that_it_should(recordings: Recordings) -> None:
    rows: list[dict[str, Any]] = recordings.load_snapshot("software.json.gz")
    entries = {
        (entry["name"], entry["version"], entry.get("publisher")) for row in rows for entry in row["software"]
    }
    titles = {(name_key(name, version), publisher_key(publisher)) for name, version, publisher in entries}
    assert len(entries) == 216
    # Two versions of four titles stand side by side, and one is told with an empty version or with none.
    assert len(titles) == 211
    assert {
        ("git", "thegitdevelopmentcommunity"),
        ("salt minion (python 3)", "saltstack"),
        ("sql server 2016 dmf", "microsoft"),
        ("microsoft visual c++ 2008 redistributable - x86", "microsoft"),
    } <= titles
