"""Comma-separated values (RFC 4180) as spreadsheets read them."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from typing import Any

from litestar.response import Stream

# Without it spreadsheets take UTF-8 for something older.
_BYTE_ORDER_MARK = "\ufeff"
# What makes a spreadsheet take a cell for a formula, and run it.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def download(pieces: AsyncIterator[bytes], name: str) -> Stream:
    """A file of this name, sent piece by piece."""
    return Stream(
        pieces,
        media_type="text/csv",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def head(columns: Iterable[str]) -> bytes:
    """The beginning of a file: its columns' names."""
    return _BYTE_ORDER_MARK.encode() + rows([columns])


def rows(values: Iterable[Iterable[Any]]) -> bytes:
    """Rows of values, each as `cell` gives it."""
    target = io.StringIO()
    csv.writer(target, lineterminator="\r\n").writerows([cell(value) for value in row] for row in values)
    return target.getvalue().encode()


def cell(value: Any) -> str:
    """A value as a spreadsheet may have it: what it would take for a formula gets an apostrophe."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        case int() | float():
            return str(value)
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
