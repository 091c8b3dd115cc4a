"""What both databases can do but spell, or plan, in their own ways."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction


class scanned(GenericFunction[Any]):  # noqa: N801 - reads as the function that it is in a statement
    """A column that no index is to be looked for by.

    SQLite takes any index that begins with the tenant for a good one, and then fetches every row of the
    tenant by itself: five times what reading the table from its beginning to its end takes.
    """

    inherit_cache = True


class by_row(GenericFunction[Any]):  # noqa: N801
    """What tells a table's rows apart, and orders them, at the least cost: given the one column that does.

    SQLite's own number of a row is an eighth of an id as it is kept there, which is seen when many thousands
    are sorted. It may change when the file is compacted: nothing may keep it.
    """

    inherit_cache = True


class by_code_point(GenericFunction[str]):  # noqa: N801
    """Text that is ordered by its characters' numbers, the same on both databases whatever their locale."""

    type = String()
    inherit_cache = True


class holds(GenericFunction[bool]):  # noqa: N801
    """Whether the first text has the second in it, letter by letter."""

    type = Boolean()
    inherit_cache = True


def _arguments(element: GenericFunction[Any], compiler: SQLCompiler, **options: Any) -> list[str]:
    return [compiler.process(clause, **options) for clause in element.clauses]


@compiles(scanned)
def _scanned(element: scanned, compiler: SQLCompiler, **options: Any) -> str:
    return _arguments(element, compiler, **options)[0]


@compiles(scanned, "sqlite")
def _scanned_on_sqlite(element: scanned, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{_arguments(element, compiler, **options)[0]}"


@compiles(by_row)
def _by_row(element: by_row, compiler: SQLCompiler, **options: Any) -> str:
    return _arguments(element, compiler, **options)[0]


@compiles(by_row, "sqlite")
def _by_row_on_sqlite(element: by_row, compiler: SQLCompiler, **options: Any) -> str:
    (column,) = element.clauses
    return f"{compiler.process(column, **options).rpartition('.')[0]}.rowid"


@compiles(by_code_point)
def _by_code_point(element: by_code_point, compiler: SQLCompiler, **options: Any) -> str:
    return _arguments(element, compiler, **options)[0]


@compiles(by_code_point, "postgresql")
def _by_code_point_on_postgresql(element: by_code_point, compiler: SQLCompiler, **options: Any) -> str:
    return f'{_arguments(element, compiler, **options)[0]} COLLATE "C"'


@compiles(holds)
def _holds(element: holds, compiler: SQLCompiler, **options: Any) -> str:
    text, part = _arguments(element, compiler, **options)
    return f"instr({text}, {part}) > 0"


@compiles(holds, "postgresql")
def _holds_on_postgresql(element: holds, compiler: SQLCompiler, **options: Any) -> str:
    text, part = _arguments(element, compiler, **options)
    return f"strpos({text}, {part}) > 0"
