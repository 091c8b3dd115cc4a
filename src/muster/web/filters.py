"""The filters of a list as they stand in an address: read, refused where nobody knows them, and shown as
chips. A room says which filters its list has and what their values mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from muster.errors import InvalidInput
from muster.naming import as_id
from muster.web.paging import address

TEXT_LIMIT = 200
YES_NO_WORDS: Mapping[str, str] = {"yes": "Yes", "no": "No"}
_SPAN = re.compile(r"(within|older)-([1-9][0-9]{0,3})")
# What an address may hold beside the filters.
_ORDERING = ("sort", "page", "rows")


def as_in_address(
    given: Mapping[str, object], sent: Iterable[tuple[str, str]], *, known: Iterable[str] = ()
) -> list[tuple[str, str]]:
    """What a program asks a list for, as the page's address says it, so that the same comes of both. `given`
    are the values that were understood, a list for several of one name; `known` is what else may have been
    `sent`. What nobody knows is in it too, to be refused.
    """
    items = [
        (name, str(each))
        for name, value in given.items()
        for each in (value if isinstance(value, list) else [value])
        if each is not None
    ]
    known = {*given, *known, "limit", "offset"}
    return items + [(name, value) for name, value in sent if name not in known]


@dataclass(frozen=True, slots=True)
class Field:
    """A filter: its name in the address and on the screen. With `several` it takes more than one value."""

    key: str
    label: str
    several: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What an address asks a list for. `values` are its filters, and nothing else, in the order of the
    list's fields; `usual_sort` is how the list stands when the address says nothing. `also` is what else the
    address says and links keep: which part of the list is shown, what stands beside it.
    """

    values: Mapping[str, Sequence[str]]
    search: str
    sort: str
    usual_sort: str
    page: int | None = None
    rows: int | None = None
    also: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        items: Iterable[tuple[str, str]],
        fields: Sequence[Field],
        *,
        sorts: Sequence[str],
        usual: str,
        also: Sequence[str] = (),
    ) -> Self:
        """The filters of an address. InvalidInput, naming what there is, for one that nobody knows: a list
        that silently leaves a filter out shows what was not asked for. `sorts` are the columns to sort by,
        `also` what else the address may say.
        """
        known = ("q", *(field.key for field in fields), *also, *_ORDERING)
        given: dict[str, list[str]] = {}
        for name, text in items:
            if name not in known:
                raise InvalidInput(
                    f"There is no filter {name[:50]!r}.", remedy=f"There are: {', '.join(known)}."
                )
            if len(text) > TEXT_LIMIT:
                raise InvalidInput(
                    f"The filter {name!r} holds too much.", remedy=f"At most {TEXT_LIMIT} letters."
                )
            if text := text.strip():
                given.setdefault(name, []).append(text)
        directions = tuple(f"{sign}{sort}" for sort in sorts for sign in ("", "-"))
        return cls(
            values={field.key: _taken(field, given[field.key]) for field in fields if field.key in given},
            search=_last(given, "q") or "",
            sort=_one_of("sort", _last(given, "sort") or usual, directions),
            usual_sort=usual,
            page=_number("page", given),
            rows=_number("rows", given),
            also={name: given[name][-1] for name in also if name in given},
        )

    @property
    def address(self) -> dict[str, str | Sequence[str]]:
        """Everything but the page, as a link keeps it."""
        kept: dict[str, str | Sequence[str]] = dict(self.also)
        if self.search:
            kept["q"] = self.search
        kept |= self.values
        if self.sort != self.usual_sort:
            kept["sort"] = self.sort
        if self.rows is not None:
            kept["rows"] = str(self.rows)
        return kept

    @property
    def count(self) -> int:
        """How many filters are set, a search among them."""
        return len(self.values) + bool(self.search)

    def text(self, name: str) -> str | None:
        """A filter's value as it was written."""
        return self.values[name][0] if name in self.values else None

    def choice(self, name: str, known: Iterable[str]) -> str | None:
        """A filter's value, which must be one of those known."""
        return _one_of(name, self.values[name][0], known) if name in self.values else None

    def choices(self, name: str, known: Iterable[str]) -> tuple[str, ...]:
        """A filter's values, each of which must be known."""
        choices = tuple(known)
        return tuple(_one_of(name, text, choices) for text in self.values.get(name, ()))

    def flag(self, name: str) -> bool | None:
        """A filter that is yes or no."""
        chosen = self.choice(name, YES_NO_WORDS)
        return None if chosen is None else chosen == "yes"

    def identity(self, name: str) -> UUID | None:
        """A filter that holds an id."""
        text = self.text(name)
        if text is None:
            return None
        found = as_id(text)
        if found is None:
            raise InvalidInput(
                f"The filter {name!r} takes an id.", remedy="Choose from the list's own filters."
            )
        return found

    def span(self, name: str, now: datetime) -> tuple[datetime | None, datetime | None]:
        """A filter like within-7 or older-30, in days: (at or after this moment, before this moment)."""
        text = self.text(name)
        if text is None:
            return None, None
        found = _SPAN.fullmatch(text)
        if found is None:
            raise InvalidInput(
                f"The filter {name!r} knows no {text[:50]!r}.", remedy="Write within-7 or older-30, in days."
            )
        moment = now - timedelta(days=int(found[2]))
        return (moment, None) if found[1] == "within" else (None, moment)


def span_words(value: str) -> str:
    """`older-7` as a person reads it."""
    kind, _, days = value.partition("-")
    count = f"{int(days):,} {'day' if days == '1' else 'days'}"
    return f"within {count}" if kind == "within" else f"more than {count} ago"


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set: its field, its values in words, and the address of the list without it."""

    field: Field
    words: Sequence[tuple[str, str]]
    without: str


@dataclass(frozen=True, slots=True)
class Choices:
    """Every filter's values with their words, and what is set."""

    of: Mapping[str, Mapping[str, str]]
    chips: Sequence[Chip]


def chip(
    field: Field,
    filters: Filters,
    known: Mapping[str, str],
    path: str,
    query: Mapping[str, str | Sequence[str]],
    *,
    with_it: Sequence[str] = (),
) -> Chip:
    """The chip of a filter that is set; `query` is the list's address at `path`, and `with_it` names filters
    that mean nothing without this one. A value that is not among the known ones stands as it is, a span of
    days in words.
    """
    words = []
    for value in filters.values[field.key]:
        found = known.get(value) or known.get(str(as_id(value)))
        words.append((value, found or (span_words(value) if _SPAN.fullmatch(value) else value)))
    return Chip(field, words, address(path, query, **dict.fromkeys((field.key, *with_it))))


def _taken(field: Field, texts: Sequence[str]) -> Sequence[str]:
    return list(dict.fromkeys(texts)) if field.several else [texts[-1]]


def _last(given: Mapping[str, Sequence[str]], name: str) -> str | None:
    return given[name][-1] if name in given else None


def _one_of(name: str, text: str, known: Iterable[str]) -> str:
    choices = list(known)
    if text not in choices:
        raise InvalidInput(
            f"The filter {name!r} knows no {text[:50]!r}.", remedy=f"Choose one of: {', '.join(choices)}."
        )
    return text


def _number(name: str, given: Mapping[str, Sequence[str]]) -> int | None:
    text = _last(given, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInput(f"{name!r} is a number.", remedy="Leave it out to begin at the first page.")
    return int(text)
