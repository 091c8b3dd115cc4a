"""Carries one webhook to where it belongs, through the door out: policy checked, TLS verified, no redirect
followed, no more than the beginning of the answer read.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from muster import clock
from muster.egress import Egress, EgressError
from muster.outbound_webhooks import signing
from muster.outbound_webhooks.types import Attempt, Due, Target

_ANSWER_BYTES, _ANSWER_LENGTH, _ERROR_LENGTH = 4_096, 1_000, 500


class Courier:
    """Has two doors: `secure` for https, and `plain` for http, which leads only into networks that the
    operator has named.
    """

    def __init__(self, secure: Egress, plain: Egress) -> None:
        self._secure = secure
        self._plain = plain

    async def carry(self, target: Target, due: Due) -> Attempt:
        """One try; never raises for what the other side or the way there does."""
        parts = urlsplit(target.url)
        door = self._secure if parts.scheme == "https" else self._plain
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        body = signing.body_of(due.payload)
        at = clock.now()
        signed = signing.headers(str(due.event_id), at, body, target.secrets)
        try:
            async with door.server(f"{parts.scheme}://{parts.netloc}") as server:
                answer = await server.post(path, body, headers=signed, keep=_ANSWER_BYTES)
        except EgressError as failure:
            return Attempt(at=at, error=str(failure)[:_ERROR_LENGTH])
        said = answer.body.decode("utf-8", errors="replace").replace("\x00", "").strip()
        return Attempt(
            at=at,
            status_code=answer.status,
            answer=said[:_ANSWER_LENGTH] or None,
            error=None if 200 <= answer.status < 300 else _refusal(answer.status),
            retry_after=answer.retry_after if answer.status in (429, 503) else None,
        )


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"It answered {status}: redirects are not followed. Change the address to where it leads."
    if status == 410:
        return "It answered 410 (Gone): it wants no more webhooks."
    return f"It answered {status}."
