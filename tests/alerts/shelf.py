"""A list full of alerts, and what a browser sees of it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import RuleAction, RuleConditions
from muster.alerts.schemas import AlertView
from muster.alerts.service import AlertService
from muster.providers.alerting import AlertRecord, AlertSeverity, AlertType
from muster.tenancy import TenantScope
from tests.alerts.saying import START, Alerts, after, record
from tests.support.site import Browser, Page

ROWS = "table.m-alerts tbody tr"


def of_device(alerts: Alerts, number: int, external_id: str, **values: Any) -> AlertRecord:
    """A record about one of the fleet's devices."""
    device = alerts.devices[number]
    return record(external_id, device_id=device, device_name=f"DEVICE-{number}", site_name="HQ", **values)


async def fill(alerts: Alerts) -> list[AlertView]:
    """Alerts of many kinds: thirty on several devices, some kept quiet by a rule, one about no device, one
    that only a webhook told.
    """
    async with alerts.database.write(alerts.scope) as session:
        draft = RuleDraft(
            name="Known trouble",
            action=RuleAction.SUPPRESS,
            conditions=RuleConditions(messages=("number 8", "number 13")),
        )
        await RuleService(session, alerts.scope).add(alerts.integration.integration_id, draft)
    severities = list(AlertSeverity)
    kinds = [AlertType.AVAILABILITY, AlertType.CHECK, AlertType.TASK]
    for number in range(30):
        kind = kinds[number % 3]
        resolved = number % 5 == 4
        await alerts.apply(
            of_device(
                alerts,
                number % 7,
                str(100 + number),
                alert_type=kind,
                cause=None if kind is AlertType.AVAILABILITY else f"{kind.value}:{number}",
                severity=severities[number % 4],
                message=f"Übel number {number}" if number % 2 else f'"Quoted" number {number}',
                opened_at=after(-60 * number),
                resolved=resolved,
                resolved_at=after(1) if resolved else None,
                hidden=number % 6 == 0,
            ),
            at=after(number),
        )
    await alerts.apply(record("200", alert_type=AlertType.CUSTOM, severity=AlertSeverity.NONE, message=""))
    await alerts.hear(after(40), device_id=alerts.devices[8], external_alert_id="300", event="trigger")
    actor = TenantScope(alerts.scope.tenant_id, actor="dana@example.com")
    async with alerts.database.write(actor) as session:
        service = AlertService(session, actor)
        await service.acknowledge((await alerts.named("101")).alert_id)
        await service.snooze((await alerts.named("102")).alert_id, days=3)
    return await alerts.all()


async def one(alerts: Alerts) -> UUID:
    """The only alert there is: active, and the server's webhook about it has ended."""
    await alerts.apply(of_device(alerts, 0, "1", delivered_at=START))
    return (await alerts.only()).alert_id


def shown(page: Page) -> list[str]:
    """The ids of the alerts in the list."""
    return [str(box.attributes["value"]) for box in page.html.css(f"{ROWS} input[name=alert]")]


async def everything(browser: Browser, query: str) -> list[str]:
    """The ids of all pages of a list, one after the other."""
    found: list[str] = []
    number = 1
    while True:
        page = await browser.get(f"/alerts?{query}&page={number}")
        found += shown(page)
        if page.html.css_first('a[rel="next"]') is None:
            return found
        number += 1


def ids(alerts: list[AlertView], keep: Callable[[AlertView], bool]) -> list[str]:
    """The ids of those that are kept, in order."""
    return sorted(str(alert.alert_id) for alert in alerts if keep(alert))


async def again(browser: Browser, page: Page, selector: str) -> Page:
    """Ask for a part again as the page that shows it does."""
    path, headers = page.attribute(selector, "hx-get"), page.attribute(selector, "hx-headers")
    assert path is not None
    assert headers is not None
    seen = headers.split('"')[3]
    return await browser.get(path, hx_request="true", x_muster_seen=seen)
