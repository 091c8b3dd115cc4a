"""Errors as problem details (RFC 9457): one shape for whatever goes wrong on any route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from muster.errors import (
    Conflict,
    InvalidInput,
    MusterError,
    NotConfigured,
    NotFound,
    PermissionRefused,
)

log = structlog.get_logger(__name__)

_MEDIA_TYPE = "application/problem+json"
_STATUS: dict[type[MusterError], int] = {
    InvalidInput: 400,
    PermissionRefused: 403,
    NotFound: 404,
    Conflict: 409,
    NotConfigured: 503,
}


def status_of(error: MusterError) -> int:
    """The HTTP status that an error of Muster's stands for."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)


def muster_problem(_: Request[Any, Any, Any], error: MusterError) -> Response[dict[str, object]]:
    """An error meant for a person, with its code and remedy beside the standard members."""
    return _problem(status_of(error), error.message, code=error.code, remedy=error.remedy)


def http_problem(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, object]]:
    """What the framework refused: no such route, wrong method, malformed body."""
    return _problem(error.status_code, error.detail, headers=error.headers)


def unexpected_problem(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, object]]:
    """A mistake of ours: the log says which, the answer does not."""
    log.error("request.broke", path=request.url.path, exc_info=error)
    return _problem(500, "Something unexpected went wrong; Muster's log says what.", code="unexpected")


EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    MusterError: muster_problem,
    HTTPException: http_problem,
    Exception: unexpected_problem,
}


def _problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    remedy: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response[dict[str, object]]:
    members: dict[str, object] = {"type": "about:blank", "status": status, "detail": detail}
    if code is not None:
        members["code"] = code
    if remedy is not None:
        members["remedy"] = remedy
    return Response(members, status_code=status, media_type=_MEDIA_TYPE, headers=headers)
