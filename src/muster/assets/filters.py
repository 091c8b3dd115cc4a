"""The filters of a list of assets as they stand in an address: read, refused where nobody knows them, and
shown as chips.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from muster.assets.schemas import AssetFilter, AssetOrder, AssetSort
from muster.errors import InvalidInput
from muster.naming import as_id
from muster.providers import registry
from muster.providers.contract import AgentStatus, AssetType

TEXT_LIMIT = 200
_SEEN = re.compile(r"(within|older)-([1-9][0-9]{0,3})")
_SORTS = tuple(f"{sign}{sort.value}" for sort in AssetSort for sign in ("", "-"))
_YES_NO = {"yes": True, "no": False}

STATUS_WORDS = {status.value: status.value.capitalize() for status in AgentStatus}
TYPE_WORDS = {kind.value: kind.value.capitalize() for kind in AssetType}
PLATFORM_WORDS = {"windows": "Windows", "linux": "Linux", "macos": "macOS"}
SEEN_CHOICES = ("within-1", "within-7", "within-30", "older-1", "older-7", "older-30", "older-90")
RETIRED_WORDS = {"yes": "Retired", "all": "Retired or not"}

# What an address may hold beside the filters.
_ORDERING = ("sort", "page", "rows")


@dataclass(frozen=True, slots=True)
class Field:
    """A filter: its name in the address and on the screen. With `several` it takes more than one value."""

    key: str
    label: str
    several: bool = False


FIELDS: Sequence[Field] = (
    Field("client", "Client"),
    Field("site", "Site"),
    Field("status", "Status", several=True),
    Field("type", "Type"),
    Field("platform", "Platform", several=True),
    Field("provider", "Provider"),
    Field("integration", "Integration"),
    Field("seen", "Last seen"),
    Field("reboot", "Needs reboot"),
    Field("maintenance", "Maintenance mode"),
    Field("missing", "Missing"),
    Field("retired", "Retired"),
)
_BY_KEY = {field.key: field for field in FIELDS}
_KNOWN = ("q", *_BY_KEY, *_ORDERING)


@dataclass(frozen=True, slots=True)
class AssetQuery:
    """What an address asks for. `values` are its filters, and nothing else, in the order of FIELDS."""

    wanted: AssetFilter
    order: AssetOrder
    values: Mapping[str, Sequence[str]]
    search: str
    sort: str
    page: int | None = None
    rows: int | None = None

    @property
    def address(self) -> dict[str, str | Sequence[str]]:
        """Everything but the page, as a link keeps it."""
        kept: dict[str, str | Sequence[str]] = {"q": self.search} if self.search else {}
        kept |= self.values
        if self.sort != AssetSort.NAME:
            kept["sort"] = self.sort
        if self.rows is not None:
            kept["rows"] = str(self.rows)
        return kept

    @property
    def count(self) -> int:
        """How many filters are set, a search among them."""
        return len(self.values) + bool(self.search)


def read(items: Iterable[tuple[str, str]], now: datetime) -> AssetQuery:
    """The query of an address. InvalidInput, naming what there is, for a filter or a value that nobody
    knows: a list that silently leaves a filter out shows what was not asked for.
    """
    given: dict[str, list[str]] = {}
    for name, text in items:
        if name not in _KNOWN:
            raise InvalidInput(
                f"There is no filter {name[:50]!r}.", remedy=f"There are: {', '.join(_KNOWN)}."
            )
        if len(text) > TEXT_LIMIT:
            raise InvalidInput(
                f"The filter {name!r} holds too much.", remedy=f"At most {TEXT_LIMIT} letters."
            )
        if text := text.strip():
            given.setdefault(name, []).append(text)
    values = {field.key: _taken(field, given[field.key]) for field in FIELDS if field.key in given}
    sort = _one_of("sort", _last(given, "sort") or AssetSort.NAME.value, _SORTS)
    search = _last(given, "q") or ""
    return AssetQuery(
        wanted=_wanted(values, search, now),
        order=AssetOrder(AssetSort(sort.removeprefix("-")), sort.startswith("-")),
        values=values,
        search=search,
        sort=sort,
        page=_number("page", given),
        rows=_number("rows", given),
    )


def provider_words() -> dict[str, str]:
    """What each kind of provider is called."""
    return {each.manifest.key: each.manifest.display_name for each in registry.all()}


def seen_words(value: str) -> str:
    """`older-7` as a person reads it."""
    kind, _, days = value.partition("-")
    count = f"{int(days):,} {'day' if days == '1' else 'days'}"
    return f"within {count}" if kind == "within" else f"more than {count} ago"


def _wanted(values: Mapping[str, Sequence[str]], search: str, now: datetime) -> AssetFilter:
    single = {name: found[0] for name, found in values.items()}
    if "site" in single and "client" not in single:
        raise InvalidInput(
            "A site is one of a client's: the filter 'site' needs a client.", remedy="Choose a client, too."
        )
    since, unseen = _seen(single.get("seen"), now)
    retired = single.get("retired", "no")
    return AssetFilter(
        statuses=tuple(
            AgentStatus(_one_of("status", text, STATUS_WORDS)) for text in values.get("status", ())
        ),
        client_id=_identity("client", single),
        site=single.get("site"),
        asset_type=AssetType(_one_of("type", single["type"], TYPE_WORDS)) if "type" in single else None,
        platforms=tuple(_one_of("platform", text, PLATFORM_WORDS) for text in values.get("platform", ())),
        provider=_one_of("provider", single["provider"], provider_words()) if "provider" in single else None,
        integration_id=_identity("integration", single),
        seen_since=since,
        unseen_since=unseen,
        needs_reboot=_flag("reboot", single),
        maintenance=_flag("maintenance", single),
        missing=_flag("missing", single),
        retired={"no": False, "yes": True, "all": None}[_one_of("retired", retired, ("no", "yes", "all"))],
        search=search or None,
    )


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


def _identity(name: str, single: Mapping[str, str]) -> UUID | None:
    if name not in single:
        return None
    found = as_id(single[name])
    if found is None:
        raise InvalidInput(f"The filter {name!r} takes an id.", remedy="Choose from the list's own filters.")
    return found


def _flag(name: str, single: Mapping[str, str]) -> bool | None:
    return _YES_NO[_one_of(name, single[name], _YES_NO)] if name in single else None


def _seen(text: str | None, now: datetime) -> tuple[datetime | None, datetime | None]:
    if text is None:
        return None, None
    found = _SEEN.fullmatch(text)
    if found is None:
        raise InvalidInput(
            f"The filter 'seen' knows no {text[:50]!r}.", remedy="Write within-7 or older-30, in days."
        )
    moment = now - timedelta(days=int(found[2]))
    return (moment, None) if found[1] == "within" else (None, moment)


def _number(name: str, given: Mapping[str, Sequence[str]]) -> int | None:
    text = _last(given, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidInput(f"{name!r} is a number.", remedy="Leave it out to begin at the first page.")
    return int(text)
