"""`muster integration` on the command line, against simulated servers."""

import io
from collections.abc import Iterator
from typing import Any

import pyotp
import pytest

from muster.simulator import FleetSpec, SimulatorServer
from tests.integrations.beacon import BeaconProvider
from tests.integrations.conftest import AWAY, HOME
from tests.integrations.shell import Shell

KEY = "ABCDEFGH12345678ABCDEFGHIJKL9876"
URL = "https://api.example.com"


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=5)) as running:
        yield running


def add(shell: Shell, name: str = "Main", key: str = KEY, url: str = URL) -> Any:
    key_file = shell.file(f"{key}\n")
    return shell.json(
        "integration", "add", "tacticalrmm", "--name", name, "--url", url, "--api-key-file", key_file
    )


def one_time_code(server: SimulatorServer, name: str = "totp") -> str:
    secret = server.users[name].totp_secret
    assert secret is not None
    return pyotp.TOTP(secret).at(server.clock.now())


# --- the life of a connection -----------------------------------------------------------------------------


def test_add_check_show_disconnect(shell: Shell, server: SimulatorServer) -> None:
    added = add(shell, key=server.api_key, url=f"{server.url}/api/")
    assert added["id"] == added["integration_id"]
    assert (added["instance_url"], added["is_active"], added["connected_at"]) == (server.url, False, None)
    [credential] = added["credentials"]
    assert (credential["name"], credential["last_four"]) == ("api_key", server.api_key[-4:])

    checked = shell.json("integration", "check", "Main")
    assert checked["ok"] is True
    assert set(checked) == {"ok", "findings", "facts", "steps"}

    shown = shell.json("integration", "show", "main")
    assert (shown["id"], shown["is_active"], shown["provider_name"]) == (added["id"], True, "Tactical RMM")
    counts = shown["counts"]
    assert (counts["organizations"], counts["mapped_organizations"], counts["active_alerts"]) == (0, 0, 0)
    assert {counts["devices"][status] for status in ("online", "offline", "overdue", "unknown")} == {0}
    gone = shell.json("integration", "disconnect", added["id"])
    assert (gone["is_active"], gone["connected_at"], gone["credentials"]) == (False, None, [])
    result = shell("integration", "check", "Main", "--json")
    assert (result.code, result.error["code"]) == (1, "disconnected")
    assert [item["id"] for item in shell.json("integration", "list")["items"]] == [added["id"]]


def test_people_are_told_what_comes_next(sqlite_shell: Shell, server: SimulatorServer) -> None:
    key_file = sqlite_shell.file(server.api_key)
    added = sqlite_shell(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", server.url),
        *("--api-key-file", key_file),
    )
    assert added.code == 0
    assert "muster integration check 'Main'" in added.err
    checked = sqlite_shell("integration", "check", "Main")
    assert checked.code == 0
    assert "The connection works." in checked.out
    listed = sqlite_shell("integration", "list")
    assert "Tactical RMM" in listed.out
    for result in (added, checked, listed, sqlite_shell("integration", "show", "Main")):
        assert server.api_key not in result.out + result.err


def test_a_failed_check_says_what_to_do(shell: Shell, server: SimulatorServer) -> None:
    add(shell, url=server.url)
    result = shell("integration", "check", "Main", "--json")
    assert (result.code, result.json["ok"]) == (1, False)
    [error] = [finding for finding in result.json["findings"] if finding["level"] == "error"]
    assert (error["code"], set(error)) == (
        "invalid_credentials",
        {"code", "level", "message", "remedy"},
    )
    told = shell("integration", "check", "Main")
    assert told.code == 1
    assert error["message"] in told.out
    assert error["remedy"] in told.out
    assert shell.json("integration", "show", "Main")["sync_error"]["code"] == "invalid_credentials"


# --- logging in -------------------------------------------------------------------------------------------


def login_options(shell: Shell, server: SimulatorServer, name: str) -> list[object]:
    password = shell.file(server.users[name].password, "password.txt")
    return ["--url", server.url, "--username", name, "--password-file", password]


def test_a_code_logs_in_at_once(shell: Shell, server: SimulatorServer) -> None:
    options = login_options(shell, server, "totp")
    code = one_time_code(server)
    added = shell.json("integration", "add", "tacticalrmm", "--name", "Main", *options, "--totp", code)
    assert (added["auth_mode"], added["settings"]["username"]) == ("password", "totp")
    assert [credential["name"] for credential in added["credentials"]] == ["password"]
    assert shell.json("integration", "check", "Main")["ok"] is True


def test_a_wrong_code_still_stores(sqlite_shell: Shell, server: SimulatorServer) -> None:
    shell = sqlite_shell
    options = login_options(shell, server, "totp")
    wrong = "000000" if one_time_code(server) != "000000" else "111111"
    result = shell("integration", "add", "tacticalrmm", "--name", "Main", *options, "--totp", wrong, "--json")
    assert (result.code, result.json["name"]) == (1, "Main")
    assert "stored, but the login failed" in result.error["message"]
    before = len([request for request in server.requests if request.path == "/v2/login/"])
    checked = shell("integration", "check", "Main", "--json")
    assert "totp_required" in [finding["code"] for finding in checked.json["findings"]]
    assert len([request for request in server.requests if request.path == "/v2/login/"]) == before
    assert shell.json("integration", "check", "Main", "--totp", one_time_code(server))["ok"] is True


def test_a_stored_totp_secret_needs_nobody(sqlite_shell: Shell, server: SimulatorServer) -> None:
    shell = sqlite_shell
    secret = shell.file(server.users["totp"].totp_secret or "", "totp.txt")
    options = [*login_options(shell, server, "totp"), "--totp-secret-file", secret]
    added = shell.json("integration", "add", "tacticalrmm", "--name", "Main", *options)
    assert [(c["name"], c["last_four"]) for c in added["credentials"]] == [
        ("password", ""),
        ("totp_secret", ""),
    ]
    assert shell.json("integration", "check", "Main")["ok"] is True


# --- changing it ------------------------------------------------------------------------------------------


def test_update_keeps_the_row(shell: Shell) -> None:
    added = add(shell)
    changed = shell.json("integration", "update", "Main", "--name", "Head office", "--source", "stable")
    assert (changed["id"], changed["name"], changed["source"]) == (added["id"], "Head office", "stable")
    assert changed["credentials"] == added["credentials"]
    password = shell.file("correct horse", "password.txt")
    login = shell.json(
        "integration", "update", "head office", "--username", "muster", "--password-file", password
    )
    assert (login["id"], login["auth_mode"]) == (added["id"], "password")
    assert [credential["name"] for credential in login["credentials"]] == ["password"]


def test_a_new_host_wants_the_key_again(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    add(shell)
    refused = shell("integration", "update", "Main", "--url", "https://evil.example.com", "--json")
    assert refused.code == 2
    assert "API key" in refused.error["remedy"]
    assert shell.json("integration", "show", "Main")["instance_url"] == URL
    monkeypatch.setenv("MUSTER_API_KEY", "FROMENVIRONMENT4321")
    still = shell("integration", "update", "Main", "--url", "https://new.example.com", "--json")
    assert still.code == 2
    moved = shell.json(
        "integration", "update", "Main", "--url", "https://new.example.com", "--new-credentials"
    )
    assert (moved["instance_url"], moved["credentials"][0]["last_four"]) == (
        "https://new.example.com",
        "4321",
    )


# --- what is wrong is said, and nothing is changed --------------------------------------------------------


BAD = [
    (["tacticalrmm", "--url", "https://", "--api-key-file", "KEY"], "instance_url"),
    (["tacticalrmm", "--url", URL, "--api-key-file", "EMPTY"], "API key is empty"),
    (["tacticalrmm", "--url", URL, "--api-key-file", "HUGE"], "too long"),
    (["tacticalrmm", "--url", URL, "--api-key-file", "NOWHERE"], "cannot be read"),
    (["tacticalrmm", "--url", URL], "API key is missing"),
    (["tacticalrmm", "--url", URL, "--username", "muster"], "Password is missing"),
    (["tacticalrmm", "--url", URL, "--api-key-file", "KEY", "--totp", "123456"], "one-time code"),
    (["tacticalrmm", "--url", URL, "--set", "api_key=x"], "--set-file api_key=FILE"),
    (["tacticalrmm", "--url", URL, "--set", "nonsense"], "FIELD=VALUE"),
    (
        ["tacticalrmm", "--url", URL, "--api-key-file", "KEY", "--set", "colour=red"],
        "no setting 'colour'",
    ),
    (["nosuch", "--url", URL], "no provider 'nosuch'"),
]


def test_bad_options_are_named(sqlite_shell: Shell) -> None:
    files = {
        "KEY": sqlite_shell.file(KEY, "key.txt"),
        "EMPTY": sqlite_shell.file("\n", "empty.txt"),
        "HUGE": sqlite_shell.file("K" * 10_000_000, "huge.txt"),
        "NOWHERE": sqlite_shell.folder / "nowhere.txt",
    }
    for options, told in BAD:
        given = [files.get(option, option) for option in options]
        result = sqlite_shell("integration", "add", *given, "--name", "Main", "--json")
        assert (options, result.code) == (options, 1 if options[0] == "nosuch" else 2)
        assert told in f"{result.error['message']} {result.error['remedy']}"
        assert len(result.err) < 1_000
    assert sqlite_shell.json("integration", "list") == {"items": []}


def test_another_tenants_integration_is_not_there(shell: Shell) -> None:
    added = add(shell)
    shell.json("tenant", "create", "Other MSP")
    for verb in ("show", "check", "update", "disconnect"):
        for reference in ("Main", added["id"]):
            result = shell("integration", verb, reference, "--tenant", "Other MSP", "--json")
            assert (result.code, result.error["code"]) == (1, "not_found")
    assert shell.json("integration", "list", "--tenant", "Other MSP") == {"items": []}
    [kept] = shell.json("integration", "list", "--tenant", "Acme IT")["items"]
    assert kept == added


def test_names_are_unique(shell: Shell) -> None:
    added = add(shell)
    again = shell(
        *("integration", "add", "tacticalrmm", "--name", "MAIN", "--url", URL, "--json"),
        *("--api-key-file", shell.file(KEY)),
    )
    assert (again.code, again.error["code"]) == (1, "conflict")
    assert shell.json("integration", "list")["items"] == [added]


# --- secrets and other providers --------------------------------------------------------------------------


def test_secrets_from_the_environment(sqlite_shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUSTER_API_KEY", KEY)
    monkeypatch.setenv("MUSTER_PASSWORD", "correct horse")
    shell = sqlite_shell
    by_key = shell.json("integration", "add", "tacticalrmm", "--name", "A", "--url", URL)
    by_login = shell.json("integration", "add", "tacticalrmm", "--name", "B", "--url", URL, "--username", "m")
    assert (by_key["auth_mode"], by_login["auth_mode"]) == ("api_key", "password")
    # Left in the environment, they must not change what nobody meant to change.
    assert shell.json("integration", "update", "B", "--source", "stable")["auth_mode"] == "password"


def test_any_provider_by_its_own_fields(shell: Shell, beacon: BeaconProvider) -> None:
    secret = shell.file("beacon-key-1234567890")
    options = ["--url", HOME, "--set", "region=us", "--set-file", f"access_key={secret}"]
    added = shell.json("integration", "add", "beacon", "--name", "Sea", *options)
    assert (added["provider_name"], added["settings"]) == (
        "Beacon Fleet",
        {"auth_mode": "key", "region": "us"},
    )
    assert shell.json("integration", "check", "Sea")["facts"] == {"version": "7.1"}
    wrong = shell("integration", "add", "beacon", "--name", "X", "--url", AWAY, "--source", "auto", "--json")
    assert (wrong.code, "no setting 'source'" in wrong.error["message"]) == (2, True)


class Person(io.StringIO):
    """Somebody at a terminal, with the answers they will type."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("y\n", 0)])
def test_a_person_is_asked_before_disconnecting(
    sqlite_shell: Shell, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    add(sqlite_shell)
    monkeypatch.setattr("sys.stdin", Person(answer))
    result = sqlite_shell("integration", "disconnect", "Main", "--json")
    assert result.code == code
    assert "Delete the credentials of 'Main'" in result.err
    kept = sqlite_shell.json("integration", "show", "Main")["credentials"]
    assert bool(kept) is (code == 1)
    monkeypatch.setattr("sys.stdin", Person())
    unasked = sqlite_shell("integration", "disconnect", "Main", "--yes")
    assert (unasked.code, "Delete" in unasked.err) == (0, False)


def test_help_has_an_example(sqlite_shell: Shell) -> None:
    for verb in ("add", "list", "show", "update", "check", "disconnect"):
        result = sqlite_shell("integration", verb, "--help")
        assert result.code == 0
        assert f"muster integration {verb}" in result.out
        assert "Example" in result.out
