"""Passwords: what is accepted, and their Argon2id hashes."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from muster.errors import InvalidInput

SHORTEST, LONGEST = 12, 1024

# No letter that another one is taken for when it is read aloud or copied by hand.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _GROUP_LETTERS = 4, 5

# argon2-cffi's defaults: RFC 9106's profile for little memory (64 MiB, 3 passes, 4 lanes).
_hasher = PasswordHasher()


def hash_password(password: str) -> str:
    """The hash to keep. InvalidInput when the password has fewer than 12 characters or more than 1024.

    Takes some tens of milliseconds of CPU; in a server, call it in a thread.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(
            f"The password has {len(password)} characters.",
            remedy=f"Choose one of {SHORTEST} to {LONGEST}; several words make a good one.",
            code="password_length",
        )
    return _hasher.hash(password)


def generate_password() -> str:
    """A password nobody has to think of: four groups of five letters and digits, 99 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LETTERS)) for _ in range(_GROUPS))


def is_password(password: str, password_hash: str) -> bool:
    """Whether the password is the one that was hashed."""
    try:
        return _hasher.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def burn(password: str) -> None:
    """Take as long as a comparison, so that nobody can tell an unknown address by the time it takes."""
    _hasher.hash(password)
