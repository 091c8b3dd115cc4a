"""Names that people give to things: what is accepted, and when two are the same."""

from __future__ import annotations

import unicodedata
from uuid import UUID

from muster.errors import InvalidInput

NAME_LIMIT = 200


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


def as_id(reference: str) -> UUID | None:
    """The id that a reference spells in the usual 36 characters; None when it is a name."""
    if len(reference) != 36:
        return None
    try:
        return UUID(reference)
    except ValueError:
        return None
