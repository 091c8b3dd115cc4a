"""Errors a person can cause or must hear of. Each says what happened and, where one exists, the remedy.

MusterError
├── InvalidInput        what was given cannot be used; nothing was changed
├── NotFound            no such thing in this tenant
├── Conflict            it clashes with what is there (a name taken, a run under way)
├── PermissionRefused   the person may not do this
├── NotConfigured       Muster itself lacks something (key, schema, setting)
└── (providers.contract.ProviderError: the other side could not or would not)
"""

from __future__ import annotations


class MusterError(Exception):
    """Base of all errors meant for a person; `code` is stable, `message` and `remedy` are sentences."""

    code = "error"

    def __init__(self, message: str, *, remedy: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


class InvalidInput(MusterError):
    """Something given from outside cannot be used; nothing was changed.

    `field` names the one that is wrong, where there are several; `fault` is the message without that name,
    to stand beside the field.
    """

    code = "invalid_input"

    def __init__(
        self, message: str, *, remedy: str | None = None, code: str | None = None, field: str | None = None
    ) -> None:
        super().__init__(f"{field}: {message}" if field else message, remedy=remedy, code=code)
        self.field = field
        self.fault = message


class NotFound(MusterError):
    """No such thing in this tenant; the same answer whether it never existed or belongs to another one."""

    code = "not_found"


class Conflict(MusterError):
    """What was asked clashes with what is there."""

    code = "conflict"


class PermissionRefused(MusterError):
    """The person asking may not do this."""

    code = "permission_refused"


class NotConfigured(MusterError):
    """Muster lacks a key, a schema or a setting it needs to go on."""

    code = "not_configured"
