"""A real browser: Debian's chromium, driven by Playwright. It and its pages reach the loopback only."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from tests.support.session import in_ci

NO_CHROMIUM = "chromium was not found"
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone-light": {"viewport": PHONE, "color_scheme": "light"},
    "phone-dark": {"viewport": PHONE, "color_scheme": "dark"},
}
_AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
# What axe-core calls worst; the rest is advice.
_SERIOUS = frozenset({"serious", "critical"})
# Without them the browser asks its maker for updates and lists on its own.
_QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
# A page has answered when its request has; slow machines are slow.
PATIENCE_MS = 30_000
expect.set_options(timeout=PATIENCE_MS)


class Visitor:
    """A person in front of a browser window. At the end nothing may have gone wrong in it: no error on the
    console (a breach of the Content-Security-Policy is one), no failed script, no answer of 500, no request
    to another host.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.trouble: list[str] = []
        # Statuses that a journey brings about on purpose; the browser logs each of them as an error.
        self.expected: set[int] = set()
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.trouble.append(f"script: {error}"))
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)

    def open(self, path: str) -> Page:
        """Go to a page of Muster's."""
        self.page.goto(f"{self.url}{path}")
        return self.page

    def accessible(self) -> None:
        """No serious problem of accessibility, as axe-core sees it, on the page as it is."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(_AXE.read_text(encoding="utf-8"))
        found: dict[str, Any] = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        serious = [
            f"{each['id']}: {each['help']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            if each["impact"] in _SERIOUS
            for node in each["nodes"]
        ]
        assert not serious, f"{self.page.url}\n" + "\n".join(serious)

    def fits(self) -> None:
        """Nothing sticks out sideways."""
        wide = self.page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{self.page.url} is {wide} px wider than the window"

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(
            f"status of {status}" in message.text for status in self.expected
        ):
            self.trouble.append(f"console: {message.text}")

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((self.url, "data:", "about:", "blob:")):
            self.trouble.append(f"asked {request.url}")

    def _answered(self, response: Response) -> None:
        if response.status >= 500 and response.status not in self.expected:
            self.trouble.append(f"{response.status} from {response.url}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser. Where it is not installed the test is skipped, and in CI it fails."""
    program = shutil.which("chromium")
    if program is None:
        if in_ci():
            pytest.fail(f"{NO_CHROMIUM}; make setup installs it")
        pytest.skip(f"{NO_CHROMIUM}: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visitor(browser: Browser, url: str, *, session: str | None = None, **options: Any) -> Iterator[Visitor]:
    """A window of its own cookies; with a session's token it is logged in."""
    context = browser.new_context(viewport=options.pop("viewport", DESKTOP), **options)
    try:
        if session is not None:
            context.add_cookies([{"name": "muster_session", "value": session, "url": url}])
        guest = Visitor(context, url)
        yield guest
        assert not guest.trouble, "\n".join(guest.trouble)
    finally:
        context.close()
