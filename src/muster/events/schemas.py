"""An event as others see it: the CloudEvents 1.0 envelope in its JSON format."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """One event. `sequence` counts within the tenant and orders its events; `time` is when it happened.

    Attributes: CloudEvents 1.0.2, and its extension "sequence" (digits in a string); `tenantid` is an
    extension of our own. `source` and `id` together are unique.
    """

    specversion: str = "1.0"
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    datacontenttype: str = "application/json"
    tenantid: UUID
    sequence: str
    data: dict[str, Any]

    @property
    def position(self) -> int:
        """`sequence` as a number."""
        return int(self.sequence)
