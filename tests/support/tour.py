"""Every page there is, for pictures of them and for checks that hold for each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.support.chromium import Visitor


def _planned(page: Page) -> None:
    expect(page.locator("#plan [aria-busy]")).to_have_count(0)
    expect(page.locator(".m-skeleton")).to_have_count(0)


def _chosen(page: Page) -> None:
    for box in page.locator("input[name=alert]").all()[:2]:
        box.check()


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


def every_page(ids: Mapping[str, str]) -> list[Stop]:
    """The pages of a tenant that has one of each: the ids say which (`House.furnish`, `House.trouble`)."""
    asset, client, run = ids["asset"], ids["client"], ids["run"]
    panel = f"/settings/integrations/rmm/{ids['integration']}"
    return [
        Stop("login", "/login", login=False),
        Stop("dashboard", "/", guide=True),
        Stop("assets", "/assets", guide=True),
        Stop("assets-overdue", "/assets?status=overdue"),
        Stop("assets-no-result", "/assets?q=nothing+has+this+name&status=overdue"),
        Stop("asset", f"/assets/{asset}", guide=True),
        Stop("asset-history", f"/assets/{asset}/history"),
        Stop("asset-missing", f"/assets/{ids['missing']}"),
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
        *_about_alerts(ids),
        *_about_software(ids),
        *_about_webhooks(ids, panel),
        *_about_telling(ids),
        Stop("users", "/settings/users"),
        Stop("roles", "/settings/roles"),
        Stop("audit", "/audit"),
        Stop("account", "/account"),
        Stop("not-found", "/nowhere"),
    ]


def _about_alerts(ids: Mapping[str, str]) -> list[Stop]:
    alert, asset = ids["alert"], ids["asset"]
    return [
        Stop("alerts", f"/alerts?alert={alert}&raised=within-1", guide=True),
        Stop("alerts-all", "/alerts?status=all"),
        Stop("alerts-chosen", "/alerts", act=_chosen),
        Stop("alerts-no-result", "/alerts?q=nothing+has+this+name&severity=critical"),
        Stop("alert", f"/alerts/{alert}"),
        Stop("alert-resolve", f"/alerts/{alert}/resolve"),
        Stop("asset-alerts", f"/assets/{asset}/alerts"),
    ]


def _about_software(ids: Mapping[str, str]) -> list[Stop]:
    title = f"/software/{ids['title']}"
    return [
        Stop("software", "/software?sort=-machines", guide=True),
        Stop("software-below", "/software?q=openssl+below+3.0.15"),
        Stop("software-no-result", "/software?q=nothing+has+this+name&version=1&op=below"),
        Stop("software-title", f"{title}?version=3.0.15&op=below", guide=True),
        Stop("software-title-no-result", f"{title}?version=999&op=above"),
        Stop("software-changes", "/software/changes"),
        Stop("software-changes-no-result", f"/software/changes?days=1&kind=updated&asset={ids['missing']}"),
        Stop("asset-software", f"/assets/{ids['asset']}/software"),
        Stop("asset-software-silent", f"/assets/{ids['silent']}/software"),
    ]


def _about_webhooks(ids: Mapping[str, str], panel: str) -> list[Stop]:
    receipts = "/settings/integrations/rmm/receipts"
    return [
        Stop("webhook", f"{panel}/webhook", guide=True),
        Stop("webhook-rotate", f"{panel}/webhook/rotate"),
        Stop("webhook-setup", f"{panel}/webhook/setup"),
        Stop("webhook-remove", f"{panel}/webhook/setup/remove"),
        Stop("webhook-coverage", f"{panel}/webhook/coverage"),
        Stop("receipts", f"{panel}/receipts"),
        Stop("receipts-replay", f"{panel}/receipts/replay?state=not_understood"),
        Stop("receipt", f"{receipts}/{ids['receipt']}"),
        Stop("receipt-odd", f"{receipts}/{ids['odd_receipt']}"),
    ]


def _about_telling(ids: Mapping[str, str]) -> list[Stop]:
    """Who is told: rules, channels, programs."""
    rules = f"/settings/rules/integrations/{ids['integration']}"
    webhook = f"/settings/webhooks/{ids['subscription']}"
    return [
        Stop("rules-index", "/settings/rules"),
        Stop("rules", rules),
        Stop("rules-tried", f"{rules}?alert={ids['alert']}"),
        Stop("rule-new", f"{rules}/new"),
        Stop("rule", f"/settings/rules/{ids['rule']}"),
        Stop("rule-remove", f"/settings/rules/{ids['rule']}/remove"),
        Stop("channels", "/settings/channels"),
        Stop("channel-mail", "/settings/channels/new/mail"),
        Stop("channel-slack", "/settings/channels/new/slack"),
        Stop("subscriptions", "/settings/webhooks"),
        Stop("subscription-new", "/settings/webhooks/new"),
        Stop("subscription", webhook),
        Stop("delivery", f"{webhook}/deliveries/{ids['delivery']}"),
        Stop("subscription-remove", f"{webhook}/remove"),
    ]
