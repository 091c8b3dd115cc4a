"""The frame around every page: navigation, person, toasts; and the slots in which rooms show each other's
things without knowing each other.

`bootstrap` says what the places and slots are. A page asks for the dependency `frame` and answers with
`frame.page(...)`; a part of a page answers with `fragment(...)`.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.response import Redirect, Template
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession

import muster
from muster.db import Database
from muster.tenancy import TenantScope
from muster.web.security import is_secure

THEME_COOKIE = "muster_theme"
TOAST_COOKIE = "muster_toast"
THEMES = ("light", "dark")
_TOAST_LIMIT = 2000
_TOAST_SECONDS = 60

CountSource = Callable[[AsyncSession, TenantScope], Awaitable[int]]


class Person(Protocol):
    """Who looks at the page, as the frame needs to know."""

    @property
    def scope(self) -> TenantScope:
        """Whose rows."""

    @property
    def tenant_name(self) -> str:
        """What the MSP is called."""

    @property
    def display_name(self) -> str:
        """What the person is called."""

    @property
    def role_name(self) -> str:
        """The role as a person reads it."""

    def may(self, permission: Any) -> bool:
        """Whether the person may do something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An entry of the navigation, shown to those who have its permission. `group` is "main" or "tenant".

    `count` is the figure beside it; with `urgent` the figure is a warning, and 0 is not shown.
    """

    key: str
    label: str
    icon: str
    path: str
    permission: Any
    group: str = "main"
    count: CountSource | None = None
    urgent: bool = False


class Part(NamedTuple):
    """A part of a page: a template and what it is filled with."""

    template: str
    context: Mapping[str, Any]


# Makes a room's part for a request (whose `user` is the Actor) and the subject of the page around it.
PartSource = Callable[[Request[Any, Any, Any], UUID | None], Awaitable[Part]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What a room offers for another one's page: a tab, a section or a card. `count` is a tab's figure, None
    where nobody knows.

    The page shows it whole, so that nothing jumps and no script is needed; the room has the same part at an
    address of its own, where htmx fetches it anew.
    """

    key: str
    label: str
    permission: Any
    part: PartSource
    count: Callable[[AsyncSession, TenantScope, UUID], Awaitable[int | None]] | None = None


@dataclass(frozen=True, slots=True)
class Filled:
    """A slot with its part made."""

    key: str
    label: str
    html: Markup


@dataclass(frozen=True, slots=True)
class Furnishing:
    """Every place and slot, bound once in bootstrap. `slots` are by the name of the page's slot."""

    places: Sequence[Place] = ()
    slots: Mapping[str, Sequence[Slot]] = field(default_factory=dict)


class Toast(msgspec.Struct, frozen=True):
    """A line that tells what has just been done (`kind` "done") or could not be ("problem"). `undo` is the
    address where a POST with `undo_fields` takes it back.
    """

    text: str
    kind: str = "done"
    undo: str | None = None
    undo_fields: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Shown:
    """A place as this page shows it."""

    place: Place
    count: int | None
    current: bool


class Frame:
    """The frame of one request's page."""

    def __init__(self, request: Request[Any, Any, Any], person: Person, furnishing: Furnishing) -> None:
        self._request = request
        self._person = person
        self._furnishing = furnishing
        self._counts: dict[str, int] = {}

    async def count(self, database: Database) -> None:
        """Ask for the figures of the navigation."""
        wanted = [place for place in self._places() if place.count is not None]
        async with database.read(self._person.scope) as session:
            for place in wanted:
                assert place.count is not None  # noqa: S101 - narrows the type
                self._counts[place.key] = await place.count(session, self._person.scope)

    def figure(self, place: str) -> int | None:
        """The figure beside a place of the navigation, for a page that shows it, too; None where there is
        none.
        """
        return self._counts.get(place)

    def slots(self, name: str) -> Sequence[Slot]:
        """What rooms put into a slot, as far as the person may see it."""
        return [slot for slot in self._furnishing.slots.get(name, ()) if self._person.may(slot.permission)]

    async def filled(
        self, name: str, subject: UUID | None = None, *, only: str | None = None
    ) -> Sequence[Filled]:
        """The parts that rooms put into a slot, made for the page's subject; `only` the one with this key."""
        return [
            Filled(slot.key, slot.label, render(self._request, await slot.part(self._request, subject)))
            for slot in self.slots(name)
            if only in (None, slot.key)
        ]

    def page(
        self,
        template: str,
        *,
        title: str,
        place: str,
        trail: Sequence[tuple[str, str | None]] = (),
        status_code: int = 200,
        **context: Any,
    ) -> Template:
        """A whole page. `place` is the navigation entry's key; `trail` the breadcrumb before `title`."""
        shown = [Shown(each, self._counts.get(each.key), each.key == place) for each in self._places()]
        return Template(
            template_name=template,
            context={
                **ground(self._request),
                "title": title,
                "trail": trail,
                "places": shown,
                "person": self._person,
                **context,
            },
            status_code=status_code,
            cookies=[_no_toast()] if TOAST_COOKIE in self._request.cookies else None,
        )

    def _places(self) -> Sequence[Place]:
        return [place for place in self._furnishing.places if self._person.may(place.permission)]


async def provide_frame(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    furnishing: NamedDependency[Furnishing],
) -> Frame:
    """The dependency `frame` of every page."""
    frame = Frame(request, request.user, furnishing)
    await frame.count(database)
    return frame


def bare_page(
    request: Request[Any, Any, Any], template: str, *, title: str, status_code: int = 200, **context: Any
) -> Template:
    """A page without navigation, for who is not logged in."""
    return Template(
        template_name=template,
        context={**ground(request), "title": title, **context},
        status_code=status_code,
    )


def fragment(
    template: str, *, status_code: int = 200, toast: Toast | None = None, **context: Any
) -> Template:
    """A part of a page, for htmx."""
    headers = {} if toast is None else {"hx-trigger": _trigger(toast)}
    return Template(template_name=template, context=context, status_code=status_code, headers=headers)


def render(request: Request[Any, Any, Any], part: Part) -> Markup:
    """A part as HTML, to stand in the page of another room."""
    engine = request.app.template_engine
    assert engine is not None  # noqa: S101 - create_app gives one; this narrows the type
    template = engine.get_template(part.template)
    # The template escaped what is in it.
    return Markup(template.render({**ground(request), **part.context, "request": request}))  # noqa: S704


def go(request: Request[Any, Any, Any], path: str, toast: Toast | None = None) -> Redirect:
    """To another page after a form was sent (303), with a toast that is shown there."""
    cookies = []
    if toast is not None:
        value = base64.urlsafe_b64encode(msgspec.json.encode(toast)).decode()
        cookies.append(
            Cookie(
                key=TOAST_COOKIE,
                value=value,
                max_age=_TOAST_SECONDS,
                httponly=True,
                secure=is_secure(request),
                samesite="lax",
            )
        )
    return Redirect(path, status_code=303, cookies=cookies)


def ground(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """What the outermost template of every page needs."""
    theme = request.cookies.get(THEME_COOKIE)
    return {
        "theme": theme if theme in THEMES else "auto",
        "toast": _toast(request),
        "version": muster.__version__,
        "here": str(request.url.path),
    }


def is_part(request: Request[Any, Any, Any]) -> bool:
    """Whether htmx asks for a part of a page, rather than a browser for the whole."""
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


def _toast(request: Request[Any, Any, Any]) -> Toast | None:
    text = request.cookies.get(TOAST_COOKIE, "")
    if not text or len(text) > _TOAST_LIMIT:
        return None
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=Toast)
    except (ValueError, msgspec.DecodeError):
        return None


def _no_toast() -> Cookie:
    return Cookie(key=TOAST_COOKIE, value="", max_age=0, httponly=True, samesite="lax")


def _trigger(toast: Toast) -> str:
    # Header values are ASCII; json escapes the rest.
    return json.dumps({"toast": msgspec.to_builtins(toast)})
