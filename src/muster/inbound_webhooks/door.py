"""The address that servers call: `/api/webhooks/<provider>/<endpoint id>`, and `?tenant=<id>` for set-ups
that know no endpoint. It takes no login and no CSRF token; the secret in the header is all that counts.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import structlog
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, QueryParameter

from muster.db.failures import DATABASE_ERRORS
from muster.errors import Conflict, InvalidInput
from muster.inbound_webhooks.receiver import WebhookReceiver
from muster.inbound_webhooks.service import webhook_provider
from muster.inbound_webhooks.types import MOST_BODY_BYTES, PREFIX, EndpointId
from muster.naming import as_id
from muster.web.security import PUBLIC, client_address

log = structlog.get_logger(__name__)

_OPT = {**PUBLIC, "exclude_from_csrf": True}
_AGAIN_SECONDS = 10
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, Conflict)
_PROBLEM = "application/problem+json"
_Headers = dict[str, str]

Answer = Response[dict[str, Any]]
_PATH = f"{PREFIX}/{{provider:str}}"
_ONE = f"{_PATH}/{{endpoint:str}}"


@post(_ONE, opt=_OPT, status_code=200, include_in_schema=False, request_max_body_size=MOST_BODY_BYTES)
async def receive(
    request: Request[Any, Any, Any],
    webhook_receiver: NamedDependency[WebhookReceiver],
    provider: FromPath[str],
    endpoint: FromPath[str],
) -> Answer:
    """Keep what a server says, then answer; it is processed afterwards."""
    return await _received(request, webhook_receiver, provider, EndpointId.parse(endpoint))


@post(_PATH, opt=_OPT, status_code=200, include_in_schema=False, request_max_body_size=MOST_BODY_BYTES)
async def receive_for_tenant(
    request: Request[Any, Any, Any],
    webhook_receiver: NamedDependency[WebhookReceiver],
    provider: FromPath[str],
    tenant: Annotated[str | None, QueryParameter(max_length=100)] = None,
) -> Answer:
    """The same for a set-up that names its tenant alone; the secret chooses among its integrations."""
    tenant_id = as_id(tenant or "")
    if tenant_id is None:
        raise InvalidInput(
            "The address names no tenant.",
            remedy="Use the address that the integration's settings show, or add ?tenant=<its id>.",
            code="no_tenant",
        )
    return await _received(request, webhook_receiver, provider, tenant_id)


@get(_ONE, opt=_OPT, include_in_schema=False)
async def explain(provider: FromPath[str], endpoint: FromPath[str]) -> Answer:
    """A redirect on the way turns a POST into a GET without its body: say so in the sender's log."""
    del provider, endpoint
    return _post_only()


@get(_PATH, opt=_OPT, include_in_schema=False)
async def explain_for_tenant(provider: FromPath[str]) -> Answer:
    """The same for a set-up that names its tenant alone."""
    del provider
    return _post_only()


ROUTES: list[BaseRouteHandler] = [receive, receive_for_tenant, explain, explain_for_tenant]


async def _received(
    request: Request[Any, Any, Any], receiver: WebhookReceiver, provider: str, named: EndpointId | UUID | None
) -> Answer:
    kind = webhook_provider(provider)
    try:
        caller = await receiver.authenticate(provider, named, request.headers.get(kind.webhook.header))
        if caller is None:
            return _problem(401, "The webhook's secret is wrong or missing.", code="wrong_secret")
        if seconds := receiver.wait_for(caller):
            detail = "More webhooks came for this endpoint than any server sends."
            return _problem(429, detail, code="too_many", headers={"retry-after": str(seconds)})
        body = await _body(request, receiver)
        if body is None:
            detail = f"A webhook's body has at most {MOST_BODY_BYTES // 1024} KiB."
            return _problem(413, detail, code="too_large")
        kept = await receiver.keep(
            caller,
            kind,
            body,
            content_type=request.headers.get("content-type"),
            sender=client_address(request),
        )
    except _FAILURES as error:
        receiver.count("unavailable")
        log.warning("webhooks.not_kept", provider=provider, error=type(error).__name__)
        headers = {"retry-after": str(_AGAIN_SECONDS)}
        return _problem(503, "Muster cannot keep it now.", code="unavailable", headers=headers)
    if kept.problem is not None:
        detail = f"It is kept, but was not understood: {kept.problem}"
        return _problem(400, detail, code="not_understood", receipt_id=str(kept.receipt_id))
    return Response({"status": "received", "receipt_id": str(kept.receipt_id)})


def _post_only() -> Answer:
    detail = (
        "A webhook is sent by POST. A redirect on the way makes a GET of it and loses its body:"
        " set the server up with the address exactly as Muster shows it."
    )
    return _problem(405, detail, code="post_only", headers={"allow": "POST"})


async def _body(request: Request[Any, Any, Any], receiver: WebhookReceiver) -> bytes | None:
    """The body; None when it is too long, which the framework notices while it reads."""
    try:
        return await request.body()
    except RequestEntityTooLarge:
        receiver.count("too_large")
        return None


def _problem(
    status: int, detail: str, *, code: str, headers: _Headers | None = None, **members: str
) -> Answer:
    """A problem document (RFC 9457) in a few words: senders keep it in their log."""
    content = {"type": "about:blank", "status": status, "detail": detail, "code": code, **members}
    return Response(content, status_code=status, media_type=_PROBLEM, headers=headers)
