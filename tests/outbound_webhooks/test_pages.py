"""Subscriptions through their doors: pages, JSON and the command line."""

import pytest
from standardwebhooks import Webhook

from muster.accounts.permissions import Role
from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import RuleAction
from muster.audit.service import AuditService
from muster.bootstrap import sealed_columns
from muster.db import Database
from muster.db.sealed import reseal
from muster.encryption import FixedKeys, SecretBox, new_key
from muster.outbound_webhooks.service import SubscriptionService
from tests.outbound_webhooks.conftest import TRIGGERED, Hooks
from tests.support.receiver import Receiver
from tests.support.site import Page, Site
from tests.support.time import Time

PATH = "/settings/webhooks"


async def test_the_way_of_a_webhook(hooks: Hooks, receiver: Receiver) -> None:
    async with Site.of(hooks.world).logged_in() as browser:
        assert "No webhook yet" in (await browser.get(PATH)).text("main")
        typed = {"name": "Ticketing", "url": receiver.url, "event_types": TRIGGERED}
        shown = await browser.post(f"{PATH}/new", typed)
        secret = shown.text("#secret")
        assert secret.startswith("whsec_")
        one = shown.attribute(".m-actions a", "href") or ""
        page = await browser.get(one)
        assert secret not in page.response.text
        assert "Not tried yet" in page.text(".m-head-title")
        page = await browser.post(f"{one}/test")
        assert "on its way" in page.text("#toasts")
        await hooks.work()
        received = receiver.received[0]
        assert Webhook(secret).verify(received.body, dict(received.headers))["type"] == "MUSTER_TEST"
        page = await browser.get(one)
        assert "Works" in page.text(".m-head-title")
        assert "Delivered" in page.text("tbody tr")
        delivery = await browser.get(page.attribute("td.m-name a", "href") or "")
        assert "MUSTER_TEST" in delivery.text("main")
        receiver.status = 410
        await hooks.happen()
        await hooks.work()
        page = await browser.get(one)
        assert "the other side answered 410" in page.text("main")
        assert "Switched off" in page.text(".m-head-title")
        refused = await browser.post(f"{one}/test")
        assert "is switched off" in refused.text("#toasts")
        receiver.status = 200
        await browser.post(f"{one}/switch", {"to": "on"})
        page = await browser.post(f"{one}/redeliver", {"days": "7"})
        assert "1 webhook goes out again." in page.text("#toasts")
        await hooks.work()
        page = await browser.get(f"{one}?state=delivered")
        assert len(page.texts("tbody tr")) == 2
        assert "None." in (await browser.get(f"{one}?state=failed")).text("main")
        (await browser.get(f"{one}/remove")).text("h1")
        assert "removed" in (await browser.post(f"{one}/remove")).text("#toasts")
    async with hooks.database.read(hooks.scope) as session:
        entries = await AuditService(session, hooks.scope).list(limit=50)
    found = {entry.action.removeprefix("subscription.") for entry in entries}
    assert {"added", "tested", "disabled", "switched_on", "redelivered", "removed"} <= found


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"name": "A", "url": "http://hooks.example.com"}, "https only"),
        ({"name": "A", "url": "nonsense"}, "not an address"),
        ({"name": "", "url": "https://hooks.example.com"}, "is empty"),
        ({"name": "taken", "url": "https://hooks.example.com"}, "already"),
        ({"name": "A", "url": "https://hooks.example.com", "event_types": "NOTHING"}, "no event"),
    ],
)
async def test_a_refused_form_keeps_what_was_typed(
    database: Database, typed: dict[str, str], problem: str
) -> None:
    hooks = await Hooks.make(database, allow="")
    await hooks.subscribe("https://hooks.example.com", "Taken")
    async with Site.of(hooks.world).logged_in() as browser:
        page = await browser.post(f"{PATH}/new", typed)
        assert page.status == 422
        assert problem in page.text("main")
        assert page.attribute("#field-url", "value") == typed["url"]


async def test_changing_and_rotating(hooks: Hooks, receiver: Receiver, time: Time) -> None:
    subscription_id, old = await hooks.subscribe(receiver.url)
    one = f"{PATH}/{subscription_id}"
    async with Site.of(hooks.world).logged_in() as browser:
        form = await browser.get(f"{one}/edit")
        assert form.html.css_first(f'input[value="{TRIGGERED}"][checked]') is not None
        page = await browser.post(f"{one}/edit", {"name": "Other", "url": receiver.url})
        assert "Only alerts that a rule sends" in page.text("main")
        assert (await browser.post(f"{one}/edit", {"name": "", "url": receiver.url})).status == 422
        shown = await browser.post(f"{one}/rotate")
        assert shown.text("#secret") not in ("", old)
        assert "Both secrets sign until" in (await browser.get(one)).text("main")
        time.pass_(days=2)
        # The login is over by then, too.
    async with Site.of(hooks.world).logged_in() as browser:
        assert "Both secrets sign until" not in (await browser.get(one)).text("main")


async def test_one_that_a_rule_uses_stays(hooks: Hooks) -> None:
    subscription_id, _ = await hooks.subscribe("https://hooks.example.com")
    integration_id = await hooks.world.add(instance_url="https://api.example.com", api_key="K" * 32)
    async with hooks.database.write(hooks.scope) as session:
        draft = RuleDraft(name="Tickets", action=RuleAction.WEBHOOK, targets=(subscription_id,))
        await RuleService(session, hooks.scope).add(integration_id, draft)
    async with Site.of(hooks.world).logged_in() as browser:
        page = await browser.post(f"{PATH}/{subscription_id}/remove")
        assert page.status == 409
        assert "Tickets" in page.text("main")


async def test_json(hooks: Hooks, receiver: Receiver) -> None:
    async with Site.of(hooks.world).logged_in() as browser:
        body = {"name": "Ticketing", "url": receiver.url, "event_types": [TRIGGERED]}
        made = (await browser.json("POST", "/subscriptions", body)).json()
        assert made["secret"].startswith("whsec_")
        one = f"/subscriptions/{made['subscription']['subscription_id']}"
        assert "secret" not in (await browser.json("GET", one)).json()
        assert (await browser.json("PUT", one, {**body, "name": "B"})).json()["name"] == "B"
        assert (await browser.json("POST", f"{one}/rotate")).json()["secret"] != made["secret"]
        receiver.status = 410
        delivery_id = (await browser.json("POST", f"{one}/test")).json()["delivery_id"]
        await hooks.work()
        log = (await browser.json("GET", f"{one}/deliveries?state=failed")).json()
        assert [each["delivery_id"] for each in log["items"]] == [delivery_id]
        assert (await browser.json("GET", f"/deliveries/{delivery_id}")).json()["payload"][
            "type"
        ] == "MUSTER_TEST"
        again = {"delivery_id": delivery_id}
        assert (await browser.json("POST", f"{one}/redeliver", again)).status_code == 409
        assert (await browser.json("POST", f"{one}/switch", {"on": True})).json()["disabled_at"] is None
        assert (await browser.json("POST", f"{one}/redeliver", again)).json() == {"deliveries": 1}
        since = {"failed_since": "2026-01-01T00:00:00Z"}
        assert (await browser.json("POST", f"{one}/redeliver", since)).json() == {"deliveries": 0}
        for wrong in ({}, {**again, **since}, {"failed_since": "2026-01-01T00:00:00"}):
            assert (await browser.json("POST", f"{one}/redeliver", wrong)).status_code in (400, 422)
        assert (await browser.json("GET", "/subscriptions")).json()["total"] == 1
        assert (await browser.json("DELETE", one)).status_code == 204
        assert (await browser.json("GET", one)).status_code == 404


async def test_roles_and_tenants(hooks: Hooks, database: Database, receiver: Receiver) -> None:
    subscription_id, _ = await hooks.subscribe(receiver.url)
    await hooks.happen()
    delivery = await hooks.only(subscription_id)
    one = f"{PATH}/{subscription_id}"
    async with Site.of(hooks.world).logged_in(Role.TECHNICIAN) as browser:
        assert (await browser.get(one)).status == 200
        for verb in ("test", "rotate", "switch", "redeliver", "remove"):
            assert (await browser.post(f"{one}/{verb}")).status == 403
    async with Site.of(hooks.world).logged_in(Role.VIEWER) as browser:
        assert (await browser.get(one)).status == 403
    stranger = await Hooks.make(database, "Other")
    theirs, _ = await stranger.subscribe(receiver.url)
    async with Site.of(stranger.world).logged_in() as browser:
        for path in (one, f"{one}/edit", f"{one}/remove", f"{one}/deliveries/{delivery.delivery_id}"):
            assert (await browser.get(path)).status == 404
        # A delivery of somebody else under a subscription of one's own.
        assert (await browser.get(f"{PATH}/{theirs}/deliveries/{delivery.delivery_id}")).status == 404
        for verb in ("test", "rotate", "remove", "switch"):
            assert (await browser.post(f"{one}/{verb}", {"to": "on"})).status == 404
        again = {"delivery": str(delivery.delivery_id)}
        assert (await browser.post(f"{one}/redeliver", again)).status == 404
        page: Page = await browser.post(f"{PATH}/{theirs}/redeliver", again)
        assert "goes out again" not in page.text("#toasts")


async def test_secrets_are_sealed_again_under_a_new_key(hooks: Hooks) -> None:
    subscription_id, secret = await hooks.subscribe("https://hooks.example.com", "Rotated")
    untouched, _ = await hooks.subscribe("https://hooks.example.com", "Never rotated")
    async with hooks.database.write(hooks.scope) as session:
        made = await SubscriptionService(session, hooks.scope, hooks.world.box).rotate(subscription_id)
    old, new = hooks.world.box.source.current()[0], new_key()
    async with hooks.database.write(system=True) as session:
        assert await reseal(session, sealed_columns(), SecretBox(FixedKeys((new, old)))) == 3
    async with hooks.database.read(hooks.scope) as session:
        service = SubscriptionService(session, hooks.scope, SecretBox(FixedKeys((new,))))
        at = made.subscription.updated_at
        assert (await service.target(subscription_id, at=at)).secrets == (made.secret, secret)
        assert len((await service.target(untouched, at=at)).secrets) == 1
