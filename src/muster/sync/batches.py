"""Batches: devices of many chunks are planned together and written in one short transaction each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.assets.missing.service import reinstate
from muster.assets.service import AssetService
from muster.assets.types import AssetContent
from muster.db import Database
from muster.db.turns import pieces
from muster.db.types import new_id
from muster.events.service import EventService
from muster.integrations.schemas import IntegrationView
from muster.mappings.service import MappingService
from muster.providers.contract import DeviceChunk, DeviceRecord, OrganizationRead
from muster.sync import announcements, entries
from muster.sync.ledger import Ledger
from muster.sync.plan import LIGHT, Planner, digested, each_once
from muster.sync.resume import DONE
from muster.sync.tally import Tally
from muster.sync.types import DeviceBatch, DevicePlan, Entry, KnownDevice
from muster.tenancy import TenantScope

# Devices a transaction takes: a known one costs little more than its sign of life, one not met before in
# this kind of answer several rows. Either way a small write waits for it well below 200 ms on SQLite.
_BATCH_WEIGHT = 2000
_NEW_WEIGHT = 10


@dataclass(slots=True)
class FleetState:
    """What a device sync knows while it goes on. Its steps fill it in; each written batch keeps it true.

    `clients` names the client of each organization that brings assets in, `pks` the server's own keys from
    its roster, `reads` the organizations read so far, `done` those that an earlier attempt had finished.
    `last_source` is the kind of answer that is read last of an organization.
    """

    known: dict[str, KnownDevice] = field(default_factory=dict)
    clients: dict[str, UUID] = field(default_factory=dict)
    pks: Mapping[str, int | None] = field(default_factory=dict)
    reads: list[OrganizationRead] = field(default_factory=list)
    done: frozenset[str] = frozenset()
    last_source: str = LIGHT
    tally: Tally = field(default_factory=Tally)

    def finished(self) -> frozenset[str]:
        """Organizations whose end has been met: what is written now, or was before, is all of them."""
        troubled = {read.organization_id for read in self.reads if read.error or not read.complete}
        ended = {read.organization_id for read in self.reads if read.source == self.last_source}
        return self.done | (ended - troubled)


class DeviceWriter:
    """Takes chunks of devices in, and plans and writes them batch by batch."""

    def __init__(
        self,
        database: Database,
        scope: TenantScope,
        integration: IntegrationView,
        *,
        ledger: Ledger,
        state: FleetState,
    ) -> None:
        self._database = database
        self._scope = scope
        self._integration_id = integration.integration_id
        self._provider = integration.provider
        self._about = announcements.About(ledger.run_id, integration.integration_id, integration.provider)
        self._ledger = ledger
        self._state = state
        self._batch: DeviceBatch | None = None
        self._batch_weight = 0
        self._made: dict[UUID, AssetContent] = {}

    async def gather(self, chunk: DeviceChunk) -> None:
        """Take a chunk into the batch under way; a full batch, or one of another source, is applied."""
        batch = self._batch
        if batch is not None and batch.source != chunk.source:
            await self.flush()
        if self._batch is None:
            self._batch, self._batch_weight = DeviceBatch(chunk.source, chunk.answered_at), 0
        self._batch.add(chunk)
        self._batch_weight += self._weight(chunk)
        if self._batch_weight >= _BATCH_WEIGHT:
            await self.flush()
        # What a provider makes of one answer comes without a wait in between.
        await self._database.give_way()

    def _weight(self, chunk: DeviceChunk) -> int:
        known = [self._state.known.get(record.external_id) for record in chunk.records]
        new = sum(device is None or device.content_hash(chunk.source) is None for device in known)
        return len(known) + len(chunk.rejected) + new * (_NEW_WEIGHT - 1)

    async def flush(self) -> None:
        """Plan and write what was gathered; nothing when that is nothing."""
        batch, self._batch = self._batch, None
        if batch is None:
            return
        strangers = self._turn_away(batch)
        planner = Planner(
            integration_id=self._integration_id,
            provider=self._provider,
            clients=self._state.clients,
            known=self._state.known,
            pks=self._state.pks,
            read=self._state.tally.seen,
            made=self._made,
            make_id=new_id,
        )
        turn = self._database.give_way
        rows: list[tuple[DeviceRecord, str]] = []
        async for some in pieces(each_once(batch.records), turn):
            rows.extend(digested(some))
        contents = await self._stored(planner.to_compare(rows, batch.source))
        plan = planner.begin(batch)
        async for piece in pieces(rows, turn):
            planner.extend(plan, batch, piece, contents)

        async def apply(session: AsyncSession) -> None:
            await self._write(session, plan)

        self._ledger.cursor[DONE] = sorted(self._state.finished())
        await self._ledger.commit(self._state.tally.counters(plan), [*plan.entries, *strangers], apply)
        self._remember(plan)

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
        strangers = [record for record in batch.records if record.organization_id not in self._state.clients]
        if strangers:
            batch.records = [r for r in batch.records if r.organization_id in self._state.clients]
        return [entries.turned_away(record) for record in strangers]

    async def _write(self, session: AsyncSession, plan: DevicePlan) -> None:
        assets = AssetService(session, self._scope)
        at = clock.now()
        await assets.create(plan.create, at)
        await assets.save(plan.change, cause=str(self._ledger.run_id), at=at)
        await MappingService(session, self._scope).save_devices(self._integration_id, plan.entities, at)
        await assets.touch(plan.readings, at)
        await reinstate(session, self._scope, self._returned(plan))
        told = announcements.of_plan(self._about, plan, self._state.known)
        await EventService(session, self._scope).publish_many(told)

    def _returned(self, plan: DevicePlan) -> Sequence[UUID]:
        """Assets that a person had retired, whose devices are listed again."""
        met = [self._state.known[eid] for eid in sorted(plan.seen) if eid in self._state.known]
        return [device.entity.asset_id for device in met if device.retired]

    def _remember(self, plan: DevicePlan) -> None:
        """Take over what was just committed, so that the rest of the run compares with it."""
        entities_now = {entity.external_entity_id: entity for entity in plan.entities}
        self._made |= {new.asset_id: new.content for new in plan.create}
        self._made |= {c.asset_id: c.content for c in plan.change if c.asset_id in self._made}
        for new in plan.create:
            self._state.known[new.device_id] = KnownDevice(
                entity=entities_now[new.device_id],
                client_id=new.content.client_id,
                agent_status=new.agent_status,
                last_seen_at=new.last_seen_at,
                asset_type_overridden=False,
                retired=False,
            )
        clients = {changed.asset_id: changed.content.client_id for changed in plan.change}
        for external_id, entity in entities_now.items():
            device = self._state.known[external_id]
            device.entity, device.client_id = entity, clients.get(entity.asset_id, device.client_id)
        for reading in plan.readings:
            device = self._state.known[reading.external_id]
            device.agent_status, device.last_seen_at = reading.agent_status, reading.last_seen_at
            device.retired = False
        self._state.tally.add(plan)
