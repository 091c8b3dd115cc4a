"""Devices: what the server lists for mapped organizations becomes assets, chunk by chunk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets.service import AssetService
from muster.assets.types import SyncedAsset
from muster.db import Database
from muster.db.turns import pieces
from muster.events.service import EventService
from muster.integrations.schemas import IntegrationView
from muster.mappings.missing.service import AbsenceService
from muster.mappings.schemas import EntityState, MappingView
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
from muster.sync.batches import DeviceWriter, FleetState
from muster.sync.ledger import Ledger
from muster.sync.organizations import record_listing
from muster.sync.plan import DETAIL, LIGHT, SINGLE, detail_candidates
from muster.sync.types import Action, Entry, KnownDevice, Outcome, RunStatus, SyncMode
from muster.tenancy import TenantScope

_DETAIL_BATCH = 10
_FAILURES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSyncOptions:
    """How a device sync goes about it: see settings MISSING_SHARE and DETAIL_READS."""

    mode: SyncMode
    missing_share: float
    detail_reads: int
    accept_missing: bool = False


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
        self._about = announcements.About(ledger.run_id, integration.integration_id, integration.provider)
        self._connection = connection
        self._ledger = ledger
        self._options = options
        self._roster: Mapping[str, RosterEntry] | None = None
        self._state = FleetState(done=ledger.resumed.done if ledger.resumed else frozenset())
        self._writer = DeviceWriter(database, scope, integration, ledger=ledger, state=self._state)

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
            await self._ledger.commit(self._state.tally.counters(), unlisted)
        await self._read_roster()
        await self._read_devices(records)
        await self._read_details()
        held = await self._judge_absence({record.external_id: record.name for record in records})
        return self._outcome(held)

    async def refresh_one(self, external_id: str) -> Outcome:
        """One device, by the server's id for it."""
        await self._prepare_each([external_id])
        try:
            chunk = await self._connection.device(external_id)
        except ProviderNotFound as error:
            self._state.tally.failed += 1
            await self._ledger.commit(self._state.tally.counters(), [entries.not_found(external_id, error)])
            return Outcome(RunStatus.FAILED, error.info())
        await self._writer.gather(chunk)
        await self._writer.flush()
        return self._outcome(held=False)

    async def refresh_each(self, external_ids: Sequence[str]) -> Outcome:
        """Some devices, by the server's ids for them. One that is gone or may not be seen says nothing of the
        others, nor of the server.
        """
        await self._prepare_each(external_ids)
        errors = await self._read_each(external_ids, entries.unread)
        if found := [error.info() for error in errors if error.retryable]:
            nothing = not self._state.tally.seen
            return Outcome(RunStatus.FAILED if nothing else RunStatus.PARTIAL, found[0])
        return Outcome(RunStatus.SUCCEEDED)

    # --- the steps ---------------------------------------------------------------------------------------

    async def _mappings(self) -> Sequence[MappingView]:
        async with self._database.read() as session:
            return await MappingService(session, self._scope).list(self._integration_id)

    async def _prepare_each(self, external_ids: Sequence[str]) -> None:
        self._ledger.phase = "device"
        wanted = {
            view.external_organization_id: view
            for view in await self._mappings()
            if view.client_id is not None and view.auto_sync_assets
        }
        await self._prepare(wanted, len(external_ids), external_ids)

    async def _prepare(
        self, wanted: Mapping[str, MappingView], total: int, only: Sequence[str] | None = None
    ) -> None:
        self._ledger.total = total
        self._state.clients = {
            eid: view.client_id for eid, view in wanted.items() if view.client_id is not None
        }
        async with self._database.read() as session:
            states = await MappingService(session, self._scope).device_states(self._integration_id, only)
            assets = {
                asset.asset_id: asset
                for asset in await AssetService(session, self._scope).synced(
                    self._integration_id, [state.asset_id for state in states] if only else None
                )
            }
        async for some in pieces(states, self._database.give_way):
            self._state.known.update((state.external_entity_id, _known(state, assets)) for state in some)
        if before := self._ledger.resumed:
            touched = {a.asset_id for a in assets.values() if _synced_since(a, before.started_at)}
            seen = [eid for eid, device in self._state.known.items() if device.entity.asset_id in touched]
            self._state.tally.restore(seen, before.created, before.updated)
            self._state.tally.failed = before.failed
            realms = [device.entity.external_realm_id for device in self._state.known.values()]
            self._ledger.position.skipped = sum(realm in before.done for realm in realms)
            self._ledger.position.ended |= before.done

    async def _read_roster(self) -> None:
        """The list of all visible devices. Without it the sync goes on, but nothing can be judged missing."""
        self._ledger.phase = "roster"
        try:
            self._roster = await self._connection.roster()
            self._state.pks = {
                external_id: listed.external_pk for external_id, listed in self._roster.items()
            }
        except ProviderAuthError:
            raise
        except ProviderError as error:
            await self._ledger.commit(self._state.tally.counters(), [entries.no_roster(error)])

    async def _read_devices(self, records: Sequence[OrganizationRecord]) -> None:
        self._ledger.phase = "devices"
        depth: Depth = "full" if self._options.mode is SyncMode.FULL else "light"
        in_bulk = depth == "full" and await self._connection.hardware_in_bulk()
        self._state.last_source = DETAIL if in_bulk else LIGHT
        names = {record.external_id: record.name for record in records}
        left = [record for record in records if record.external_id not in self._state.done]
        async for item in self._connection.devices(left, depth):
            name = names.get(item.organization_id, item.organization_id)
            self._ledger.phase = "details" if item.source == DETAIL else "devices"
            self._ledger.position.take(item, name)
            self._ledger.pause()
            self._ledger.cursor["organization"] = name
            if isinstance(item, DeviceChunk):
                await self._writer.gather(item)
            else:
                await self._close_organization(item, names.get(item.organization_id))
        await self._writer.flush()

    async def _close_organization(self, read: OrganizationRead, name: str | None) -> None:
        self._state.reads.append(read)
        read_now = {each.organization_id for each in self._state.reads if each.error is None}
        self._ledger.cursor["organizations_read"] = len(read_now | self._state.done)
        if read.error is None and read.complete:
            return
        await self._ledger.commit(self._state.tally.counters(), [entries.unfinished(read, name)])

    async def _read_details(self) -> None:
        """Hardware one device at a time, for those that no bulk answer of this run carried it for."""
        in_bulk = await self._connection.hardware_in_bulk()
        if in_bulk and self._options.mode is SyncMode.FULL:
            return
        self._ledger.phase = "details"
        wanted = detail_candidates(
            self._state.known,
            self._state.tally.seen,
            limit=self._options.detail_reads,
            now=clock.now(),
            refresh_old=not in_bulk,
        )
        await self._read_each(wanted, entries.hardware_unread)

    async def _read_each(
        self, wanted: Sequence[str], unread: Callable[[str, ProviderError], Entry]
    ) -> Sequence[ProviderError]:
        """Devices one by one; what could not be read becomes an entry. After some failures in a row that a
        later try could mend the rest is left. Gives the errors met.
        """
        errors: list[ProviderError] = []
        failures = 0
        self._ledger.position.begin(SINGLE, len(wanted))
        for start in range(0, len(wanted), _DETAIL_BATCH):
            batch = wanted[start : start + _DETAIL_BATCH]
            answers = await asyncio.gather(
                *(self._connection.device(external_id) for external_id in batch), return_exceptions=True
            )
            for external_id, answer in zip(batch, answers, strict=True):
                if isinstance(answer, DeviceChunk):
                    failures = 0
                    await self._writer.gather(answer)
                    continue
                if not isinstance(answer, ProviderError) or isinstance(answer, ProviderAuthError):
                    raise answer
                failures += answer.retryable
                errors.append(answer)
                entry = unread(external_id, answer)
                self._state.tally.failed += entry.action is Action.FAILED
                await self._ledger.commit(self._state.tally.counters(), [entry])
            self._ledger.position.add(len(batch))
            self._ledger.pause()
            if failures >= _FAILURES_IN_A_ROW:
                break
        await self._writer.flush()
        return errors

    async def _judge_absence(self, wanted: Mapping[str, str]) -> bool:
        if self._roster is None:
            return False
        self._ledger.phase = "missing"
        failed = {read.organization_id for read in self._state.reads if read.error is not None}
        complete = {read.organization_id for read in self._state.reads if read.complete} - failed
        complete |= self._ledger.resumed.done if self._ledger.resumed else frozenset()
        found = absence.judge(
            self._state.known,
            self._state.tally.seen,
            complete=complete,
            wanted=wanted,
            roster=self._roster,
            share=self._options.missing_share,
            accept=self._options.accept_missing,
        )
        self._state.tally.missing = len(found.missing)
        newly = () if found.held else found.newly
        missed = sorted(set(found.missing) - set(found.newly) | set(newly))

        async def apply(session: AsyncSession) -> None:
            await AbsenceService(session, self._scope).missed(self._integration_id, missed, clock.now())
            gone = announcements.gone(self._about, newly, self._state.known)
            await EventService(session, self._scope).publish_many(gone)

        await self._ledger.commit(self._state.tally.counters(), found.entries, apply)
        return found.held

    def _outcome(self, held: bool) -> Outcome:
        errors = [read.error for read in self._state.reads if read.error is not None]
        if errors:
            nothing = len(errors) == len(self._state.reads) and not self._state.done
            return Outcome(RunStatus.FAILED if nothing else RunStatus.PARTIAL, errors[0])
        if held:
            missing = self._state.tally.missing
            return Outcome(
                RunStatus.PARTIAL,
                ProviderErrorInfo(
                    code="too_many_missing",
                    message=f"{missing} devices are gone at once; none was marked as missing.",
                    remedy="Look at the server first; if that is right, sync again with --accept-missing.",
                ),
            )
        return Outcome(RunStatus.SUCCEEDED)


def _known(entity: EntityState, assets: Mapping[UUID, SyncedAsset]) -> KnownDevice:
    asset = assets[entity.asset_id]
    return KnownDevice(
        entity=entity,
        client_id=asset.client_id,
        agent_status=asset.agent_status,
        last_seen_at=asset.last_seen_at,
        asset_type_overridden=asset.asset_type_overridden,
        retired=asset.retired_at is not None,
    )


def _synced_since(asset: SyncedAsset, moment: datetime) -> bool:
    return asset.last_rmm_sync_at is not None and asset.last_rmm_sync_at >= moment
