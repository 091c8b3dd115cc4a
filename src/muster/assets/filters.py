"""The filters of a list of assets, and what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from muster.assets.schemas import AssetFilter, AssetOrder, AssetSort
from muster.errors import InvalidInput
from muster.providers import registry
from muster.providers.contract import AgentStatus, AssetType
from muster.web.filters import Field, Filters

STATUS_WORDS = {status.value: status.value.capitalize() for status in AgentStatus}
TYPE_WORDS = {kind.value: kind.value.capitalize() for kind in AssetType}
PLATFORM_WORDS = {"windows": "Windows", "linux": "Linux", "macos": "macOS"}
SEEN_CHOICES = ("within-1", "within-7", "within-30", "older-1", "older-7", "older-30", "older-90")
RETIRED_WORDS = {"yes": "Retired", "all": "Retired or not"}
_RETIRED: Mapping[str, bool | None] = {"no": False, "yes": True, "all": None}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetQuery(Filters):
    """What an address asks for, and which assets that are in which order."""

    wanted: AssetFilter
    order: AssetOrder


def read(items: Iterable[tuple[str, str]], now: datetime) -> AssetQuery:
    """The query of an address; InvalidInput for a filter or a value that nobody knows."""
    asked = Filters.read(items, FIELDS, sorts=[sort.value for sort in AssetSort], usual=AssetSort.NAME.value)
    order = AssetOrder(AssetSort(asked.sort.removeprefix("-")), asked.sort.startswith("-"))
    return AssetQuery(**asdict(asked), wanted=_wanted(asked, now), order=order)


def _wanted(asked: Filters, now: datetime) -> AssetFilter:
    if "site" in asked.values and "client" not in asked.values:
        raise InvalidInput(
            "A site is one of a client's: the filter 'site' needs a client.", remedy="Choose a client, too."
        )
    asset_type = asked.choice("type", TYPE_WORDS)
    since, unseen = asked.span("seen", now)
    return AssetFilter(
        statuses=tuple(AgentStatus(text) for text in asked.choices("status", STATUS_WORDS)),
        client_id=asked.identity("client"),
        site=asked.text("site"),
        asset_type=None if asset_type is None else AssetType(asset_type),
        platforms=asked.choices("platform", PLATFORM_WORDS),
        provider=asked.choice("provider", registry.display_names()),
        integration_id=asked.identity("integration"),
        seen_since=since,
        unseen_since=unseen,
        needs_reboot=asked.flag("reboot"),
        maintenance=asked.flag("maintenance"),
        missing=asked.flag("missing"),
        retired=_RETIRED[asked.choice("retired", _RETIRED) or "no"],
        search=asked.search or None,
    )
