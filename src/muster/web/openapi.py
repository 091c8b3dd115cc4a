"""The description of the API: what the framework makes of the routes, and what all of them have in common."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar, Request, Router
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import Guard

import muster

_DESCRIPTION = """What people do on Muster's pages, for programs.

A request needs the cookie of a login session; one that changes something needs the page's CSRF token in the
header `x-csrftoken` besides. Errors are problem details (RFC 9457) with a stable `code` and a `remedy`."""
_PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong, as RFC 9457 has it.",
    "required": ["type", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened."},
        "code": {"type": "string", "description": "Which problem it is; stable."},
        "remedy": {"type": "string", "description": "What to do about it."},
        "errors": {
            "type": "array",
            "description": "What is wrong with each field.",
            "items": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    },
}
# What any route may answer besides its own.
_PROBLEMS: Mapping[str, str] = {
    "400": "What was given cannot be used.",
    "401": "Nobody is logged in.",
    "403": "Your role does not allow it, or the CSRF token is missing.",
    "404": "This tenant has no such thing.",
    "409": "It clashes with what is there.",
    "413": "The body is too large.",
    "429": "Too many attempts in a short time.",
    "500": "A mistake of Muster's own; the log says which.",
    "503": "Muster is not ready.",
}


class _Json(JsonRenderPlugin):
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The description, completed."""
        return super().render(request, completed(openapi_schema))


def openapi_config(guards: Sequence[Guard]) -> OpenAPIConfig:
    """The description, served at /api/openapi.json to whom the guards let pass."""
    return OpenAPIConfig(
        title="Muster",
        version=muster.__version__,
        description=_DESCRIPTION,
        use_handler_docstrings=True,
        openapi_router=Router("/api", route_handlers=[], guards=guards, include_in_schema=False),
        render_plugins=[_Json(path="/openapi.json")],
    )


def description_of(app: Litestar) -> dict[str, Any]:
    """The description of an application's API, as it serves it."""
    return completed(app.openapi_schema.to_schema())


def completed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The framework's description with the problems that every route may answer, in place of its own."""
    whole = copy.deepcopy(dict(schema))
    whole.setdefault("components", {}).setdefault("schemas", {})["Problem"] = dict(_PROBLEM)
    for address, path in whole["paths"].items():
        for operation in path.values():
            # /api/v1/runs/{run_id} is about runs.
            operation.setdefault("tags", [address.split("/")[3].capitalize()])
            own = {code: each for code, each in operation["responses"].items() if code not in _PROBLEMS}
            operation["responses"] = {**own, **{code: _problem(text) for code, text in _PROBLEMS.items()}}
    return whole


def _problem(text: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": text, "content": content}
