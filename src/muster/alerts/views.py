"""Alerts as a person sees them: with the names of what they hang on, gathered from the rooms below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts.schemas import AlertView
from muster.alerts.types import AlertState, Identity
from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.integrations.directory import views as integration_views
from muster.tenancy import TenantScope

# SQLite's older builds take 999 parameters in one statement.
_AT_A_TIME = 500
_PLAIN = tuple(name for name in AlertView.__struct_fields__ if name in AlertState.__struct_fields__)


async def views_of(
    session: AsyncSession, scope: TenantScope, states: Sequence[AlertState]
) -> Sequence[AlertView]:
    """The views of alerts, a bounded number of questions for any number of them."""
    found: list[AlertView] = []
    for start in range(0, len(states), _AT_A_TIME):
        found.extend(await _some(session, scope, states[start : start + _AT_A_TIME]))
    return found


async def _some(
    session: AsyncSession, scope: TenantScope, states: Sequence[AlertState]
) -> Sequence[AlertView]:
    asset_ids = {state.asset_id for state in states if state.asset_id is not None}
    client_ids = {state.client_id for state in states if state.client_id is not None}
    assets = await AssetService(session, scope).belongings(asset_ids)
    clients = await ClientService(session, scope).names(client_ids) if client_ids else {}
    integrations = await integration_views(session, scope, sorted({state.integration_id for state in states}))
    made = []
    for state in states:
        integration = integrations.get(state.integration_id)
        asset = assets.get(state.asset_id) if state.asset_id else None
        values: dict[str, Any] = {name: getattr(state, name) for name in _PLAIN}
        if state.identity is not Identity.NAMED:
            values["external_alert_id"] = None
        values |= {
            "id": state.alert_id,
            "raised_at": state.raised_at,
            "integration_name": integration and integration.name,
            "provider": integration and integration.provider,
            "provider_name": integration and integration.provider_name,
            "asset_name": asset and asset.name,
            "client_name": clients.get(state.client_id) if state.client_id else None,
        }
        made.append(AlertView(**values))
    return made
