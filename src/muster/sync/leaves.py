"""A page of a run's entries, and what they can be narrowed down to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from muster.db import Database
from muster.sync import words
from muster.sync.history import RunHistory
from muster.sync.schemas import EntryFilter, RunView
from muster.sync.types import SyncType
from muster.tenancy import TenantScope
from muster.web.paging import Page

_PROBLEMS = words.ACTION_GROUPS["problems"]
# In the address: what a run of something else brought to organizations.
_LISTING = "organizations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A page of a run's entries. `choices` are (action in the address, word, how many)."""

    lines: Sequence[words.Line]
    page: Page
    query: Mapping[str, str]
    choices: Sequence[tuple[str | None, str, int]]
    path: str


async def leaf(
    database: Database, scope: TenantScope, run: RunView, query: Mapping[str, str], page: Page
) -> Leaf:
    """The entries that the address asks for: `query` holds its `action` and `q`."""
    wanted = entries_wanted(run, query.get("action"), query.get("q"))
    async with database.read(scope) as session:
        history = RunHistory(session, scope)
        counts = await history.count_entries(run.run_id, wanted.text)
        shown = page.of(sum(count for key, count in counts.items() if _matches(wanted, *key)))
        entries = await history.entries(run.run_id, wanted, limit=shown.size, offset=shown.offset)
        names = await history.names(run.integration_id, entries)
    return Leaf(
        lines=[words.line(entry, names) for entry in entries],
        page=shown,
        query=query,
        choices=_choices(run, counts),
        path=f"/runs/{run.run_id}",
    )


def _choices(run: RunView, counts: Mapping[tuple[str, str], int]) -> Sequence[tuple[str | None, str, int]]:
    """What the entries can be narrowed down to, by the word in the address."""
    offered = [
        ("problems", "Problems"),
        *((str(name), word.text) for name, word in words.ACTIONS.items() if name not in _PROBLEMS),
        *([(_LISTING, "Organizations")] if run.sync_type != SyncType.ORGANIZATIONS else []),
    ]
    found = [
        (key, text, sum(n for each, n in counts.items() if _matches(entries_wanted(run, key, None), *each)))
        for key, text in offered
    ]
    return [(None, "All", sum(counts.values())), *(choice for choice in found if choice[2])]


def entries_wanted(run: RunView, action: str | None, text: str | None) -> EntryFilter:
    """The entries that a word in the address means. What a listing brought to organizations on the way
    stands apart from what the run was for, unless it is a problem.
    """
    if action is None:
        return EntryFilter(text=text)
    if action == _LISTING:
        return EntryFilter(text=text, item_type="organization")
    actions = tuple(str(each) for each in words.ACTION_GROUPS.get(action, (action,)))
    apart = run.sync_type != SyncType.ORGANIZATIONS and not set(actions) & set(_PROBLEMS)
    return EntryFilter(actions=actions, text=text, besides="organization" if apart else None)


def _matches(wanted: EntryFilter, item_type: str, action: str) -> bool:
    return (
        (not wanted.actions or action in wanted.actions)
        and wanted.item_type in (None, item_type)
        and wanted.besides != item_type
    )
