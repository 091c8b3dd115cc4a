"""Organizations: what the server lists becomes mappings, by id, so that a rename never unmaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets.types import FieldChange
from muster.mappings.schemas import MappingView
from muster.mappings.service import MappingService
from muster.providers.contract import OrganizationRecord, OrganizationSnapshot
from muster.sync.entries import malformed
from muster.sync.ledger import Ledger
from muster.sync.types import Action, Counters, Entry
from muster.tenancy import TenantScope


@dataclass(frozen=True, slots=True)
class OrganizationPlan:
    """What a listing means: rows to save, ids to mark missing (first time), and the record of it."""

    save: tuple[OrganizationRecord, ...]
    newly_missing: tuple[str, ...]
    counters: Counters
    entries: tuple[Entry, ...]


def plan_organizations(current: Sequence[MappingView], snapshot: OrganizationSnapshot) -> OrganizationPlan:
    """Compare what is listed with what is known. A listing with rows that could not be read proves no
    absence.
    """
    known = {view.external_organization_id: view for view in current}
    listed = {record.external_id for record in snapshot.records}
    counters = Counters(processed=len(listed), failed=len(snapshot.rejected))
    entries = [malformed(row, row.external_id, "organization") for row in snapshot.rejected]
    save = []
    for record in snapshot.records:
        view = known.get(record.external_id)
        changes = () if view is None else _changes(view, record)
        if view is not None and not changes and view.missing_since is None:
            counters.unchanged += 1
            continue
        save.append(record)
        if view is None:
            counters.created += 1
            entries.append(_entry(record.external_id, record.name, Action.CREATED, "new_organization"))
            continue
        counters.updated += 1
        action, reason = (
            (Action.UPDATED, "content_changed")
            if view.missing_since is None
            else (Action.RETURNED, "listed_again")
        )
        entries.append(_entry(record.external_id, record.name, action, reason, changes=changes))
    missing = [] if snapshot.rejected else [view for eid, view in known.items() if eid not in listed]
    counters.missing = len(missing)
    newly = [view for view in missing if view.missing_since is None]
    entries.extend(
        _entry(
            view.external_organization_id,
            view.external_organization_name,
            Action.MISSING,
            "not_listed",
            message="The server does not list it to these credentials any more. It and its assets are kept.",
        )
        for view in newly
    )
    return OrganizationPlan(
        tuple(save), tuple(view.external_organization_id for view in newly), counters, tuple(entries)
    )


async def record_listing(
    scope: TenantScope,
    integration_id: UUID,
    current: Sequence[MappingView],
    snapshot: OrganizationSnapshot,
    ledger: Ledger,
    *,
    counted: bool,
) -> None:
    """Write a listing. `counted`: it is the run's subject; else the run keeps its own counters."""
    plan = plan_organizations(current, snapshot)

    async def apply(session: AsyncSession) -> None:
        mappings = MappingService(session, scope)
        at = clock.now()
        await mappings.save_listed(integration_id, plan.save, at)
        await mappings.save_missing(integration_id, plan.newly_missing, at)

    await ledger.commit(plan.counters if counted else ledger.counters, plan.entries, apply)


def _changes(view: MappingView, record: OrganizationRecord) -> tuple[FieldChange, ...]:
    sites: list[dict[str, Any]] = msgspec.to_builtins(list(record.sites))
    compared = (
        ("external_organization_name", view.external_organization_name, record.name),
        ("device_count", view.device_count, record.device_count),
        ("sites", view.sites, sites),
    )
    return tuple(FieldChange(field=name, old=old, new=new) for name, old, new in compared if old != new)


def _entry(
    external_id: str,
    name: str,
    action: Action,
    reason: str,
    *,
    changes: Sequence[FieldChange] = (),
    message: str | None = None,
) -> Entry:
    return Entry(
        item_type="organization",
        action=action,
        reason=reason,
        external_id=external_id,
        organization_id=external_id,
        name=name,
        message=message,
        changes=tuple(changes),
    )
