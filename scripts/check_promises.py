"""Checks docs/promises.json: every promise of a finished stage is proved by a living test.

Usage: python scripts/check_promises.py

Each id has its text, the stage that brings it, and the tests that prove it, as ``file::function``. It is an
error when a finished stage has an id without a test, when a named test is gone or never runs, and when the
ids differ from those of the list beside the project (../shared/PROMISES.md), where there is one.
"""

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
PROMISES = Path("docs/promises.json")
LIST = Path("../shared/PROMISES.md")

# Soak tests are not part of every run, so they prove nothing about the present state.
NOT_IN_EVERY_RUN = "tests/soak/"

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def read_promises(path: Path) -> dict[str, Any]:
    """The file's content; an id that stands twice is an error, not a silent last word."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{path}: {', '.join(twice)} stands there twice")
        return dict(pairs)

    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)
    return content


def complaints(root: Path) -> Iterator[str]:
    """One line for each thing that is wrong."""
    content = read_promises(root / PROMISES)
    stages: list[str] = content["stages"]
    for stage in content["finished"]:
        if stage not in stages:
            yield f"finished names an unknown stage: {stage}"
    for name, promise in content["promises"].items():
        if unknown := promise.keys() ^ {"text", "stage", "tests"}:
            yield f"{name}: expected text, stage and tests; look at {', '.join(sorted(unknown))}"
            continue
        if promise["stage"] not in stages:
            yield f"{name}: unknown stage {promise['stage']}"
        if promise["stage"] in content["finished"] and not promise["tests"]:
            yield f"{name}: {promise['stage']} is finished, but no test proves it: {promise['text']}"
        for test in promise["tests"]:
            if reason := why_dead(root, test):
                yield f"{name}: {test}: {reason}"
    yield from differences(root, set(content["promises"]))


def differences(root: Path, ours: set[str]) -> Iterator[str]:
    """Ids that only one of the two lists has."""
    path = root / LIST
    if not path.is_file():
        return
    heads = re.findall(r"^- ((?:[DFT]\d{2,3}/?)+):", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    theirs = {name for head in heads for name in head.split("/")}
    for name in sorted(theirs - ours):
        yield f"{name}: promised in {path.name}, missing in {PROMISES}"
    for name in sorted(ours - theirs):
        yield f"{name}: unknown, {path.name} does not have it"


def why_dead(root: Path, test: str) -> str:
    """Why the named test proves nothing, or an empty string."""
    file_name, _, name = test.partition("::")
    path = root / file_name
    if not path.is_file() or not path.name.startswith("test_"):
        return "there is no such test file"
    if file_name.startswith(NOT_IN_EVERY_RUN):
        return "a soak test is not part of every run"
    module = ast.parse(path.read_text(encoding="utf-8"))
    if any(is_skip(statement) for statement in module.body):
        return "its file is skipped"
    body: list[ast.stmt] = module.body
    found: Definition | None = None
    # A parametrized test may be named with its case: test_x[postgres].
    for part in name.split("[")[0].split("::"):
        found = next((node for node in body if isinstance(node, Definition) and node.name == part), None)
        if found is None:
            return "the test is gone"
        if any(is_skip(ast.Expr(decorator)) for decorator in found.decorator_list):
            return "the test is skipped or expected to fail"
        body = found.body
    if isinstance(found, ast.ClassDef) or not found or not found.name.startswith("test"):
        return "this is not a test function"
    return "the test is skipped" if any(is_skip(statement) for statement in body) else ""


def is_skip(statement: ast.stmt) -> bool:
    """``pytest.skip(...)``, ``pytestmark = pytest.mark.skip``, ``@pytest.mark.xfail``, no condition."""
    if isinstance(statement, ast.Assign):
        marks = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        value: ast.expr | None = statement.value if "pytestmark" in marks else None
    else:
        value = statement.value if isinstance(statement, ast.Expr) else None
    values = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    for item in values:
        call = item.func if isinstance(item, ast.Call) else item
        if isinstance(call, ast.Attribute) and call.attr in ("skip", "xfail"):
            # xfail(condition, ...) depends on the machine; skip's first argument is only its reason.
            return call.attr == "skip" or not (isinstance(item, ast.Call) and item.args)
    return False


def main(root: Path = PROJECT) -> int:
    """Print what is wrong; 1 when anything is."""
    lines = list(complaints(root))
    for line in lines:
        print(line, file=sys.stderr)
    content = read_promises(root / PROMISES)
    proved = sum(bool(promise.get("tests")) for promise in content["promises"].values())
    finished = ", ".join(content["finished"]) or "none"
    print(f"promises: {proved} of {len(content['promises'])} proved; finished stages: {finished}")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
