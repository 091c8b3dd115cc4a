"""Requests and answers in the shapes Django and its REST framework give them (CONTRACT section 0)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import msgspec

JSON = "application/json"
HTML = "text/html; charset=utf-8"
_PAGE = """
<!doctype html>
<html lang="en">
<head>
  <title>{title}</title>
</head>
<body>
  <h1>{title}</h1><p>{text}</p>
</body>
</html>
"""


@dataclass(slots=True)
class Response:
    """An answer. `body` may come in pieces, which are sent one after the other as one body.

    `later` gives the answer in place of this one (whose headers it gets): it runs in a thread of its own when
    the state's lock is free again, for what asks other servers and must wait for them.
    """

    status: int
    body: bytes | list[bytes] = b""
    content_type: str | None = JSON
    headers: dict[str, str] = field(default_factory=dict)
    later: "Callable[[], Response] | None" = None

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.body) if isinstance(self.body, bytes) else sum(map(len, self.body))


class Refusal(Exception):
    """Ends a request with an answer other than the one asked for."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def answer(value: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(status, msgspec.json.encode(value))


def array_of(rows: list[bytes]) -> Response:
    """A JSON array of elements that are already encoded."""
    return Response(200, b"[" + b",".join(rows) + b"]")


def refuse(status: int, detail: str, **headers: str) -> Refusal:
    """The REST framework's `{"detail": ...}` refusal; header names are written with underscores."""
    response = answer({"detail": detail}, status)
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Refusal(response)


def page(status: int, title: str, text: str = "") -> Response:
    """One of Django's own HTML pages; they carry none of the REST framework's headers."""
    return Response(status, _PAGE.format(title=title, text=text).encode(), HTML)


def not_found_page() -> Refusal:
    """The 404 of an unknown URL: HTML of 179 bytes."""
    return Refusal(page(404, "Not Found", "The requested resource was not found on this server."))


def server_error() -> Refusal:
    """The 500 of an exception nobody caught: HTML of 145 bytes."""
    return Refusal(page(500, "Server Error (500)"))


def not_found(model: str | None = None) -> Refusal:
    """The JSON 404 of a URL that fits and an object that is not there."""
    return refuse(404, f"No {model} matches the given query." if model else "Not found.")


def forbidden() -> Refusal:
    """The 403 of a role that lacks the permission or may not see the object."""
    return refuse(403, "You do not have permission to perform this action.")


def invalid(errors: dict[str, list[str]]) -> Refusal:
    """The 400 with the REST framework's field errors."""
    return Refusal(answer(errors, 400))


@dataclass(slots=True)
class Request:
    """One request, as far as the server looks at it. Header names are lower-case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    client_ip: str
    scheme: str

    @property
    def params(self) -> dict[str, str]:
        """The query's parameters; the last one wins, as in Django."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def host(self) -> str:
        """The Host header as sent."""
        return self.headers.get("host", "")

    @property
    def full_path(self) -> str:
        """Path with query, as it came."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def absolute(self, path: str) -> str:
        """An absolute URL built from the Host header the client sent, as the server builds `next`."""
        return f"{self.scheme}://{self.host}{path}"

    def data(self) -> Any:
        """The body as the REST framework parses it: JSON or a form; 400 or 415 otherwise, {} when empty."""
        if not self.body:
            return {}
        kind = self.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind == "application/x-www-form-urlencoded":
            return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))
        if kind != JSON:
            raise refuse(415, f'Unsupported media type "{self.headers.get("content-type", "")}" in request.')
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise refuse(400, f"JSON parse error - {error}") from None
        except RecursionError:
            raise server_error() from None


def whole(text: str) -> int | None:
    """The number of a text of up to 18 digits, None for any other text."""
    return int(text) if text.isdecimal() and len(text) <= 18 else None


def accepts_json(accept: str | None) -> bool:
    """Whether an Accept header allows JSON; without one everything is allowed."""
    if not accept:
        return True
    kinds = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    return bool(kinds & {"*/*", "application/*", JSON})
