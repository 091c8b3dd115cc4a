"""One-time codes as Tactical checks them: RFC 6238 with SHA-1, six digits, 30 seconds (CONTRACT 1)."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from muster import clock

_DIGITS = 6
_SECONDS = 30


def key_of(secret: str) -> bytes:
    """The key behind a base32 secret, padded or not; ValueError when it is none."""
    bare = secret.strip().upper().rstrip("=")
    try:
        key = base64.b32decode(bare + "=" * (-len(bare) % 8))
    except binascii.Error as malformed:
        raise ValueError("not base32") from malformed
    if not key:
        raise ValueError("empty")
    return key


def current_code(secret: str) -> str:
    """The code of this moment."""
    return code_at(secret, clock.now())


def code_at(secret: str, moment: datetime) -> str:
    """The code of a moment."""
    # Secrets of 80 bits were usual once, and their users still log in with them.
    codes = TOTP(key_of(secret), _DIGITS, SHA1(), _SECONDS, enforce_key_length=False)  # noqa: S303
    return codes.generate(int(moment.timestamp())).decode("ascii")
