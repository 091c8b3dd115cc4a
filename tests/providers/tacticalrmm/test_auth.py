"""Being let in: keys, logins with and without one-time codes, tokens kept, throttles respected."""

import base64
from datetime import UTC, datetime

import pytest

from muster.providers.contract import ProviderAuthError, ProviderRateLimited, ProviderUnavailable
from muster.providers.tacticalrmm.totp import code_at, current_code
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.opening import MemorySession, opened, read
from tests.support.replay import Reply, Seen, as_json, serving

CHECK, LOGIN = "/v2/checkcreds/", "/v2/login/"
TOKEN = "a" * 64


def counted(server: SimulatorServer, path: str) -> int:
    return sum(seen.path == path for seen in server.requests)


def login_fields(server: SimulatorServer, name: str, secret: bool = False) -> dict[str, str]:
    user = server.users[name]
    fields = {"username": user.username, "password": user.password}
    if secret:
        assert user.totp_secret is not None
        fields["totp_secret"] = user.totp_secret
    return fields


async def test_without_totp_the_token_comes_with_the_check() -> None:
    session = MemorySession()
    with SimulatorServer(FleetSpec(agents=10)) as server:
        async with opened(server.url, login_fields(server, "nototp"), session=session) as connection:
            assert (await connection.check()).ok
            assert len((await read(connection, "full")).of("light")) == 10
        assert (counted(server, CHECK), counted(server, LOGIN)) == (1, 0)
    assert session.kept == [session.token]


async def test_with_totp_nothing_is_tried_before_a_code_is_there() -> None:
    session = MemorySession()
    with SimulatorServer(FleetSpec(agents=3)) as server:
        fields = login_fields(server, "totp")
        async with opened(server.url, fields, session=session) as connection:
            result = await connection.check()
            assert [(finding.code, finding.level) for finding in result.findings] == [
                ("totp_required", "error")
            ]
            with pytest.raises(ProviderAuthError) as caught:
                await connection.organizations()
            assert caught.value.code == "totp_required"
            # One question, and no login.
            assert (counted(server, CHECK), counted(server, LOGIN)) == (1, 0)
            secret = server.users["totp"].totp_secret
            assert secret is not None
            await connection.login(current_code(secret))
            assert (await connection.check()).ok
        assert counted(server, LOGIN) == 1
    assert session.token is not None


async def test_a_stored_secret_makes_the_code() -> None:
    with SimulatorServer(FleetSpec(agents=3)) as server:
        async with opened(server.url, login_fields(server, "totp", secret=True)) as connection:
            assert (await connection.check()).ok
            server.log_out_everybody()
            assert len((await connection.organizations()).records) == 4


async def test_a_wrong_code_or_password_is_refused_once() -> None:
    with SimulatorServer(FleetSpec(agents=3)) as server:
        async with opened(server.url, login_fields(server, "totp")) as connection:
            with pytest.raises(ProviderAuthError) as caught:
                await connection.login("000000")
            assert caught.value.code == "invalid_credentials"
        for name in ("inactive", "blocked"):
            async with opened(server.url, login_fields(server, name)) as connection:
                with pytest.raises(ProviderAuthError):
                    await connection.organizations()
        async with opened(server.url, username="nototp", password="wrong") as connection:
            for _ in range(5):
                with pytest.raises(ProviderAuthError):
                    await connection.organizations()
        assert counted(server, CHECK) == 4


async def test_a_kept_token_is_used_until_it_is_refused() -> None:
    session = MemorySession()
    with SimulatorServer(FleetSpec(agents=3)) as server:
        fields = login_fields(server, "nototp")
        for _ in range(3):
            async with opened(server.url, fields, session=session) as connection:
                await connection.organizations()
        assert counted(server, CHECK) == 1
        server.log_out_everybody()
        async with opened(server.url, fields, session=session) as connection:
            await connection.organizations()
            await connection.roster()
        assert counted(server, CHECK) == 2


async def test_one_new_login_a_request_and_no_more() -> None:
    """A server that hands out tokens and accepts none gets one login for one request, not a loop."""

    def handler(seen: Seen) -> Reply:
        if seen.path == CHECK:
            return as_json({"totp": False, "token": TOKEN, "expiry": "2001-01-01T00:00:00Z"})
        return as_json({"detail": "Invalid token."}, 401)

    with serving(handler) as server:
        async with opened(
            server.url, session=MemorySession("b" * 64), username="u", password="p"
        ) as connection:
            with pytest.raises(ProviderAuthError) as caught:
                await connection.organizations()
    assert caught.value.code == "invalid_credentials"
    assert [seen.path for seen in server.seen] == ["/clients/", CHECK, "/clients/"]
    assert [seen.headers.get("authorization") for seen in server.seen] == [
        f"Token {'b' * 64}",
        None,
        f"Token {TOKEN}",
    ]


async def test_the_stated_expiry_is_not_looked_at() -> None:
    def handler(seen: Seen) -> Reply:
        if seen.path == CHECK:
            return as_json({"totp": False, "token": TOKEN, "expiry": "1999-01-01T00:00:00Z"})
        return as_json([])

    with serving(handler) as server:
        async with opened(server.url, username="u", password="p") as connection:
            await connection.organizations()
            await connection.organizations()
    assert len(server.asked(CHECK, "POST")) == 1


async def test_totp_false_without_a_token_means_a_login_without_a_code() -> None:
    def handler(seen: Seen) -> Reply:
        if seen.path == CHECK:
            return as_json({"totp": False})
        if seen.path == LOGIN:
            return as_json({"token": TOKEN, "expiry": "2027-01-01T00:00:00Z", "username": "u", "name": None})
        return as_json([])

    with serving(handler) as server:
        async with opened(server.url, username="u", password="p") as connection:
            await connection.organizations()
    (login,) = server.asked(LOGIN, "POST")
    assert login.body == b'{"username":"u","password":"p"}'


async def test_a_throttled_login_is_not_repeated() -> None:
    with SimulatorServer(FleetSpec(agents=3), throttle=(2, 300)) as server:
        fields = login_fields(server, "nototp")
        for _ in range(2):
            async with opened(server.url, fields) as connection:
                await connection.login()
        async with opened(server.url, fields) as connection:
            with pytest.raises(ProviderRateLimited) as caught:
                await connection.organizations()
            assert caught.value.retry_after is not None
            assert 0 < caught.value.retry_after <= 60
            assert caught.value.code == "throttled"
            assert [finding.code for finding in (await connection.check()).findings] == ["throttled"]
        assert counted(server, CHECK) == 3


async def test_logout_ends_the_session_on_the_server_and_here() -> None:
    session = MemorySession()
    with SimulatorServer(FleetSpec(agents=3)) as server:
        fields = login_fields(server, "nototp")
        async with opened(server.url, fields, session=session) as connection:
            await connection.login()
            token = session.token
            await connection.logout()
            await connection.logout()
        assert session.token is None
        assert counted(server, "/logout/") == 1
        async with opened(server.url, fields, session=MemorySession(token)) as connection:
            await connection.organizations()
        assert counted(server, CHECK) == 2


async def test_logout_forgets_the_token_even_when_the_server_is_gone() -> None:
    session = MemorySession(TOKEN)
    with serving(lambda _: Reply(500)) as server:
        url = server.url
        async with opened(url, session=session, username="u", password="p") as connection:
            await connection.logout()
    assert session.token is None
    session = MemorySession(TOKEN)
    async with opened(url, session=session, username="u", password="p") as connection:
        await connection.logout()
    assert session.token is None


async def test_a_key_has_no_session() -> None:
    session = MemorySession()
    with SimulatorServer(FleetSpec(agents=3)) as server:
        async with opened(server.url, session=session, api_key=server.api_key) as connection:
            await connection.login("123456")
            await connection.logout()
            assert not server.requests
            await connection.organizations()
    assert session.kept == []


async def test_an_unusable_token_is_not_sent() -> None:
    with serving(lambda _: as_json({"totp": False, "token": "x\r\nEvil: 1"})) as server:
        async with opened(server.url, username="u", password="p") as connection:
            with pytest.raises(Exception, match="no usable token"):
                await connection.organizations()
    assert len(server.seen) == 1


async def test_a_login_that_fails_on_the_server_is_not_tried_again() -> None:
    with serving(lambda _: Reply(500, b"<h1>Server Error (500)</h1>", "text/html")) as server:
        async with opened(server.url, username="u", password="p") as connection:
            for _ in range(3):
                with pytest.raises(ProviderUnavailable):
                    await connection.organizations()
    assert len(server.seen) == 1


@pytest.mark.parametrize(("moment", "code"), [(59, "287082"), (1111111109, "081804"), (2000000000, "279037")])
def test_codes_are_those_of_the_standard(moment: int, code: str) -> None:
    """RFC 6238, appendix B, the last six of its eight digits."""
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert code_at(secret, datetime.fromtimestamp(moment, UTC)) == code
