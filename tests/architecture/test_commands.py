"""The commands that the documentation names exist, and CI runs the same ones."""

import os
import re
import subprocess

import pytest

from tests.architecture.tree import PROJECT, project_files

_MENTION = re.compile(r"(?:`|^\s*)make ([a-z][a-z-]+)", re.MULTILINE)


def help_lists() -> set[str]:
    result = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True)
    return set(re.findall(r"^\s+make ([a-z-]+)\s+\S", result.stdout, re.MULTILINE))


def test_every_documented_command_exists() -> None:
    mentioned = {
        (file.path, name)
        for file in project_files()
        if file.path.endswith(".md")
        for name in _MENTION.findall(file.text)
    }
    known = help_lists()
    assert {(path, name) for path, name in mentioned if name not in known} == set()


def test_help_lists_what_people_need() -> None:
    assert {"setup", "demo", "test", "check", "check-promises", "bench", "help"} <= help_lists()


@pytest.mark.parametrize("path", [".ci/run", "scripts/setup.sh", "scripts/lock.sh"])
def test_scripts_can_be_run_and_stop_at_the_first_error(path: str) -> None:
    script = PROJECT / path
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "\nset -euo pipefail\n" in text


def test_ci_runs_the_command_that_people_run() -> None:
    assert "make --no-print-directory test" in (PROJECT / ".ci/run").read_text()


def test_every_pinned_package_has_a_hash() -> None:
    for path in sorted((PROJECT / "requirements").glob("*.txt")):
        blocks = re.split(r"\n(?=\S)", path.read_text().strip())
        assert blocks
        loose = [block for block in blocks if "==" not in block or "--hash=sha256:" not in block]
        assert loose == []
