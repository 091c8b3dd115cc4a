"""Values about integrations that others decide by."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """How an integration stands. `not_connected`: stored, but no check of these settings has passed."""

    CONNECTED = "connected"
    NEEDS_ATTENTION = "needs_attention"
    NOT_CONNECTED = "not_connected"
    DISCONNECTED = "disconnected"


def state_of(*, is_active: bool, was_connected: bool, has_credentials: bool, has_error: bool) -> State:
    """The state, from what is stored. A disconnected integration has no credentials, whatever else is so."""
    if not (is_active or was_connected or has_credentials):
        return State.DISCONNECTED
    if has_error:
        return State.NEEDS_ATTENTION
    return State.CONNECTED if is_active else State.NOT_CONNECTED
