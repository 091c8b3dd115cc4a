"""docs/promises.json is true, and its check can fail."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts.check_promises import complaints, main
from tests.architecture.tree import PROJECT

TESTS = '''
import pytest

def test_alive(): ...

@pytest.mark.parametrize("x", [1])
async def test_cases(x): ...

class TestGroup:
    def test_inside(self): ...

@pytest.mark.skip(reason="later")
def test_marked(): ...

@pytest.mark.xfail(reason="later")
def test_expected_to_fail(): ...

@pytest.mark.skipif(True, reason="here")
def test_conditional(): ...

def test_skips():
    """With a docstring first."""
    pytest.skip("later")

def helper(): ...
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for folder in ("docs", "tests/soak"):
        (root / folder).mkdir(parents=True)
    (root / "tests/test_a.py").write_text(TESTS)
    (root / "tests/soak/test_b.py").write_text(TESTS)
    (root / "tests/test_off.py").write_text(
        'import pytest\npytestmark = [pytest.mark.skip("x")]\ndef test_a(): ...\n'
    )
    return root


def write(root: Path, *, finished: list[str], **promises: Any) -> list[str]:
    content = {"stages": ["main-job", "web"], "finished": finished, "promises": promises}
    (root / "docs/promises.json").write_text(json.dumps(content))
    return list(complaints(root))


def promise(*tests: str, stage: str = "main-job") -> dict[str, Any]:
    return {"text": "something", "stage": stage, "tests": list(tests)}


def test_our_promises_hold() -> None:
    assert list(complaints(PROJECT)) == []


@pytest.mark.parametrize(
    "test", ["test_alive", "test_cases", "test_cases[1]", "TestGroup::test_inside", "test_conditional"]
)
def test_a_living_test_proves_a_promise(project: Path, test: str) -> None:
    assert write(project, finished=["main-job"], F001=promise(f"tests/test_a.py::{test}")) == []


@pytest.mark.parametrize(
    "test",
    [f"tests/test_a.py::{name}" for name in ("test_gone", "TestGroup", "TestGroup::test_gone", "helper", "")]
    + [f"tests/test_a.py::{name}" for name in ("test_marked", "test_expected_to_fail", "test_skips")]
    + ["tests/test_gone.py::test_alive", "tests/soak/test_b.py::test_alive", "tests/test_off.py::test_a"],
)
def test_a_dead_test_is_found(project: Path, test: str) -> None:
    assert len(write(project, finished=[], F001=promise(test))) == 1


def test_a_finished_stage_needs_a_test_for_each_promise(project: Path) -> None:
    promises = {"F001": promise(), "F002": promise(stage="web")}
    assert write(project, finished=[], **promises) == []
    found = write(project, finished=["main-job"], **promises)
    assert [line[:5] for line in found] == ["F001:"]


def test_unknown_stages_are_found(project: Path) -> None:
    assert len(write(project, finished=["later"], F001=promise(stage="never"))) == 2


def test_a_malformed_promise_is_found(project: Path) -> None:
    assert len(write(project, finished=[], F001={"text": "x", "stage": "web"})) == 1


def test_ids_are_compared_with_the_list_beside_the_project(project: Path) -> None:
    shared = project.parent / "shared"
    shared.mkdir()
    (shared / "PROMISES.md").write_text("# Promises\n\n- F001: a\n- T010/T011: b\n")
    assert write(project, finished=[], F001=promise(), T010=promise(), T011=promise()) == []
    found = write(project, finished=[], F001=promise(), T010=promise(), X999=promise())
    assert sorted(line[:5] for line in found) == ["T011:", "X999:"]


def test_an_id_that_stands_twice_is_found(project: Path) -> None:
    text = '{"stages": [], "finished": [], "promises": {"F001": {}, "F001": {}}}'
    (project / "docs/promises.json").write_text(text)
    with pytest.raises(ValueError, match="F001"):
        list(complaints(project))


def test_the_command_fails_and_says_why(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(project, finished=["main-job"], F001=promise())
    assert main(project) == 1
    assert "F001" in capsys.readouterr().err
    write(project, finished=[], F001=promise("tests/test_a.py::test_alive"))
    assert main(project) == 0
    assert "1 of 1 proved" in capsys.readouterr().out
