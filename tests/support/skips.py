"""Skipped tests are counted against a committed budget, tests/skip_budget.json.

In CI only the tests named under ``ci`` may be skipped. Elsewhere a skip must carry one of the reasons under
``elsewhere`` (a clone without recordings, a machine without PostgreSQL). A skip without a reason never
passes. Works with and without pytest-xdist: the process that gathers all reports judges.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.session import in_ci, is_worker

BUDGET_FILE = Path(__file__).resolve().parents[1] / "skip_budget.json"

# What pytest itself says when nobody gave a reason.
_NO_REASON = ("", "unconditional skip")


@dataclass(frozen=True)
class Skip:
    """One test, or one whole file, that did not run."""

    test: str
    reason: str


@dataclass(frozen=True)
class Budget:
    """``ci``: test -> why it may be skipped there. ``elsewhere``: beginnings of accepted reasons."""

    ci: dict[str, str]
    elsewhere: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> "Budget":
        """The committed budget."""
        content = json.loads(path.read_text())
        return cls(ci=content["ci"], elsewhere=tuple(content["elsewhere"]))

    def complaints(self, skips: list[Skip], *, ci: bool) -> list[str]:
        """One line for each skip that the budget does not cover."""
        lines = []
        for skip in skips:
            if skip.reason in _NO_REASON:
                lines.append(f"{skip.test}: skipped without a reason")
            elif ci and skip.test not in self.ci:
                lines.append(f"{skip.test}: skipped in CI, not named in the budget ({skip.reason})")
            elif not ci and skip.test not in self.ci and not skip.reason.startswith(self.elsewhere):
                lines.append(
                    f"{skip.test}: skipped for a reason that the budget does not know ({skip.reason})"
                )
        return lines


class SkipCounter:
    """Gathers skips from the reports of all workers and fails the session over the budget."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.skips: list[Skip] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test's phase ended; an expected failure is reported as skipped, too, and is none."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skips.append(Skip(report.nodeid, _reason(report.longrepr)))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A whole file was skipped while being collected."""
        if report.skipped:
            self.skips.append(Skip(report.nodeid, _reason(report.longrepr)))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """The run fails over the budget even when every test that ran has passed."""
        if exitstatus == pytest.ExitCode.OK and self.budget.complaints(self.skips, ci=in_ci()):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which skips were too many."""
        complaints = self.budget.complaints(self.skips, ci=in_ci())
        if complaints:
            terminalreporter.section("skips over the budget (tests/skip_budget.json)", red=True)
            for line in complaints:
                terminalreporter.line(line)


def _reason(longrepr: object) -> str:
    """The bare reason out of pytest's (file, line, "Skipped: reason")."""
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return str(text).removeprefix("Skipped:").strip()


def pytest_configure(config: pytest.Config) -> None:
    """Workers only send their reports; the counting is done once."""
    if not is_worker(config):
        config.pluginmanager.register(SkipCounter(Budget.read(BUDGET_FILE)), "muster-skip-counter")
