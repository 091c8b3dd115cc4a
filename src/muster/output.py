"""What a command prints: JSON for programs, tables for people. Only results go to standard output."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

# In a pipe nobody resizes anything, and a cut cell is a lost one.
_PIPE_WIDTH = 240
_STYLES = {"online": "green", "overdue": "red", "offline": "yellow", "unknown": "dim"}


class Output:
    """Prints one command's results."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)

    def thing(self, value: Any, *, title: str | None = None) -> None:
        """One object: JSON, or its fields one a line. Anything msgspec can encode to an object."""
        if self.as_json:
            self._json(value)
            return
        fields: dict[str, Any] = msgspec.to_builtins(value, builtin_types=(datetime,))
        table = Table(box=None, show_header=False, pad_edge=False, title=title, title_justify="left")
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for name, content in fields.items():
            table.add_row(Text(name), _cell(content))
        self._out.print(table)

    def items(
        self,
        rows: Sequence[Any],
        columns: Mapping[str, str],
        *,
        empty: str = "Nothing to show.",
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """A list: JSON `{"items": [...]}` with everything (and `extra` beside), or a table of `columns`
        (field -> heading). Rows are mappings or Structs.
        """
        if self.as_json:
            self._json({"items": rows, **(extra or {})})
            return
        if not rows:
            self.say(empty)
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in columns.values():
            table.add_column(heading, overflow="fold")
        shown: list[dict[str, Any]] = msgspec.to_builtins(rows, builtin_types=(datetime,))
        for row in shown:
            table.add_row(*(_cell(row.get(name)) for name in columns))
        self._out.print(table)

    def json(self, value: Any) -> bool:
        """Print JSON if that was asked for, and say whether it was: `if not output.json(result): ...`."""
        if self.as_json:
            self._json(value)
        return self.as_json

    def say(self, text: str) -> None:
        """A line for people; nothing in JSON."""
        if not self.as_json:
            self._out.print(Text(plain(text)), soft_wrap=True)

    def show(self, renderable: Any) -> None:
        """Something of Rich's for people; nothing in JSON."""
        if not self.as_json:
            self._out.print(renderable)

    def note(self, text: str) -> None:
        """A line on standard error, for people: advice that is no part of the result."""
        if not self.as_json:
            self._err.print(Text(plain(text)), soft_wrap=True)

    def error(self, code: str, message: str, remedy: str | None = None) -> None:
        """One line on standard error, or `{"error": {code, message, remedy}}`."""
        if self.as_json:
            error = {"error": {"code": code, "message": message, "remedy": remedy}}
            sys.stderr.write(msgspec.json.encode(error).decode() + "\n")
            return
        line = Text("Error: ", style="bold red")
        line.append(plain(f"{message} {remedy}" if remedy else message), style="not bold default")
        self._err.print(line, soft_wrap=True)

    @contextmanager
    def progress(self, description: str) -> Iterator[Callable[[int, int | None], None]]:
        """A progress bar on standard error while the body runs; nothing where no person watches.

        The body calls what it is given with (done so far, total or None when unknown).
        """
        shown = not self.as_json and self._err.is_terminal
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._err, transient=True, disable=not shown) as bars:
            task = bars.add_task(description, total=None)

            def update(completed: int, total: int | None = None) -> None:
                bars.update(task, completed=completed, total=total)

            yield update

    def _json(self, value: Any) -> None:
        text = msgspec.json.format(msgspec.json.encode(value, order=None), indent=2).decode()
        sys.stdout.write(text + "\n")


def plain(text: str) -> str:
    """Text from outside without what would steer a terminal: control characters, bidi and other formats."""
    return "".join(
        letter if letter in "\n\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs") else "\ufffd"
        for letter in text
    )


def _cell(value: Any) -> Text:
    match value:
        case None:
            return Text("-", style="dim")
        case bool():
            return Text("yes" if value else "no")
        case datetime():
            return Text(value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ"))
        case Mapping() | list() | tuple() if not value:
            return Text("-", style="dim")
        case Mapping():
            return Text(plain(", ".join(f"{name} {_inline(item)}" for name, item in value.items())))
        case list() | tuple():
            return Text(plain("\n".join(_inline(item) for item in value)))
        case _:
            text = plain(str(value))
            return Text(text, style=_STYLES.get(text, ""))


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_inline(item)}" for name, item in value.items() if item is not None)
    return "-" if value is None else str(value)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else _PIPE_WIDTH, highlight=False, emoji=False)
