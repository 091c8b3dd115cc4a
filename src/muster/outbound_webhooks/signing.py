"""Standard Webhooks 1.0.0: secrets, signatures, headers and payload. Pure.

Source: the specification at standardwebhooks.com (spec/standard-webhooks.md of the repository
standard-webhooks/standard-webhooks).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from muster.events.schemas import EventView

PREFIX = "whsec_"
# The specification asks for 24 to 64.
SECRET_BYTES = 32


def new_secret() -> str:
    """A secret as the other side gets it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def payload_of(event: EventView) -> dict[str, Any]:
    """What is sent of an event: its type, its moment, and its data with what tells it from others. Who else
    gets it is nobody's business but ours.
    """
    data = {name: value for name, value in event.data.items() if name != "deliver_to"}
    return {
        "type": event.type,
        "timestamp": event.time.isoformat().replace("+00:00", "Z"),
        "tenant_id": str(event.tenantid),
        "sequence": event.sequence,
        "subject": event.subject,
        "data": data,
    }


def body_of(payload: Mapping[str, Any]) -> bytes:
    """The very bytes that are signed and sent."""
    return msgspec.json.encode(payload)


def headers(message_id: str, at: datetime, body: bytes, signing: Sequence[str]) -> dict[str, str]:
    """The headers of one attempt. `signing` are the secrets, one signature each, so that the other side can
    change to a new one at its leisure. The id stays over all attempts, the timestamp is the attempt's.
    """
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{_signature(secret, signed)}" for secret in signing),
    }


def _signature(secret: str, signed: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(PREFIX))
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
