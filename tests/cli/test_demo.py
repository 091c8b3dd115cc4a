"""`muster demo`: a simulated fleet becomes assets."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.support.cli import Muster


def _arguments(suggested: str) -> list[str]:
    """What follows the program in a suggested command, however it was started."""
    words = shlex.split(suggested)
    return words[3:] if words[1:3] == ["-m", "muster"] else words[1:]


def test_once_it_ends_with_the_counts(muster: Muster, tmp_path: Path) -> None:
    result = muster.done("demo", "--once", "--agents", 30)
    assert result["assets"]["total"] == 30
    assert set(result["assets"]["by_status"]) == {"online", "offline", "overdue", "unknown"}
    assert sum(result["assets"]["by_status"].values()) == 30
    assert sum(sum(counts.values()) for counts in result["assets"]["by_client"].values()) == 30
    assert result["integration"]["is_active"] is True
    assert [run["status"] for run in result["runs"]] == ["succeeded"] * 4
    assert result["alerts"]["open"] > 0
    assert result["software"]["installs"] > result["software"]["titles"] > 0
    assert result["software"]["reporting"] + result["software"]["not_reporting"] == 30
    # Neither the person's own data nor anything else is left behind.
    assert not (tmp_path / "data").exists()
    assert result["data_dir"] is None


def test_it_ends_with_a_table_and_what_to_try_next(muster: Muster, tmp_path: Path) -> None:
    folder = tmp_path / "kept here"
    ended = muster("demo", "--once", "--agents", 20, "--data-dir", folder)
    assert ended.code == 0
    assert re.search(r"^Client +online +offline +overdue +unknown +assets$", ended.out, re.MULTILINE)
    assert re.search(r"^All .* 20$", ended.out, re.MULTILINE)
    suggested = [line.strip() for line in ended.out.splitlines() if line.startswith("  ")]
    (export,) = (line for line in suggested if line.startswith("export "))
    (assignment,) = shlex.split(export)[1:]
    kept = Muster(dict([assignment.split("=", 1)]))
    commands = [_arguments(line) for line in suggested if line != export]
    assert len(commands) >= 4
    for command in commands:
        assert kept(*command).code == 0, command
    again = muster("demo", "--once", "--data-dir", folder)
    assert (again.code, "already" in again.err) == (2, True)


def test_a_persons_own_settings_do_not_reach_it(muster: Muster) -> None:
    result = muster.done(
        *("demo", "--once", "--agents", 5),
        settings={
            "MUSTER_DATABASE_URL": "postgresql://u:pw@127.0.0.1:1/production",
            "MUSTER_TENANT": "Mine",
            "MUSTER_EGRESS_ALLOW": "10.0.0.0/8",
            "MUSTER_SECRET_KEY_FILE": "/nowhere",
        },
    )
    assert result["assets"]["total"] == 5


@pytest.mark.slow
def test_it_runs_on_until_it_is_stopped(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "muster", "demo", "--agents", "5", "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "sync devices Demo" in line and "--plan" not in line:
                break
        (export,) = (line for line in lines if "export MUSTER_DATA_DIR=" in line)
        folder = Path(shlex.split(export)[1].split("=", 1)[1])
        kept = Muster({"MUSTER_DATA_DIR": str(folder)})
        commands = [_arguments(line) for line in lines if line.startswith("  ") and line != export]
        assert any("sync" in command for command in commands)
        for command in commands:
            assert kept(*command).code == 0, command
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert errors == ""
    assert not folder.exists()


@pytest.mark.slow
def test_json_while_it_runs_on(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-m", "muster", "demo", "--agents", "5", "--port", "0", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            text = ""
            for line in process.stdout:
                text += line
                if line == "}\n":
                    break
            result = json.loads(text)
            assert Path(result["data_dir"]).is_dir()
            assert httpx2.get(f"{result['url']}/readyz", timeout=60).status_code == 200
            # A visitor sees alerts come: the simulated server was told to call this very address.
            webhook = Muster({"MUSTER_DATA_DIR": result["data_dir"]}).done("webhook", "check", "Demo")
            assert webhook["target_url"].startswith(f"{result['url']}/api/webhooks/")
            assert webhook["drift"] == {"steps": [], "problem": None}
        finally:
            process.terminate()
    assert process.returncode == 0
    assert not Path(result["data_dir"]).exists()
