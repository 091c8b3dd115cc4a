"""The ledger of runs as pages and programs turn its leaves, with the names of what runs speak of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.integrations import directory
from muster.integrations.schemas import IntegrationView
from muster.mappings.service import MappingService
from muster.naming import as_id
from muster.sync.kinds import SyncKind
from muster.sync.repository import RunRepository
from muster.sync.schemas import EntryFilter, EntryView, RunFilter, RunView
from muster.tenancy import TenantScope

# Fields of a change whose values are ids that a person cannot read.
CLIENT_FIELD, ORGANIZATION_FIELD = "client_id", "rmm_organization_id"


@dataclass(frozen=True, slots=True)
class Names:
    """What ids in entries stand for; an id that is not in it has no name any more."""

    organizations: Mapping[str, str] = field(default_factory=dict)
    clients: Mapping[str, str] = field(default_factory=dict)
    assets: Mapping[UUID, str] = field(default_factory=dict)


class RunHistory:
    """Runs and entries of one tenant, a page at a time."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = RunRepository(session, scope)

    async def page(self, wanted: RunFilter, *, limit: int, offset: int = 0) -> Sequence[RunView]:
        """Runs that match, newest first."""
        return await self._repository.page(wanted, limit=limit, offset=offset)

    async def count(self, wanted: RunFilter) -> int:
        """How many runs match."""
        return await self._repository.count(wanted)

    async def find(self, run_id: UUID) -> RunView | None:
        """The run with this id, if this tenant has it."""
        return await self._repository.run(run_id)

    async def latest_ended(self, integration_id: UUID, kind: SyncKind) -> RunView | None:
        """An integration's last run of a kind that has ended."""
        return await self._repository.latest_ended(
            RunFilter(integration_id=integration_id, sync_type=kind.sync_type.value, mode=kind.mode.value)
        )

    async def running(self, integration_id: UUID) -> RunView | None:
        """The integration's run that is under way."""
        row = await self._repository.running(integration_id)
        return None if row is None else await self._repository.run(row["run_id"])

    async def entries(
        self, run_id: UUID, wanted: EntryFilter, *, limit: int, offset: int = 0
    ) -> Sequence[EntryView]:
        """A run's entries that match, problems first."""
        return await self._repository.entries(run_id, wanted, limit=limit, offset=offset)

    async def count_entries(self, run_id: UUID, text: str | None = None) -> Mapping[tuple[str, str], int]:
        """How many entries a run has, by kind of thing and action; with `text` those that hold it."""
        return await self._repository.count_entries(run_id, EntryFilter(text=text))

    async def integrations(self, runs: Iterable[RunView]) -> Mapping[UUID, IntegrationView]:
        """The integrations of some runs."""
        wanted = {run.integration_id for run in runs}
        return await directory.views(self._session, self._scope, sorted(wanted)) if wanted else {}

    async def names(self, integration_id: UUID, entries: Sequence[EntryView]) -> Names:
        """What the ids in some entries stand for; a bounded number of queries however many they are."""
        if not entries:
            return Names()
        changes = [change for entry in entries for change in entry.changes or ()]
        values = {
            str(value)
            for change in changes
            if change["field"] == CLIENT_FIELD
            for value in (change["old"], change["new"])
            if value is not None
        }
        ids = {found for value in values if (found := as_id(value)) is not None}
        clients = await ClientService(self._session, self._scope).names(ids) if ids else {}
        nameless = [entry.asset_id for entry in entries if entry.asset_id is not None and not entry.name]
        assets = (
            await AssetService(self._session, self._scope).contents(list(dict.fromkeys(nameless)))
            if nameless
            else {}
        )
        mappings = await MappingService(self._session, self._scope).list(integration_id)
        return Names(
            organizations={m.external_organization_id: m.external_organization_name for m in mappings},
            clients={str(client_id): name for client_id, name in clients.items()},
            assets={asset_id: content.name for asset_id, content in assets.items()},
        )
