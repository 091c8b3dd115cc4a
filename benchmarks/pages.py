"""What the server takes to answer a page of assets, with a hundred thousand of them: asked through the whole
application, one request after the other.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import httpx2

from benchmarks.setting import load_settings
from benchmarks.values import Order, PageCase, PagesResult, Spent, percentile
from muster import clock
from muster.accounts.auth import COOKIE
from muster.accounts.permissions import Role
from muster.accounts.service import UserService
from muster.accounts.sessions import SessionService
from muster.app import create_app
from muster.assets.models import AssetChange
from muster.assets.service import AssetService
from muster.assets.types import AssetContent, NewAsset, Reading
from muster.bootstrap import Application, open_application
from muster.clients.service import ClientService
from muster.db import Database, bulk
from muster.db.types import new_id, table_of
from muster.mappings.schemas import EntityState
from muster.mappings.service import MappingService
from muster.providers.contract import AgentStatus
from muster.tenancy import TenantScope
from muster.tenants.service import TenantService
from muster.web.security import SecurityHeaders

CLIENTS, SITES = 50, 3
_CHUNK = 2_000
_WARM = 2
_HOST = "http://muster.bench"
_STATUSES = (*(AgentStatus.ONLINE,) * 6, *(AgentStatus.OFFLINE,) * 3, AgentStatus.OVERDUE)
_SYSTEMS = (
    ("windows", "Windows 11 Pro, 64 bit v23H2", "workstation"),
    ("windows", "Windows 10 Pro, 64 bit v22H2", "workstation"),
    ("windows", "Windows Server 2019 Standard, 64 bit", "server"),
    ("linux", "Debian 12.4 x86_64", "server"),
    ("macos", "macOS 14.2 arm64", "workstation"),
)
_USERS = ("karen", "steve", "jsmith", "Jürgen Müller", "o'brien")
_DISK = {
    "device": "C:",
    "filesystem": "NTFS",
    "total_bytes": 500_000_000_000,
    "free_bytes": 100_000_000_000,
    "used_bytes": 400_000_000_000,
    "percent_used": 80,
}


async def measure(order: Order) -> PagesResult:
    """Fill a prepared database, then ask."""
    async with open_application(load_settings(order)) as application:
        scope = TenantScope(UUID(order.tenant_id))
        fleet = await _fill(application.database, scope, UUID(order.integration_id), order.assets)
        empty = await empty_tenant(application.database)
        floor = await asked_for(application, empty, [("an empty tenant's list", "/assets")], order.asked)
        cases = await asked_for(application, scope, list(_cases(fleet, order.assets)), order.asked)
        return PagesResult(assets=order.assets, clients=CLIENTS, floor=floor[0], cases=cases)


class _Fleet:
    """What was made, as far as questions name it."""

    def __init__(self, client_id: UUID, asset_id: UUID) -> None:
        self.client_id = client_id
        self.asset_id = asset_id


def _cases(fleet: _Fleet, assets: int) -> Iterator[tuple[str, str]]:
    yield "list, first page", "/assets"
    for column in ("name", "status", "client", "user", "lan_ip", "system", "last_seen"):
        yield f"sorted by {column}, descending", f"/assets?sort=-{column}"
    half = assets // 50
    for column in ("name", "status", "client", "user", "lan_ip", "system", "last_seen"):
        yield f"sorted by {column}, page {half:,}", f"/assets?sort={column}&page={half}"
    yield "last page, sorted by last_seen", f"/assets?sort=-last_seen&page={assets // 25}"
    yield "250 rows", "/assets?rows=250"
    for name, query in {
        "status overdue": "status=overdue&sort=last_seen",
        "status online, page 1,000": f"status=online&sort=-last_seen&page={assets // 100}",
        "status unknown": "status=unknown",
        "platform linux": "platform=linux",
        "type server": "type=server&sort=system",
        "provider, deep": f"provider=tacticalrmm&sort=user&page={half}",
        "one client": f"client={fleet.client_id}&sort=-last_seen",
        "one client, one site": f"client={fleet.client_id}&site=Site+1",
        "not seen for 30 days": "seen=older-30&sort=last_seen",
        "needs reboot": "reboot=yes",
        "in maintenance": "maintenance=yes",
        "missing": "missing=yes",
        "not missing": "missing=no&sort=-last_seen",
        "retired or not": "retired=all",
        "five filters": "status=overdue&status=offline&platform=windows&type=server&seen=older-7&reboot=no",
        "search, one found": "q=sn0050000",
        "search, many found": "q=de",
        "search, none found": "q=qqqqqq",
        "search an address": "q=192.168.7.",
        "search an umlaut": "q=M%C3%BCller&sort=-last_seen",
        "search in overdue": "q=karen&status=overdue",
    }.items():
        yield name, f"/assets?{query}"
    yield "dashboard", "/"
    yield "asset page", f"/assets/{fleet.asset_id}"
    yield "asset's history", f"/assets/{fleet.asset_id}/history?page=2"
    yield "API, 100 of the list", "/api/v1/assets?limit=100&sort=-last_seen"


async def asked_for(
    application: Application, scope: TenantScope, cases: Sequence[tuple[str, str]], times: int
) -> list[PageCase]:
    """Each page (name, address), asked for so many times by somebody who is logged in."""
    app = SecurityHeaders(create_app(application, worker=False))
    # The two packages spell the types of ASGI differently.
    transport = httpx2.ASGITransport(app=app)  # type: ignore[arg-type]
    cookies = {COOKIE: await _login(application.database, scope)}
    done = []
    async with httpx2.AsyncClient(transport=transport, base_url=_HOST, cookies=cookies) as client:
        for name, path in cases:
            spent = [await _answer(client, path) for _ in range(_WARM + times)][_WARM:]
            wall, cpu = sorted(each.wall for each in spent), sorted(each.cpu for each in spent)
            done.append(PageCase(name, path, percentile(wall, 50), percentile(wall, 95), percentile(cpu, 50)))
    return done


async def _answer(client: httpx2.AsyncClient, path: str) -> Spent:
    begun = Spent(time.perf_counter(), time.process_time())
    answer = await client.get(path, headers={"accept": "text/html"})
    spent = Spent(time.perf_counter(), time.process_time()) - begun
    if answer.status_code != httpx2.codes.OK:
        raise RuntimeError(f"{path} was answered {answer.status_code}: {answer.text[:300]}")
    return spent


async def _login(database: Database, scope: TenantScope) -> str:
    async with database.write(scope) as session:
        user = await UserService(session, scope).create(
            f"{scope.tenant_id}@example.com", password="a password of the bench", role=Role.ADMIN
        )
        await session.flush()
        return str(await SessionService(session, scope).open(user, address=None, user_agent=None))


async def empty_tenant(database: Database) -> TenantScope:
    """A tenant that has nothing."""
    async with database.write() as session:
        return TenantScope((await TenantService(session).create("Empty")).tenant_id)


async def _fill(database: Database, scope: TenantScope, integration_id: UUID, assets: int) -> _Fleet:
    dice, at = random.Random(1), clock.now()
    async with database.write(scope) as session:
        clients = [
            (await ClientService(session, scope).create(f"Client {n:03} GmbH")).client_id
            for n in range(CLIENTS)
        ]
    made: list[UUID] = []
    for start in range(0, assets, _CHUNK):
        new = [
            _asset(dice, n, clients, integration_id, at) for n in range(start, min(start + _CHUNK, assets))
        ]
        made += [each.asset_id for each in new]
        async with database.write(scope) as session:
            service = AssetService(session, scope)
            await service.create(new, at)
            await MappingService(session, scope).save_devices(
                integration_id, [_place(each, n + start, at) for n, each in enumerate(new)], at
            )
            # One in twenty was read too long ago for its status to be believed.
            await service.touch([_reading(each) for each in new[::20]], at - timedelta(days=1))
    await _remember(database, scope, made[0], at)
    await settle(database)
    return _Fleet(clients[7], made[0])


def _asset(
    dice: random.Random, n: int, clients: Sequence[UUID], integration_id: UUID, at: datetime
) -> NewAsset:
    os_type, system, kind = dice.choice(_SYSTEMS)
    user = dice.choice(_USERS) if dice.random() < 0.6 else None
    address = f"192.168.{dice.randrange(256)}.{dice.randrange(1, 255)}"
    status = dice.choice(_STATUSES)
    away = timedelta(seconds=30) if status is AgentStatus.ONLINE else timedelta(hours=dice.randrange(1, 2000))
    content = AssetContent(
        name=f"{dice.choice(('DESKTOP', 'LAPTOP', 'SRV', 'Empfang-Köln'))}-{n:06}",
        asset_type=kind,
        client_id=clients[n % CLIENTS],
        rmm_organization_id=str(n % CLIENTS),
        never_reported=False,
        serial_number=f"SN{n:07}",
        os_type=os_type,
        os_version=f"{system} (build {dice.randrange(40)})",
        agent_version="2.8.0",
        make="Dell Inc.",
        model="OptiPlex 7090",
        cpu_model="Intel(R) Core(TM) i5-10500 CPU @ 3.10GHz",
        cpu_cores=6,
        ram_gb=16,
        disks=[_DISK, {**_DISK, "device": "D:"}],
        physical_disks=["Samsung SSD 870 500GB SATA"],
        boot_time=at - timedelta(hours=dice.randrange(1000)),
        current_user=user,
        last_user=user or dice.choice(_USERS),
        lan_ip=address,
        lan_ips=[address, "fe80::1"],
        wan_ip=f"203.0.113.{n % 250}",
        needs_reboot=dice.random() < 0.1,
        maintenance_mode=dice.random() < 0.02,
        pending_patches=dice.random() < 0.3,
    )
    return NewAsset(
        asset_id=new_id(),
        provider="tacticalrmm",
        integration_id=integration_id,
        device_id=f"agent{n:035}",
        content=content,
        agent_status=status,
        last_seen_at=at - away,
    )


def _place(asset: NewAsset, n: int, at: datetime) -> EntityState:
    return EntityState(
        asset_id=asset.asset_id,
        external_entity_id=asset.device_id,
        external_realm_id=asset.content.rmm_organization_id or "",
        external_pk=n,
        site_id=str(n % SITES),
        site_name=f"Site {n % SITES}",
        light_hash="0" * 32,
        detail_hash="0" * 32,
        detail_read_at=at,
        missing_since=at if n % 200 == 0 else None,
    )


def _reading(asset: NewAsset) -> Reading:
    return Reading(
        asset_id=asset.asset_id,
        external_id=asset.device_id,
        agent_status=asset.agent_status,
        last_seen_at=asset.last_seen_at,
    )


async def settle(database: Database) -> None:
    """What autovacuum does within a minute of so many new rows."""
    if not database.is_sqlite:
        engine = database.writer.execution_options(isolation_level="AUTOCOMMIT")
        async with engine.connect() as connection:
            await connection.exec_driver_sql("VACUUM ANALYZE")


async def _remember(database: Database, scope: TenantScope, asset_id: UUID, at: datetime) -> None:
    """A long history of one asset."""
    changes = [
        {
            "change_id": new_id(),
            "asset_id": asset_id,
            "changed_at": at - timedelta(hours=n),
            "field": "agent_version",
            "old_value": f"2.{n}.0",
            "new_value": f"2.{n + 1}.0",
            "cause": "bench",
        }
        for n in range(200)
    ]
    async with database.write(scope) as session:
        await bulk.insert(session, scope, table_of(AssetChange), changes)
