"""Values of the record of absence."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec


class Missed(NamedTuple):
    """Since when a device is missing, None when it is listed, and how many complete answers lacked it."""

    since: datetime | None
    answers: int


class DeviceMapping(msgspec.Struct, frozen=True, kw_only=True):
    """A device's mapping with all its columns, to be put back as it was."""

    integration_id: UUID
    entity_type: str
    external_entity_id: str
    asset_id: UUID
    external_realm_id: str
    external_pk: int | None
    metadata: dict[str, Any]
    light_hash: str | None
    detail_hash: str | None
    detail_read_at: datetime | None
    missing_since: datetime | None
    last_missed_at: datetime | None
    missed_answers: int
    kept_at: datetime | None
    kept_by: str | None
    created_at: datetime
