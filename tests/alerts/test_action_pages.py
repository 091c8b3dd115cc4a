"""What is done to alerts from their pages."""

from urllib.parse import quote

import pytest

from muster.accounts.permissions import Role
from muster.audit.service import AuditService
from tests.alerts.saying import Alerts
from tests.alerts.shelf import fill, ids, one
from tests.support.site import Site, some_id


@pytest.fixture
def site(alerts: Alerts) -> Site:
    return Site.of(alerts.world)


# --- what is done -----------------------------------------------------------------------------------------


async def test_each_deed_is_done_said_and_recorded(alerts: Alerts, site: Site) -> None:
    alert_id = await one(alerts)
    back = f"/alerts?alert={alert_id}"
    steps = [
        ("acknowledge", {}, "acknowledged", "Acknowledged."),
        ("unacknowledge", {}, "active", "Given back"),
        ("snooze", {"days": "3"}, "snoozed", "Snoozed. Tactical RMM will be told."),
        ("unsnooze", {}, "active", "Its snooze has ended."),
        ("note", {"note": "Ask Ilja."}, "active", "Note saved."),
        ("resolve", {}, "resolved", "Resolved. Tactical RMM will be told."),
    ]
    async with site.logged_in(Role.TECHNICIAN) as browser:
        for verb, fields, status, said in steps:
            page = await browser.post(f"/alerts/{alert_id}/{verb}", {"back": back, **fields})
            assert (page.status, str(page.response.url.raw_path, "ascii")) == (200, back), verb
            assert said in page.text("#toasts"), verb
            assert (await alerts.get(alert_id)).status == status, verb
        assert "Tactical RMM is still to be told to resolve it." in page.text(".m-alert-told")
        assert page.texts(".m-alert-timeline b") == [
            "Resolved by technician@example.com",
            "Note by technician@example.com",
            "Snooze ended",
            "Snoozed by technician@example.com",
            "Given back",
            "Acknowledged",
            "Raised as critical",
        ]
        assert "Ask Ilja." in page.text(".m-alert-timeline")
    async with alerts.database.read(alerts.scope) as session:
        recorded = await AuditService(session, alerts.scope).list(limit=20)
    assert [each.action for each in recorded if each.action.startswith("alert.")] == [
        "alert.resolved",
        "alert.note",
        "alert.unsnoozed",
        "alert.snoozed",
        "alert.unacknowledged",
        "alert.acknowledged",
    ]


async def test_acknowledging_can_be_taken_back_from_the_toast(alerts: Alerts, site: Site) -> None:
    alert_id = await one(alerts)
    async with site.logged_in() as browser:
        page = await browser.post(f"/alerts/{alert_id}/acknowledge", {"back": "/alerts?severity=critical"})
        undo = page.attribute("#toasts form", "action")
        assert undo == f"/alerts/{alert_id}/unacknowledge"
        page = await browser.post(undo, {"back": page.attribute("#toasts input[name=back]", "value")})
        assert str(page.response.url.raw_path, "ascii") == "/alerts?severity=critical"
        assert (await alerts.get(alert_id)).status == "active"


async def test_htmx_gets_the_place_drawn_anew_with_its_figures(alerts: Alerts, site: Site) -> None:
    alert_id = await one(alerts)
    async with site.logged_in() as browser:
        page = await browser.part(f"/alerts?alert={alert_id}")
        assert page.html.css_first("html head title") is None
        assert page.attribute("#alert-pane", "class") == "m-card m-pane"
        page = await browser.post(
            f"/alerts/{alert_id}/acknowledge", {"back": f"/alerts?alert={alert_id}"}, part=True
        )
        assert "Acknowledged." in page.response.headers["hx-trigger"]
        assert page.texts("#alerts .m-alert-state .m-status") == ["Critical", "Acknowledged"]
        assert page.text("#count-alerts[hx-swap-oob]") == "0"
        assert "Nothing is active" in page.text("#alert-figures[hx-swap-oob]")
        page = await browser.post(f"/alerts/{alert_id}/snooze", {"days": "1"}, part=True)
        assert page.texts("#alerts.m-alert-page h1") == ["It is overdue."]
        assert page.html.css_first("#alert-list") is None


async def test_what_cannot_be_done_is_refused_and_changes_nothing(alerts: Alerts, site: Site) -> None:
    alert_id = await one(alerts)
    async with site.logged_in() as browser:
        for verb, fields in (
            ("snooze", {}),
            ("snooze", {"days": "9999"}),
            ("snooze", {"days": "-1"}),
            ("note", {"note": " "}),
        ):
            assert (await browser.post(f"/alerts/{alert_id}/{verb}", fields)).status == 400, (verb, fields)
        assert len((await alerts.get(alert_id)).timeline) == 1
        await browser.post(f"/alerts/{alert_id}/resolve")
        page = await browser.post(f"/alerts/{alert_id}/acknowledge")
        assert (page.status, "resolved and cannot be acknowledged" in page.text("body")) == (409, True)


async def test_resolving_is_asked_on_a_page_of_its_own_without_scripts(alerts: Alerts, site: Site) -> None:
    alert_id = await one(alerts)
    back = "/alerts?severity=critical"
    async with site.logged_in() as browser:
        page = await browser.get(f"/alerts/{alert_id}/resolve?back={quote(back)}")
        assert "That does not mend the cause: if it lasts, a new alert comes" in page.text()
        assert page.attribute("form.m-card-foot a", "href") == back
        assert page.attribute("form.m-card-foot", "action") == f"/alerts/{alert_id}/resolve"
        page = await browser.post(f"/alerts/{alert_id}/resolve", {"back": back})
        assert str(page.response.url.raw_path, "ascii") == back


@pytest.mark.parametrize(
    "back", ["https://evil.example.com/alerts", "//evil.example.com/alerts", "/settings", "x", ""]
)
async def test_the_way_back_leads_nowhere_else(alerts: Alerts, site: Site, back: str) -> None:
    alert_id = await one(alerts)
    async with site.logged_in() as browser:
        answer = await browser.post(f"/alerts/{alert_id}/acknowledge", {"back": back}, follow=False)
        assert answer.response.headers["location"] == f"/alerts/{alert_id}"
        answer = await browser.post("/alerts/chosen", {"back": back}, follow=False)
        assert answer.response.headers["location"] == "/alerts"


async def test_who_may_only_look_sees_what_is_missing(alerts: Alerts, site: Site) -> None:
    alert_id = await one(alerts)
    async with site.logged_in(Role.VIEWER) as browser:
        page = await browser.get(f"/alerts?alert={alert_id}")
        assert page.html.css_first("input[type=checkbox][name=alert]") is None
        assert page.html.css_first("form#chosen .m-chosen-bar") is None
        locked = page.texts(".m-alert-actions .m-locked")
        assert locked == ["Acknowledge", "Snooze", "Resolve…"]
        assert "alert:update" in (page.attribute(".m-alert-actions .m-locked", "data-tip") or "")
        for verb in ("acknowledge", "snooze", "resolve", "note"):
            assert (await browser.post(f"/alerts/{alert_id}/{verb}", {"days": "1"})).status == 403
        assert (
            await browser.post("/alerts/chosen", {"alert": str(alert_id), "verb": "resolve"})
        ).status == 403
    assert (await alerts.get(alert_id)).status == "active"


# --- several at once --------------------------------------------------------------------------------------


async def test_chosen_rows_are_changed_together(alerts: Alerts, site: Site) -> None:
    found = await fill(alerts)
    active = ids(found, lambda alert: alert.status == "active")
    resolved = ids(found, lambda alert: alert.status == "resolved")
    async with site.logged_in() as browser:
        page = await browser.post(
            "/alerts/chosen", {"alert": active[:3], "verb": "acknowledge", "back": "/alerts?status=all"}
        )
        assert "3 alerts acknowledged." in page.text("#toasts")
        assert str(page.response.url.raw_path, "ascii") == "/alerts?status=all"
        page = await browser.post("/alerts/chosen", {"alert": [active[3], resolved[0]], "verb": "snooze-7"})
        assert page.attribute("#toasts .m-toast", "class") == "m-toast m-toast-problem"
        assert "1 alert snoozed. 1 alert cannot be snoozed" in page.text("#toasts")
        page = await browser.post("/alerts/chosen", {"alert": active[4:6], "verb": "ask"})
        assert page.text("h1") == "Resolve 2 alerts?"
        hidden = [str(each.attributes["value"]) for each in page.html.css("input[name=alert]")]
        assert sorted(hidden) == active[4:6]
        page = await browser.post("/alerts/chosen", {"alert": hidden, "verb": "resolve"})
        assert "2 alerts resolved." in page.text("#toasts")
        statuses = {str(alert.alert_id): alert.status for alert in await alerts.all()}
        assert [statuses[each] for each in active[:6]] == [
            *["acknowledged"] * 3,
            "snoozed",
            *["resolved"] * 2,
        ]


async def test_nothing_is_done_to_chosen_rows_unless_all_are_there(alerts: Alerts, site: Site) -> None:
    alert_id = str(await one(alerts))
    async with site.logged_in() as browser:
        page = await browser.post("/alerts/chosen", {"verb": "resolve"})
        assert "No alert is chosen." in page.text("#toasts")
        for fields, status in (
            ({"alert": [alert_id, str(some_id())], "verb": "resolve"}, 404),
            ({"alert": [alert_id], "verb": "explode"}, 400),
            ({"alert": [alert_id], "verb": "snooze-x"}, 400),
            ({"alert": ["x"], "verb": "resolve"}, 400),
        ):
            assert (await browser.post("/alerts/chosen", fields)).status == status, fields
    assert (await alerts.only()).status == "active"
