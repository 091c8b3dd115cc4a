"""The list of alerts and the page of one, as a browser meets them."""

from collections.abc import Callable
from datetime import timedelta
from operator import not_
from typing import Any

import msgspec
import pytest
from sqlalchemy import event

from muster import clock
from muster.accounts.permissions import Role
from muster.alerts.schemas import AlertView
from muster.clients.service import ClientService
from muster.naming import name_key
from muster.providers.alerting import AlertType
from tests.alerts.saying import START, Alerts, after
from tests.alerts.shelf import ROWS, again, everything, fill, ids, of_device, one, shown
from tests.support.site import Site, some_id
from tests.support.world import World

WORST = ["critical", "major", "moderate", "minor", "none"]


@pytest.fixture
def site(alerts: Alerts) -> Site:
    return Site.of(alerts.world)


# --- the list ---------------------------------------------------------------------------------------------


async def test_the_figures_of_the_list_add_up(alerts: Alerts, site: Site) -> None:
    found = await fill(alerts)
    active = [alert for alert in found if alert.status == "active"]
    async with site.logged_in() as browser:
        page = await browser.get("/alerts")
    assert page.attribute('.m-place[href="/alerts"] .m-place-count', "class") == "m-place-count m-urgent"
    assert page.text('.m-place[href="/alerts"] .m-place-count') == str(len(active) - 2)
    figures = page.text("#alert-figures").removesuffix("; 2 of them kept quiet by a rule").split(", ")
    counts = {name: sum(alert.severity == name for alert in active) for name in WORST}
    words = [f"{count} {name if name != 'none' else 'without severity'}" for name, count in counts.items()]
    quiet = sum(alert.suppressed for alert in active)
    assert quiet == 2
    assert figures == [word for word in words if not word.startswith("0 ")]
    assert page.texts("#alert-parts a") == [
        f"Active {len(active)}",
        "Acknowledged 1",
        "Snoozed 1",
        f"Resolved {sum(alert.status == 'resolved' for alert in found)}",
        f"All {len(found)}",
    ]
    assert len(shown(page)) == len(active) < 25
    assert f"1-{len(active)} of {len(active)}" in page.text(".m-pages")


async def test_a_row_says_what_where_and_since_when(alerts: Alerts, site: Site) -> None:
    await alerts.apply(
        of_device(
            alerts, 0, "1", alert_type=AlertType.CHECK, cause="check:1", message="D: is full", hidden=True
        )
    )
    alert = await alerts.only()
    async with site.logged_in() as browser:
        page = await browser.get("/alerts")
        cells = page.texts(f"{ROWS} td")
        assert cells[1:] == [
            "Critical",
            f"D: is fullD: is full {alert.asset_name}, {alert.client_name} Hidden",
            alert.client_name,
            "1",
            cells[-1],
        ]
        assert page.attribute(f"{ROWS} time", "datetime") == START.isoformat()
        assert page.attribute(f"{ROWS} a.m-hide-phone", "href") == f"/alerts?alert={alert.alert_id}"
        assert page.attribute(f"{ROWS} a.m-only-phone", "href") == f"/alerts/{alert.alert_id}"


async def test_each_filter_shows_what_python_would_choose(alerts: Alerts, site: Site) -> None:
    found = await fill(alerts)
    client = next(str(alert.client_id) for alert in found if alert.client_id)
    asset = next(str(alert.asset_id) for alert in found if alert.asset_id)
    raised = {alert.alert_id: alert.raised_at or START for alert in found}
    week = clock.now() - timedelta(days=7)
    expected: dict[str, Callable[[AlertView], bool]] = {
        "": bool,
        "severity=critical": lambda alert: alert.severity == "critical",
        "severity=major&severity=none": lambda alert: alert.severity in ("major", "none"),
        "type=check": lambda alert: alert.alert_type == "check",
        "type=task&type=custom": lambda alert: alert.alert_type in ("task", "custom"),
        f"client={client}": lambda alert: str(alert.client_id) == client,
        f"asset={asset}": lambda alert: str(alert.asset_id) == asset,
        "provider=tacticalrmm": bool,
        f"integration={alerts.integration.integration_id}": bool,
        "raised=within-7": lambda alert: raised[alert.alert_id] >= week,
        "raised=older-7": lambda alert: raised[alert.alert_id] < week,
        "last=older-9999": not_,
        "suppressed=no": lambda alert: not alert.suppressed,
        "suppressed=yes": lambda alert: alert.suppressed,
        "hidden=yes": lambda alert: alert.hidden,
        "confirmed=no": lambda alert: not alert.confirmed,
        "linked=no": lambda alert: alert.asset_id is None,
        "q=übel": lambda alert: "Übel" in (alert.message or ""),
        "q=NUMBER+1": lambda alert: "number 1" in (alert.message or ""),
        "q=device-3": lambda alert: "DEVICE-3" in (alert.device_name or ""),
        "q=%25": not_,
        "severity=critical&hidden=no": lambda alert: alert.severity == "critical" and not alert.hidden,
    }
    async with site.logged_in() as browser:
        for query, keep in expected.items():
            assert sorted(await everything(browser, f"status=all&{query}")) == ids(found, keep), query
        for part in ("active", "acknowledged", "snoozed", "resolved"):
            listed = await everything(browser, f"status={part}")
            assert sorted(listed) == ids(found, lambda alert, part=part: alert.status == part)  # type: ignore[misc]


KEYS: dict[str, Callable[[AlertView], Any]] = {
    "severity": lambda alert: WORST[::-1].index(alert.severity),
    "device": lambda alert: alert.device_name.lower() if alert.device_name else None,
    "client": lambda alert: name_key(alert.client_name) if alert.client_name else None,
    "occurrences": lambda alert: alert.occurrences,
    "raised": lambda alert: alert.raised_at,
}


@pytest.mark.parametrize("column", KEYS)
async def test_every_column_sorts_as_python_does(alerts: Alerts, site: Site, column: str) -> None:
    found = {str(alert.alert_id): alert for alert in await fill(alerts)}
    async with site.logged_in() as browser:
        for descending in (False, True):
            sort = f"{'-' if descending else ''}{column}"
            listed = await everything(browser, f"status=all&sort={sort}&rows=25")
            assert sorted(listed) == sorted(found)
            keys = [KEYS[column](found[each]) for each in listed]
            known = [key for key in keys if key is not None]
            assert known == sorted(known, reverse=descending)
            assert keys[: len(known)] == known, "what is empty stands last"
            page = await browser.get(f"/alerts?sort={sort}")
            assert [header.attributes["aria-sort"] for header in page.html.css("th[aria-sort]")] == [
                "descending" if descending else "ascending"
            ]


async def test_what_an_address_asks_for_is_there_or_refused(alerts: Alerts, site: Site) -> None:
    other = await World.make(alerts.database, "Beta IT")
    async with other.database.write(other.scope) as session:
        client = await ClientService(session, other.scope).create("Theirs")
    async with site.logged_in() as browser:
        for query in ("colour=red", "severity=loud", "status=gone", "raised=7", "suppressed=maybe", "sort=x"):
            assert (await browser.get(f"/alerts?{query}")).status == 400, query
        for query in (
            f"client={client.client_id}",
            f"asset={some_id()}",
            f"integration={some_id()}",
            f"alert={some_id()}",
        ):
            assert (await browser.get(f"/alerts?{query}")).status == 404, query


async def test_a_list_that_is_empty_says_why(alerts: Alerts, site: Site) -> None:
    async with site.logged_in() as browser:
        page = await browser.get("/alerts")
        assert "No alerts yet" in page.text()
        assert (
            page.attribute(".m-nothing .btn-primary", "href")
            == f"/settings/integrations/rmm/{alerts.integration.integration_id}#webhook"
        )
        await alerts.apply(of_device(alerts, 0, "1", resolved=True, resolved_at=after(5)), at=after(6))
        page = await browser.get("/alerts")
        assert "Nothing is active" in page.text(".m-nothing")
        assert page.text("#alert-figures") == "Nothing is active"
        assert page.attribute(".m-nothing .btn", "href") == "/alerts?status=resolved"
        assert page.attribute('.m-place[href="/alerts"] .m-place-count', "hidden") is None
        page = await browser.get("/alerts?status=snoozed")
        assert "No alert is snoozed" in page.text(".m-nothing")
        page = await browser.get("/alerts?status=all&severity=minor&q=nothing")
        assert page.texts(".m-loosen a") == ["Search “nothing”", "Severity: Minor"]
    bare = Site.of(await World.make(alerts.database, "Bare IT"))
    async with bare.logged_in() as browser:
        page = await browser.get("/alerts")
        assert page.attribute(".m-nothing .btn-primary", "href") == "/settings/integrations/rmm"
    async with bare.logged_in(Role.VIEWER) as browser:
        page = await browser.get("/alerts")
        assert page.html.css_first(".m-nothing .btn") is None
        assert "An administrator" in page.text(".m-nothing")


async def test_an_alert_leads_to_the_test_of_its_rules(alerts: Alerts, site: Site) -> None:
    alert = next(alert for alert in await fill(alerts) if alert.message)
    link = '.m-alert-facts a[href*="?alert="]'
    async with site.logged_in(Role.TECHNICIAN) as browser:
        where = (await browser.get(f"/alerts/{alert.alert_id}")).attribute(link, "href")
        assert where is not None
        tester = await browser.get(where)
        assert tester.attribute("#tester input[name=message]", "value") == alert.message
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get(f"/alerts/{alert.alert_id}")
        assert page.html.css_first(link) is None


async def test_a_page_without_alerts_asks_for_the_first(alerts: Alerts, site: Site) -> None:
    async with site.logged_in() as browser:
        nothing = (await browser.get("/alerts")).html.css_first("section:has(.m-nothing)")
        assert nothing is not None
        live, headers = (
            nothing.attributes["hx-get"],
            msgspec.json.decode(nothing.attributes["hx-headers"] or ""),
        )
        assert live is not None
        seen = {"hx_request": "true", **{name.replace("-", "_"): value for name, value in headers.items()}}
        assert (await browser.get(live, **seen)).status == 204
        await alerts.apply(of_device(alerts, 0, "1"), at=after(1))
        answer = await browser.get(live, **seen)
    assert (answer.status, answer.response.headers["hx-refresh"]) == (200, "true")


async def test_a_list_asks_no_more_of_the_database_for_more_rows(alerts: Alerts, site: Site) -> None:
    asked: list[str] = []

    def count(_c: object, _u: object, statement: str, *_rest: object) -> None:
        asked.append(statement)

    await alerts.apply(of_device(alerts, 0, "1"))
    async with site.logged_in() as browser:
        for engine in (alerts.database.reader, alerts.database.writer):
            event.listen(engine.sync_engine, "before_cursor_execute", count)
        assert len(shown(await browser.get("/alerts?status=all"))) == 1
        few = len(asked)
        await fill(alerts)
        asked.clear()
        assert len(shown(await browser.get("/alerts?status=all"))) == 25
        assert 0 < len(asked) <= few


# --- one alert --------------------------------------------------------------------------------------------


async def test_the_page_of_an_alert_tells_all_of_it(alerts: Alerts, site: Site) -> None:
    usual = {"alert_type": AlertType.CHECK, "cause": "check:7", "message": "D: is full"}
    await alerts.apply(of_device(alerts, 0, "7", **usual), origin="webhook")
    await alerts.apply(of_device(alerts, 0, "7", **usual, resolved=True, resolved_at=after(30)), at=after(31))
    await alerts.apply(of_device(alerts, 0, "9", **usual, opened_at=after(60)), at=after(60))
    first, second = await alerts.named("7"), await alerts.named("9")
    async with site.logged_in() as browser:
        page = await browser.get(f"/alerts/{second.alert_id}")
        assert page.texts("h1") == ["D: is full"]
        assert page.texts(".m-alert-state .m-status") == ["Critical", "Active"]
        assert page.attribute(".m-alert-head .m-secondary a", "href") == f"/assets/{second.asset_id}"
        facts = dict(zip(page.texts(".m-alert-facts dt"), page.texts(".m-alert-facts dd"), strict=True))
        assert facts["Type"] == 'Check, Tactical RMM severity "error"'
        assert facts["In Tactical RMM"] == "Alert 9"
        assert facts["Confirmed"] == "Read from Tactical RMM"
        assert page.attribute(f'.m-alert-facts a[href="/alerts/{first.alert_id}"]', "href")
        assert '"id": "9"' in page.text(".m-alert-raw pre")
        page = await browser.get(f"/alerts/{first.alert_id}")
        assert page.texts(".m-alert-timeline b") == ["Resolved by Tactical RMM", "Raised as critical"]
        assert page.texts(".m-alert-timeline small") == [
            "Found when alerts were synced",
            "Told by its webhook",
        ]
        assert page.attribute(f'.m-alert-facts a[href="/alerts/{second.alert_id}"]', "href")
        assert page.html.css_first(".m-alert-actions") is None
        assert (await browser.get(f"/alerts/{some_id()}")).status == 404


async def test_what_a_server_sends_is_text_on_a_page(alerts: Alerts, site: Site) -> None:
    nasty = "<script>alert(1)</script> & </pre><img src=x onerror=alert(1)>"
    await alerts.apply(of_device(alerts, 0, "1", message=nasty))
    alert = await alerts.only()
    async with site.logged_in() as browser:
        for path in ("/alerts", f"/alerts/{alert.alert_id}", f"/alerts?alert={alert.alert_id}", "/"):
            page = await browser.get(path)
            assert not [each for each in page.html.css("script") if "alert(1)" in each.text()], path
            assert page.html.css_first("img") is None, path
        assert page.status == 200


async def test_what_only_a_webhook_told_is_marked(alerts: Alerts, site: Site) -> None:
    await alerts.hear(device_id="nobodyknows", event="trigger", alert_type=AlertType.AVAILABILITY)
    alert = await alerts.only()
    async with site.logged_in() as browser:
        page = await browser.get("/alerts")
        assert "Unconfirmed" in page.text(f"{ROWS} td.m-name")
        assert "Agent nobodyknows, linked after the next device sync" in page.text(f"{ROWS} td.m-name")
        page = await browser.get(f"/alerts/{alert.alert_id}")
        assert "Only told by its webhook" in page.text(".m-alert-facts")


# --- live -------------------------------------------------------------------------------------------------


async def test_an_alert_appears_by_itself(alerts: Alerts, site: Site) -> None:
    await alerts.apply(of_device(alerts, 0, "1", alert_type=AlertType.CHECK, cause="check:1"))
    asset_id = (await alerts.only()).asset_id
    async with site.logged_in() as browser:
        listed = await browser.get("/alerts?severity=critical")
        tab = await browser.get(f"/assets/{asset_id}/alerts")
        assert (await again(browser, listed, "#alert-list")).status == 204
        assert (await again(browser, tab, "#asset-alerts")).status == 204
        await alerts.apply(of_device(alerts, 0, "2", message="Once more.", opened_at=after(9)), at=after(9))
        page = await again(browser, listed, "#alert-list")
        assert len(page.html.css(ROWS)) == 2
        assert page.text("#alert-parts[hx-swap-oob]").startswith("Active 2")
        assert page.text("#count-alerts[hx-swap-oob]") == "2"
        said = page.text('[hx-swap-oob="innerHTML:#alert-spoken"]')
        assert said == "The list has changed: 2 active alerts. First in the list: Once more."
        assert "Once more." in (await again(browser, tab, "#asset-alerts")).text("#asset-alerts")


async def test_an_open_alert_follows_what_happens_to_it(alerts: Alerts, site: Site) -> None:
    alert_id = await one(alerts)
    async with site.logged_in() as browser:
        beside = await browser.get(f"/alerts?alert={alert_id}&severity=critical")
        alone = await browser.get(f"/alerts/{alert_id}")
        assert (await again(browser, beside, "#alert")).status == 204
        assert beside.attribute("#alert", "hx-trigger") == "every 10s"
        await alerts.apply(of_device(alerts, 0, "1", resolved=True, resolved_at=after(5)), at=after(6))
        page = await again(browser, beside, "#alert")
        assert page.texts("#alert h2") == ["It is overdue."]
        assert page.texts(".m-alert-state .m-status") == ["Critical", "Resolved"]
        assert page.html.css_first("#alert-pane") is None
        assert (await again(browser, alone, "#alert")).texts("#alert h1") == ["It is overdue."]
        # Whoever follows such an address without scripts sees the page.
        page = await browser.get(f"/alerts/{alert_id}/live")
        assert page.texts("h1") == ["It is overdue."]
