"""What has to be done, decided without touching anything: current state and what was seen in, plan out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from muster.assets.types import (
    ROW_FIELDS,
    AssetContent,
    ChangedAsset,
    FieldChange,
    NewAsset,
    Reading,
    differences,
)
from muster.mappings.schemas import EntityState
from muster.providers.contract import AgentStatus, DeviceRecord
from muster.sync.entries import malformed
from muster.sync.types import Action, DeviceBatch, DevicePlan, Entry, KnownDevice

LIGHT, DETAIL, SINGLE = "light", "detail", "single"

# What only detailed answers carry, or no answer at all: a change there says nothing about the content of
# the other kind of answer.
_NOT_OUTDATING = frozenset({"ram_gb", "disks", "cpu_cores", "last_user", "client_id", "rmm_organization_id"})

_LISTS = ("disks", "physical_disks", "lan_ips")
_PLAIN_FIELDS = tuple(
    name
    for name in AssetContent.__struct_fields__
    if name not in {"asset_type", "client_id", "rmm_organization_id", "lan_ip", *_LISTS}
)
_REFRESHES_A_DAY = 96

Digested = Sequence[tuple[DeviceRecord, str]]


def content_hash(record: DeviceRecord) -> str:
    """A hash of everything in a record but its sign of life."""
    still = msgspec.structs.replace(record, status=AgentStatus.UNKNOWN, last_seen_at=None)
    return hashlib.blake2b(msgspec.json.encode(still), digest_size=16).hexdigest()


def each_once(records: Sequence[DeviceRecord]) -> list[DeviceRecord]:
    """The first record of each device."""
    return list({record.external_id: record for record in reversed(records)}.values())


def digested(records: Sequence[DeviceRecord]) -> Digested:
    """The records with their content hashes."""
    return [(record, content_hash(record)) for record in records]


@dataclass(frozen=True, slots=True)
class Planner:
    """Turns batches into plans. `clients` names the client of each organization that brings assets in,
    `pks` the server's own keys from its roster. `known` is read, never changed, and so are `read`, the
    devices whose sign of life this run has written already, and `made`, the assets it has created: what
    another answer adds to these is no change.
    """

    integration_id: UUID
    provider: str
    clients: Mapping[str, UUID]
    known: Mapping[str, KnownDevice]
    pks: Mapping[str, int | None]
    read: Collection[str]
    made: Collection[UUID]
    make_id: Callable[[], UUID]

    def to_compare(self, rows: Digested, source: str) -> list[UUID]:
        """The assets whose stored content has to be compared field by field: a cheap look will not do."""
        return [
            device.entity.asset_id
            for record, digest in rows
            if (device := self.known.get(record.external_id))
            and not self._unchanged(record, digest, source, device)
        ]

    def begin(self, batch: DeviceBatch) -> DevicePlan:
        """The plan for a batch, still without its records."""
        plan = DevicePlan(rejected=len(batch.rejected))
        plan.entries.extend(malformed(row, organization) for organization, row in batch.rejected)
        return plan

    def extend(
        self, plan: DevicePlan, batch: DeviceBatch, rows: Digested, contents: Mapping[UUID, AssetContent]
    ) -> None:
        """Add records of the batch to its plan; `contents` holds what `to_compare` asked for: all others are
        unchanged.
        """
        for record, digest in rows:
            plan.seen.add(record.external_id)
            device = self.known.get(record.external_id)
            if device is None:
                self._plan_new(plan, record, digest, batch)
                continue
            life = (record.status, record.last_seen_at)
            if record.external_id not in self.read or life != (device.agent_status, device.last_seen_at):
                plan.readings.append(
                    Reading(
                        asset_id=device.entity.asset_id,
                        external_id=record.external_id,
                        agent_status=record.status,
                        last_seen_at=record.last_seen_at,
                    )
                )
            stored = contents.get(device.entity.asset_id)
            if stored is not None:
                entity = self._entity(device.entity, record)
                self._plan_known(
                    plan,
                    record,
                    source=batch.source,
                    after=_read(entity, digest, batch),
                    device=device,
                    stored=stored,
                )

    def _unchanged(self, record: DeviceRecord, digest: str, source: str, device: KnownDevice) -> bool:
        entity = device.entity
        return (
            device.content_hash(source) == digest
            and entity.external_realm_id == record.organization_id
            and device.client_id == self.clients[record.organization_id]
            and entity.missing_since is None
            and self._pk(record, entity) == entity.external_pk
        )

    def _pk(self, record: DeviceRecord, entity: EntityState) -> int | None:
        if record.external_pk is not UNSET and record.external_pk is not None:
            return record.external_pk
        listed = self.pks.get(record.external_id)
        return entity.external_pk if listed is None else listed

    def _plan_new(self, plan: DevicePlan, record: DeviceRecord, digest: str, batch: DeviceBatch) -> None:
        asset_id = self.make_id()
        plan.create.append(
            NewAsset(
                asset_id=asset_id,
                provider=self.provider,
                integration_id=self.integration_id,
                device_id=record.external_id,
                content=merged(None, record, self.clients[record.organization_id], keep_type=False),
                agent_status=record.status,
                last_seen_at=record.last_seen_at,
            )
        )
        blank = EntityState(
            asset_id=asset_id,
            external_entity_id=record.external_id,
            external_realm_id=record.organization_id,
        )
        plan.entities.append(_read(self._entity(blank, record), digest, batch))
        plan.created.add(record.external_id)
        plan.entries.append(_entry(record, asset_id, Action.CREATED, "new_device"))

    def _plan_known(
        self,
        plan: DevicePlan,
        record: DeviceRecord,
        *,
        source: str,
        after: EntityState,
        device: KnownDevice,
        stored: AssetContent,
    ) -> None:
        before = device.entity
        client_id = self.clients[record.organization_id]
        content = merged(stored, record, client_id, keep_type=device.asset_type_overridden)
        changes = differences(stored, content)
        if any(change.field not in _NOT_OUTDATING for change in changes):
            after = _outdate_others(after, source)
        if after != before:
            plan.entities.append(after)
        if changes:
            plan.change.append(
                ChangedAsset(
                    asset_id=before.asset_id,
                    content=content,
                    changes=() if before.asset_id in self.made else changes,
                    type_before=stored.asset_type,
                    extension_only=not any(change.field in ROW_FIELDS for change in changes),
                )
            )
        if before.asset_id in self.made:
            return
        if (before.site_id, before.site_name) != (after.site_id, after.site_name):
            changes = (*changes, FieldChange(field="site", old=before.site_name, new=after.site_name))
        moved = before.external_realm_id != after.external_realm_id
        if before.missing_since is not None:
            plan.entries.append(_entry(record, before.asset_id, Action.RETURNED, "listed_again"))
        if changes:
            action, reason = (
                (Action.MOVED, "organization_changed") if moved else (Action.UPDATED, "content_changed")
            )
            plan.entries.append(_entry(record, before.asset_id, action, reason, changes))
            plan.updated.add(record.external_id)

    def _entity(self, entity: EntityState, record: DeviceRecord) -> EntityState:
        return msgspec.structs.replace(
            entity,
            external_realm_id=record.organization_id,
            external_pk=self._pk(record, entity),
            site_id=entity.site_id if record.site_id is UNSET else record.site_id,
            site_name=entity.site_name if record.site_name is UNSET else record.site_name,
            missing_since=None,
        )


def _read(entity: EntityState, digest: str, batch: DeviceBatch) -> EntityState:
    if batch.source == LIGHT:
        return msgspec.structs.replace(entity, light_hash=digest)
    if batch.source == DETAIL:
        return msgspec.structs.replace(entity, detail_hash=digest, detail_read_at=batch.answered_at)
    return msgspec.structs.replace(entity, detail_read_at=batch.answered_at)


def _outdate_others(entity: EntityState, source: str) -> EntityState:
    """A change seen by one kind of answer outdates the hash of the other kinds: those may go back to the
    content they had before, which must not pass for unchanged.
    """
    return msgspec.structs.replace(
        entity,
        light_hash=entity.light_hash if source == LIGHT else None,
        detail_hash=entity.detail_hash if source == DETAIL else None,
    )


def merged(
    before: AssetContent | None, record: DeviceRecord, client_id: UUID, *, keep_type: bool
) -> AssetContent:
    """Content after a record: absent fields keep what is there, null ones clear it."""
    values: dict[str, Any] = {
        name: value for name in _PLAIN_FIELDS if (value := getattr(record, name)) is not UNSET
    }
    values["client_id"] = client_id
    values["rmm_organization_id"] = record.organization_id
    if not keep_type:
        values["asset_type"] = record.asset_type.value
    for name in _LISTS:
        value = getattr(record, name)
        if value is not UNSET:
            values[name] = None if value is None else list(msgspec.to_builtins(value))
    if record.lan_ips is not UNSET:
        values["lan_ip"] = next((ip for ip in record.lan_ips or () if ":" not in ip), None)
    return AssetContent(**values) if before is None else msgspec.structs.replace(before, **values)


def _entry(
    record: DeviceRecord,
    asset_id: UUID,
    action: Action,
    reason: str,
    changes: Sequence[FieldChange] = (),
) -> Entry:
    return Entry(
        item_type="device",
        action=action,
        reason=reason,
        external_id=record.external_id,
        organization_id=record.organization_id,
        asset_id=asset_id,
        name=record.name,
        changes=tuple(changes),
    )


def detail_candidates(
    known: Mapping[str, KnownDevice],
    seen: Collection[str],
    *,
    limit: int,
    now: datetime,
    refresh_old: bool,
) -> list[str]:
    """Devices to read one by one: those never read in detail first, then (`refresh_old`: no bulk answer
    carries hardware), spread over a day of refreshes, those read longest ago. At most `limit`.
    """
    read_at = {eid: known[eid].entity.detail_read_at for eid in seen}
    never = sorted(eid for eid, at in read_at.items() if at is None)[:limit]
    if not refresh_old:
        return never
    yesterday = now - timedelta(days=1)
    stale = sorted((at, eid) for eid, at in read_at.items() if at is not None and at < yesterday)
    share = min(limit - len(never), -(-len(seen) // _REFRESHES_A_DAY))
    return [*never, *(eid for _, eid in stale[:share])]
