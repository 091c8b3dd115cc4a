"""Lists of installed software, as agents report them, to records."""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.providers.contract import ProviderPayloadError
from muster.providers.inventory import SoftwareList, SoftwareRecord
from muster.providers.tacticalrmm import software_records

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
GIT = {
    "name": "Git version 2.22.0.windows.1",
    "size": "262.0 MB",
    "source": "",
    "version": "2.22.0.windows.1",
    "location": "C:\\Program Files\\Git\\",
    "publisher": "The Git Development Community",
    "uninstall": '"C:\\Program Files\\Git\\unins000.exe"',
    "install_date": "2019-06-09 00:00:00 +0000 UTC",
}


def listed(*entries: Any) -> SoftwareList:
    return software_records.listed(json.dumps(entries).encode(), NOW)


def record(**fields: Any) -> SoftwareRecord:
    (found,) = listed({**GIT, **fields}).records
    return found


def test_an_entry_keeps_the_servers_words() -> None:
    assert record() == SoftwareRecord(
        name="Git version 2.22.0.windows.1",
        version="2.22.0.windows.1",
        publisher="The Git Development Community",
        installed_on=date(2019, 6, 9),
        size_bytes=262 * 1024 * 1024,
        source=None,
    )
    assert record(source="C:\\Temp\\").source == "C:\\Temp\\"


def test_an_agent_of_long_ago_knows_name_and_version_only() -> None:
    assert listed({"name": "7-Zip", "version": "19.00"}, {"name": "Bare"}).records == (
        SoftwareRecord(name="7-Zip", version="19.00"),
        SoftwareRecord(name="Bare"),
    )


@pytest.mark.parametrize("text", ["", " ", "\x00\n"])
def test_an_empty_text_says_nothing(text: str) -> None:
    found = record(publisher=text, version=text, source=text)
    assert (found.publisher, found.version, found.source) == (None, None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0001-01-01 00:00:00 +0000 UTC", None),
        ("2019-06-08 00:00:00 +0000 UTC", date(2019, 6, 8)),
        ("2026-11-24 00:00:00 +0000 UTC", date(2026, 11, 24)),
        ("2026-11-25 00:00:00 +0000 UTC", None),
        ("1979-12-31", None),
        ("1980-01-01", date(1980, 1, 1)),
        ("2023-02-30 00:00:00 +0000 UTC", None),
        ("9999-12-31 00:00:00 +0000 UTC", None),
        ("20190608", None),
        ("6/8/2019", None),
        ("", None),
        (None, None),
        (20190608, None),
    ],
)
def test_install_dates(text: Any, expected: date | None) -> None:
    assert record(install_date=text).installed_on == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 B", None),
        ("1 B", 1),
        ("41.0 kB", 41 * 1024),
        ("2.1 MB", round(2.1 * 1024**2)),
        ("1.5 GB", 1536 * 1024**2),
        ("many", None),
        ("", None),
        (-5, None),
        (None, None),
        ("9" * 400 + " EB", None),
    ],
)
def test_sizes(text: Any, expected: int | None) -> None:
    assert record(size=text).size_bytes == expected


def test_texts_are_one_line_and_bounded() -> None:
    found = record(
        name="A\r\n\tB\x00 \u2028C" + "d" * 10_000, version="1" * 999, publisher="p" * 999, source="s" * 999
    )
    assert found.name.startswith("A B Cddd")
    assert [len(text or "") for text in (found.name, found.version, found.publisher, found.source)] == [
        *(500, 200, 200, 500),
    ]


def test_an_entry_without_sense_is_left_out_and_named() -> None:
    odd = [{"version": "1"}, {"name": " "}, {"name": None}, 7, {"name": "Odd", "version": 2}]
    found = listed(*odd, GIT)
    assert found.records == (record(),)
    assert {(row.position, row.field) for row in found.rejected} == {
        *((0, "name"), (1, "name"), (2, "name"), (3, None), (4, "version")),
    }
    assert all(row.reason for row in found.rejected)


def test_what_is_no_list_is_refused() -> None:
    for content in (
        b"",
        b"null",
        b"{}",
        b"7",
        b'"x"',
        b'{"name":"x"}',
        b"[1,2]",
        b'[{"name":"x"}',
        b"[" * 90_000,
    ):
        with pytest.raises(ProviderPayloadError):
            software_records.listed(content, NOW)
    assert listed() == SoftwareList(records=())


def test_a_list_without_end_is_refused_rather_than_cut() -> None:
    most = [{"name": f"Program {number}"} for number in range(software_records.MOST_ENTRIES)]
    assert len(listed(*most).records) == software_records.MOST_ENTRIES
    for one_more in ({"name": "x"}, 7):
        with pytest.raises(ProviderPayloadError, match="more than"):
            listed(*most, one_more)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        name: st.text(max_size=30) | ANY
        for name in ("name", "version", "publisher", "install_date", "size", "source")
    },
)


@given(st.lists(ENTRIES | ANY, max_size=5), st.booleans())
def test_whatever_an_agent_says_a_list_comes_out_or_a_refusal(entries: list[Any], ascii_only: bool) -> None:
    content = json.dumps(entries, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        found = software_records.listed(content, NOW)
    except ProviderPayloadError:
        return
    assert len(found.records) + len(found.rejected) == len(entries)
    for one in found.records:
        texts = [one.name, one.version, one.publisher, one.source]
        assert one.name
        assert all(text is None or text == " ".join(text.split()) != "" for text in texts)
        assert not set("".join(filter(None, texts))) & {"\x00", "\x1b", "\x7f", "\ud800"}
        assert one.size_bytes is None or one.size_bytes > 0
        assert one.installed_on is None or 1980 <= one.installed_on.year <= 2026


@given(st.binary(max_size=80))
def test_no_bytes_get_past_it(content: bytes) -> None:
    try:
        found = software_records.listed(content, NOW)
    except ProviderPayloadError:
        return
    assert all(one.name for one in found.records)


def test_a_digest_is_of_the_bytes_and_of_how_they_are_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    first = software_records.digest(b"[]")
    assert first == software_records.digest(b"[]")
    assert first != software_records.digest(b"[ ]")
    monkeypatch.setattr(software_records, "TRANSLATION", software_records.TRANSLATION + 1)
    assert first != software_records.digest(b"[]")
