"""Signatures are those of Standard Webhooks, checked with its own library."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from muster import clock
from muster.events.schemas import EventView
from muster.outbound_webhooks import signing

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    payload=st.dictionaries(st.text(max_size=8), plain, max_size=4),
)
def test_the_public_library_accepts_what_is_signed(payload: dict[str, Any]) -> None:
    secret, body = signing.new_secret(), signing.body_of(payload)
    # Not a moment of the module's import: the library takes what is five minutes old at most.
    sent = signing.headers("an-id", clock.now(), body, [secret])
    assert Webhook(secret).verify(body, sent) == payload
    with pytest.raises(WebhookVerificationError):
        Webhook(signing.new_secret()).verify(body, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, {**sent, "webhook-id": "another-id"})


def test_the_vector_of_the_library() -> None:
    # From the test of the reference library in Python (standardwebhooks, test_sign_function).
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    sent = signing.headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", datetime.fromtimestamp(1614265330, UTC), body, [secret]
    )
    assert sent["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sent["webhook-timestamp"] == "1614265330"


def test_during_a_rotation_either_secret_accepts() -> None:
    new, old, body = signing.new_secret(), signing.new_secret(), b"{}"
    sent = signing.headers("an-id", clock.now(), body, [new, old])
    assert len(sent["webhook-signature"].split(" ")) == 2
    for secret in (new, old):
        Webhook(secret).verify(body, sent)


def test_a_secret_is_of_the_size_that_the_specification_asks_for() -> None:
    secret = signing.new_secret()
    assert secret.startswith("whsec_")
    assert secret != signing.new_secret()
    assert 24 <= signing.SECRET_BYTES <= 64


def test_the_payload_says_what_and_when_and_not_who_else_is_told() -> None:
    event = EventView(
        id=UUID(int=1),
        source="/muster",
        type="RMM_ALERT_TRIGGERED",
        subject="alert",
        time=datetime(2026, 11, 26, 6, 0, 0, 5, tzinfo=UTC),
        tenantid=UUID(int=2),
        sequence="7",
        data={"alert_id": "a", "deliver_to": ["x"]},
    )
    assert signing.payload_of(event) == {
        "type": "RMM_ALERT_TRIGGERED",
        "timestamp": "2026-11-26T06:00:00.000005Z",
        "tenant_id": str(UUID(int=2)),
        "sequence": "7",
        "subject": "alert",
        "data": {"alert_id": "a"},
    }
