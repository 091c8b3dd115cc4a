"""What commands print."""

import json
import unicodedata
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.output import Output, plain

MOMENT = datetime(2026, 11, 23, 14, 30, 5, tzinfo=UTC)
ID = UUID("0199f0a3-0000-7000-8000-000000000001")


class Row(msgspec.Struct):
    id: UUID
    name: str
    seen_at: datetime | None = None


def test_json_has_ids_with_hyphens_and_moments_in_utc(capsys: pytest.CaptureFixture[str]) -> None:
    Output(as_json=True).items([Row(ID, "a", MOMENT)], {"name": "Name"}, extra={"total": 1})
    assert json.loads(capsys.readouterr().out) == {
        "items": [{"id": str(ID), "name": "a", "seen_at": "2026-11-23T14:30:05Z"}],
        "total": 1,
    }


def test_a_table_shows_the_columns_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.items([Row(ID, "[b]a[/b]", MOMENT), {"name": None}], {"name": "Name", "seen_at": "Seen"})
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == ["Name      Seen", "[b]a[/b]  2026-11-23 14:30:05Z", "-         -"]
    output.items([], {"name": "Name"}, empty="Nobody here.")
    assert capsys.readouterr().out == "Nobody here.\n"


def test_nothing_is_said_beside_json(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.say("words")
    output.note("advice")
    with output.progress("Devices") as update:
        update(1, 2)
    assert output.json({"a": 1})
    captured = capsys.readouterr()
    assert (json.loads(captured.out), captured.err) == ({"a": 1}, "")


def test_a_progress_bar_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Output(as_json=False).progress("Devices") as update:
        update(1, 2)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_names_from_outside_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "a\x1b[2Jb\x07\u202ec\x9b"
    output = Output(as_json=False)
    output.items([{"name": evil}], {"name": "Name"})
    output.thing({"name": evil, "list": [evil], "object": {"k": evil}})
    output.say(evil)
    output.error("code", evil, evil)
    captured = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set(captured.out + captured.err)


@given(st.text())
def test_plain_text_keeps_its_length_and_has_no_controls(text: str) -> None:
    shown = plain(text)
    assert len(shown) == len(text)
    assert not [c for c in shown if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\t"]
