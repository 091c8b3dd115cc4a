"""How far a check came: the steps passed, the one that failed, and those that were not tried."""

import pyotp
import pytest

from muster.providers.contract import CheckResult, ConnectionSettings, ProviderUnavailable
from muster.providers.tacticalrmm.doctor import api_host
from muster.providers.tacticalrmm.ladder import Ladder
from muster.simulator import FleetSpec, SimulatorServer
from tests.support.opening import opened

KEYS = ["name", "answers", "tls", "host", "login", "role", "source", "clock"]


def states(result: CheckResult) -> dict[str, str]:
    return {step.key: step.state for step in result.steps}


async def checked(server: SimulatorServer, code: str | None = None, **fields: str) -> CheckResult:
    given = fields if "username" in fields else {"api_key": server.api_key, **fields}
    async with opened(server.url, given) as connection:
        return await connection.check(code)


async def test_a_sound_server_passes_every_step() -> None:
    with SimulatorServer(FleetSpec(agents=5)) as server:
        result = await checked(server)
    assert list(states(result)) == KEYS
    # Loopback is asked without TLS; the step says so.
    assert states(result) == dict.fromkeys(KEYS, "passed") | {"tls": "warned"}
    details = {step.key: step.detail for step in result.steps}
    assert details["host"] == f"version {server.state.version}"
    assert details["role"].endswith("5 agents")
    assert (details["name"], details["answers"].split()[-1]) == ("127.0.0.1", "ms")


@pytest.mark.parametrize(
    ("fault", "fields", "failed"),
    [
        ("dashboard", {}, "host"),
        ("drop@/core/version/", {}, "host"),
        ("error500@/agents/", {}, "role"),
        ("", {"api_key": "Z" * 32}, "login"),
        ("", {"role": "norole"}, "role"),
        ("beta-off", {"source": "beta"}, "source"),
    ],
)
async def test_a_failure_stands_at_its_step(fault: str, fields: dict[str, str], failed: str) -> None:
    with SimulatorServer(FleetSpec(agents=5)) as server:
        if fault:
            server.faults.add(fault)
        if "role" in fields:
            fields = {"api_key": server.users[fields["role"]].api_key}
        result = await checked(server, **fields)
    assert not result.ok
    found = states(result)
    assert [key for key, state in found.items() if state == "failed"] == [failed]
    before = KEYS[: KEYS.index(failed)]
    assert {found[key] for key in before} <= {"passed", "warned"}


async def test_a_code_that_is_needed_is_waited_for_and_nothing_is_tried_before() -> None:
    with SimulatorServer(FleetSpec(agents=5)) as server:
        user = server.users["totp"]
        assert user.totp_secret is not None
        login = {"username": user.username, "password": user.password}
        waiting = await checked(server, **login)
        assert states(waiting)["login"] == "waiting"
        assert states(waiting)["role"] == "not_tried"
        assert "/v2/login/" not in [request.path for request in server.requests]
        refused = await checked(server, "000000", **login)
        assert (states(refused)["host"], states(refused)["login"]) == ("passed", "failed")
        code = pyotp.TOTP(user.totp_secret).at(server.clock.now())
        assert (await checked(server, code, **login)).ok


async def test_no_code_is_sent_to_what_is_no_api() -> None:
    with SimulatorServer(FleetSpec(agents=5)) as server:
        server.faults.add("dashboard")
        result = await checked(server, "123456", username="totp", password="secret-4711")
        assert [request.path for request in server.requests] == ["/"]
    assert [finding.code for finding in result.findings] == ["dashboard_host"]


def test_a_failure_after_its_own_step_had_passed_ends_the_one_under_way() -> None:
    settings = ConnectionSettings(instance_url="https://api.example.com:8443", auth_mode="api_key")
    ladder = Ladder(settings)
    ladder.failed(ProviderUnavailable("It broke off.", code="broken_off"))
    found = {step.key: step for step in ladder.steps()}
    assert (found["name"].state, found["answers"].state) == ("passed", "failed")
    ladder = Ladder(settings)
    ladder.passed("tls")
    ladder.failed(ProviderUnavailable("It broke off.", code="timeout"))
    found = {step.key: step for step in ladder.steps()}
    assert (found["answers"].state, found["host"].state) == ("passed", "failed")
    assert (found["answers"].label, found["tls"].label) == (
        "Server answers on port 8443",
        "Certificate is trusted",
    )


@pytest.mark.parametrize(
    ("url", "guess"),
    [
        ("https://rmm.example.com", "https://api.example.com"),
        ("https://mesh.msp.example.co.uk:8443", "https://api.msp.example.co.uk:8443"),
        ("https://api.example.com", None),
        ("https://example.com", None),
        ("https://localhost", None),
        ("https://10.0.0.5", None),
        ("https://[::1]", None),
    ],
)
def test_the_api_of_a_dashboard_is_guessed_where_that_can_be_right(url: str, guess: str | None) -> None:
    assert api_host(url) == guess
