"""Alerts for programs."""

from typing import Any

import pytest

from muster.accounts.permissions import Role
from tests.alerts.saying import START, Alerts, after
from tests.alerts.shelf import everything, fill, of_device, one
from tests.support.site import Browser, Site, some_id
from tests.support.world import World


@pytest.fixture
def site(alerts: Alerts) -> Site:
    return Site.of(alerts.world)


async def listed(browser: Browser, query: str) -> list[dict[str, Any]]:
    """Every alert that a program is told of."""
    answer = await browser.json("GET", f"/alerts?{query}&limit=250")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["total"] == len(found["items"])
    items: list[dict[str, Any]] = found["items"]
    return items


async def test_a_program_gets_the_list_that_the_page_shows(alerts: Alerts, site: Site) -> None:
    found = await fill(alerts)
    client = next(alert.client_id for alert in found if alert.client_id)
    async with site.logged_in() as browser:
        for query in (
            "",
            "severity=critical&severity=none",
            "type=check",
            f"client={client}",
            "raised=older-7",
            "suppressed=yes",
            "hidden=no",
            "confirmed=no",
            "linked=no",
            "q=number+1",
            "sort=-severity",
            "sort=client",
        ):
            items = await listed(browser, query)
            assert [each["id"] for each in items] == await everything(browser, f"status=all&{query}"), query
        statuses = {each["status"] for each in await listed(browser, "status=active&status=snoozed")}
        assert statuses == {"active", "snoozed"}
        half = await browser.json("GET", "/alerts?limit=10&offset=5")
        whole = await listed(browser, "")
        assert [each["id"] for each in half.json()["items"]] == [each["id"] for each in whole[5:15]]


async def test_a_query_that_nobody_knows_is_refused(alerts: Alerts, site: Site) -> None:
    async with site.logged_in() as browser:
        for query in ("colour=red", "severity=loud", "status=gone", "raised=7", "sort=x", "limit=0"):
            assert (await browser.json("GET", f"/alerts?{query}")).status_code == 400, query
        for query in (f"client={some_id()}", f"asset={some_id()}", f"integration={some_id()}"):
            assert (await browser.json("GET", f"/alerts?{query}")).status_code == 404, query


async def test_each_deed_answers_with_the_alert_as_it_is_then(alerts: Alerts, site: Site) -> None:
    alert_id = await one(alerts)
    steps: list[tuple[str, Any, str]] = [
        ("acknowledge", None, "acknowledged"),
        ("unacknowledge", None, "active"),
        ("snooze", {"days": 3}, "snoozed"),
        ("unsnooze", None, "active"),
        ("notes", {"text": "Ask Ilja."}, "active"),
        ("resolve", None, "resolved"),
    ]
    async with site.logged_in(Role.TECHNICIAN) as browser:
        for verb, body, status in steps:
            answer = await browser.json("POST", f"/alerts/{alert_id}/{verb}", body)
            assert answer.status_code == (201 if verb == "notes" else 200), answer.text
            assert answer.json()["status"] == status
        assert answer.json()["write_back"]["state"] == "waiting"
        detail = (await browser.json("GET", f"/alerts/{alert_id}")).json()
        assert [line["kind"] for line in detail["timeline"]] == [
            "raised",
            "acknowledged",
            "unacknowledged",
            "snoozed",
            "unsnoozed",
            "note",
            "resolved",
        ]
        assert detail["timeline"][5]["detail"] == {"text": "Ask Ilja."}
        assert detail["raw"]["id"] == "1"
        refused = await browser.json("POST", f"/alerts/{alert_id}/acknowledge")
        assert (refused.status_code, refused.json()["code"]) == (409, "alert_state")


async def test_a_snooze_takes_days_or_a_moment(alerts: Alerts, site: Site) -> None:
    alert_id = await one(alerts)
    async with site.logged_in() as browser:
        for body in ({}, {"days": 1, "until": "2099-01-01T00:00:00Z"}, {"days": 0}, {"until": "2099-01-01"}):
            answer = await browser.json("POST", f"/alerts/{alert_id}/snooze", body)
            assert answer.status_code == 400, body
        assert (await alerts.get(alert_id)).status == "active"


async def test_several_are_changed_together_or_not_at_all(alerts: Alerts, site: Site) -> None:
    first = str(await one(alerts))
    await alerts.apply(of_device(alerts, 1, "2", resolved=True, resolved_at=after(1)), at=after(2))
    second = str((await alerts.named("2")).alert_id)
    async with site.logged_in() as browser:
        for body, status in (
            ({"deed": "snooze", "alert_ids": [first]}, 400),
            ({"deed": "resolve", "alert_ids": [first], "days": 3}, 400),
            ({"deed": "resolve", "alert_ids": []}, 400),
            ({"deed": "resolve", "alert_ids": [first] * 251}, 400),
            ({"deed": "resolve", "alert_ids": [first, str(some_id())]}, 404),
        ):
            answer = await browser.json("POST", "/alerts/together", body)
            assert answer.status_code == status, answer.text
        assert (await alerts.named("1")).status == "active"
        answer = await browser.json(
            "POST", "/alerts/together", {"deed": "snooze", "alert_ids": [first, second], "days": 2}
        )
        assert answer.status_code == 200
        assert [each["id"] for each in answer.json()["items"]] == [first]
        assert [(each["alert_id"], each["code"]) for each in answer.json()["left"]] == [
            (second, "alert_state")
        ]
        answer = await browser.json(
            "POST", "/alerts/together", {"deed": "resolve", "alert_ids": [first, first]}
        )
        assert [each["status"] for each in answer.json()["items"]] == ["resolved"]


async def test_what_another_tenant_has_cannot_be_changed(alerts: Alerts, site: Site) -> None:
    alert_id = str(await one(alerts))
    stranger = await World.make(alerts.database, "Beta IT")
    async with site.logged_in(Role.ADMIN, stranger) as browser:
        assert await listed(browser, "") == []
        answer = await browser.json("POST", "/alerts/together", {"deed": "resolve", "alert_ids": [alert_id]})
        assert answer.status_code == 404
        answer = await browser.json("POST", f"/alerts/{alert_id}/snooze", {"days": 1})
        assert answer.status_code == 404
    alert = await alerts.only()
    assert (alert.status, alert.raised_at) == ("active", START)


async def test_who_may_only_look_changes_nothing(alerts: Alerts, site: Site) -> None:
    alert_id = str(await one(alerts))
    async with site.logged_in(Role.VIEWER) as browser:
        assert len(await listed(browser, "")) == 1
        for path, body in (
            (f"/alerts/{alert_id}/resolve", None),
            (f"/alerts/{alert_id}/notes", {"text": "x"}),
            ("/alerts/together", {"deed": "resolve", "alert_ids": [alert_id]}),
        ):
            assert (await browser.json("POST", path, body)).status_code == 403
