"""Integrations through their service, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy import text

from muster import clock
from muster.db import Database
from muster.encryption import CannotOpen, FixedKeys, SecretBox, new_key
from muster.errors import Conflict, InvalidInput, MusterError, NotFound
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.providers import registry
from muster.providers.contract import CheckResult, Finding, ProviderErrorInfo
from muster.tenancy import TenantScope
from tests.integrations.beacon import BeaconProvider
from tests.integrations.conftest import AWAY, HOME

KEY = "ABCDEFGH12345678ABCDEFGHIJKL9876"
TACTICAL: dict[str, str | None] = {"instance_url": "api.example.com", "api_key": KEY}
LOGIN: dict[str, Any] = {"username": "muster", "password": "correct horse battery"}
PASSED = CheckResult(ok=True, findings=(), facts={"version": "1.5.1"})


def failed(code: str) -> CheckResult:
    finding = Finding(code=code, level="error", message="It does not work.", remedy="Mend it.")
    return CheckResult(ok=False, findings=(finding,))


class Door:
    """The service as a person uses it: every call is a transaction of its own."""

    def __init__(self, database: Database, scope: TenantScope, box: SecretBox) -> None:
        self.database, self.scope, self.box = database, scope, box

    @asynccontextmanager
    async def open(self) -> AsyncIterator[IntegrationService]:
        async with self.database.write() as session:
            yield IntegrationService(session, self.scope, self.box)

    async def add(
        self, name: str = "Main", provider: str = "tacticalrmm", **raw: str | None
    ) -> IntegrationView:
        async with self.open() as service:
            return await service.add(provider, name, raw or TACTICAL)

    async def update(self, reference: str | UUID, **raw: str | None) -> IntegrationView:
        async with self.open() as service:
            return await service.update(reference, raw)

    async def activate(self, reference: UUID) -> IntegrationView:
        async with self.open() as service:
            return await service.record_check(reference, PASSED)

    async def get(self, reference: str | UUID) -> IntegrationView:
        async with self.database.read() as session:
            return await IntegrationService(session, self.scope, self.box).get(reference)

    async def all(self) -> list[Any]:
        async with self.database.read() as session:
            views = await IntegrationService(session, self.scope, self.box).list()
        return [msgspec.to_builtins(view) for view in views]

    async def secrets(self, reference: UUID) -> dict[str, str]:
        async with self.database.read() as session:
            service = IntegrationService(session, self.scope, self.box)
            return (await service.connection(reference)).settings.secrets


@pytest.fixture
def door(database: Database, scope: TenantScope, box: SecretBox) -> Door:
    return Door(database, scope, box)


def names(view: IntegrationView) -> set[str]:
    return {credential.name for credential in view.credentials}


# --- saving -----------------------------------------------------------------------------------------------


async def test_adding_only_stores(door: Door) -> None:
    view = await door.add(" Main   office ")
    assert (view.name, view.provider, view.provider_name) == ("Main office", "tacticalrmm", "Tactical RMM")
    assert view.instance_url == "https://api.example.com"
    assert (view.auth_mode, view.source, view.sync_status) == ("api_key", "auto", "never")
    assert (view.is_active, view.connected_at, view.sync_error) == (False, None, None)
    assert view.id == view.integration_id
    assert await door.get("MAIN OFFICE") == await door.get(str(view.id)) == await door.get(view.id) == view


async def test_secrets_are_sealed_and_shown_by_their_last_four(door: Door, database: Database) -> None:
    key = await door.add("By key")
    login = await door.add("By login", instance_url="https://b.example.com", **LOGIN)
    assert [(c.name, c.last_four) for c in key.credentials] == [("api_key", "9876")]
    assert [(c.name, c.last_four) for c in login.credentials] == [("password", "")]
    assert login.settings["username"] == "muster"
    async with database.read() as session:
        rows = [
            [bytes(value) if isinstance(value, memoryview) else value for value in row]
            for table in ("rmm_integrations", "rmm_integration_credentials")
            for row in await session.execute(text(f"SELECT * FROM {table}"))
        ]
    assert KEY.encode() not in repr(rows).encode()
    assert "correct horse" not in repr(rows)
    for view in (key, login):
        assert KEY not in repr(view)
        assert "correct horse" not in repr(view)


async def test_a_stored_connection_never_shows_its_secrets(door: Door) -> None:
    view = await door.add()
    async with door.open() as service:
        stored = await service.connection(view.id)
    assert stored.settings.secrets == {"api_key": KEY}
    assert KEY not in f"{stored} {stored!r} {stored.settings}"


@pytest.mark.parametrize("again", ["Main", "  main ", "MAIN", "Ｍａｉｎ"])
async def test_a_name_is_taken_however_it_is_written(door: Door, again: str) -> None:
    await door.add("Main")
    before = await door.all()
    with pytest.raises(Conflict, match="already"):
        await door.add(again)
    other = await door.add("Other")
    with pytest.raises(Conflict, match="already"):
        async with door.open() as service:
            await service.update(other.id, {}, name=again)
    assert (await door.all())[:1] == before


async def test_of_two_at_once_one_gets_the_name(door: Door) -> None:
    results = await asyncio.gather(door.add("Main"), door.add("MAIN"), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["Conflict", "IntegrationView"]
    assert len(await door.all()) == 1


async def test_renaming_keeps_row_and_activity(door: Door) -> None:
    view = await door.activate((await door.add("Main")).id)
    async with door.open() as service:
        renamed = await service.update("main", {}, name="MAIN")
    assert (renamed.id, renamed.name, renamed.is_active) == (view.id, "MAIN", True)


@pytest.mark.parametrize(
    ("provider", "name", "raw", "told"),
    [
        ("nosuch", "Main", TACTICAL, "no provider 'nosuch'"),
        ("tacticalrmm", "  ", TACTICAL, "empty"),
        ("tacticalrmm", "x" * 101, TACTICAL, "too long"),
        ("tacticalrmm", "a\x1b[2J", TACTICAL, "control characters"),
        ("tacticalrmm", "Main", {**TACTICAL, "instance_url": "https://"}, "instance_url"),
        ("tacticalrmm", "Main", {**TACTICAL, "instance_url": "ftp://api.example.com"}, "instance_url"),
        ("tacticalrmm", "Main", {"api_key": KEY}, "instance_url"),
        ("tacticalrmm", "Main", {**TACTICAL, "api_key": ""}, "api_key"),
        ("tacticalrmm", "Main", {**TACTICAL, "api_key": "K" * 10_000_000}, "api_key"),
        ("tacticalrmm", "Main", {"instance_url": "api.example.com"}, "api_key"),
        ("tacticalrmm", "Main", {**TACTICAL, **LOGIN}, "not both"),
        ("tacticalrmm", "Main", {**TACTICAL, "source": "gamma"}, "source"),
        ("tacticalrmm", "Main", {**TACTICAL, "colour": "red"}, "no setting 'colour'"),
    ],
)
async def test_bad_input_is_named_and_nothing_is_stored(
    door: Door, provider: str, name: str, raw: dict[str, str | None], told: str
) -> None:
    with pytest.raises(MusterError, match=told) as error:
        async with door.open() as service:
            await service.add(provider, name, raw)
    assert len(str(error.value)) < 500
    assert await door.all() == []


# --- saving again -----------------------------------------------------------------------------------------


async def test_a_new_key_makes_it_inactive_until_checked_and_keeps_the_rest(door: Door) -> None:
    view = await door.activate((await door.add()).id)
    async with door.open() as service:
        await service.set_settings(view.id, {"schedules": {"devices": {"minutes": 30}}})
    changed = await door.update("Main", api_key="NEWKEY" + KEY)
    assert (changed.id, changed.is_active, changed.server_facts) == (view.id, False, {})
    assert changed.settings["schedules"] == {"devices": {"minutes": 30, "enabled": True}}
    assert await door.secrets(view.id) == {"api_key": "NEWKEY" + KEY}


async def test_what_is_neither_address_nor_credential_leaves_it_active(door: Door) -> None:
    view = await door.activate((await door.add()).id)
    changed = await door.update(
        "Main", source="stable", instance_url="https://API.example.com/api/", api_key=KEY
    )
    assert (changed.source, changed.is_active, changed.credentials) == ("stable", True, view.credentials)
    assert changed.connected_at == view.connected_at


async def test_the_other_auth_mode_takes_over(door: Door) -> None:
    view = await door.add()
    changed = await door.update("Main", **LOGIN, totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")
    assert (changed.auth_mode, changed.settings["username"]) == ("password", "muster")
    assert names(changed) == {"password", "totp_secret"}
    back = await door.update("Main", api_key=KEY)
    assert (back.id, back.auth_mode, names(back)) == (view.id, "api_key", {"api_key"})
    assert "username" not in back.settings


async def test_another_username_is_another_person(door: Door) -> None:
    view = await door.add(instance_url="https://api.example.com", **LOGIN)
    await door.activate(view.id)
    changed = await door.update("Main", username="somebody")
    assert (changed.is_active, changed.settings["username"]) == (False, "somebody")


@pytest.mark.parametrize(
    "url", ["https://evil.example.com", "http://api.example.com", "https://api.example.com:8443"]
)
async def test_stored_credentials_do_not_follow_to_another_server(door: Door, url: str) -> None:
    view = await door.activate((await door.add()).id)
    before = await door.all()
    with pytest.raises(InvalidInput, match=r"another server.*API key"):
        await door.update("Main", instance_url=url)
    assert await door.all() == before
    moved = await door.update("Main", instance_url=url, api_key="FRESH" + KEY)
    assert (moved.id, moved.instance_url, moved.is_active) == (view.id, url, False)


async def test_an_optional_secret_is_left_behind(door: Door) -> None:
    view = await door.add(
        instance_url="https://api.example.com", **LOGIN, totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
    )
    moved = await door.update("Main", instance_url="https://new.example.com", password="fresh password")
    assert names(moved) == {"password"}
    assert await door.secrets(view.id) == {"password": "fresh password"}


@pytest.mark.parametrize(
    "raw",
    [{"instance_url": "https://"}, {"api_key": " "}, {"source": "x"}, {"colour": "red"}, {"username": "u"}],
)
async def test_a_bad_update_changes_nothing(door: Door, raw: dict[str, str | None]) -> None:
    await door.activate((await door.add()).id)
    before = await door.all()
    with pytest.raises(InvalidInput):
        await door.update("Main", **raw)
    assert await door.all() == before


async def test_settings_of_the_connection_are_changed_by_updating_only(door: Door) -> None:
    view = await door.add()
    for changes in ({"auth_mode": "x"}, {"source": "beta"}, {"api_key": "x"}):
        with pytest.raises(InvalidInput, match="belongs to the connection"):
            async with door.open() as service:
                await service.set_settings(view.id, changes)
    for minutes in (0, -5, 10_081, "often", None, 1.5):
        with pytest.raises(InvalidInput, match="schedules"):
            async with door.open() as service:
                await service.set_settings(view.id, {"schedules": {"devices": {"minutes": minutes}}})
    assert await door.get(view.id) == view


# --- checks and syncs -------------------------------------------------------------------------------------


async def test_a_passed_check_makes_it_active_and_clears_the_error(door: Door) -> None:
    view = await door.add()
    async with door.open() as service:
        refused = await service.record_check(view.id, failed("connection_refused"))
        passed = await service.record_check(view.id, PASSED)
        again = await service.record_check(view.id, PASSED)
    assert refused.sync_error == {
        "code": "connection_refused",
        "message": "It does not work.",
        "remedy": "Mend it.",
    }
    assert (refused.is_active, refused.connected_at) == (False, None)
    assert (passed.is_active, passed.sync_error) == (True, None)
    assert passed.server_facts == {"version": "1.5.1"}
    assert passed.connected_at is not None
    assert again.connected_at == passed.connected_at


@pytest.mark.parametrize(
    ("code", "still_active"),
    [
        ("invalid_credentials", False),
        ("key_expired", False),
        ("totp_required", False),
        ("connection_refused", True),
        ("permission_missing", True),
        ("throttled", True),
    ],
)
async def test_only_useless_credentials_make_it_inactive(door: Door, code: str, still_active: bool) -> None:
    view = await door.activate((await door.add()).id)
    async with door.open() as service:
        after = await service.record_check(view.id, failed(code))
    assert after.is_active is still_active
    assert after.sync_error is not None
    assert after.sync_error["code"] == code


async def test_a_check_of_old_settings_is_not_recorded(door: Door) -> None:
    view = await door.add()
    async with door.open() as service:
        checked = await service.connection(view.id)
    await door.update("Main", api_key="NEWKEY" + KEY)
    with pytest.raises(Conflict, match="changed while"):
        async with door.open() as service:
            await service.record_check(view.id, PASSED, revision=checked.revision)
    assert (await door.get(view.id)).is_active is False


async def test_a_sync_leaves_its_mark(door: Door) -> None:
    view = await door.add()
    moments = [clock.now() + timedelta(minutes=minute) for minute in range(5)]
    error = ProviderErrorInfo(code="unavailable", message="It is down.")

    async def record(
        at: int, mode: str, status: str, problem: ProviderErrorInfo | None = None
    ) -> IntegrationView:
        async with door.open() as service:
            await service.record_sync(view.id, mode=mode, status=status, error=problem, at=moments[at])
        return await door.get(view.id)

    running = await record(0, "full", "running")
    assert (running.sync_status, running.last_sync_at) == ("running", None)
    full = await record(1, "full", "succeeded")
    assert (full.last_sync_at, full.last_full_sync_at, full.last_incremental_sync_at) == (
        moments[1],
        moments[1],
        None,
    )
    incremental = await record(2, "incremental", "partial", error)
    assert (incremental.last_full_sync_at, incremental.last_incremental_sync_at) == (moments[1], moments[2])
    assert incremental.sync_error == {"code": "unavailable", "message": "It is down.", "remedy": None}
    broken = await record(3, "full", "failed", error)
    assert (broken.sync_status, broken.last_sync_at, broken.last_full_sync_at) == (
        "failed",
        moments[2],
        moments[1],
    )
    assert (await record(4, "single", "succeeded")).sync_error is None


async def test_freshness_is_three_periods_of_active_ones_only(door: Door) -> None:
    usual, slow = await door.add("Usual"), await door.add("Slow")
    await door.add("Never checked")
    for view in (usual, slow):
        await door.activate(view.id)
    now = clock.now()
    async with door.open() as service:
        await service.set_settings(slow.id, {"schedules": {"devices": {"minutes": 60}}})
        assert await service.freshness(now) == {
            usual.id: now - timedelta(minutes=45),
            slow.id: now - timedelta(minutes=180),
        }
        await service.disconnect(slow.id)
        assert list(await service.freshness(now)) == [usual.id]


# --- disconnecting ----------------------------------------------------------------------------------------


async def test_disconnecting_keeps_everything_but_the_credentials(door: Door) -> None:
    view = await door.activate((await door.add()).id)
    async with door.open() as service:
        await service.set_settings(view.id, {"schedules": {"devices": {"minutes": 30}}})
        gone = await service.disconnect("Main")
    assert (gone.id, gone.instance_url, gone.is_active) == (view.id, view.instance_url, False)
    assert (gone.connected_at, gone.credentials) == (None, [])
    assert gone.settings["schedules"] == {"devices": {"minutes": 30, "enabled": True}}
    with pytest.raises(Conflict, match=r"disconnected.*integration update"):
        await door.secrets(view.id)
    with pytest.raises(InvalidInput):
        await door.update("Main", source="stable")
    back = await door.update("Main", api_key=KEY)
    assert (back.id, names(back), back.is_active) == (view.id, {"api_key"}, False)


async def test_disconnecting_one_leaves_the_other(door: Door, beacon: BeaconProvider) -> None:
    first = await door.activate((await door.add("First")).id)
    second = await door.activate(
        (await door.add("Second", "beacon", instance_url=HOME, access_key="beacon-key-1234567890")).id
    )
    async with door.open() as service:
        await service.disconnect(first.id)
    assert await door.get(second.id) == second
    assert await door.secrets(second.id) == {"access_key": "beacon-key-1234567890"}


# --- tenants and keys -------------------------------------------------------------------------------------


async def test_a_stranger_finds_nothing_and_may_use_the_name(door: Door, stranger: TenantScope) -> None:
    view = await door.add()
    outside = Door(door.database, stranger, door.box)
    for reference in (view.id, str(view.id), "Main"):
        with pytest.raises(NotFound, match="no integration"):
            await outside.get(reference)
        with pytest.raises(NotFound):
            await outside.update(reference, source="stable")
        with pytest.raises(NotFound):
            async with outside.open() as service:
                await service.disconnect(reference)
    for attempt in (outside.activate, outside.secrets):
        with pytest.raises(NotFound):
            await attempt(view.id)
    assert await outside.all() == []
    assert await door.get(view.id) == view
    twin = await outside.add()
    assert twin.id != view.id
    assert await door.get("Main") == view


async def test_a_lost_key_can_be_typed_again(door: Door) -> None:
    view = await door.activate((await door.add()).id)
    door.box = SecretBox(FixedKeys((new_key(),)))
    with pytest.raises(CannotOpen):
        await door.secrets(view.id)
    with pytest.raises(CannotOpen):
        await door.update("Main", source="stable")
    changed = await door.update("Main", api_key=KEY)
    assert (changed.id, changed.is_active) == (view.id, False)
    assert await door.secrets(view.id) == {"api_key": KEY}


async def test_limits_of_the_list(door: Door) -> None:
    for name in ("b", "C", "a"):
        await door.add(name)
    async with door.open() as service:
        assert [view.name for view in await service.list(2)] == ["a", "b"]
        with pytest.raises(InvalidInput, match="limit"):
            await service.list(0)
        with pytest.raises(NotFound):
            await service.get(uuid4())


async def test_any_provider_may_be_stored(door: Door, beacon: BeaconProvider) -> None:
    view = await door.add("Sea", "beacon", instance_url=AWAY, access_key="beacon-key-1234567890", region="us")
    assert (view.provider_name, view.auth_mode, view.source) == ("Beacon Fleet", "key", None)
    assert view.settings == {"auth_mode": "key", "region": "us"}


async def test_a_provider_that_is_gone_can_still_be_listed_and_disconnected(
    door: Door, beacon: BeaconProvider
) -> None:
    view = await door.add("Sea", "beacon", instance_url=HOME, access_key="beacon-key-1234567890")
    registry.unregister("beacon")
    assert [(found["provider_name"], found["name"]) for found in await door.all()] == [("beacon", "Sea")]
    async with door.open() as service:
        assert (await service.disconnect(view.id)).credentials == []
