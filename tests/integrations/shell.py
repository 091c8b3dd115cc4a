"""Runs `muster` in this process, as a person would, on a database of the test's own."""

import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from muster import bootstrap, settings
from muster.bootstrap import Application
from muster.cli import main
from tests.support.postgres import run_apart

T = TypeVar("T")


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error on standard error of a command with --json."""
        return dict(json.loads(self.err)["error"])


@dataclass
class Shell:
    folder: Path
    capture: pytest.CaptureFixture[str]
    environ: Mapping[str, str]

    def __call__(self, *arguments: object) -> Result:
        self.capture.readouterr()
        code = main([str(argument) for argument in arguments])
        return Result(code, *self.capture.readouterr())

    def json(self, *arguments: object) -> Any:
        """What a command that must succeed prints."""
        result = self(*arguments, "--json")
        assert result.code == 0, result.err
        return result.json

    def file(self, content: str, name: str = "secret.txt") -> Path:
        path = self.folder / name
        path.write_text(content)
        return path

    def inside(self, work: Callable[[Application], Coroutine[Any, Any, T]]) -> T:
        """Do something with the open application that no command does."""

        async def opened() -> T:
            async with bootstrap.open_application(settings.load(self.environ)) as application:
                return await work(application)

        return run_apart(opened())


def make_shell(
    url: str, folder: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
) -> Shell:
    environ = {"MUSTER_DATABASE_URL": url, "MUSTER_DATA_DIR": str(folder / "data")}
    for name, value in environ.items():
        patch.setenv(name, value)
    shell = Shell(folder, capture, {**environ, "HOME": str(folder)})
    shell.json("tenant", "create", "Acme IT")
    return shell
