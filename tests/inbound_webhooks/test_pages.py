"""Pages of webhooks and receipts, as people see them."""

import json
from uuid import UUID

import pytest

from muster.accounts.permissions import Role
from muster.alerts.schemas import AlertFilter
from muster.alerts.service import AlertService
from muster.audit.service import AuditService
from muster.inbound_webhooks.types import ReceiptState
from muster.integrations.service import IntegrationService
from muster.simulator import SimulatorServer
from tests.inbound_webhooks.test_door import AGENT, BODY
from tests.inbound_webhooks.test_drain import body
from tests.support.hook import Hook
from tests.support.site import Site, some_id
from tests.support.time import Time
from tests.support.world import World

RMM = "/settings/integrations/rmm"


async def actions(world: World) -> list[str]:
    async with world.database.read(world.scope) as session:
        return [entry.action for entry in await AuditService(session, world.scope).list(limit=50)]


async def test_the_panel_shows_what_the_server_is_set_up_with(site: Site, hook: Hook) -> None:
    panel = f"{RMM}/{hook.integration_id}"
    async with site.logged_in() as browser:
        page = await browser.get(panel)
    assert page.text("#webhook-url") == f"http://muster.test{hook.path}"
    assert page.text("#webhook-header") == "X-Alga-Webhook-Secret"
    assert hook.secret not in page.response.text
    assert hook.secret[-4:] in page.text(".m-webhook-secret")
    bodies = {node: page.text(f"#webhook-body-{node}") for node in ("trigger", "resolve", "trigger-message")}
    assert [body["event"] for body in map(_json, bodies.values())] == ["trigger", "resolve", "trigger"]
    assert "message" in _json(bodies["trigger-message"])
    assert "open" not in (page.html.css_first("#webhook details").attributes)  # type: ignore[union-attr]
    for node in ("webhook-url", "webhook-header", "webhook-body-trigger", "webhook-body-resolve"):
        assert page.attribute(f'[data-copy="{node}"]', "aria-label")


def _json(text: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(text)
    return found


async def test_the_secret_is_made_and_shown_when_a_person_asks(
    site: Site, world: World, integration_id: UUID
) -> None:
    path = f"{RMM}/{integration_id}/webhook"
    async with site.logged_in() as browser:
        assert "None yet" in (await browser.get(path)).text(".m-webhook-secret")
        shown = await browser.post(f"{path}/reveal")
        secret = shown.text("#webhook-secret")
        assert len(secret) > 30
        part = await browser.post(f"{path}/reveal", part=True)
        assert part.text("#webhook-secret") == secret
        assert part.texts("h1") == []
        assert secret not in (await browser.get(path)).response.text
    hook = Hook(world, integration_id, secret, browser.client)
    assert hook.path in shown.text("#webhook-url")
    assert (await actions(world)).count("webhook.secret_revealed") == 2


async def test_a_rotation_leaves_the_old_secret_for_as_long_as_was_chosen(
    site: Site, hook: Hook, time: Time
) -> None:
    path = f"{RMM}/{hook.integration_id}/webhook"
    async with site.logged_in() as browser:
        assert "old secret" in (await browser.get(f"{path}/rotate")).text()
        page = await browser.post(f"{path}/rotate", {"overlap": "1"})
        assert "There is a new secret." in page.text(".m-toast")
        assert "Holds on until" in page.text(".m-webhook-pairs")
        assert (await hook.call(BODY)).status_code == 200
        time.pass_(hours=1)
        assert (await hook.call(BODY)).status_code == 401
        assert "Holds on until" not in (await browser.get(path)).text(".m-webhook-pairs")
        assert (await browser.post(f"{path}/rotate", {"overlap": "9999"})).status == 400
    assert "webhook.secret_rotated" in await actions(hook.world)


async def test_the_line_says_how_it_goes(site: Site, hook: Hook) -> None:
    path = f"{RMM}/{hook.integration_id}/webhook/facts"
    async with site.logged_in() as browser:
        assert "Nothing received yet" in (await browser.part(path)).text("#webhook-facts")
        await hook.call(BODY)
        facts = (await browser.part(path)).text("#webhook-facts")
        assert "Receiving" in facts
        assert "1 waiting" in facts
        await hook.call(b"?")
        facts = (await browser.part(path)).text("#webhook-facts")
        assert "Needs attention" in facts
        assert "1 not understood this week" in facts


async def test_the_list_shows_every_receipt_and_filters_it(
    site: Site, live: Hook, server: SimulatorServer, time: Time
) -> None:
    alert = server.alerts.raise_alert(3, "check", "error")
    await live.call(body(server, alert))
    await live.drain()
    time.pass_(hours=2)
    await live.call(b"broken")
    await live.call({**BODY, "event": "resolve"})
    path = f"{RMM}/{live.integration_id}/receipts"
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.get(path)
        states = page.texts("tbody td.m-first")
        assert states == ["Waiting", "Not understood", "Processed"]
        assert page.attribute("#receipts", "hx-trigger") == "every 5s"
        device = server.fleet.agent(3)
        assert device.hostname in page.texts("tbody tr")[2]
        assert len((await browser.get(f"{path}?state=not_understood")).texts("tbody tr")) == 1
        assert len((await browser.get(f"{path}?device={AGENT}")).texts("tbody tr")) == 1
        assert len((await browser.get(f"{path}?since=1h")).texts("tbody tr")) == 2
        assert len((await browser.get(f"{path}?state=nonsense&since=x")).texts("tbody tr")) == 3
        assert "No receipt matches" in (await browser.get(f"{path}?state=failed")).text("#receipts")
        part = await browser.part(path)
        assert part.texts("h1") == []
        assert len(part.texts("tbody tr")) == 3


async def test_before_the_first_receipt_the_list_says_what_to_do(site: Site, hook: Hook) -> None:
    async with site.logged_in() as browser:
        page = await browser.get(f"{RMM}/{hook.integration_id}/receipts")
    assert "Nothing was received yet" in page.text("#receipts")
    assert page.attribute("#receipts a", "href") == f"{RMM}/{hook.integration_id}/webhook"


async def test_a_receipt_shows_the_body_as_it_came_and_as_understood(
    site: Site, live: Hook, server: SimulatorServer
) -> None:
    alert = server.alerts.raise_alert(3, "check", "error")
    sent = body(server, alert, message='<script>alert("x")</script>')
    await live.call(sent, headers={"content-type": "application/json"})
    await live.drain()
    (receipt,) = await live.receipts()
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.get(f"{RMM}/receipts/{receipt.receipt_id}")
    assert _json(page.text("#receipt-body")) == sent
    assert "<script>alert" not in page.response.text
    shown = page.text("[aria-labelledby=understood-title]")
    assert "Raised" in shown
    assert server.fleet.agent(3).hostname in shown
    async with live.world.database.read(live.world.scope) as session:
        found = AlertFilter(integration_id=live.integration_id)
        (one,) = await AlertService(session, live.world.scope).page(found, limit=5)
    assert page.attribute('a[href^="/alerts/"]', "href") == f"/alerts/{one.alert_id}"
    assert "hx-trigger" not in page.html.css_first("#receipt").attributes  # type: ignore[union-attr]


async def test_a_waiting_receipt_asks_again_by_itself(site: Site, hook: Hook) -> None:
    await hook.call(BODY)
    (receipt,) = await hook.receipts()
    async with site.logged_in() as browser:
        path = f"{RMM}/receipts/{receipt.receipt_id}"
        assert (await browser.get(path)).attribute("#receipt", "hx-trigger") == "every 2s"
        await hook.drain()
        part = await browser.part(path)
    assert part.texts("h1") == ["Receipt"]
    assert "Unknown device" in part.text("#receipt")


async def test_a_broken_receipt_is_replayed_from_its_page(site: Site, hook: Hook) -> None:
    await hook.call(b"broken")
    (receipt,) = await hook.receipts()
    async with site.logged_in(Role.TECHNICIAN) as browser:
        page = await browser.post(f"{RMM}/receipts/{receipt.receipt_id}/replay")
        assert "It will be processed again." in page.text(".m-toast")
        assert "Waiting" in page.text(".m-head")
        assert await hook.drain() == {"not_understood": 1}
        page = await browser.get(f"{RMM}/receipts/{receipt.receipt_id}")
    assert "technician@example.com" in page.text(".m-facts")
    assert "receipt.replayed" in await actions(hook.world)


async def test_all_of_a_filter_are_replayed(site: Site, hook: Hook) -> None:
    for number in range(3):
        await hook.call(f"broken {number}".encode())
    await hook.call(BODY)
    await hook.drain()
    path = f"{RMM}/{hook.integration_id}/receipts"
    async with site.logged_in(Role.TECHNICIAN) as browser:
        assert browser.token == ""
        assert "Replay 3 receipts?" in (await browser.get(f"{path}/replay?state=not_understood")).text()
        page = await browser.post(f"{path}/replay", {"state": "not_understood"})
        assert "3 receipts will be processed again." in page.text(".m-toast")
    assert [receipt.state for receipt in await hook.receipts()] == [
        *[ReceiptState.WAITING] * 3,
        ReceiptState.UNKNOWN_DEVICE,
    ]
    assert (await actions(hook.world)).count("receipts.replayed") == 1


async def test_nothing_is_replayed_while_it_is_disconnected(site: Site, hook: Hook) -> None:
    world = hook.world
    async with world.database.write(world.scope) as session:
        await IntegrationService(session, world.scope, world.box).disconnect(hook.integration_id)
    await hook.call(BODY)
    (receipt,) = await hook.receipts()
    async with site.logged_in() as browser:
        page = await browser.get(f"{RMM}/receipts/{receipt.receipt_id}")
        assert page.texts(".m-actions form") == []
        assert (await browser.post(f"{RMM}/receipts/{receipt.receipt_id}/replay")).status == 409
        assert "Disconnected" in (await browser.get(f"{RMM}/{hook.integration_id}/webhook")).text("#webhook")


@pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.VIEWER])
async def test_only_who_may_change_settings_sees_the_secret(site: Site, hook: Hook, role: Role) -> None:
    path = f"{RMM}/{hook.integration_id}/webhook"
    async with site.logged_in(role) as browser:
        for verb in ("reveal", "rotate"):
            answer = await browser.post(f"{path}/{verb}")
            assert answer.status == 403
            assert hook.secret not in answer.response.text
        if role is Role.TECHNICIAN:
            assert "system_settings:update" in (await browser.get(path)).response.text
        else:
            assert (await browser.get(path)).status == 403


async def test_another_tenants_receipts_are_not_there(site: Site, hook: Hook) -> None:
    await hook.call(BODY)
    (receipt,) = await hook.receipts()
    stranger = await World.make(hook.world.database, "Beta IT")
    one, of = f"{RMM}/receipts/{receipt.receipt_id}", f"{RMM}/{hook.integration_id}"
    async with site.logged_in(Role.ADMIN, stranger) as browser:
        for path in (one, f"{of}/receipts", f"{of}/receipts/replay", f"{of}/webhook", f"{of}/webhook/rotate"):
            assert (await browser.get(path)).status == 404, path
        for path in (
            f"{one}/replay",
            f"{of}/receipts/replay",
            f"{of}/webhook/reveal",
            f"{of}/webhook/rotate",
        ):
            assert (await browser.post(path, {"state": "waiting"})).status == 404, path
        assert (await browser.get(f"{RMM}/receipts/{some_id()}")).status == 404
