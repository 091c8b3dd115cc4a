"""Every page there is, for pictures of them and for checks that hold for each."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.support.chromium import Visitor


def _planned(page: Page) -> None:
    expect(page.locator("#plan [aria-busy]")).to_have_count(0)
    expect(page.locator(".m-skeleton")).to_have_count(0)


@dataclass(frozen=True)
class Stop:
    """A page: its address, and what to wait for or do on it. `guide`: its picture is in the user guide."""

    name: str
    path: str
    guide: bool = False
    login: bool = True
    act: Callable[[Page], object] | None = None

    def visit(self, guest: Visitor) -> Page:
        """Open it."""
        page = guest.open(self.path)
        if self.act is not None:
            self.act(page)
        return page


def every_page(*, integration: str, asset: str, client: str, run: str, missing: str) -> list[Stop]:
    """The pages of a tenant that has one of each: the ids say which."""
    panel = f"/settings/integrations/rmm/{integration}"
    return [
        Stop("login", "/login", login=False),
        Stop("dashboard", "/", guide=True),
        Stop("assets", "/assets", guide=True),
        Stop("assets-overdue", "/assets?status=overdue"),
        Stop("assets-no-result", "/assets?q=nothing+has+this+name&status=overdue"),
        Stop("asset", f"/assets/{asset}", guide=True),
        Stop("asset-history", f"/assets/{asset}/history"),
        Stop("asset-missing", f"/assets/{missing}"),
        Stop("missing", "/missing", guide=True),
        Stop("clients", "/clients"),
        Stop("client", f"/clients/{client}"),
        Stop("runs", "/runs"),
        Stop("run", f"/runs/{run}", guide=True),
        Stop("settings", "/settings"),
        Stop("rmm", "/settings/integrations/rmm"),
        Stop("rmm-panel", panel, guide=True),
        Stop("rmm-panel-unmapped", f"{panel}?org=unmapped"),
        Stop("rmm-connect", "/settings/integrations/rmm/new/tacticalrmm", guide=True),
        Stop("rmm-connection", f"{panel}/connection"),
        Stop("rmm-preview", f"{panel}/preview", act=_planned),
        Stop("rmm-disconnect", f"{panel}/disconnect"),
        Stop("users", "/settings/users"),
        Stop("roles", "/settings/roles"),
        Stop("audit", "/audit"),
        Stop("account", "/account"),
        Stop("not-found", "/nowhere"),
    ]
