"""Devices: what the server lists for mapped organizations becomes assets, chunk by chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets.service import AssetService
from muster.assets.types import AssetContent, SyncedAsset
from muster.db import Database
from muster.db.types import new_id
from muster.events.service import EventService
from muster.integrations.schemas import IntegrationView
from muster.mappings.schemas import MappingView
from muster.mappings.service import MappingService
from muster.providers.contract import (
    Depth,
    DeviceChunk,
    OrganizationRead,
    OrganizationRecord,
    ProviderAuthError,
    ProviderConnection,
    ProviderError,
    ProviderErrorInfo,
    ProviderNotFound,
    RosterEntry,
)
from muster.sync import absence, announcements, entries
from muster.sync.ledger import Ledger
from muster.sync.organizations import record_listing
from muster.sync.plan import DETAIL, LIGHT, Planner, detail_candidates, digested
from muster.sync.resume import DONE
from muster.sync.tally import Tally
from muster.sync.types import DeviceBatch, DevicePlan, Entry, KnownDevice, RunStatus, SyncMode
from muster.tenancy import TenantScope

# Devices a transaction takes: a known one costs little more than its sign of life, one not met before in
# this kind of answer several rows. Either way a small write waits for it well below 200 ms on SQLite.
_BATCH_WEIGHT = 2000
_NEW_WEIGHT = 6
_DETAIL_BATCH = 10
_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSyncOptions:
    """How a device sync goes about it: see settings MISSING_SHARE and DETAIL_READS."""

    mode: SyncMode
    missing_share: float
    detail_reads: int
    accept_missing: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a sync ended."""

    status: RunStatus
    error: ProviderErrorInfo | None = None


class DeviceSync:
    """One sync of an integration's devices. Its verbs in order: `refresh`, or `refresh_one`."""

    def __init__(
        self,
        database: Database,
        scope: TenantScope,
        integration: IntegrationView,
        *,
        connection: ProviderConnection,
        ledger: Ledger,
        options: DeviceSyncOptions,
    ) -> None:
        self._database = database
        self._scope = scope
        self._integration_id = integration.integration_id
        self._provider = integration.provider
        self._about = announcements.About(ledger.run_id, integration.integration_id, integration.provider)
        self._connection = connection
        self._ledger = ledger
        self._options = options
        self._known: dict[str, KnownDevice] = {}
        self._clients: dict[str, UUID] = {}
        self._roster: Mapping[str, RosterEntry] | None = None
        self._pks: dict[str, int | None] = {}
        self._reads: list[OrganizationRead] = []
        self._tally = Tally()
        self._batch: DeviceBatch | None = None
        self._last_source = LIGHT
        self._batch_weight = 0
        self._made: dict[UUID, AssetContent] = {}
        # Organizations read to a proved end and written, by earlier attempts and by this one.
        self._done: set[str] = set(ledger.resumed.done if ledger.resumed else ())

    # --- the verbs ---------------------------------------------------------------------------------------

    async def refresh(self) -> Outcome:
        """Every device of every mapped organization that brings assets in."""
        self._ledger.phase = "organizations"
        snapshot = await self._connection.organizations()
        before = await self._mappings()
        await record_listing(self._scope, self._integration_id, before, snapshot, self._ledger, counted=False)
        listed = {record.external_id: record for record in snapshot.records}
        wanted = {
            view.external_organization_id: view
            for view in before
            if view.client_id is not None and view.auto_sync_assets
        }
        records = [listed[eid] for eid in wanted if eid in listed]
        await self._prepare(wanted, sum(record.device_count or 0 for record in records))
        if unlisted := [entries.unlisted(view) for eid, view in wanted.items() if eid not in listed]:
            await self._ledger.commit(self._tally.counters(), unlisted)
        await self._read_roster()
        await self._read_devices(records)
        await self._read_details()
        held = await self._judge_absence({record.external_id: record.name for record in records})
        return self._outcome(held)

    async def refresh_one(self, external_id: str) -> Outcome:
        """One device, by the server's id for it."""
        self._ledger.phase = "device"
        wanted = {
            view.external_organization_id: view
            for view in await self._mappings()
            if view.client_id is not None and view.auto_sync_assets
        }
        await self._prepare(wanted, 1, [external_id])
        try:
            chunk = await self._connection.device(external_id)
        except ProviderNotFound as error:
            self._tally.failed += 1
            await self._ledger.commit(self._tally.counters(), [entries.not_found(external_id, error)])
            return Outcome(RunStatus.FAILED, error.info())
        await self._gather(chunk)
        await self._flush()
        return self._outcome(held=False)

    # --- the steps ---------------------------------------------------------------------------------------

    async def _mappings(self) -> Sequence[MappingView]:
        async with self._database.read() as session:
            return await MappingService(session, self._scope).list(self._integration_id)

    async def _prepare(
        self, wanted: Mapping[str, MappingView], total: int, only: Sequence[str] | None = None
    ) -> None:
        self._ledger.total = total
        self._clients = {eid: view.client_id for eid, view in wanted.items() if view.client_id is not None}
        async with self._database.read() as session:
            states = await MappingService(session, self._scope).device_states(self._integration_id, only)
            assets = {
                asset.asset_id: asset
                for asset in await AssetService(session, self._scope).synced(
                    self._integration_id, [state.asset_id for state in states] if only else None
                )
            }
        for entity in states:
            asset = assets[entity.asset_id]
            self._known[entity.external_entity_id] = KnownDevice(
                entity=entity,
                client_id=asset.client_id,
                agent_status=asset.agent_status,
                last_seen_at=asset.last_seen_at,
                asset_type_overridden=asset.asset_type_overridden,
                retired=asset.retired_at is not None,
            )
        if before := self._ledger.resumed:
            touched = {a.asset_id for a in assets.values() if _synced_since(a, before.started_at)}
            seen = [eid for eid, device in self._known.items() if device.entity.asset_id in touched]
            self._tally.restore(seen, before.created, before.updated)
            self._tally.failed = before.failed

    async def _read_roster(self) -> None:
        """The list of all visible devices. Without it the sync goes on, but nothing can be judged missing."""
        self._ledger.phase = "roster"
        try:
            self._roster = await self._connection.roster()
            self._pks = {external_id: listed.external_pk for external_id, listed in self._roster.items()}
        except ProviderAuthError:
            raise
        except ProviderError as error:
            await self._ledger.commit(self._tally.counters(), [entries.no_roster(error)])

    async def _read_devices(self, records: Sequence[OrganizationRecord]) -> None:
        self._ledger.phase = "devices"
        depth: Depth = "full" if self._options.mode is SyncMode.FULL else "light"
        in_bulk = depth == "full" and await self._connection.hardware_in_bulk()
        self._last_source = DETAIL if in_bulk else LIGHT
        names = {record.external_id: record.name for record in records}
        left = [record for record in records if record.external_id not in self._done]
        async for item in self._connection.devices(left, depth):
            self._ledger.pause()
            self._ledger.cursor["organization"] = names.get(item.organization_id, item.organization_id)
            if isinstance(item, DeviceChunk):
                await self._gather(item)
            else:
                await self._close_organization(item, names.get(item.organization_id))
        await self._flush()

    async def _close_organization(self, read: OrganizationRead, name: str | None) -> None:
        self._reads.append(read)
        read_now = {each.organization_id for each in self._reads if each.error is None}
        self._ledger.cursor["organizations_read"] = len(read_now | self._done)
        if read.error is None and read.complete:
            return
        await self._ledger.commit(self._tally.counters(), [entries.unfinished(read, name)])

    async def _read_details(self) -> None:
        """Hardware one device at a time, for those that no bulk answer of this run carried it for."""
        in_bulk = await self._connection.hardware_in_bulk()
        if in_bulk and self._options.mode is SyncMode.FULL:
            return
        self._ledger.phase = "details"
        wanted = detail_candidates(
            self._known,
            self._tally.seen,
            limit=self._options.detail_reads,
            now=clock.now(),
            refresh_old=not in_bulk,
        )
        failures = 0
        for start in range(0, len(wanted), _DETAIL_BATCH):
            batch = wanted[start : start + _DETAIL_BATCH]
            answers = await asyncio.gather(
                *(self._connection.device(external_id) for external_id in batch), return_exceptions=True
            )
            for external_id, answer in zip(batch, answers, strict=True):
                if isinstance(answer, DeviceChunk):
                    failures = 0
                    await self._gather(answer)
                    continue
                if not isinstance(answer, ProviderError) or isinstance(answer, ProviderAuthError):
                    raise answer
                failures += answer.retryable
                await self._ledger.commit(
                    self._tally.counters(), [entries.hardware_unread(external_id, answer)]
                )
            if failures >= _FAILURES_IN_A_ROW:
                break
        await self._flush()

    async def _judge_absence(self, wanted: Mapping[str, str]) -> bool:
        if self._roster is None:
            return False
        self._ledger.phase = "missing"
        failed = {read.organization_id for read in self._reads if read.error is not None}
        complete = {read.organization_id for read in self._reads if read.complete} - failed
        complete |= self._ledger.resumed.done if self._ledger.resumed else frozenset()
        found = absence.judge(
            self._known,
            self._tally.seen,
            complete=complete,
            wanted=wanted,
            roster=self._roster,
            share=self._options.missing_share,
            accept=self._options.accept_missing,
        )
        self._tally.missing = len(found.missing)
        newly = () if found.held else found.newly

        async def apply(session: AsyncSession) -> None:
            await MappingService(session, self._scope).save_missing_devices(
                self._integration_id, newly, clock.now()
            )
            gone = announcements.gone(self._about, newly, self._known)
            await EventService(session, self._scope).publish_many(gone)

        await self._ledger.commit(self._tally.counters(), found.entries, apply)
        return found.held

    def _outcome(self, held: bool) -> Outcome:
        errors = [read.error for read in self._reads if read.error is not None]
        if errors:
            nothing = len(errors) == len(self._reads) and not self._done
            return Outcome(RunStatus.FAILED if nothing else RunStatus.PARTIAL, errors[0])
        if held:
            return Outcome(
                RunStatus.PARTIAL,
                ProviderErrorInfo(
                    code="too_many_missing",
                    message=f"{self._tally.missing} devices are gone at once; none was marked as missing.",
                    remedy="Look at the server first; if that is right, sync again with --accept-missing.",
                ),
            )
        return Outcome(RunStatus.SUCCEEDED)

    # --- one batch -----------------------------------------------------------------------------------------

    async def _gather(self, chunk: DeviceChunk) -> None:
        """Take a chunk into the batch under way; a full batch, or one of another source, is applied."""
        batch = self._batch
        if batch is not None and batch.source != chunk.source:
            await self._flush()
        if self._batch is None:
            self._batch, self._batch_weight = DeviceBatch(chunk.source, chunk.answered_at), 0
        self._batch.add(chunk)
        self._batch_weight += self._weight(chunk)
        if self._batch_weight >= _BATCH_WEIGHT:
            await self._flush()

    def _weight(self, chunk: DeviceChunk) -> int:
        known = [self._known.get(record.external_id) for record in chunk.records]
        new = sum(device is None or device.content_hash(chunk.source) is None for device in known)
        return len(known) + len(chunk.rejected) + new * (_NEW_WEIGHT - 1)

    async def _flush(self) -> None:
        batch, self._batch = self._batch, None
        if batch is None:
            return
        strangers = self._turn_away(batch)
        planner = Planner(
            integration_id=self._integration_id,
            provider=self._provider,
            clients=self._clients,
            known=self._known,
            pks=self._pks,
            read=self._tally.seen,
            made=self._made,
            make_id=new_id,
        )
        rows = digested(batch)
        contents = await self._stored(planner.to_compare(rows, batch.source))
        plan = planner.plan(batch, rows, contents)

        async def apply(session: AsyncSession) -> None:
            await self._write(session, plan)

        self._note_done()
        await self._ledger.commit(self._tally.counters(plan), [*plan.entries, *strangers], apply)
        self._remember(plan)

    def _note_done(self) -> None:
        """Organizations whose end has been met: what is written now, or was before, is all of them."""
        troubled = {read.organization_id for read in self._reads if read.error or not read.complete}
        ended = {read.organization_id for read in self._reads if read.source == self._last_source}
        self._ledger.cursor[DONE] = sorted(self._done | (ended - troubled))

    async def _stored(self, asset_ids: Sequence[UUID]) -> Mapping[UUID, AssetContent]:
        """What is stored of these assets; of those this run has just made, what it made them of."""
        own = {asset_id: self._made[asset_id] for asset_id in asset_ids if asset_id in self._made}
        others = [asset_id for asset_id in asset_ids if asset_id not in own]
        if not others:
            return own
        async with self._database.read() as session:
            return {**own, **await AssetService(session, self._scope).contents(others)}

    def _turn_away(self, batch: DeviceBatch) -> list[Entry]:
        """Rows of organizations that bring no assets in never get further than here."""
        strangers = [record for record in batch.records if record.organization_id not in self._clients]
        if strangers:
            batch.records = [r for r in batch.records if r.organization_id in self._clients]
        return [entries.turned_away(record) for record in strangers]

    async def _write(self, session: AsyncSession, plan: DevicePlan) -> None:
        assets = AssetService(session, self._scope)
        at = clock.now()
        await assets.create(plan.create, at)
        await assets.save(plan.change, cause=str(self._ledger.run_id), at=at)
        await MappingService(session, self._scope).save_devices(self._integration_id, plan.entities, at)
        await assets.touch(plan.readings, at)
        told = announcements.of_plan(self._about, plan, self._known)
        await EventService(session, self._scope).publish_many(told)

    def _remember(self, plan: DevicePlan) -> None:
        """Take over what was just committed, so that the rest of the run compares with it."""
        entities_now = {entity.external_entity_id: entity for entity in plan.entities}
        self._made |= {new.asset_id: new.content for new in plan.create}
        self._made |= {c.asset_id: c.content for c in plan.change if c.asset_id in self._made}
        for new in plan.create:
            self._known[new.device_id] = KnownDevice(
                entity=entities_now[new.device_id],
                client_id=new.content.client_id,
                agent_status=new.agent_status,
                last_seen_at=new.last_seen_at,
                asset_type_overridden=False,
                retired=False,
            )
        clients = {changed.asset_id: changed.content.client_id for changed in plan.change}
        for external_id, entity in entities_now.items():
            device = self._known[external_id]
            device.entity, device.client_id = entity, clients.get(entity.asset_id, device.client_id)
        for reading in plan.readings:
            device = self._known[reading.external_id]
            device.agent_status, device.last_seen_at = reading.agent_status, reading.last_seen_at
        self._tally.add(plan)


def _synced_since(asset: SyncedAsset, moment: datetime) -> bool:
    return asset.last_rmm_sync_at is not None and asset.last_rmm_sync_at >= moment
