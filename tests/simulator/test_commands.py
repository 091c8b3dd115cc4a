"""`simulator serve` on the command line."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

from muster.simulator.commands import simulator_app


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "others could reach the simulator"),
        (["--host", "rmm.example.com"], "others could reach the simulator"),
        (["--fault", "explode"], "there is no fault 'explode'"),
        (["--agents", "99999999"], "agents must be from 0"),
        (["--clients", "1"], "clients must be from 2"),
        (["--weight", "heavy"], "light or real"),
        (["--at", "noon"], "wants a moment"),
        (["--api-key", "a b"], "without spaces"),
        (["--alerts", "100001"], "alerts must be from 0"),
        (["--alert-every", "0"], "more than 0 seconds"),
    ],
)
def test_senseless_options_are_one_line_and_exit_2(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(simulator_app, ["serve", "--port", "0", *arguments])
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_an_address_that_is_taken_exits_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = CliRunner().invoke(simulator_app, ["serve", "--port", port])
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: cannot listen on 127.0.0.1:{port}: ")


def test_a_key_file_that_cannot_be_written_exits_1(tmp_path: Path) -> None:
    options = ["serve", "--port", "0", "--api-key-file", str(tmp_path / "no" / "key")]
    result = CliRunner().invoke(simulator_app, options)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: cannot write the API key")


def test_help_has_examples_and_all_faults() -> None:
    shown = CliRunner().invoke(simulator_app, ["serve", "--help"]).stdout
    for word in ("Examples", "malformed-agent", "--frozen", "--api-key-file"):
        assert word in shown


def test_alerts_as_many_as_asked_for_come_and_go_by_themselves() -> None:
    options = ["--agents", "30", "--port", "0", "--json", "--alerts", "3", "--alert-every", "0.1"]
    command = [sys.executable, "-m", "muster.simulator", "serve", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        headers = {"X-API-KEY": said["api_key"]}
        for _ in range(200):
            found = httpx2.patch(f"{said['url']}/alerts/", headers=headers).json()
            if len(found) > 3:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert {row["id"] for row in found} >= {1, 2, 3, 4}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_end(tmp_path: Path, how: signal.Signals) -> None:
    key_file = tmp_path / "key"
    options = ["--agents", "7", "--port", "0", "--json", "--frozen", "--at", "2031-01-01", "--no-beta"]
    command = [sys.executable, "-m", "muster.simulator", "serve", *options, "--api-key-file", str(key_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        answer = httpx2.get(f"{said['url']}/agents/", headers={"X-API-KEY": key_file.read_text().strip()})
        beta = httpx2.get(f"{said['url']}/beta/v1/client/")
        process.send_signal(how)
        _, errors = process.communicate(timeout=20)
    assert len(answer.json()) == said["agents"] == 7
    assert answer.headers["date"] == "Wed, 01 Jan 2031 00:00:00 GMT"
    assert beta.status_code == 404
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert {user["username"] for user in said["users"]} >= {"admin", "totp", "nototp", "limited", "expired"}
    assert (process.returncode, errors) == (0, "")
