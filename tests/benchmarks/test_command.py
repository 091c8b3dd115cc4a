"""`python -m benchmarks` works: a small fleet is really synced, beside its floor, and the page says so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.postgres import URL_VARIABLE, PostgresServer

ROOT = Path(__file__).resolve().parents[2]
CASES = ["200 light, cold", "200 light, warm", "200 light, incremental"]


def bench(folder: Path, database: str, subject: str, **environ: str) -> str:
    """The page that a quick run on one subject and one kind of database writes."""
    output = folder / "made" / "performance.md"
    wanted = ["--quick", "--database", database, "--only", subject, "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *wanted],
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
    page = bench(tmp_path, "sqlite", "pace")
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
def test_a_quick_run_measures_small_writes_beside_syncs(tmp_path: Path) -> None:
    page = bench(tmp_path, "sqlite", "writes")
    assert "Seconds:" not in page
    rows = table(page, "## Small writes")
    writers = ["the same process", "the same process", "another process", "another process"]
    assert [row["written from"] for row in rows] == writers
    assert [row["agents, case"].split(", ")[1] for row in rows] == ["cold", "incremental"] * 2
    for row in rows:
        assert int(row["writes"]) > 0
        assert 0 < int(row["p50"]) <= int(row["p95"]) <= int(row["p99"]) <= int(row["max"])


@pytest.mark.slow
def test_a_quick_run_measures_pages_beside_their_floor(tmp_path: Path) -> None:
    page = bench(tmp_path, "sqlite", "pages")
    floor, *rows = table(page, "## Pages of 1,000 assets")
    assert floor["page"].startswith("floor: ")
    assert len(rows) > 30
    assert all(0 < int(row["p50 ms"]) <= int(row["p95 ms"]) for row in rows)


@pytest.mark.slow
def test_a_quick_run_measures_readings_of_software(tmp_path: Path) -> None:
    page = bench(tmp_path, "sqlite", "software")
    first, again, later, floor = table(page, "## Software")
    assert first["agents, case"] == "200 light, SQLite, first"
    assert all(float(row["s"]) >= float(row["waited"]) >= 0 for row in (first, again, later))
    assert int(first["programs"].replace(",", "")) == int(floor["programs"].replace(",", "")) > 1_000
    assert (again["programs"], int(later["programs"]) > 0) == ("0", True)
    assert int(again["statements"]) < 30 < int(first["statements"])
    assert int(first["programs a second beside"].replace(",", "")) > 0


@pytest.mark.slow
def test_a_quick_run_measures_pages_of_software(tmp_path: Path) -> None:
    page = bench(tmp_path, "sqlite", "software_pages")
    floor, *rows = table(page, "## Pages of 2,000 installs of software on 20 machines")
    assert floor["page"].startswith("floor: ")
    assert len(rows) > 25
    assert all(0 < int(row["p50 ms"]) <= int(row["p95 ms"]) for row in rows)


@pytest.mark.slow
def test_a_quick_run_measures_webhooks_with_and_without_a_sync(tmp_path: Path) -> None:
    page = bench(tmp_path, "sqlite", "webhooks")
    alone, beside = table(page, "## Webhooks")
    assert alone["agents, case"] == "200 light, SQLite, alone"
    assert beside["agents, case"] == "200 light, SQLite, beside a full sync"
    assert (alone["webhooks"], int(alone["processed a second"]) > 0) == ("100", True)
    for row in (alone, beside):
        assert int(row["webhooks"]) > 0
        assert 0 < int(row["p50"]) <= int(row["p95"]) <= int(row["p99"]) <= int(row["max"])


@pytest.mark.slow
@pytest.mark.postgres
def test_a_quick_run_measures_every_case_on_postgresql(
    tmp_path: Path, postgres_server: PostgresServer
) -> None:
    address = postgres_server.url("postgres", superuser=True).replace("postgresql+asyncpg:", "postgresql:")
    page = bench(tmp_path, "postgres", "pace", **{URL_VARIABLE: address})
    assert "## PostgreSQL" in page
    assert [row["agents, case"] for row in table(page, "Everything else:")] == CASES


def test_an_unknown_option_ends_with_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--fast"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--fast" in done.stderr
