"""Webhooks and receipts as JSON."""

from muster.accounts.permissions import Role
from tests.inbound_webhooks.test_door import AGENT, BODY
from tests.support.hook import Hook
from tests.support.site import Site, some_id
from tests.support.world import World


async def test_the_endpoint_is_shown_without_its_secret(site: Site, hook: Hook) -> None:
    await hook.call(BODY)
    async with site.logged_in(Role.TECHNICIAN) as browser:
        answer = await browser.json("GET", f"/integrations/{hook.integration_id}/webhook")
    found = answer.json()
    assert hook.secret not in answer.text
    assert (found["path"], found["header"]) == (hook.path, "X-Alga-Webhook-Secret")
    assert (found["last_four"], found["receipts"]) == (hook.secret[-4:], {"waiting": 1})
    assert {(each["key"], each["with_message"]) for each in found["templates"]} == {
        (key, with_message) for key in ("trigger", "resolve") for with_message in (False, True)
    }


async def test_revealing_and_rotating_take_the_permission(site: Site, hook: Hook) -> None:
    path = f"/integrations/{hook.integration_id}/webhook"
    async with site.logged_in() as browser:
        shown = (await browser.json("POST", f"{path}/reveal")).json()
        assert shown == {
            "url": f"http://muster.test{hook.path}",
            "header": "X-Alga-Webhook-Secret",
            "secret": hook.secret,
        }
        rotated = (await browser.json("POST", f"{path}/rotate", {"overlap_hours": 1})).json()
        assert rotated["previous_until"] is not None
        assert (await browser.json("POST", f"{path}/rotate", {"overlap_hours": 721})).status_code == 400
        assert (await browser.json("POST", f"{path}/reveal")).json()["secret"] != hook.secret
    async with site.logged_in(Role.TECHNICIAN) as browser:
        assert (await browser.json("POST", f"{path}/reveal")).status_code == 403
        assert (await browser.json("POST", f"{path}/rotate", {})).status_code == 403


async def test_receipts_are_listed_shown_and_replayed(site: Site, hook: Hook) -> None:
    await hook.call(b"broken")
    await hook.call(BODY)
    await hook.drain()
    of = f"/integrations/{hook.integration_id}/receipts"
    async with site.logged_in(Role.TECHNICIAN) as browser:
        listed = (await browser.json("GET", of)).json()
        assert [item["state"] for item in listed["items"]] == ["unknown_device", "not_understood"]
        assert (await browser.json("GET", f"{of}?state=failed")).json() == {"items": [], "total": 0}
        assert (await browser.json("GET", f"{of}?device_id={AGENT}&limit=1")).json()["total"] == 1
        assert (await browser.json("GET", f"{of}?state=nonsense")).status_code == 400
        assert (await browser.json("GET", f"{of}?until=2020-01-01T00:00:00Z")).json()["total"] == 0
        broken = listed["items"][1]["receipt_id"]
        shown = (await browser.json("GET", f"/receipts/{broken}")).json()
        assert (shown["body"], shown["understood"]["problem"]) == ("broken", "not_json")
        assert (await browser.json("POST", f"/receipts/{broken}/replay")).json()["state"] == "waiting"
        again = await browser.json("POST", f"{of}/replay", {"state": "unknown_device"})
        assert again.json() == {"count": 1}
        assert (await browser.json("GET", f"/receipts/{some_id()}")).status_code == 404
    assert [receipt.state.value for receipt in await hook.receipts()] == ["waiting", "waiting"]
    async with site.logged_in(Role.VIEWER) as browser:
        assert (await browser.json("GET", of)).status_code == 403
        assert (await browser.json("POST", f"/receipts/{broken}/replay")).status_code == 403


async def test_another_tenant_finds_nothing(site: Site, hook: Hook) -> None:
    await hook.call(BODY)
    (receipt,) = await hook.receipts()
    stranger = await World.make(hook.world.database, "Beta IT")
    of, one = f"/integrations/{hook.integration_id}", f"/receipts/{receipt.receipt_id}"
    async with site.logged_in(Role.ADMIN, stranger) as browser:
        for method, path in (
            *(("GET", f"{of}/webhook"), ("GET", f"{of}/receipts"), ("GET", one)),
            *(("POST", f"{of}/webhook/reveal"), ("POST", f"{one}/replay")),
        ):
            assert (await browser.json(method, path)).status_code == 404, path
        for path in (f"{of}/webhook/rotate", f"{of}/receipts/replay"):
            assert (await browser.json("POST", path, {})).status_code == 404, path
