"""The order of a list of assets, and the status that it is sorted and filtered by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, false, literal, or_

from muster.assets.models import Asset
from muster.assets.schemas import AssetOrder, AssetSort
from muster.db.plans import by_code_point, by_row
from muster.db.types import table_of
from muster.providers.contract import AgentStatus

_assets = table_of(Asset)

Freshness = Mapping[UUID, datetime]


def effective_status(freshness: Freshness) -> ColumnElement[str]:
    """The status that still holds: `unknown` where the integration is absent or the reading too old."""
    good = [
        and_(_assets.c.rmm_integration_id == integration_id, _assets.c.last_rmm_sync_at >= oldest)
        for integration_id, oldest in freshness.items()
    ]
    return case((or_(false(), *good), _assets.c.agent_status), else_=literal(AgentStatus.UNKNOWN.value))


TIES: Sequence[ColumnElement[Any]] = (by_code_point(_assets.c.name_key), by_row(_assets.c.asset_id))
_STATUS_ORDER = [s.value for s in (AgentStatus.OVERDUE, AgentStatus.OFFLINE, AgentStatus.UNKNOWN)]


def sort_keys(
    order: AssetOrder, freshness: Freshness, *, by_index: bool = False
) -> Sequence[ColumnElement[Any]]:
    """What to sort by; `by_index` as an index has the plain list. ValueError for clients, who are another
    room's: their order is given from outside.
    """
    columns = _assets.c
    key: ColumnElement[Any]
    match order.by:
        case AssetSort.STATUS:
            places = {status: place for place, status in enumerate(_STATUS_ORDER)}
            key = case(places, value=effective_status(freshness), else_=len(places))
        case AssetSort.USER:
            key = by_code_point(columns.user_key)
        case AssetSort.LAN_IP:
            key = columns.lan_ip_number
        case AssetSort.SYSTEM:
            key = by_code_point(columns.system_key)
        case AssetSort.LAST_SEEN:
            key = columns.last_seen_at
        case AssetSort.NAME:
            key = by_code_point(columns.name_key)
        case AssetSort.CLIENT:
            raise ValueError("clients are another room's: their order is given from outside")
    directed = key.desc() if order.descending else key.asc()
    if order.by is AssetSort.STATUS:
        return directed, *TIES
    tie = columns.asset_id if by_index else by_row(columns.asset_id)
    # A name is always there, and an index that has NULLs last cannot be read backwards so.
    named = order.by is AssetSort.NAME
    return directed if named else directed.nulls_last(), tie.desc() if order.descending else tie
