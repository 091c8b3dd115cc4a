"""Every fault of a connection by its code, replayed from recorded answers and made on loopback."""

import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from muster.egress import EgressPolicy
from muster.egress.policy import networks
from muster.providers.contract import CheckResult, ProviderError
from muster.simulator import FleetSpec, SimulatorServer
from muster.simulator.accounts import READING, Role
from tests.support.opening import impatient, opened
from tests.support.recordings import Recordings
from tests.support.replay import (
    Handler,
    Reply,
    Seen,
    as_html,
    as_json,
    capture_handler,
    capture_reply,
    serving,
)


async def checked(url: str, **fields: Any) -> CheckResult:
    async with opened(url, **fields) as connection:
        return await connection.check()


def codes(result: CheckResult, level: str = "error") -> set[str]:
    for finding in result.findings:
        assert finding.message.endswith(".")
        assert finding.remedy
    assert result.ok == all(finding.level != "error" for finding in result.findings)
    return {finding.code for finding in result.findings if finding.level == level}


CAPTURED = {
    "auth_apikey_invalid": "invalid_credentials",
    "auth_apikey_lowercase_value": "invalid_credentials",
    "auth_apikey_inactive_user": "invalid_credentials",
    "auth_apikey_empty": "invalid_credentials",
    "auth_apikey_expired": "key_expired",
    "auth_apikey_norole": "permission_missing",
    "auth_apikey_noperm_role": "permission_missing",
    "agents_list_noperm": "permission_missing",
    "auth_wrong_host_header": "host_not_allowed",
    "auth_checkcreds_throttled_429": "throttled",
    "auth_login_throttled_429": "throttled",
}


@pytest.mark.recordings
@pytest.mark.parametrize("name", CAPTURED)
async def test_a_captured_failure_has_its_code(recordings: Recordings, name: str) -> None:
    with serving(capture_handler(recordings, name)) as server:
        result = await checked(server.url)
        assert codes(result) == {CAPTURED[name]}
        # Whatever the verb, the error says the same, so that a run can show it.
        async with opened(server.url) as connection:
            with pytest.raises(ProviderError) as caught:
                await connection.organizations()
    assert caught.value.code == CAPTURED[name]
    assert caught.value.remedy


@pytest.mark.recordings
@pytest.mark.parametrize(
    "name", ["auth_checkcreds_throttled_429", "auth_checkcreds_wrong_password", "auth_login_blocked_user"]
)
async def test_captured_login_failures(recordings: Recordings, name: str) -> None:
    refused = capture_reply(recordings, name)
    home = capture_reply(recordings, "auth_home_public")
    with serving(lambda seen: home if seen.path == "/" else refused) as server:
        result = await checked(server.url, username="u", password="p")
    assert codes(result) == {"throttled" if "throttled" in name else "invalid_credentials"}
    assert len(server.asked("/v2/checkcreds/", "POST")) == 1


@pytest.mark.recordings
async def test_permissions_are_named(recordings: Recordings) -> None:
    refused = capture_reply(recordings, "auth_apikey_norole")
    version = capture_reply(recordings, "auth_core_version_noperm")
    with serving(lambda seen: version if seen.path == "/core/version/" else refused) as server:
        result = await checked(server.url)
    said = " ".join(finding.message + finding.remedy for finding in result.findings)
    assert "can_list_clients" in said
    assert "can_list_agents" in said


def working(recordings: Recordings, **instead: Reply) -> Handler:
    """A server that answers as recorded; `instead` by the first word of the path."""
    known = {
        "/": "auth_home_public",
        "/core/version/": "core_version",
        "/core/dashinfo/": "core_dashinfo",
        "/clients/": "clients_list",
        "/agents/": "agents_detail_false",
        "/beta/v1/client/": "beta_client_list",
        "/alerts/": "alerts_patch_sev_empty",
        "/alerts/0/": "alerts_put_404",
        f"/software/{'0' * 40}/": "software_one_404",
    }
    bodies = {"/clients/": "clients_list", "/agents/": "agents_detail_false"}

    def handler(seen: Seen) -> Reply:
        for word, reply in instead.items():
            if seen.path.startswith(f"/{word}"):
                return reply
        if seen.path in bodies:
            return Reply(body=recordings.full_body(bodies[seen.path]))
        return capture_reply(recordings, known[seen.path])

    return handler


@pytest.mark.recordings
async def test_a_sound_server_has_no_findings_but_facts(recordings: Recordings) -> None:
    with serving(working(recordings)) as server:
        result = await checked(server.url)
    assert result.ok
    assert result.findings == ()
    assert result.facts["server_version"] == "1.5.1"
    assert result.facts["devices_seen"] == result.facts["devices_stated"] == 250
    assert result.facts["organizations"] == 5
    assert result.facts["beta_api"] is True
    assert result.facts["auth_mode"] == "api_key"


@pytest.mark.recordings
@pytest.mark.parametrize(("source", "level"), [("auto", "info"), ("stable", "info"), ("beta", "error")])
@pytest.mark.parametrize("name", ["beta_disabled_client", "beta_disabled_noauth", "beta_disabled_badkey"])
async def test_a_beta_api_that_is_off(recordings: Recordings, source: str, level: str, name: str) -> None:
    with serving(working(recordings, beta=capture_reply(recordings, name))) as server:
        result = await checked(server.url, api_key="K", source=source)
    assert codes(result, level) == {"beta_disabled"}
    assert result.ok == (source != "beta")
    assert result.facts["beta_api"] is False


async def test_a_dashboard_answers_everything_with_a_page() -> None:
    with serving(lambda _: as_html()) as server:
        assert codes(await checked(server.url)) == {"dashboard_host"}
        assert codes(await checked(server.url, username="u", password="secret")) == {"dashboard_host"}
    # Neither key nor password is sent to a web site.
    assert [(seen.method, seen.path) for seen in server.seen] == [("GET", "/")] * 2
    assert not [seen for seen in server.seen if {"x-api-key", "authorization"} & seen.headers.keys()]
    with SimulatorServer(FleetSpec(agents=3)) as simulator:
        simulator.add_fault("dashboard")
        assert codes(await checked(simulator.url)) == {"dashboard_host"}


async def test_a_refused_port() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert codes(await checked(f"http://127.0.0.1:{port}")) == {"connection_refused"}


async def test_a_name_that_does_not_resolve() -> None:
    assert codes(await checked("https://api.nosuch.invalid")) == {"name_not_resolved"}


async def test_a_certificate_nobody_vouches_for(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    with serving(lambda _: as_json(1), tls=(chain, key)) as server:
        assert codes(await checked(server.url)) == {"tls_untrusted"}
    assert not server.seen


async def test_an_address_the_operator_does_not_allow() -> None:
    policy = EgressPolicy(allowed_networks=networks(["10.0.0.0/8"]))
    with serving(lambda _: as_json(1)) as server:
        assert codes(await checked(server.url, api_key="K", egress=impatient(policy))) == {
            "address_not_allowed"
        }
    assert not server.seen


async def test_a_redirect_is_not_followed() -> None:
    with serving(lambda _: Reply(301, b"", headers={"location": "https://elsewhere.invalid/"})) as server:
        assert codes(await checked(server.url)) == {"redirected"}


@pytest.mark.recordings
@pytest.mark.parametrize("minutes", [-10, 3, 600])
async def test_a_clock_that_is_wrong(recordings: Recordings, minutes: int) -> None:
    wrong = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)
    version = Reply(body=b'"0.0.203"', headers={"date": wrong})
    with serving(working(recordings, **{"core/version": version})) as server:
        result = await checked(server.url)
    assert result.ok
    assert codes(result, "warning") == {"clock_skew"}
    assert abs(result.facts["clock_skew_seconds"] - minutes * 60) < 60


@pytest.mark.recordings
@pytest.mark.parametrize(
    ("version", "old"), [("0.20.1", True), ("0.9", True), ("1.0.0", False), ("2.3", False)]
)
async def test_an_old_version(recordings: Recordings, version: str, old: bool) -> None:
    info = as_json({"trmm_version": version})
    with serving(working(recordings, **{"core/dashinfo": info})) as server:
        result = await checked(server.url)
    assert codes(result, "warning") == ({"version_old"} if old else set())
    assert result.ok
    assert result.facts["server_version"] == version


@pytest.mark.recordings
@pytest.mark.parametrize("status", [403, 404, 500])
async def test_a_server_that_keeps_its_version_to_itself(recordings: Recordings, status: int) -> None:
    with serving(working(recordings, **{"core/dashinfo": as_html(status)})) as server:
        result = await checked(server.url)
    assert result.ok
    assert "server_version" not in result.facts
    assert result.facts["web_version"] == "0.0.203"


@pytest.mark.recordings
async def test_a_role_that_sees_fewer_devices_than_its_clients_count(recordings: Recordings) -> None:
    rows = recordings.load_snapshot("agents_ids.json.gz")[:84]
    with serving(working(recordings, agents=as_json(rows))) as server:
        result = await checked(server.url)
    assert result.ok
    assert codes(result, "warning") == {"key_restricted"}


async def test_restricted_roles_of_the_simulator() -> None:
    with SimulatorServer(FleetSpec(agents=40)) as server:
        for name in ("limited", "onesite"):
            result = await checked(server.url, api_key=server.users[name].api_key)
            assert result.ok
            assert codes(result, "warning") == {"key_restricted"}
        for name, code in (
            ("norole", "permission_missing"),
            ("noperm", "permission_missing"),
            ("inactive", "invalid_credentials"),
            ("expired", "key_expired"),
        ):
            assert codes(await checked(server.url, api_key=server.users[name].api_key)) == {code}
        assert (await checked(server.url, api_key=server.users["technician"].api_key)).findings == ()


async def test_what_a_role_may_not_do_about_alerts_is_named() -> None:
    with SimulatorServer(FleetSpec(agents=5), frozen=True) as server:
        before = [row.resolved for row in server.alerts.rows()]
        reader = await checked(server.url, api_key=server.users["blocked"].api_key)
        assert reader.ok
        assert codes(reader, "warning") == {"alerts_not_writable"}
        assert "can_manage_alerts" in reader.findings[0].message
        assert (reader.facts["alerts_readable"], reader.facts["alerts_writable"]) == (True, False)
        server.users["blocked"].role = Role("No alerts", READING - {"can_list_alerts"})
        blind = await checked(server.url, api_key=server.users["blocked"].api_key)
        assert blind.ok
        assert codes(blind, "warning") == {"alerts_not_readable", "alerts_not_writable"}
        assert "can_list_alerts" in "".join(finding.message for finding in blind.findings)
        assert (await checked(server.url, api_key=server.api_key)).facts["alerts_writable"]
        # The check asks about alerts without reading or changing one.
        assert [row.resolved for row in server.alerts.rows()] == before
        asked = [seen for seen in server.requests if seen.path.startswith("/alerts/")]
        assert {seen.method for seen in asked} == {"PATCH", "PUT"}
        assert len(asked) == 6


@pytest.mark.recordings
@pytest.mark.parametrize("status", [404, 500])
async def test_alerts_that_cannot_be_asked_for(recordings: Recordings, status: int) -> None:
    with serving(working(recordings, alerts=as_html(status))) as server:
        result = await checked(server.url)
    assert result.ok
    assert codes(result, "warning") == {"not_found" if status == 404 else "unavailable"}
    assert (result.facts["alerts_readable"], result.facts["alerts_writable"]) == (False, False)


@pytest.mark.recordings
async def test_alerts_are_not_asked_for_where_nothing_is_let_in(recordings: Recordings) -> None:
    refused = capture_reply(recordings, "auth_apikey_invalid")
    with serving(working(recordings, agents=refused, clients=refused)) as server:
        assert codes(await checked(server.url)) == {"invalid_credentials"}
    assert not server.asked("/alerts/", "PATCH")


async def test_a_role_that_may_not_read_software_is_told() -> None:
    with SimulatorServer(FleetSpec(agents=5), frozen=True) as server:
        user = server.users["technician"]
        assert (await checked(server.url, api_key=user.api_key)).facts["software_readable"] is True
        user.role = Role("No software", (READING | {"can_manage_alerts"}) - {"can_list_software"})
        before = len(server.requests)
        result = await checked(server.url, api_key=user.api_key)
        assert result.ok
        assert codes(result, "warning") == {"software_not_readable"}
        assert "can_list_software" in result.findings[0].message
        assert result.facts["software_readable"] is False
        # To ask costs the server one look at a role, not the software of its whole fleet.
        since = [(seen.method, seen.path) for seen in server.requests[before:]]
        asked = [(method, path) for method, path in since if path.startswith("/software/")]
        assert asked == [("GET", f"/software/{'0' * 40}/")]


@pytest.mark.recordings
@pytest.mark.parametrize("status", [404, 500])
async def test_software_that_cannot_be_asked_for(recordings: Recordings, status: int) -> None:
    with serving(working(recordings, software=as_html(status))) as server:
        result = await checked(server.url)
    assert result.ok
    assert codes(result, "warning") == {"not_found" if status == 404 else "unavailable"}
    assert result.facts["software_readable"] is False


@pytest.mark.recordings
async def test_software_is_not_asked_for_where_nothing_is_let_in(recordings: Recordings) -> None:
    refused = capture_reply(recordings, "auth_apikey_invalid")
    with serving(working(recordings, agents=refused, clients=refused)) as server:
        await checked(server.url)
    assert not [seen for seen in server.seen if seen.path.startswith("/software/")]


async def test_something_else_than_a_tactical_server() -> None:
    with serving(lambda _: as_json({"detail": "Not Found"}, 404)) as server:
        assert "not_tactical" in codes(await checked(server.url))
    with serving(lambda _: as_json({"hello": "world"})) as server:
        assert codes(await checked(server.url)) == {"payload"}
    with serving(lambda _: Reply(502, b"bad gateway", "text/html")) as server:
        assert codes(await checked(server.url)) == {"unavailable"}
