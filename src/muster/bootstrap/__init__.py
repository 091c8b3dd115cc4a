"""The only file that knows every room: it opens the application and binds what the rooms offer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import typer
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock, encryption
from muster.accounts.commands import commands as user_commands
from muster.accounts.commands import setup_token
from muster.accounts.models import SetupToken, User, UserSession
from muster.alerts import jobs as alert_jobs
from muster.alerts import subscribers as alert_subscribers
from muster.alerts.commands import commands as alert_commands
from muster.alerts.models import Alert, AlertChange, AlertNotice, AlertRule
from muster.alerts.service import AlertService
from muster.assets.commands import commands as asset_commands
from muster.assets.fleet.models import FleetSample
from muster.assets.fleet.sampler import FleetSampler
from muster.assets.missing.models import AssetLink
from muster.assets.missing.schemas import MissingFilter
from muster.assets.missing.service import MissingService
from muster.assets.models import Asset
from muster.assets.service import AssetService
from muster.audit.models import AuditEntry
from muster.bootstrap import inbound, outbound
from muster.clients.commands import commands as client_commands
from muster.clients.models import Client, Contact
from muster.clients.types import ClientFigures, ClientNeighbours
from muster.db import Database, migrate
from muster.db.sealed import SealedColumn, reseal
from muster.db.types import Base, table_of
from muster.egress import Egress, EgressPolicy
from muster.encryption import SecretBox
from muster.errors import InvalidInput, NotConfigured
from muster.events import upkeep as event_upkeep
from muster.events.commands import commands as event_commands
from muster.events.models import Event, EventCursor, EventSequence
from muster.events.types import Subscriber
from muster.inbound_webhooks.models import WebhookEndpoint, WebhookReceipt
from muster.integrations.commands import integration_commands
from muster.integrations.connections import Connector
from muster.integrations.models import Credential, Integration
from muster.integrations.service import CountSource, Freshness, IntegrationService
from muster.jobs import upkeep as job_upkeep
from muster.jobs.commands import commands as job_commands
from muster.jobs.gauges import gauges as job_gauges
from muster.jobs.models import JobRequest, Worker
from muster.jobs.types import Handler
from muster.mappings.commands import commands as mapping_commands
from muster.mappings.models import OrganizationMapping
from muster.mappings.service import MappingService
from muster.notifications.models import Channel
from muster.outbound_webhooks.models import WebhookDelivery, WebhookSubscription
from muster.providers.contract import Finding
from muster.schedules import jobs as schedule_jobs
from muster.schedules import upkeep as schedule_upkeep
from muster.schedules.commands import commands as schedule_commands
from muster.schedules.gauges import gauges as schedule_gauges
from muster.schedules.models import Schedule
from muster.schedules.service import schedules_of
from muster.settings import Settings, make_data_dir
from muster.simulator.commands import simulator_app
from muster.software.commands import commands as software_commands
from muster.software.models import (
    InstalledSoftware,
    SoftwareChange,
    SoftwareReading,
    SoftwareReported,
    SoftwareTitle,
    SoftwareVersion,
)
from muster.sync import jobs as sync_jobs
from muster.sync import refreshes
from muster.sync import upkeep as sync_upkeep
from muster.sync.commands import run_commands, sync_commands
from muster.sync.gauges import SyncGauges
from muster.sync.models import SyncRun
from muster.sync.refreshes import Refresher
from muster.sync.service import SyncService
from muster.tenancy import TenantScope
from muster.tenants.commands import commands as tenant_commands
from muster.tenants.models import Tenant
from muster.tenants.service import TenantService
from muster.web.metrics import MetricSource

# Importing a model is what puts its tables into the metadata.
MODELS = (
    Tenant,
    User,
    UserSession,
    SetupToken,
    AuditEntry,
    Client,
    Contact,
    Integration,
    OrganizationMapping,
    Asset,
    AssetLink,
    FleetSample,
    Alert,
    AlertChange,
    AlertRule,
    AlertNotice,
    WebhookEndpoint,
    WebhookReceipt,
    WebhookSubscription,
    WebhookDelivery,
    Channel,
    SoftwareTitle,
    SoftwareVersion,
    InstalledSoftware,
    SoftwareReported,
    SoftwareReading,
    SoftwareChange,
    Schedule,
    SyncRun,
    JobRequest,
    Worker,
    Event,
    EventSequence,
    EventCursor,
)


@dataclass(frozen=True, slots=True)
class Application:
    """Muster, open: what commands, requests and workers work on."""

    settings: Settings
    database: Database
    secrets: SecretBox
    egress: Egress

    async def scope(self, reference: str | None) -> TenantScope:
        """The tenant by name or id; without a reference the only one there is."""
        async with self.database.read() as session:
            return await TenantService(session).resolve(reference)


@asynccontextmanager
async def open_application(settings: Settings) -> AsyncIterator[Application]:
    """Open the database and the key, make both on first start, and close what was opened at the end.

    NotConfigured when the schema is older (`muster migrate` brings it up) or newer than this version.
    """
    make_data_dir(settings)
    secrets = encryption.load_or_create(settings)
    egress = Egress(egress_policy(settings))
    database = open_database(settings)
    try:
        await _prepare_schema(database)
        yield Application(settings, database, secrets, egress)
    finally:
        await database.close()


def open_database(settings: Settings) -> Database:
    """The database of these settings; nothing is connected yet."""
    return Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        statement_timeout=settings.database_statement_timeout,
    )


async def _prepare_schema(database: Database) -> None:
    revision = await migrate.current(database)
    if revision is None:
        await migrate.upgrade(database, metadata())
    elif not migrate.is_known(revision):
        raise migrate.newer(revision)
    elif revision != migrate.head():
        raise NotConfigured(
            f"The database has the schema {revision} of an older Muster; this one needs {migrate.head()}.",
            remedy="Make a backup, then run: muster migrate",
            code="database_older",
        )


def egress_policy(settings: Settings) -> EgressPolicy:
    """The operator's rules for outgoing requests."""
    return EgressPolicy(
        allowed_networks=settings.egress_allow,
        ca_file=settings.egress_ca_file,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        per_server=settings.server_concurrency,
        spool_folder=settings.data_dir,
    )


def metadata() -> MetaData:
    """The tables of all rooms."""
    return Base.metadata


# --- what the rooms offer -----------------------------------------------------------------------------------


def command_groups() -> Sequence[typer.Typer]:
    """Each room's commands, in the order of `muster --help`."""
    return (
        tenant_commands,
        user_commands,
        client_commands,
        integration_commands(counts=integration_counts()),
        mapping_commands,
        sync_commands,
        schedule_commands,
        run_commands,
        job_commands,
        asset_commands,
        alert_commands,
        software_commands,
        *inbound.command_groups(),
        event_commands,
        *outbound.command_groups(),
        simulator_app,
    )


def lone_commands() -> Mapping[str, Callable[..., None]]:
    """Commands of rooms that stand in no group, by name."""
    return {"setup-token": setup_token}


def integration_counts() -> Sequence[CountSource]:
    """The rooms that know a number to show about an integration."""
    return (_count_organizations, _count_devices, _count_missing, _count_alerts, _show_schedules)


def client_neighbours(secrets: SecretBox) -> ClientNeighbours:
    """What the rooms above the clients know of them, and what in them holds a contact."""

    async def figures(
        session: AsyncSession, scope: TenantScope, client_ids: Collection[UUID] | None
    ) -> Mapping[UUID, ClientFigures]:
        freshness = await IntegrationService(session, scope, secrets).freshness(clock.now())
        statuses = await AssetService(session, scope).count_by_client(freshness, client_ids)
        organizations = await MappingService(session, scope).count_by_client(client_ids)
        return {
            client_id: ClientFigures(
                statuses=statuses.get(client_id, ClientFigures().statuses),
                organizations=organizations.get(client_id, 0),
            )
            for client_id in {*statuses, *organizations, *(client_ids or ())}
        }

    async def let_go(session: AsyncSession, scope: TenantScope, contact_id: UUID) -> None:
        await MappingService(session, scope).let_go_of_contact(contact_id)

    return ClientNeighbours(figures, let_go)


async def _count_organizations(
    session: AsyncSession, scope: TenantScope, integration_id: UUID, _freshness: Freshness
) -> Mapping[str, Any]:
    counts = await MappingService(session, scope).counts(integration_id)
    return {"organizations": counts.organizations, "mapped_organizations": counts.mapped_organizations}


async def _count_devices(
    session: AsyncSession, scope: TenantScope, integration_id: UUID, freshness: Freshness
) -> Mapping[str, Any]:
    by_status = await AssetService(session, scope).count_by_status(freshness, integration_id=integration_id)
    return {"devices": {**by_status, "total": sum(by_status.values())}}


async def _count_missing(
    session: AsyncSession, scope: TenantScope, integration_id: UUID, _freshness: Freshness
) -> Mapping[str, Any]:
    wanted = MissingFilter(integration_id=integration_id)
    return {"missing_devices": await MissingService(session, scope).count(wanted)}


async def _count_alerts(
    session: AsyncSession, scope: TenantScope, integration_id: UUID, _freshness: Freshness
) -> Mapping[str, Any]:
    return {"active_alerts": await AlertService(session, scope).count_active(integration_id)}


async def _show_schedules(
    session: AsyncSession, scope: TenantScope, integration_id: UUID, _freshness: Freshness
) -> Mapping[str, Any]:
    return await schedules_of(session, scope, integration_id)


def _credential_name(row: Mapping[str, Any]) -> str:
    return f"{row['integration_id']}:{row['name']}"


def sealed_columns() -> Sequence[SealedColumn]:
    """Every column that holds sealed secrets, for `muster key rotate`."""
    return (
        SealedColumn(
            table_of(Credential),
            "sealed",
            ("integration_id", "name"),
            _credential_name,
        ),
        *outbound.sealed_columns(),
    )


async def rotate_key(settings: Settings) -> int:
    """Seal every secret again under a new key, and give their number.

    With a key file: the new key is put first in it, the old ones stay until nothing needs them, so that a
    kill at any moment loses nothing and running it again goes on. With MUSTER_SECRET_KEY, which Muster
    cannot change: under the first of its keys; InvalidInput when it holds only one.
    """
    async with open_application(settings) as application:
        file = encryption.key_file(settings)
        if file is None:
            if len(application.secrets.source.current()) < 2:
                raise InvalidInput(
                    "MUSTER_SECRET_KEY holds one key, and Muster cannot change it.",
                    remedy="Put a new key in front of it (MUSTER_SECRET_KEY=new,old), then run this again. "
                    "A key is made by: openssl rand -base64 32",
                )
            return await _reseal_all(application)
        with file.locked():
            fresh = encryption.new_key()
            file.write([fresh, *file.current()])
            count = await _reseal_all(application)
            file.write([fresh])
        return count


async def _reseal_all(application: Application) -> int:
    count = 0
    # A process that sealed with the old key just before may commit just after: look until nothing is left.
    while True:
        async with application.database.write(system=True) as session:
            resealed = await reseal(session, sealed_columns(), application.secrets)
        if not resealed:
            return count
        count += resealed


# --- background work ----------------------------------------------------------------------------------------


def job_handlers(application: Application) -> Mapping[str, Handler]:
    """Every kind of job and what carries it out."""
    connector = Connector(application.database, application.secrets, application.egress)
    sync = SyncService(application.database, application.secrets, connector, application.settings)
    return {
        **sync_jobs.job_handlers(sync),
        **refreshes.job_handlers(Refresher(application.database, application.secrets, sync)),
        **schedule_jobs.job_handlers(application.database, application.secrets, connector),
        **alert_jobs.job_handlers(application.database, connector),
        **inbound.job_handlers(application.database, application.secrets, connector, application.settings),
        **outbound.job_handlers(application.database, application.secrets, application.settings),
    }


def subscribers() -> Sequence[Subscriber]:
    """Who hears of events inside of Muster."""
    return (*alert_subscribers.subscribers(), *outbound.subscribers())


def fleet_sampler(application: Application) -> FleetSampler:
    """What counts the fleets by status, every quarter of an hour."""
    return FleetSampler(application.database, application.secrets)


def metric_sources() -> Sequence[MetricSource]:
    """Each room's numbers for Prometheus."""
    return (schedule_gauges, job_gauges, inbound.GAUGES, SyncGauges())


DoctorCheck = Callable[[Application], Awaitable[Sequence[Finding]]]


def doctor_checks() -> Sequence[DoctorCheck]:
    """What the rooms have `muster doctor` look at, once the application can be opened."""
    rooms = (schedule_upkeep, job_upkeep, sync_upkeep, inbound.UPKEEP, event_upkeep)
    return [_on_database(room.examine) for room in rooms]


def _on_database(examine: Callable[[Database], Awaitable[Sequence[Finding]]]) -> DoctorCheck:
    def check(application: Application) -> Awaitable[Sequence[Finding]]:
        return examine(application.database)

    return check
