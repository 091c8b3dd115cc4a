"""Values of this room: the address of an endpoint, what becomes of a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from muster.naming import as_id
from muster.providers.alerting import WebhookMessage

PREFIX = "/api/webhooks"
# A body of Tactical's is about 400 bytes; with a message of 2,000 characters in \u escapes it is 12 KiB.
MOST_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class EndpointId:
    """What an endpoint's address ends in: `<tenant id>.<integration id>`, so that its rows are found within
    their tenant.
    """

    tenant_id: UUID
    integration_id: UUID

    def __str__(self) -> str:
        return f"{self.tenant_id}.{self.integration_id}"

    @classmethod
    def parse(cls, text: str) -> EndpointId | None:
        """The id in an address; None for anything else."""
        tenant, _, integration = text.partition(".")
        tenant_id, integration_id = as_id(tenant), as_id(integration)
        if tenant_id is None or integration_id is None:
            return None
        return cls(tenant_id, integration_id)

    def path(self, provider: str) -> str:
        """The endpoint's path."""
        return f"{PREFIX}/{provider}/{self}"


class ReceiptState(StrEnum):
    """What became of a receipt. `kept`: the integration was disconnected; `unknown_device`: processed, but
    its device is not synced yet.
    """

    WAITING = "waiting"
    PROCESSED = "processed"
    UNKNOWN_DEVICE = "unknown_device"
    NOT_UNDERSTOOD = "not_understood"
    KEPT = "kept"
    TEST = "test"
    FAILED = "failed"


# What a person should look at: kept for longer than what came to its end.
UNSETTLED = (ReceiptState.NOT_UNDERSTOOD, ReceiptState.FAILED)
SETTLED = (ReceiptState.PROCESSED, ReceiptState.UNKNOWN_DEVICE, ReceiptState.KEPT, ReceiptState.TEST)

_TEXT_LIMIT = 200


def stored_text(text: str | None) -> str | None:
    """A sender's text as a column takes it: of bounded length, and without what PostgreSQL (NUL) or UTF-8
    (lone surrogates) cannot hold.
    """
    if text is None:
        return None
    return text[:_TEXT_LIMIT].encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def columns_of(message: WebhookMessage) -> Mapping[str, Any]:
    """What a receipt's row shows of the message that its body was understood as."""
    problem = None
    if message.problem is not None:
        problem = {"code": message.problem, "message": message.explanation or "It is no alert's body."}
    return {
        "event": message.event,
        "device_id": stored_text(message.device_id),
        "external_alert_id": stored_text(message.external_alert_id),
        "problem": problem,
    }


def first_state(message: WebhookMessage, *, disconnected: bool) -> ReceiptState:
    """The state of a receipt whose body was understood as this message, before anything is done about it."""
    if disconnected:
        return ReceiptState.KEPT
    if message.test:
        return ReceiptState.TEST
    return ReceiptState.NOT_UNDERSTOOD if message.problem is not None else ReceiptState.WAITING
