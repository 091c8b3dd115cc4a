"""Syncs: the verbs. A sync opens a run, fetches, plans, applies, and says what it did."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import Conflict, InvalidInput, NotFound
from muster.integrations.connections import Connector
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from muster.jobs.types import JobContext, JobTicket
from muster.mappings.service import MappingService
from muster.providers.contract import ProviderConnection
from muster.schedules.types import BY_ITSELF
from muster.settings import Settings
from muster.sync import kinds
from muster.sync.alerts import AlertSync
from muster.sync.devices import DeviceSync, DeviceSyncOptions
from muster.sync.execution import Execution, Order
from muster.sync.ledger import Ledger, Progress
from muster.sync.organizations import record_listing
from muster.sync.repository import RunRepository
from muster.sync.schemas import EntryView, Preview, RunView
from muster.sync.software import SoftwareSync, left_over
from muster.sync.types import Outcome, RunStatus, SyncMode, SyncType
from muster.tenancy import TenantScope

# So long at most a job keeps an integration busy that asks for its devices one by one.
_PATIENCE = timedelta(minutes=10)


class RunService:
    """What runs did, of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._repository = RunRepository(session, scope)

    async def list(self, integration_id: UUID | None = None, *, limit: int = 100) -> Sequence[RunView]:
        """Runs, newest first."""
        return await self._repository.runs(integration_id, limit=limit)

    async def get(self, run_id: UUID) -> RunView:
        """One run; NotFound when this tenant has none with that id."""
        run = await self._repository.run(run_id)
        if run is None:
            raise NotFound(f"No run {run_id} here.", remedy="`muster run list` shows them.")
        return run

    async def entries(self, run_id: UUID, *, limit: int = 1000) -> Sequence[EntryView]:
        """A run's entries, problems first."""
        return await self._repository.entries(run_id, limit=limit)


class SyncService:
    """Syncs integrations. Holds no transaction while it talks to a server."""

    def __init__(
        self, database: Database, secrets: SecretBox, connector: Connector, settings: Settings
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._settings = settings
        self._execution = Execution(database, secrets, connector, settings)

    async def organizations(
        self,
        scope: TenantScope,
        integration_id: UUID,
        *,
        trigger: str = "manual",
        preview: bool = False,
        progress: Progress | None = None,
        job: JobContext | None = None,
    ) -> RunView | Preview:
        """Fetch what the server lists as organizations into the mapping table.

        With `preview` nothing is written. What goes wrong on the way is in the run, not raised; Conflict
        while another sync of this integration runs. As a `job` the run has the job's id, goes on where an
        earlier attempt ended, and ends between two chunks when the job is to.
        """

        async def work(connection: ProviderConnection, ledger: Ledger) -> Outcome:
            if ledger.cursor.get("listed"):
                return Outcome(RunStatus.SUCCEEDED)
            ledger.phase = "organizations"
            snapshot = await connection.organizations()
            ledger.cursor["listed"] = True
            ledger.total = len(snapshot.records) + len(snapshot.rejected)
            async with self._database.read() as session:
                current = await MappingService(session, scope).list(integration_id)
            await record_listing(scope, integration_id, current, snapshot, ledger, counted=True)
            return Outcome(RunStatus.SUCCEEDED)

        integration = await self._integration(scope, integration_id)
        order = Order(scope, integration, SyncType.ORGANIZATIONS, SyncMode.FULL, trigger, work, job)
        return await self._carry_out(order, progress, preview=preview)

    async def devices(
        self,
        scope: TenantScope,
        integration_id: UUID,
        mode: SyncMode = SyncMode.FULL,
        *,
        device_id: str | None = None,
        accept_missing: bool = False,
        trigger: str = "manual",
        preview: bool = False,
        progress: Progress | None = None,
        job: JobContext | None = None,
    ) -> RunView | Preview:
        """Fetch devices of mapped organizations into assets; one device with mode single and `device_id`.

        `accept_missing` marks devices as missing even when so many are gone at once that a run would stop
        for a person. Otherwise as `organizations`.
        """
        if (mode is SyncMode.SINGLE) != (device_id is not None):
            raise InvalidInput("A single-device sync needs the device's id, and no other sync takes one.")
        wanted = None if device_id is None else _check_device_id(device_id)
        options = self._options(mode, accept_missing=accept_missing)
        integration = await self._integration(scope, integration_id)

        async def work(connection: ProviderConnection, ledger: Ledger) -> Outcome:
            sync = DeviceSync(
                self._database, scope, integration, connection=connection, ledger=ledger, options=options
            )
            return await (sync.refresh() if wanted is None else sync.refresh_one(wanted))

        order = Order(scope, integration, SyncType.DEVICES, mode, trigger, work, job)
        return await self._carry_out(order, progress, preview=preview)

    async def refresh(
        self,
        scope: TenantScope,
        integration_id: UUID,
        device_ids: Sequence[str],
        *,
        trigger: str = "manual",
        job: JobContext | None = None,
    ) -> RunView:
        """Read some devices anew, one by one, in one run; one that cannot be read is an entry of it and
        leaves the others alone. Otherwise as `devices`.
        """
        wanted = [_check_device_id(device_id) for device_id in device_ids]
        options = self._options(SyncMode.SINGLE)
        integration = await self._integration(scope, integration_id)

        async def work(connection: ProviderConnection, ledger: Ledger) -> Outcome:
            sync = DeviceSync(
                self._database, scope, integration, connection=connection, ledger=ledger, options=options
            )
            return await sync.refresh_each(wanted)

        order = Order(scope, integration, SyncType.DEVICES, SyncMode.SINGLE, trigger, work, job)
        return await self._execution.run(order, None)

    async def alerts(
        self,
        scope: TenantScope,
        integration_id: UUID,
        *,
        days: int | None = None,
        trigger: str = "manual",
        preview: bool = False,
        progress: Progress | None = None,
        job: JobContext | None = None,
    ) -> RunView | Preview:
        """Make our alerts agree with the server's: those that are open there, and what became of ours that
        are not. With `days` (1 to 3650) also those raised in the last so many days, resolved ones too.

        Conflict when the integration's provider has no alerts. Otherwise as `organizations`.
        """
        kind = kinds.ALERTS if days is None else kinds.ALERTS_BACKFILL
        kinds.check_days(kind, days)
        integration = await self._integration(scope, integration_id)
        kinds.check_offered(kind, integration)

        async def work(connection: ProviderConnection, ledger: Ledger) -> Outcome:
            sync = AlertSync(self._database, scope, integration, connection=connection, ledger=ledger)
            return await sync.reconcile(days, thorough=trigger not in BY_ITSELF)

        order = Order(scope, integration, kind.sync_type, kind.mode, trigger, work, job)
        return await self._carry_out(order, progress, preview=preview)

    async def software(
        self,
        scope: TenantScope,
        integration_id: UUID,
        *,
        trigger: str = "manual",
        preview: bool = False,
        progress: Progress | None = None,
        job: JobContext | None = None,
        rest: bool = False,
    ) -> RunView | Preview:
        """Take in what is installed on the devices that are assets. The run counts devices: `created` report
        for the first time, on `updated` programs have come, gone or changed.

        Where each device is asked for by itself, a job's run ends after some minutes, so that devices are
        refreshed in between; its error then has the code `continues`, and the next run goes on. With `rest`
        only that is done: Conflict (`held`) when nothing is left over. Conflict also when the integration's
        provider has no software. Otherwise as `organizations`.
        """
        integration = await self._integration(scope, integration_id)
        kinds.check_offered(kinds.SOFTWARE, integration)
        if rest:
            async with self._database.read(scope) as session:
                if await left_over(session, scope, integration_id) is None:
                    raise Conflict("Everything was read meanwhile.", code="held")
        patience = None if job is None else _PATIENCE

        async def work(connection: ProviderConnection, ledger: Ledger) -> Outcome:
            sync = SoftwareSync(
                self._database,
                scope,
                integration,
                self._secrets,
                connection=connection,
                ledger=ledger,
                patience=patience,
            )
            return await sync.ingest()

        kind = kinds.SOFTWARE
        order = Order(scope, integration, kind.sync_type, kind.mode, trigger, work, job)
        return await self._carry_out(order, progress, preview=preview)

    async def ask(
        self,
        scope: TenantScope,
        integration_id: UUID,
        request: Callable[[JobService, IntegrationView], Awaitable[JobTicket]],
    ) -> None:
        """Ask for a job about an integration, in a transaction of its own."""
        integration = await self._integration(scope, integration_id)
        async with self._database.write(scope) as session:
            await request(JobService(session, scope), integration)

    # --- inside ---

    async def _carry_out(
        self, order: Order, progress: Progress | None, *, preview: bool
    ) -> RunView | Preview:
        carry_out = self._execution.preview if preview else self._execution.run
        return await carry_out(order, progress)

    async def _integration(self, scope: TenantScope, integration_id: UUID) -> IntegrationView:
        async with self._database.read() as session:
            return await IntegrationService(session, scope, self._secrets).get(integration_id)

    def _options(self, mode: SyncMode, *, accept_missing: bool = False) -> DeviceSyncOptions:
        return DeviceSyncOptions(
            mode=mode,
            missing_share=self._settings.missing_share,
            detail_reads=self._settings.detail_reads,
            accept_missing=accept_missing,
        )


def _check_device_id(text: str) -> str:
    text = text.strip()
    if not 1 <= len(text) <= 255 or any(ord(character) < 33 for character in text):
        raise InvalidInput("That cannot be a device's id.", remedy="`muster asset list` shows rmm_device_id.")
    return text
