"""What a check of a connection found, and how far it came."""

from __future__ import annotations

from typing import Any, Literal

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing the check found. `code` is stable. `fix`, where there is one, holds fields of the connection
    form, by name, that would mend it: a proposal for a person.
    """

    code: str
    level: Literal["error", "warning", "info"]
    message: str
    remedy: str
    fix: dict[str, str] = {}


class CheckStep(msgspec.Struct, frozen=True, kw_only=True):
    """One of the things a check tries, in order. `key` is stable; `label` says what is so when it passed.

    `waiting` needs something from a person before it can be tried, such as a one-time code.
    """

    key: str
    label: str
    state: Literal["passed", "warned", "failed", "waiting", "not_tried"]
    detail: str = ""


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a check of the connection found; `ok` when nothing stands in the way of a sync.

    `facts` are what was learned on the way (server version, source in use, counts), for screens.
    """

    ok: bool
    findings: tuple[Finding, ...]
    facts: dict[str, Any] = {}
    steps: tuple[CheckStep, ...] = ()
