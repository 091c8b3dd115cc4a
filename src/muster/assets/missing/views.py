"""Rows of the review as a person sees them: with the names of what they hang on, and suggestions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping
from sqlalchemy.ext.asyncio import AsyncSession

from muster.assets.missing import rules
from muster.assets.missing.repository import MissingRepository
from muster.assets.missing.rules import Machine
from muster.assets.missing.schemas import Agent, Decision, MissingView, Suggestion
from muster.assets.repository import AssetRepository
from muster.clients.service import ClientService
from muster.integrations.directory import views as integration_views
from muster.integrations.schemas import IntegrationView
from muster.mappings.missing.service import AbsenceService
from muster.tenancy import TenantScope

Row = RowMapping


class MissingViews:
    """Makes views of rows, a bounded number of questions for any number of rows."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = MissingRepository(session, scope)
        self._assets = AssetRepository(session, scope)
        self._clients = ClientService(session, scope)

    async def of(self, rows: Sequence[Row], *, suggest: bool) -> Sequence[MissingView]:
        """The views; with `suggest` open ones say what each was probably reinstalled as."""
        clients = await self._clients.names({row["client_id"] for row in rows})
        known = {row["rmm_integration_id"] for row in rows if row["rmm_integration_id"] is not None}
        integrations = await integration_views(self._session, self._scope, sorted(known))
        organizations = await AbsenceService(self._session, self._scope).organization_names(
            list(integrations), sorted({row["external_realm_id"] or "" for row in rows})
        )
        linked = {row["linked_to"] for row in rows if row["linked_to"] is not None}
        assets = await self._assets.contents(sorted(linked)) if linked else {}
        suggestions = await self._suggestions(rows) if suggest else {}
        return [
            _view(
                row,
                client_name=clients.get(row["client_id"]),
                integration=integrations.get(row["rmm_integration_id"]),
                organization_name=organizations.get((row["rmm_integration_id"], row["external_realm_id"])),
                linked_name=assets[row["linked_to"]].name if row["linked_to"] in assets else None,
                suggestion=suggestions.get(row["asset_id"]),
            )
            for row in rows
        ]

    async def agents(self, rows: Sequence[Row]) -> Sequence[Agent]:
        """Assets with living agents, to be chosen from."""
        clients = await self._clients.names({row["client_id"] for row in rows})
        return [
            Agent(
                asset_id=row["asset_id"],
                name=row["name"],
                serial_number=row["serial_number"],
                client_id=row["client_id"],
                client_name=clients.get(row["client_id"]),
                site_name=_site(row),
                device_id=row["external_entity_id"],
                agent_status=row["agent_status"],
                last_seen_at=row["last_seen_at"],
                created_at=row["created_at"],
            )
            for row in rows
        ]

    async def _suggestions(self, rows: Sequence[Row]) -> dict[UUID, Suggestion]:
        open_rows = [row for row in rows if _decision(row) is Decision.OPEN]
        found = await self._repository.alike(
            sorted({row["serial_number"] for row in open_rows if row["serial_number"]}),
            sorted({row["name"].lower() for row in open_rows}),
            sorted({row["client_id"] for row in open_rows}),
        )
        if not found:
            return {}
        others = {row["asset_id"]: row for row in found}
        machines = [_machine(row) for row in found]
        pairs = {
            row["asset_id"]: twin
            for row in open_rows
            if (twin := rules.successor(_machine(row), machines)) is not None
        }
        clients = await self._clients.names({twin.client_id for twin in pairs.values()})
        contents = await self._assets.contents([*pairs, *(twin.asset_id for twin in pairs.values())])
        missing = {row["asset_id"]: _machine(row) for row in open_rows}
        return {
            asset_id: Suggestion(
                asset_id=twin.asset_id,
                name=twin.name,
                device_id=others[twin.asset_id]["external_entity_id"],
                client_name=clients.get(twin.client_id),
                same=rules.shared(missing[asset_id], twin),
                first_seen_at=twin.met_at,
                differences=rules.compared(contents[asset_id], contents[twin.asset_id]),
            )
            for asset_id, twin in pairs.items()
        }


def _machine(row: Row) -> Machine:
    return Machine(
        asset_id=row["asset_id"],
        name=row["name"],
        serial_number=row["serial_number"],
        client_id=row["client_id"],
        site_name=_site(row),
        met_at=row["created_at"],
    )


def _site(row: Row) -> str | None:
    place = row["metadata"] or {}
    return place.get("site_name")


def _decision(row: Row) -> Decision:
    if row["linked_to"] is not None:
        return Decision.LINKED
    if row["retired_at"] is not None:
        return Decision.RETIRED
    since = row["missing_since"]
    kept = row["kept_at"] is not None and since is not None and row["kept_at"] >= since
    return Decision.KEPT if kept else Decision.OPEN


def _view(row: Row, integration: IntegrationView | None, **names: Any) -> MissingView:
    decision = _decision(row)
    decided_at, decided_by = {
        Decision.OPEN: (None, None),
        Decision.KEPT: (row["kept_at"], row["kept_by"]),
        Decision.RETIRED: (row["retired_at"], row["retired_by"]),
        Decision.LINKED: (row["linked_at"], row["linked_by"]),
    }[decision]
    taken = {name: row[name] for name in MissingView.__struct_fields__ if name in row}
    return MissingView(
        **{
            **taken,
            **names,
            "id": row["asset_id"],
            "integration_id": row["rmm_integration_id"],
            "integration_name": integration and integration.name,
            "provider_name": integration and integration.provider_name,
            "device_id": row["external_entity_id"],
            "site_name": _site(row),
            "missed_answers": row["missed_answers"] or 0,
            "decision": decision,
            "decided_at": decided_at,
            "decided_by": decided_by,
        }
    )
