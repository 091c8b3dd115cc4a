"""The page of events tells of every type there is."""

import re

from muster.events.types import EventType
from tests.architecture.tree import PROJECT


def test_every_type_is_documented() -> None:
    page = (PROJECT / "docs" / "events.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(RMM_[A-Z_]+)` \|", page, re.MULTILINE))
    assert documented == {str(event_type) for event_type in EventType}
