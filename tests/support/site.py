"""Muster's pages and routes without a network: all of it, asked by a browser that runs no scripts."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self
from uuid import UUID

import httpx2
from selectolax.lexbor import LexborHTMLParser

from muster.accounts.auth import COOKIE
from muster.accounts.permissions import Role
from muster.accounts.service import UserService
from muster.accounts.sessions import SessionService
from muster.app import create_app
from muster.bootstrap import Application
from muster.web.security import SecurityHeaders
from tests.support.opening import impatient
from tests.support.world import World

PASSWORD = "correct horse battery staple"
_CSRF = re.compile(r'"x-csrftoken": "([0-9a-f]+)"')


class Page:
    """An answer, and what stands on it."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self.status = response.status_code
        self.html = LexborHTMLParser(response.text)

    def texts(self, selector: str) -> list[str]:
        """The text of every element, with single spaces."""
        return [" ".join(node.text().split()) for node in self.html.css(selector)]

    def text(self, selector: str = "main") -> str:
        """The text of the first such element."""
        found = self.texts(selector)
        assert found, f"there is no {selector} on {self.response.url}"
        return found[0]

    def attribute(self, selector: str, name: str) -> str | None:
        """An attribute of the first such element."""
        node = self.html.css_first(selector)
        assert node is not None, f"there is no {selector} on {self.response.url}"
        return node.attributes.get(name)


class Browser:
    """One browser with its cookies. Forms are sent with the CSRF token of the page they stand on."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self.token = ""

    async def get(self, path: str, *, follow: bool = True, **headers: str) -> Page:
        """Open a page as a person would."""
        response = await self.client.get(
            path, headers={"accept": "text/html", **_named(headers)}, follow_redirects=follow
        )
        self._remember(response)
        return Page(response)

    async def part(self, path: str) -> Page:
        """Fetch a part of a page, as htmx would."""
        return await self.get(path, hx_request="true")

    async def post(
        self, path: str, data: Mapping[str, Any] | None = None, *, follow: bool = True, part: bool = False
    ) -> Page:
        """Send a form; with `part` as htmx would."""
        if not self.token:
            await self.get("/account")
        headers = {"accept": "text/html", **({"hx-request": "true"} if part else {})}
        fields = {**(data or {}), "_csrf_token": self.token}
        response = await self.client.post(path, data=fields, headers=headers, follow_redirects=follow)
        self._remember(response)
        return Page(response)

    async def json(self, method: str, path: str, body: Any = None) -> httpx2.Response:
        """Ask the API with this browser's session."""
        if method != "GET" and not self.token:
            await self.get("/account")
        headers = {"accept": "application/json", "x-csrftoken": self.token}
        return await self.client.request(method, f"/api/v1{path}", json=body, headers=headers)

    def _remember(self, response: httpx2.Response) -> None:
        found = _CSRF.search(response.text)
        if found is not None:
            self.token = found[1]


class Site:
    """The application of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.application = Application(world.settings, world.database, world.box, impatient())
        self.app = create_app(self.application, worker=False)
        self._asgi = SecurityHeaders(self.app)

    @classmethod
    def of(cls, world: World) -> Self:
        """The site of this world's installation."""
        return cls(world)

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        """A browser that nobody is logged in with."""
        # The two packages spell the types of ASGI differently.
        transport = httpx2.ASGITransport(app=self._asgi)  # type: ignore[arg-type]
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://muster.test", timeout=60
        ) as client:
            yield Browser(client)

    @asynccontextmanager
    async def logged_in(self, role: Role = Role.ADMIN, world: World | None = None) -> AsyncIterator[Browser]:
        """A browser with a login of this role, in the site's tenant or in another world's."""
        scope = (world or self.world).scope
        async with self.world.database.write(scope) as session:
            users = UserService(session, scope)
            email = f"{role.value}@example.com"
            known = {user.email: user for user in await users.list()}
            user = known.get(email) or await users.create(email, password=PASSWORD, role=role)
            await session.flush()
            token = await SessionService(session, scope).open(user, address="127.0.0.1", user_agent="tests")
        async with self.browser() as browser:
            browser.client.cookies.set(COOKIE, str(token), domain="muster.test")
            yield browser


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def some_id() -> UUID:
    """An id that nothing has."""
    return UUID("00000000-0000-7000-8000-000000000000")
