"""Shapes of endpoints and receipts as others see them. Only SecretView has a secret in it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from muster.inbound_webhooks.types import ReceiptState


class WebhookTemplateView(msgspec.Struct, frozen=True, kw_only=True):
    """A body to paste into the server's settings, for a `key` of trigger or resolve; `with_message` for the
    form that carries free text.
    """

    key: str
    label: str
    body: str
    with_message: bool


class EndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how an integration's server calls us, and how that goes.

    `path` is the address without the host. `last_four` is null before the first secret is made.
    `previous_until` is when the secret before the last rotation ends to hold. `refused` counts calls with a
    wrong secret or none since `refused_since`. `receipts` are those of the last 7 days, by state.
    """

    integration_id: UUID
    provider: str
    path: str
    header: str
    templates: list[WebhookTemplateView]
    last_four: str | None
    rotated_at: datetime | None
    previous_until: datetime | None
    last_receipt_at: datetime | None
    refused: int
    refused_since: datetime | None
    last_refused_at: datetime | None
    receipts: dict[str, int]
    checked_at: datetime | None


class SecretView(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is set up with. `secret` is in clear, and null unless it was asked for."""

    url: str
    header: str
    secret: str | None = None


class RotateRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many hours the secret so far holds beside the new one; 0: it ends at once."""

    overlap_hours: Annotated[int, msgspec.Meta(ge=0, le=720)] = 24


class ReceiptFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which receipts: of an integration, in a state, of a device, received in a stretch of time."""

    integration_id: UUID | None = None
    state: ReceiptState | None = None
    device_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class ReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """A call as it arrived, and what became of it. `problem` is {code, message} or null; `device_id` and
    `external_alert_id` are the server's own words for them.
    """

    receipt_id: UUID
    integration_id: UUID
    received_at: datetime
    state: ReceiptState
    attempts: int
    processed_at: datetime | None
    replayed_by: str | None
    event: str | None
    device_id: str | None
    external_alert_id: str | None
    alert_id: UUID | None
    problem: dict[str, Any] | None
    content_type: str | None
    sender: str | None
    size: int


class ReceiptDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A receipt with its body, and what that is understood as. What is no UTF-8 in the body is replaced."""

    receipt: ReceiptView
    body: str
    understood: dict[str, Any]


class ReceiptList(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the receipts, newest first, and how many there are in all."""

    items: list[ReceiptView]
    total: int


class ReplayRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of an integration's receipts to process again: those in a state, of a device or of a time."""

    state: ReceiptState | None = None
    device_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    since: datetime | None = None
    until: datetime | None = None


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """How many receipts will be processed again."""

    count: int
