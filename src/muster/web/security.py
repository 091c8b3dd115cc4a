"""Headers that every answer carries, and the cookie settings that go with them."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

# No inline script or style, nothing from another host; htmx is told not to write its own style element.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
# For routes that anybody may ask: `@get(..., opt=PUBLIC)`.
PUBLIC = {"exclude_from_auth": True}
_ALWAYS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_A_YEAR = "max-age=31536000"


class SecurityHeaders:
    """Puts the headers on every answer; what a route sets itself stands.

    It stands around the application, for an address without a route never reaches a middleware.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableScopeHeaders.from_message(message)
                for name, value in _ALWAYS.items():
                    headers.setdefault(name, value)
                # Pages show a tenant's data: no cache on the way keeps them.
                headers.setdefault("cache-control", "no-store")
                if scope["scheme"] == "https":
                    headers.setdefault("strict-transport-security", _A_YEAR)
                    message["headers"] = [_secured(name, value) for name, value in message["headers"]]
            await send(message)

        await self._app(scope, receive, sending)


def _secured(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """A header as it is; a cookie so that the browser sends it back by TLS only."""
    if name.lower() != b"set-cookie" or b"; secure" in value.lower():
        return name, value
    return name, value + b"; Secure"


def is_secure(request: Request[Any, Any, Any]) -> bool:
    """Whether the browser reached us by TLS, by a proxy on this machine too."""
    return request.url.scheme == "https"


def client_address(request: Request[Any, Any, Any]) -> str | None:
    """The address that the request came from."""
    return request.client.host if request.client else None


def base_url(request: Request[Any, Any, Any], public_url: str | None) -> str:
    """Where others reach Muster: the address set for it, else the one that this request was sent to."""
    return public_url or str(request.base_url).rstrip("/")
