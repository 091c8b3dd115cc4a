"""Names that people give to things: what is accepted, and when two are the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from uuid import UUID

from muster.errors import InvalidInput

NAME_LIMIT = 200

_EXPANDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "œ": "oe"})
# Letters that Unicode does not decompose into a base and a mark.
_REDUCED = str.maketrans({"ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i"})
_MARKED = re.compile("([a-zα-ω])[\u0300-\u036f]+")


def clean_name(text: str, *, what: str) -> str:
    """The name trimmed, with single spaces, in NFC. InvalidInput when it is empty, longer than 200
    characters or has control characters in it (a name is one line, and must not steer a terminal).
    """
    name = unicodedata.normalize("NFC", " ".join(text.split(" "))).strip()
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") for letter in name):
        raise InvalidInput(f"The name of {what} has control characters in it.", remedy="Leave them out.")
    name = " ".join(name.split())
    if not name:
        raise InvalidInput(f"The name of {what} is empty.", remedy="Give it one.")
    if len(name) > NAME_LIMIT:
        raise InvalidInput(
            f"The name of {what} is too long ({len(name)} characters).", remedy=f"At most {NAME_LIMIT}."
        )
    return name


def name_key(name: str) -> str:
    """The name folded for comparison: same letters whatever their case, width, form or spacing."""
    # Unicode 3.13, D146: folding and normalizing each can undo the other, hence twice.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    folded = unicodedata.normalize("NFKC", folded.casefold())
    return " ".join(folded.split())


def folded(text: str) -> str:
    """The text without difference of case and width."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=20_000)
def spellings(text: str) -> frozenset[str]:
    """The text in plain letters, case and marks taken away: two spellings where an umlaut can be written
    both ways (ä as ae and as a).
    """
    return _spelt(text)


def sort_key(name: str) -> str:
    """What a list of names is sorted by: Ångström stands among the names with A, whatever the database."""
    return _reduce(folded(name))


def is_found(wanted: str, name: str) -> bool:
    """Whether a name contains what somebody looks for, however either spells its umlauts."""
    return any(" ".join(part.split()) in whole for part in spellings(wanted) for whole in spellings(name))


def parts_around(wanted: str, name: str) -> tuple[str, str, str]:
    """The name as (before, found, after) around the first place that `is_found` means; found is empty
    when there is none.
    """
    looked_for = {" ".join(part.split()) for part in spellings(wanted)} - {""}
    for start, end in _windows(name, max(map(len, looked_for), default=0)):
        if _spelt(name[start:end]) & looked_for:
            return name[:start], name[start:end], name[end:]
    return name, "", ""


def _windows(name: str, longest: int) -> Iterator[tuple[int, int]]:
    for start in range(len(name)):
        for end in range(start + 1, min(len(name), start + longest) + 1):
            yield start, end


def as_id(reference: str) -> UUID | None:
    """The id that a reference spells in the usual 36 characters; None when it is a name."""
    if len(reference) != 36:
        return None
    try:
        return UUID(reference)
    except ValueError:
        return None


def _reduce(text: str) -> str:
    """Marks taken off Latin and Greek letters; in other scripts they make other letters (か, が)."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_REDUCED))
    return unicodedata.normalize("NFKC", _MARKED.sub(r"\1", decomposed))


def _spelt(text: str) -> frozenset[str]:
    return frozenset(_reduce(way) for way in (folded(text).translate(_EXPANDED), folded(text)))
