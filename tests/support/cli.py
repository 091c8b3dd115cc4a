"""The command line as a person uses it, in this process: arguments in; exit code, output and errors out."""

import io
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from muster.cli import main


@dataclass(frozen=True)
class Ended:
    """One command's end."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document."""
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        """The error of a command with --json."""
        return json.loads(self.err)["error"]


@dataclass(frozen=True)
class Muster:
    """Runs commands with settings of its own; the developer's ``MUSTER_*`` do not reach it."""

    settings: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, *arguments: object, stdin: bytes = b"", settings: Mapping[str, str] | None = None
    ) -> Ended:
        """Run one command to its end, in a thread so that an async test may do it too."""
        out, err = _stream(), _stream()
        with (
            _environment({**self.settings, **(settings or {})}),
            _stdin(stdin),
            redirect_stdout(out),
            redirect_stderr(err),
            ThreadPoolExecutor(1) as pool,
        ):
            code = pool.submit(main, [str(argument) for argument in arguments]).result()
        return Ended(code, _text(out), _text(err))

    def done(self, *arguments: object, **options: Any) -> Any:
        """Run a command with --json that must succeed, and give what it printed."""
        ended = self(*arguments, "--json", **options)
        assert ended.code == 0, ended.err or ended.out
        return ended.json


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("MUSTER_") or name.startswith("MUSTER_TEST_")
    }
    with patch.dict(os.environ, {**kept, **settings}, clear=True):
        yield


@contextmanager
def _stdin(content: bytes) -> Iterator[None]:
    with patch("sys.stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")):
        yield


@pytest.fixture
def muster(tmp_path: Path) -> Muster:
    """The command line on a data folder of this test's own, SQLite, nothing set up."""
    return Muster({"MUSTER_DATA_DIR": str(tmp_path / "data")})


@pytest.fixture
def muster_on(database_url: str, tmp_path: Path) -> Muster:
    """The command line on a migrated database; the test runs once on each kind."""
    return Muster({"MUSTER_DATA_DIR": str(tmp_path / "data"), "MUSTER_DATABASE_URL": database_url})
