"""The filters of the lists of software as they stand in an address, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from muster.errors import InvalidInput
from muster.software import words
from muster.software.schemas import (
    ChangeFilter,
    InstallFilter,
    InstallOrder,
    InstallSort,
    TitleFilter,
    TitleOrder,
    TitleSort,
)
from muster.software.versions import VersionBound
from muster.web.filters import Field, Filters

PATH = "/software"
CHANGES_PATH = f"{PATH}/changes"

CLIENT = Field("client", "Client")
_VERSION = Field("version", "Version")
TITLE_FIELDS: Sequence[Field] = (_VERSION, Field("publisher", "Publisher"), CLIENT)
# `exact` is one version by its id: what the list of a title's versions leads to.
MACHINE_FIELDS: Sequence[Field] = (_VERSION, Field("exact", "Version"), CLIENT)
CHANGE_FIELDS: Sequence[Field] = (Field("title", "Title"), CLIENT, Field("asset", "Machine"))
# What goes away with a filter: how its version is meant.
GOES_WITH: Mapping[str, Sequence[str]] = {"version": ("op",)}
# "OpenSSL below 3.0.15", as a person types it.
_TYPED = re.compile(
    r"(?P<title>.*\S)\s+(?P<sign>below|above|at most|at least|exactly|<=|>=|<|>|=)\s*(?P<version>v?\d\S*)",
    re.IGNORECASE,
)
_MEANT: Mapping[str, str] = {
    **{sign: name for name, sign in words.SIGNS.items()},
    **{text: name for name, text in words.OPERATORS.items()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleQuery(Filters):
    """What an address asks the search of the fleet for."""

    wanted: TitleFilter
    order: TitleOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineQuery(Filters):
    """Which installs of one title an address asks for."""

    wanted: InstallFilter
    order: InstallOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeQuery(Filters):
    """Which changes an address asks for; `kind` is "" for all of them."""

    kind: str
    days: str
    wanted: ChangeFilter


def titles(items: Iterable[tuple[str, str]]) -> TitleQuery:
    """The search of an address; InvalidInput for a filter or a value that nobody knows. A search like
    "OpenSSL below 3.0.15" is one for a title and a version.
    """
    asked = Filters.read(
        items,
        TITLE_FIELDS,
        sorts=[sort.value for sort in TitleSort],
        usual=TitleSort.NAME.value,
        also=("op",),
    )
    asked = _with_operator(_understood(asked))
    wanted = TitleFilter(
        search=asked.search or None,
        publisher=asked.text("publisher"),
        bound=bound_of(asked),
        client_id=asked.identity("client"),
    )
    order = TitleOrder(TitleSort(asked.sort.removeprefix("-")), asked.sort.startswith("-"))
    return TitleQuery(**asdict(asked), wanted=wanted, order=order)


def machines(items: Iterable[tuple[str, str]], software_id: UUID) -> MachineQuery:
    """Which installs of a title an address asks for; refusals as for `titles`."""
    asked = Filters.read(
        items,
        MACHINE_FIELDS,
        sorts=[sort.value for sort in InstallSort],
        usual=InstallSort.MACHINE.value,
        also=("op",),
    )
    asked = _with_operator(_without_search(asked))
    wanted = InstallFilter(
        software_id=software_id,
        bound=bound_of(asked),
        version_id=asked.identity("exact"),
        client_id=asked.identity("client"),
    )
    order = InstallOrder(InstallSort(asked.sort.removeprefix("-")), asked.sort.startswith("-"))
    return MachineQuery(**asdict(asked), wanted=wanted, order=order)


def changes(items: Iterable[tuple[str, str]], now: datetime) -> ChangeQuery:
    """Which changes an address asks for, those of a week where it says nothing; refusals as for `titles`."""
    asked = _without_search(
        Filters.read(items, CHANGE_FIELDS, sorts=["changed"], usual="-changed", also=("kind", "days"))
    )
    kind, days = asked.also.get("kind", ""), asked.also.get("days", words.USUAL_DAYS)
    _known("kind", kind, ("", *words.KINDS))
    _known("days", days, words.DAYS)
    shown = {"kind": kind, "days": "" if days == words.USUAL_DAYS else days}
    stretch = words.DAYS[days].days
    wanted = ChangeFilter(
        asset_id=asked.identity("asset"),
        software_id=asked.identity("title"),
        client_id=asked.identity("client"),
        kind=kind or None,
        since=None if stretch is None else now - timedelta(days=stretch),
    )
    also = {name: text for name, text in shown.items() if text}
    return ChangeQuery(**{**asdict(asked), "also": also}, kind=kind, days=days, wanted=wanted)


def bound_of(asked: Filters) -> VersionBound | None:
    """The bound of the version that a list is asked for."""
    version = asked.text("version")
    if version is None:
        return None
    return VersionBound(words.SIGNS[operator_of(asked)], version)


def operator_of(asked: Filters) -> str:
    """How the version is meant."""
    return asked.also.get("op", words.USUAL_OPERATOR)


def carried(asked: Filters) -> dict[str, Any]:
    """What the address of a title's page keeps of a search of the fleet."""
    return {name: each for name, each in asked.address.items() if name in ("version", "op", "client")}


def _understood(asked: Filters) -> Filters:
    found = None if "version" in asked.values else _TYPED.fullmatch(asked.search)
    if found is None:
        return asked
    values = {"version": [found["version"]], **asked.values}
    also = {"op": _MEANT[found["sign"].lower()]}
    return replace(asked, search=found["title"], values=values, also=also)


def _with_operator(asked: Filters) -> Filters:
    """Without a version there is no operator: a form sends the one that it shows."""
    _known("op", operator_of(asked), words.OPERATORS)
    if "version" in asked.values and operator_of(asked) != words.USUAL_OPERATOR:
        return asked
    return replace(asked, also={})


def _without_search(asked: Filters) -> Filters:
    if asked.search:
        raise InvalidInput("This list has no search.", remedy="Search among the titles, then open one.")
    return asked


def _known(name: str, text: str, choices: Iterable[str]) -> None:
    if text not in choices:
        raise InvalidInput(
            f"The filter {name!r} knows no {text[:50]!r}.",
            remedy=f"Choose one of: {', '.join(each for each in choices if each)}.",
        )
