"""`python -m benchmarks` works: a small fleet is really synced, beside its floor, and the page says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.postgres import URL_VARIABLE, PostgresServer

ROOT = Path(__file__).resolve().parents[2]
CASES = ["200 light, cold", "200 light, warm", "200 light, incremental"]


def bench(folder: Path, database: str, **environ: str) -> str:
    """The page that a quick run on one kind of database writes."""
    output = folder / "made" / "performance.md"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--database", database, "--output", str(output)],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return output.read_text()


def table(page: str, title: str) -> list[dict[str, str]]:
    """The table that follows a title, row by row."""
    lines = page[page.index(title) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    end = next(n for n, line in enumerate([*lines, ""]) if n > start and not line.startswith("|"))
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:end])
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.mark.slow
def test_a_quick_run_measures_every_case_on_sqlite(tmp_path: Path) -> None:
    page = bench(tmp_path, "sqlite")
    assert "## SQLite" in page
    assert "## PostgreSQL" not in page
    seconds = table(page, "Seconds:")
    assert [row["agents, case"] for row in seconds if row["agents, case"]] == CASES
    assert all(float(row["sync"]) > float(row["waited"]) > 0 for row in seconds)
    cold, warm, incremental = table(page, "Everything else:")
    # The same questions twice; an incremental asks only for the light half.
    assert cold["requests"] == warm["requests"] > incremental["requests"]
    assert float(cold["MB received"]) == float(warm["MB received"]) > float(incremental["MB received"]) > 0
    assert int(cold["statements"]) > int(warm["statements"]) >= int(incremental["statements"]) > 0


@pytest.mark.slow
@pytest.mark.postgres
def test_a_quick_run_measures_every_case_on_postgresql(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    address = postgres_server.url("postgres", superuser=True).replace("postgresql+asyncpg:", "postgresql:")
    page = bench(tmp_path, "postgres", **{URL_VARIABLE: address})
    assert "## PostgreSQL" in page
    assert [row["agents, case"] for row in table(page, "Everything else:")] == CASES


def test_an_unknown_option_ends_with_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--fast"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--fast" in done.stderr
