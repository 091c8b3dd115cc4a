"""Errors on any route: a page for a person, problem details (RFC 9457) for a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.response import Redirect

from muster.errors import (
    Conflict,
    InvalidInput,
    MusterError,
    NotConfigured,
    NotFound,
    PermissionRefused,
)
from muster.web.frame import bare_page, is_part

log = structlog.get_logger(__name__)

LOGIN = "/login"
CSRF_COOKIE = "muster_csrf"
_MEDIA_TYPE = "application/problem+json"
# Not pages, whatever a browser says that it accepts.
_PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
_STATUS: dict[type[MusterError], int] = {
    InvalidInput: 400,
    PermissionRefused: 403,
    NotFound: 404,
    Conflict: 409,
    NotConfigured: 503,
}
_TITLES = {
    400: "That cannot be used",
    401: "Log in first",
    403: "Not allowed",
    404: "There is nothing here",
    405: "That does not work here",
    409: "That clashes with what is there",
    413: "That is too much at once",
    429: "Too many attempts",
    500: "Something went wrong",
    503: "Muster is not ready",
}
_DETAILS = {
    404: ("No page has this address, or you may not see it.", "Look for it from the dashboard."),
    405: ("This address does not answer to that.", "Go back and reload the page."),
    413: ("What was sent is larger than Muster takes.", None),
    429: ("There were too many attempts in a short time.", "Wait a minute, then try again."),
}


def status_of(error: MusterError) -> int:
    """The HTTP status that an error of Muster's stands for."""
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)


def muster_problem(request: Request[Any, Any, Any], error: MusterError) -> Response[Any]:
    """An error meant for a person, with its code and remedy."""
    return _answer(request, status_of(error), error.message, code=error.code, remedy=error.remedy)


def http_problem(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What the framework refused: no such route, wrong method, malformed body, a form that is too old."""
    status = error.status_code
    if "CSRF" in error.detail:
        answer = _answer(
            request,
            status,
            "This page was open for too long, or the browser keeps no cookies.",
            code="csrf",
            remedy="Go back, reload the page and try again.",
        )
        # A token of an earlier key would be refused for ever.
        answer.delete_cookie(CSRF_COOKIE)
        return answer
    detail, remedy = error.detail, None
    if _is_for_a_person(request):
        detail, remedy = _DETAILS.get(status, (detail, None))
        return _answer(request, status, detail, remedy=remedy, headers=error.headers)
    return _problem(status, detail, headers=error.headers, errors=_field_errors(error))


def login_needed(request: Request[Any, Any, Any], error: NotAuthorizedException) -> Response[Any]:
    """To the login and back again for a person; 401 for a program and for a part of a page."""
    if not _is_for_a_person(request) or is_part(request):
        return _problem(401, error.detail, code="login_needed")
    path = str(request.url.path)
    if request.method != "GET" or path == "/":
        return Redirect(LOGIN, status_code=303)
    back = f"{path}?{request.url.query}" if request.url.query else path
    return Redirect(f"{LOGIN}?{urlencode({'next': back})}", status_code=303)


def unexpected_problem(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """A mistake of ours: the log says which, the answer does not."""
    log.error("request.broke", path=request.url.path, exc_info=error)
    return _answer(
        request,
        500,
        "Something unexpected went wrong; Muster's log says what.",
        code="unexpected",
    )


EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
    MusterError: muster_problem,
    NotAuthorizedException: login_needed,
    HTTPException: http_problem,
    Exception: unexpected_problem,
}


def _field_errors(error: HTTPException) -> Sequence[Mapping[str, str]]:
    """What the framework found wrong with each field of a body or query, in its own words."""
    found = error.extra if isinstance(error.extra, list) else []
    return [
        {name: str(value) for name, value in each.items() if value is not None}
        for each in found
        if isinstance(each, Mapping)
    ]


def _is_for_a_person(request: Request[Any, Any, Any]) -> bool:
    if request.url.path.startswith(_PROGRAMS):
        return False
    return "text/html" in request.headers.get("accept", "")


def _answer(
    request: Request[Any, Any, Any],
    status: int,
    detail: str,
    *,
    code: str | None = None,
    remedy: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response[Any]:
    # htmx shows the sentence as a toast; the page around it stays.
    if not _is_for_a_person(request) or is_part(request):
        return _problem(status, detail, code=code, remedy=remedy, headers=headers)
    return bare_page(
        request,
        "errors/problem.html",
        title=_TITLES.get(status, "That did not work"),
        status_code=status,
        detail=detail,
        remedy=remedy,
        code=code,
    )


def _problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    remedy: str | None = None,
    headers: dict[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> Response[dict[str, object]]:
    members: dict[str, object] = {"type": "about:blank", "status": status, "detail": detail}
    if code is not None:
        members["code"] = code
    if remedy is not None:
        members["remedy"] = remedy
    if errors:
        members["errors"] = errors
    return Response(members, status_code=status, media_type=_MEDIA_TYPE, headers=headers)
