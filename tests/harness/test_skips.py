"""A skip over the budget fails the run, with and without workers."""

import json

import pytest

from tests.architecture.tree import PROJECT
from tests.support.skips import BUDGET_FILE, Budget, Skip

BUDGET = Budget(ci={"tests/test_a.py::test_b": "needs a thing that CI cannot have"}, elsewhere=("No server",))


@pytest.mark.parametrize(
    ("test", "reason", "ci", "covered"),
    [
        ("tests/test_a.py::test_b", "no thing", True, True),
        ("tests/test_a.py::test_b", "no thing", False, True),
        ("tests/test_a.py::test_b", "", False, False),
        ("tests/test_a.py::test_c", "No server: install one", False, True),
        ("tests/test_a.py::test_c", "No server: install one", True, False),
        ("tests/test_a.py::test_c", "it is flaky", False, False),
        ("tests/test_a.py::test_c", "unconditional skip", False, False),
    ],
)
def test_what_the_budget_covers(test: str, reason: str, ci: bool, covered: bool) -> None:
    assert (BUDGET.complaints([Skip(test, reason)], ci=ci) == []) is covered


CONFTEST = """
from tests.support.session import is_worker
from tests.support.skips import Budget, SkipCounter

def pytest_configure(config):
    if not is_worker(config):
        budget = Budget(ci={}, elsewhere=("No server",))
        config.pluginmanager.register(SkipCounter(budget))
"""

TESTS = """
import pytest

def test_passes(): ...

def test_accepted(): pytest.skip("No server here")

def test_unknown(): pytest.skip("not today")

@pytest.mark.skip
def test_without_reason(): ...

@pytest.mark.xfail(reason="known")
def test_expected_failure(): assert False
"""
SKIPPED_FILE = "import pytest\npytest.skip('not today', allow_module_level=True)\n"


@pytest.mark.parametrize(
    ("workers", "ci", "too_many"),
    [
        ([], False, ["test_unknown", "test_without_reason", "test_file.py"]),
        (["-n", "1"], True, ["test_accepted", "test_unknown", "test_without_reason", "test_file.py"]),
    ],
    ids=["alone", "with workers in CI"],
)
def test_a_run_over_the_budget_fails(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    workers: list[str],
    ci: bool,
    too_many: list[str],
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setenv("CI", "true" if ci else "")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_cases=TESTS, test_file=SKIPPED_FILE)
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", *workers)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    complaints = [line for line in result.outlines if ": skipped" in line]
    assert len(complaints) == len(too_many)
    assert all(any(name in line for line in complaints) for name in too_many)
    result.stdout.fnmatch_lines(["*1 passed, 4 skipped, 1 xfailed*"])


def test_a_run_within_the_budget_passes(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    monkeypatch.setenv("CI", "")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_cases=TESTS)
    chosen = "passes or accepted or expected"
    assert pytester.runpytest_subprocess("-p", "no:cacheprovider", "-k", chosen).ret == pytest.ExitCode.OK


def test_every_test_named_in_the_budget_has_a_reason() -> None:
    content = json.loads(BUDGET_FILE.read_text())
    assert all(reason.strip() for reason in content["ci"].values())
    assert Budget.read(BUDGET_FILE).elsewhere
