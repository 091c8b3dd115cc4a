"""Which client an organization probably stands for, by their names. Pure; a person confirms."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Literal
from uuid import UUID

import msgspec

from muster.naming import folded, name_key, spellings

# The names say the same. Only one organization can have a client at this confidence.
EXACT = 1.0
# The names say the same, but so do others, or the client stands for another organization already.
AMBIGUOUS = 0.95
# Names that merely look alike stay below those that say the same.
_MOST_ALIKE = 0.94
LEAST = 0.75
# Candidates compared letter by letter for one organization: those that share most trigrams.
_CLOSEST = 20

_INITIALS = re.compile(r"\b(?:\w\.){2,}|\b(?:\w\.)+\w\b")
_JOINERS = frozenset({"and", "und", "et"})
# fmt: off
_LEGAL_FORMS = frozenset({
    "ab", "ag", "aps", "as", "asa", "bv", "co", "company", "corp", "corporation", "cv", "doo", "eg", "eirl",
    "ev", "gbr", "gmbh", "hb", "inc", "incorporated", "kft", "kg", "kgaa", "kk", "ks", "lda", "limited",
    "llc", "llp", "lp", "ltd", "ltda", "mbh", "nv", "oe", "og", "ohg", "oy", "oyj", "plc", "pllc", "pte",
    "pty", "pvt", "sa", "sarl", "sas", "se", "sl", "slu", "spa", "spj", "spk", "spzoo", "srl", "sro", "ug",
})
# fmt: on
# Forms whose letters are set apart: A/S, Sp. z o.o., s. r. o., e. V.
_SPLIT_FORMS = (("sp", "z", "oo"), ("sp", "z", "o", "o"), ("s", "r", "o"), ("a", "s"), ("e", "v"), ("s", "a"))


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A client an organization probably stands for. `confidence` is from 0.75 to 1.0 (the same name)."""

    client_id: UUID
    client_name: str
    confidence: float


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What automatic matching would do with an unmapped organization.

    `action`: `map` (the names say the same), `create` (nothing fits: a client of its name), `review` (a
    person decides) or `none` (nothing fits, and nothing is to be created).
    """

    external_organization_id: str
    external_organization_name: str
    action: Literal["map", "create", "review", "none"]
    proposal: Proposal | None


class _Name(msgspec.Struct, frozen=True):
    """A name in its comparable spellings: as typed but for case, whole, and without legal form."""

    typed: frozenset[str]
    whole: frozenset[str]
    core: frozenset[str]


def normalized(name: str) -> frozenset[str]:
    """The comparable spellings of a name: case, width, punctuation and legal form taken away.

    There are two where an umlaut can be written both ways (ä as ae and as a). Never empty unless the
    name has no letter or digit at all.
    """
    return _read(name).core


def propose(
    organizations: Iterable[tuple[str, str]],
    clients: Iterable[tuple[UUID, str]],
    taken: Collection[UUID] = (),
) -> dict[str, Proposal]:
    """For each organization (external id, name) the client (id, name) it most probably stands for.

    Organizations that nothing fits are absent. `taken` are clients that another organization stands for
    already: they can still be proposed, but never at 1.0.
    """
    ours = [(client_id, name, _read(name)) for client_id, name in sorted(clients, key=lambda c: (c[1], c[0]))]
    theirs = [(external_id, _read(name)) for external_id, name in organizations]
    proposals = _by_same_name(theirs, ours, frozenset(taken))
    alike = _alike(tuple(ours))
    for external_id, name in theirs:
        if external_id not in proposals and (best := alike.best(name)) is not None:
            proposals[external_id] = best
    return {external_id: proposals[external_id] for external_id, _ in theirs if external_id in proposals}


def plan_matches(
    organizations: Sequence[tuple[str, str]],
    clients: Iterable[tuple[UUID, str]],
    taken: Collection[UUID] = (),
    *,
    create_missing: bool = False,
) -> list[Match]:
    """One Match for each of the unmapped organizations (external id, name), in their order.

    Of several that nothing fits and that share a name no client is created: which one it would stand
    for is a person's question.
    """
    proposals = propose(organizations, clients, taken)
    names = Counter(name_key(name) for _, name in organizations)

    def action(external_id: str, name: str) -> Literal["map", "create", "review", "none"]:
        proposal = proposals.get(external_id)
        if proposal is not None:
            return "map" if proposal.confidence == EXACT else "review"
        if not create_missing:
            return "none"
        return "create" if names[name_key(name)] == 1 else "review"

    return [
        Match(
            external_organization_id=external_id,
            external_organization_name=name,
            action=action(external_id, name),
            proposal=proposals.get(external_id),
        )
        for external_id, name in organizations
    ]


_Client = tuple[UUID, str, _Name]
_Spelt = Callable[[_Name], frozenset[str]]
_TIERS: tuple[_Spelt, ...] = (
    lambda name: name.typed,
    lambda name: name.whole,
    lambda name: name.core,
)


def _by_same_name(
    organizations: Sequence[tuple[str, _Name]], clients: Sequence[_Client], taken: frozenset[UUID]
) -> dict[str, Proposal]:
    """Same names, the closest spelling first: 'Alpha GmbH' is rather 'Alpha GmbH' than 'Alpha Inc.'"""
    proposals: dict[str, Proposal] = {}
    used = set(taken)
    for spelt in _TIERS:
        left = [(external_id, name) for external_id, name in organizations if external_id not in proposals]
        fits = _pairs(left, clients, spelt)
        wanted = Counter(client_id for found in fits.values() for client_id, _, _ in found)
        for external_id, found in fits.items():
            client_id, client_name, _ = found[0]
            sure = len(found) == 1 and wanted[client_id] == 1 and client_id not in used
            proposals[external_id] = Proposal(
                client_id=client_id, client_name=client_name, confidence=EXACT if sure else AMBIGUOUS
            )
        used |= {proposals[external_id].client_id for external_id in fits}
    return proposals


def _pairs(
    organizations: Sequence[tuple[str, _Name]], clients: Sequence[_Client], spelt: _Spelt
) -> dict[str, list[_Client]]:
    by_spelling: defaultdict[str, dict[UUID, _Client]] = defaultdict(dict)
    for client in clients:
        for spelling in spelt(client[2]):
            by_spelling[spelling][client[0]] = client
    pairs: dict[str, list[_Client]] = {}
    for external_id, name in organizations:
        found = {c[0]: c for spelling in sorted(spelt(name)) for c in by_spelling[spelling].values()}
        if found:
            pairs[external_id] = list(found.values())
    return pairs


# --- names that look alike -------------------------------------------------------------------------------


class _Alike:
    """The clients that names look like. It remembers: what one organization looks like does not depend on
    the others, and after each mapping all are asked for again.
    """

    def __init__(self, clients: Sequence[_Client]) -> None:
        self._clients = clients
        self._index = _trigram_index([name for _, _, name in clients])
        self._known: dict[_Name, Proposal | None] = {}

    def best(self, name: _Name) -> Proposal | None:
        """The client whose name agrees in most letters, if enough of them do."""
        if name not in self._known:
            self._known[name] = self._find(name)
        return self._known[name]

    def _find(self, name: _Name) -> Proposal | None:
        shared: Counter[int] = Counter()
        for trigram in _trigrams(name):
            shared.update(self._index.get(trigram, ()))
        best: tuple[float, int] | None = None
        for position, _ in sorted(shared.items(), key=lambda item: (-item[1], item[0]))[:_CLOSEST]:
            score = _likeness(name, self._clients[position][2], over=best[0] if best else 0)
            if score >= LEAST and (best is None or score > best[0]):
                best = (score, position)
        if best is None:
            return None
        client_id, client_name, _ = self._clients[best[1]]
        return Proposal(client_id=client_id, client_name=client_name, confidence=min(best[0], _MOST_ALIKE))


@lru_cache(maxsize=8)
def _alike(clients: tuple[_Client, ...]) -> _Alike:
    return _Alike(clients)


def _likeness(one: _Name, other: _Name, *, over: float) -> float:
    """From 0 to 1: how much of the letters agree, in order or with the words sorted.

    0 as well when it is sure that it is too little, or not more than `over`.
    """
    pairs = {
        pair for x in one.core for y in other.core for pair in ((x, y), (_sorted_words(x), _sorted_words(y)))
    }
    likeness = over
    for a, b in sorted(pairs):
        matcher = SequenceMatcher(None, a, b, autojunk=False)
        # The quick ratios are upper bounds of the slow one, which is the price of the whole matching.
        for ratio in (matcher.real_quick_ratio, matcher.quick_ratio, matcher.ratio):
            found = round(ratio(), 2)
            if found < LEAST or found <= likeness:
                break
        else:
            likeness = found
    return likeness if likeness > over else 0


def _sorted_words(text: str) -> str:
    return " ".join(sorted(text.split()))


def _trigram_index(names: Sequence[_Name]) -> dict[str, list[int]]:
    index: defaultdict[str, list[int]] = defaultdict(list)
    for position, name in enumerate(names):
        for trigram in _trigrams(name):
            index[trigram].append(position)
    return index


def _trigrams(name: _Name) -> set[str]:
    # Padded by words, so that short words count and word order does not.
    padded = [f"  {word} " for spelling in name.core for word in spelling.split()]
    return {word[i : i + 3] for word in padded for i in range(len(word) - 2)}


# --- reading a name --------------------------------------------------------------------------------------


@lru_cache(maxsize=20_000)
def _read(name: str) -> _Name:
    words = [found for text in sorted(spellings(name)) if (found := _words(text))]
    return _Name(
        typed=frozenset({" ".join(folded(name).split())} if words else ()),
        whole=frozenset(" ".join(found) for found in words),
        core=frozenset(" ".join(_without_legal_form(found)) for found in words),
    )


def _words(text: str) -> list[str]:
    text = _INITIALS.sub(lambda found: found.group().replace(".", ""), text)
    text = re.sub(r"['’`´]", "", text)
    text = re.sub(r"[&+]", " and ", text)
    words = re.sub(r"[\W_]+", " ", text).split()
    return ["&" if word in _JOINERS else word for word in words]


def _without_legal_form(words: list[str]) -> list[str]:
    """The words before the legal form; all of them when nothing else would be left."""
    core = list(words)
    while core:
        tail = next((form for form in _SPLIT_FORMS if tuple(core[-len(form) :]) == form), None)
        if tail is not None:
            del core[-len(tail) :]
        elif core[-1] in _LEGAL_FORMS or core[-1] == "&":
            core.pop()
        else:
            return core
    return words
