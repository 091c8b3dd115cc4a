"""docs/webhook-contract.md says what the parser does."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from muster.inbound_webhooks.rates import A_SECOND, AT_ONCE
from muster.inbound_webhooks.types import MOST_BODY_BYTES
from muster.providers.tacticalrmm.webhook import HEADER, parse_webhook
from tests.architecture.tree import PROJECT

PAGE = (PROJECT / "docs" / "webhook-contract.md").read_text(encoding="utf-8")
_EXAMPLE = re.compile(r"^```json\n(.*?)\n```\n\n```yaml\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
NOTHING = (None, False, "unknown")


def examples() -> Sequence[tuple[str, dict[str, str]]]:
    return [
        (body, dict(line.split(": ", 1) for line in understood.splitlines()))
        for body, understood in _EXAMPLE.findall(PAGE)
    ]


def said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(("body", "expected"), examples())
def test_an_example_is_understood_as_the_page_says(body: str, expected: dict[str, str]) -> None:
    message = msgspec.to_builtins(parse_webhook(body.encode()))
    message.pop("explanation")
    assert {name: said(value) for name, value in message.items() if value not in NOTHING} == expected


def test_every_body_on_the_page_is_an_example() -> None:
    assert len(examples()) == PAGE.count("```json") == PAGE.count("```yaml") > 5


def test_the_figures_are_those_of_the_code() -> None:
    assert f"{MOST_BODY_BYTES // 1024} KiB" in PAGE
    assert f"{AT_ONCE:,.0f} requests at once, or {A_SECOND:.0f} a second" in PAGE
    assert f"{HEADER}: " in PAGE
