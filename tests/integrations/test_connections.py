"""Connections: what is sent where, what is kept, and that no transaction waits for the network."""

import pyotp
import pytest

from muster.db import Database
from muster.egress import Egress, EgressPolicy
from muster.encryption import FixedKeys, SecretBox, new_key
from muster.errors import Conflict, NotFound
from muster.integrations.connections import Connector
from muster.integrations.credentials import CredentialVault
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.mappings.service import MappingService
from muster.providers.contract import ProviderAuthError
from muster.simulator import FleetSpec, SimulatorServer
from muster.tenancy import TenantScope
from tests.integrations.beacon import BeaconProvider
from tests.integrations.conftest import AWAY, HOME

LOGIN = {"instance_url": HOME, "username": "muster", "password": "beacon-password"}
KEY = {"instance_url": HOME, "access_key": "beacon-key-1234567890"}


class Kit:
    """A tenant's integrations and the connector to their servers."""

    def __init__(self, database: Database, scope: TenantScope, box: SecretBox) -> None:
        self.database, self.scope, self.box = database, scope, box
        self.connector = Connector(database, box, Egress(EgressPolicy(retries=0)))

    async def add(self, name: str, provider: str, raw: dict[str, str]) -> IntegrationView:
        async with self.database.write() as session:
            return await IntegrationService(session, self.scope, self.box).add(provider, name, raw)

    async def update(self, view: IntegrationView, **raw: str) -> None:
        async with self.database.write() as session:
            await IntegrationService(session, self.scope, self.box).update(view.id, raw)

    async def get(self, view: IntegrationView) -> IntegrationView:
        async with self.database.read() as session:
            return await IntegrationService(session, self.scope, self.box).get(view.id)

    async def token(self, view: IntegrationView) -> str | None:
        async with self.database.read() as session:
            return await IntegrationService(session, self.scope, self.box).session_token(view.id)


@pytest.fixture
def kit(database: Database, scope: TenantScope, box: SecretBox) -> Kit:
    return Kit(database, scope, box)


async def test_a_check_is_recorded(kit: Kit, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", KEY)
    assert (await kit.connector.check(kit.scope, view.id)).ok
    after = await kit.get(view)
    assert (after.is_active, after.server_facts) == (True, {"version": "7.1"})
    beacon.servers[HOME].key = "another"
    result = await kit.connector.check(kit.scope, view.id)
    assert [finding.code for finding in result.findings] == ["invalid_credentials"]
    after = await kit.get(view)
    assert after.is_active is False
    assert after.sync_error == {
        "code": "invalid_credentials",
        "message": "The key is wrong.",
        "remedy": "Try again.",
    }


async def test_a_token_is_kept_sealed_and_used_again(kit: Kit, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", LOGIN)
    server = beacon.servers[HOME]
    await kit.connector.login(kit.scope, view.id)
    token = await kit.token(view)
    assert token in server.tokens
    for _ in range(3):
        assert (await kit.connector.check(kit.scope, view.id)).ok
    assert (server.logins, server.seen) == (1, ["beacon-password", token, token, token])
    shown = await kit.get(view)
    assert [credential.name for credential in shown.credentials] == ["password"]
    await kit.connector.logout(kit.scope, view.id)
    assert await kit.token(view) is None
    assert server.tokens == set()


async def test_an_old_token_never_reaches_a_new_host(kit: Kit, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", LOGIN)
    await kit.connector.login(kit.scope, view.id)
    old = await kit.token(view)
    await kit.update(view, instance_url=AWAY, password="fresh-password")
    beacon.servers[AWAY].password = "fresh-password"
    assert await kit.token(view) is None
    assert (await kit.connector.check(kit.scope, view.id)).ok
    assert beacon.servers[AWAY].seen == ["fresh-password"]
    assert old not in beacon.servers[AWAY].seen


async def test_a_token_got_with_old_settings_is_not_kept(kit: Kit, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", LOGIN)
    async with kit.connector.open(kit.scope, view.id) as connection:
        await kit.update(view, instance_url=AWAY, password="fresh-password")
        await connection.login()
    assert await kit.token(view) is None
    assert beacon.servers[HOME].logins == 1


async def test_a_check_of_settings_that_changed_meanwhile_says_so(kit: Kit, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", KEY)

    async def change() -> None:
        await kit.update(view, access_key="typed-meanwhile-12345")

    beacon.servers[HOME].while_checking = change
    with pytest.raises(Conflict, match="changed while"):
        await kit.connector.check(kit.scope, view.id)
    assert (await kit.get(view)).is_active is False


async def test_a_failed_login_is_a_finding_of_the_check(kit: Kit, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", {**LOGIN, "password": "wrong"})
    result = await kit.connector.check(kit.scope, view.id, "123456")
    assert [finding.code for finding in result.findings] == ["invalid_credentials"]
    with pytest.raises(ProviderAuthError):
        await kit.connector.login(kit.scope, view.id)
    assert beacon.servers[HOME].seen == ["wrong", "wrong"]


async def test_disconnecting_logs_out_and_deletes_all_but_the_webhook_secret(
    kit: Kit, beacon: BeaconProvider
) -> None:
    view = await kit.add("Sea", "beacon", LOGIN)
    async with kit.database.write() as session:
        vault = CredentialVault(session, kit.scope, kit.box)
        await vault.seal(view.id, {"webhook_secret": "hook-secret-1234567"}, view.created_at)
    await kit.connector.login(kit.scope, view.id)
    result = await kit.connector.disconnect(kit.scope, "Sea")
    assert (result.logged_out, result.logout_problem) == (True, None)
    assert [credential.name for credential in result.integration.credentials] == ["webhook_secret"]
    assert beacon.servers[HOME].tokens == set()
    assert await kit.token(view) is None
    for attempt in (kit.connector.check, kit.connector.login, kit.connector.logout):
        with pytest.raises(Conflict, match="disconnected"):
            await attempt(kit.scope, view.id)
    again = await kit.connector.disconnect(kit.scope, view.id)
    assert (again.logged_out, again.integration.is_active) == (False, False)


async def test_a_dead_server_does_not_keep_credentials_alive(kit: Kit, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", LOGIN)
    await kit.connector.login(kit.scope, view.id)
    beacon.servers[HOME].down = True
    result = await kit.connector.disconnect(kit.scope, view.id)
    assert (result.logged_out, result.logout_problem) == (False, "The server is down.")
    assert result.integration.credentials == []
    assert await kit.token(view) is None


async def test_disconnecting_works_without_the_key_that_sealed(kit: Kit, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", LOGIN)
    await kit.connector.login(kit.scope, view.id)
    stranded = Connector(kit.database, SecretBox(FixedKeys((new_key(),))), Egress(EgressPolicy()))
    result = await stranded.disconnect(kit.scope, view.id)
    assert result.integration.credentials == []
    assert "key" in (result.logout_problem or "")


async def test_a_stranger_cannot_open_it(kit: Kit, stranger: TenantScope, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", KEY)
    with pytest.raises(NotFound):
        await kit.connector.check(stranger, view.id)
    with pytest.raises(NotFound):
        await kit.connector.disconnect(stranger, "Sea")
    assert beacon.servers[HOME].seen == []
    assert (await kit.get(view)).credentials == view.credentials


async def test_the_database_is_free_while_the_server_thinks(kit: Kit, beacon: BeaconProvider) -> None:
    view = await kit.add("Sea", "beacon", KEY)

    async def write_meanwhile() -> None:
        await kit.add("Meanwhile", "beacon", {**KEY, "instance_url": AWAY})

    beacon.servers[HOME].while_checking = write_meanwhile
    assert (await kit.connector.check(kit.scope, view.id)).ok


async def test_two_providers_with_equal_ids_live_side_by_side(kit: Kit, beacon: BeaconProvider) -> None:
    with SimulatorServer(FleetSpec(agents=5)) as server:
        raw = {"instance_url": server.url, "api_key": server.api_key}
        tactical = await kit.add("Fleet", "tacticalrmm", raw)
        sea = await kit.add("Sea", "beacon", KEY)
        for view in (tactical, sea):
            assert (await kit.connector.check(kit.scope, view.id)).ok
            async with kit.connector.open(kit.scope, view.id) as connection:
                snapshot = await connection.organizations()
            async with kit.database.write() as session:
                mappings = MappingService(session, kit.scope)
                await mappings.save_listed(view.id, snapshot.records, snapshot.answered_at)
    async with kit.database.read() as session:
        mappings = MappingService(session, kit.scope)
        theirs = {
            view.name: {m.external_organization_id: m.external_organization_name for m in listed}
            for view in (tactical, sea)
            for listed in [await mappings.list(view.id)]
        }
    assert theirs["Sea"] == {"1": "Harbour"}
    assert theirs["Fleet"]["1"] != "Harbour"
    await kit.connector.disconnect(kit.scope, tactical.id)
    assert (await kit.get(sea)).is_active
    assert (await kit.connector.check(kit.scope, sea.id)).ok
    async with kit.database.read() as session:
        assert len(await MappingService(session, kit.scope).list(tactical.id)) == len(theirs["Fleet"])


async def test_a_knox_token_serves_until_disconnected(kit: Kit) -> None:
    with SimulatorServer(FleetSpec(agents=5)) as server:
        user = server.users["totp"]
        assert user.totp_secret is not None
        raw = {"instance_url": server.url, "username": user.username, "password": user.password}
        view = await kit.add("Fleet", "tacticalrmm", raw)
        without_code = await kit.connector.check(kit.scope, view.id)
        assert "totp_required" in [finding.code for finding in without_code.findings]
        code = pyotp.TOTP(user.totp_secret).at(server.clock.now())
        assert (await kit.connector.check(kit.scope, view.id, code)).ok
        assert (await kit.get(view)).is_active
        assert (await kit.connector.check(kit.scope, view.id)).ok
        logins = [request for request in server.requests if request.path == "/v2/login/"]
        assert len(logins) == 1
        result = await kit.connector.disconnect(kit.scope, view.id)
        assert result.logged_out
        assert [r.path for r in server.requests if r.path == "/logout/"] == ["/logout/"]
