"""Channels through their doors: pages, JSON and the command line."""

from typing import Any

import pytest

from muster.accounts.permissions import Role
from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import RuleAction
from muster.audit.service import AuditService
from muster.bootstrap import outbound, sealed_columns
from muster.db import Database
from muster.db.sealed import reseal
from muster.encryption import FixedKeys, SecretBox, new_key
from muster.errors import Conflict
from muster.notifications import channels
from muster.notifications.notifier import Notifier
from muster.notifications.schemas import ChannelView
from muster.notifications.service import ChannelService
from muster.notifications.types import ChannelKind
from tests.notifications.conftest import LOOPBACK
from tests.support.receiver import Receiver
from tests.support.site import Site
from tests.support.world import World

SLACK = "https://hooks.slack.com/services/T12345678/B12345678/abcdefghijklmnopqrstuvwx"
TEAMS = (
    "https://prod-25.westus.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/"
    "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebWbDGYFr0z0euRj8aUKz7108W3wrNJZxFE5A"
)


async def added(world: World, sender: Notifier, url: str, name: str = "On call") -> ChannelView:
    return await channels.add_channel(
        world.database,
        world.scope,
        world.box,
        sender,
        name=name,
        kind=ChannelKind.APPRISE,
        fields={"url": url},
    )


async def listed(world: World) -> list[ChannelView]:
    async with world.database.read(world.scope) as session:
        return list(await ChannelService(session, world.scope, world.box).list())


async def actions(world: World) -> list[str]:
    async with world.database.read(world.scope) as session:
        return [entry.action for entry in await AuditService(session, world.scope).list(limit=50)]


@pytest.mark.parametrize(
    ("kind", "fields", "shown"),
    [
        ("slack", {"url": SLACK}, "Slack"),
        (
            "teams",
            {"url": TEAMS},
            "Power Automate / Workflows (for MSTeams) at prod-25.westus.logic.azure.com:443",
        ),
        ("apprise", {"url": "ntfys://ntfy.example.com/s3cr3t"}, "ntfy at ntfy.example.com"),
        (
            "mail",
            {
                "host": "smtp.example.com",
                "security": "starttls",
                "user": "muster",
                "password": "s3cr3t word",
                "sender": "muster@example.com",
                "recipients": "on-call@example.com",
            },
            "on-call@example.com by smtp.example.com",
        ),
    ],
)
async def test_each_kind_is_added_by_its_form(
    world: World, kind: str, fields: dict[str, str], shown: str
) -> None:
    async with Site.of(world).logged_in() as browser:
        form = await browser.get(f"/settings/channels/new/{kind}")
        assert form.status == 200
        page = await browser.post(f"/settings/channels/new/{kind}", {"name": "On call", **fields})
        assert page.status == 200
        assert "On call" in page.text("table")
        assert shown in page.text("table")
        assert "s3cr3t" not in page.response.text
        assert SLACK not in page.response.text
    (channel,) = await listed(world)
    assert (channel.kind, channel.shown) == (kind, shown)
    assert "channel.added" in await actions(world)


async def test_a_test_message_is_sent_and_its_outcome_kept(
    world: World, sender: Notifier, receiver: Receiver
) -> None:
    channel = await added(world, sender, f"json://{receiver.place}/in")
    async with Site.of(world).logged_in() as browser:
        page = await browser.get("/settings/channels")
        assert "Not tried yet" in page.text("table")
        page = await browser.post(f"/settings/channels/{channel.channel_id}/test")
        assert "Test sent." in page.text("#toasts")
        assert "Works" in page.text("table")
        (received,) = receiver.received
        assert "On call" in received.json["message"]
        receiver.status = 500
        page = await browser.post(f"/settings/channels/{channel.channel_id}/test")
        assert "Not sent." in page.text("#toasts")
        assert "Failed" in page.text("table")
    assert (await actions(world)).count("channel.tested") == 2


async def test_internal_hosts_are_refused_unless_the_operator_allows_them(
    database: Database, receiver: Receiver
) -> None:
    strict = await World.make(database, "Strict")
    channel = await added(strict, outbound.notifier(strict.settings), f"json://{receiver.place}/in")
    async with Site.of(strict).logged_in() as browser:
        page = await browser.post(f"/settings/channels/{channel.channel_id}/test")
        assert "may not be reached" in page.text("table")
    assert receiver.received == []


@pytest.mark.parametrize(
    ("kind", "fields", "problem"),
    [
        ("slack", {"name": "A", "url": "http://x"}, "not the address of an incoming webhook"),
        ("apprise", {"name": "A", "url": "nonsense://x"}, "Apprise does not know"),
        ("apprise", {"name": "", "url": "ntfys://topic"}, "is empty"),
        ("apprise", {"name": "Taken", "url": "ntfys://topic"}, "already"),
        (
            "mail",
            {"name": "A", "recipients": "nobody", "sender": "a@example.com", "host": "h"},
            "not a mail address",
        ),
    ],
)
async def test_a_refused_form_keeps_what_was_typed(
    world: World, sender: Notifier, kind: str, fields: dict[str, str], problem: str
) -> None:
    await added(world, sender, "ntfys://topic", "Taken")
    async with Site.of(world).logged_in() as browser:
        page = await browser.post(f"/settings/channels/new/{kind}", fields)
        assert page.status == 422
        assert problem in page.text("main")
        assert (page.attribute("#field-name", "value") or "") == fields["name"]
        if kind == "mail":
            assert page.attribute("#field-recipients", "value") == "nobody"
    assert len(await listed(world)) == 1


async def test_a_channel_that_a_rule_uses_stays(world: World, sender: Notifier) -> None:
    channel = await added(world, sender, "ntfys://topic")
    integration_id = await world.add(instance_url="https://api.example.com", api_key="K" * 32)
    async with world.database.write(world.scope) as session:
        draft = RuleDraft(name="Tell them", action=RuleAction.NOTIFY, targets=(channel.channel_id,))
        rule = await RuleService(session, world.scope).add(integration_id, draft)
    path = f"/settings/channels/{channel.channel_id}/remove"
    async with Site.of(world).logged_in() as browser:
        assert "Remove On call?" in (await browser.get(path)).text("h1")
        refused = await browser.post(path)
        assert refused.status == 409
        assert "Tell them" in refused.text("main")
        assert (await browser.json("DELETE", f"/channels/{channel.channel_id}")).status_code == 409
        async with world.database.write(world.scope) as session:
            await RuleService(session, world.scope).remove(rule.rule_id)
        assert "removed" in (await browser.post(path)).text("#toasts")
    assert await listed(world) == []


async def test_json(world: World, receiver: Receiver) -> None:
    async with Site.of(world).logged_in() as browser:
        body: dict[str, Any] = {
            "name": "On call",
            "kind": "apprise",
            "fields": {"url": f"json://{receiver.place}/s3cr3t"},
        }
        made = await browser.json("POST", "/channels", body)
        assert made.status_code == 201, made.text
        assert "s3cr3t" not in made.text
        one = f"/channels/{made.json()['channel_id']}"
        assert (await browser.json("GET", one)).json()["shown"] == f"JSON at {receiver.place}"
        assert (await browser.json("POST", f"{one}/test")).json() == {"ok": True, "error": None}
        assert (await browser.json("GET", "/channels")).json()["total"] == 1
        assert (await browser.json("POST", "/channels", body)).status_code == 409
        wrong = await browser.json("POST", "/channels", {**body, "name": "B", "fields": {"url": "x"}})
        assert wrong.status_code in (400, 422)
        assert (await browser.json("DELETE", one)).status_code == 204
        assert (await browser.json("GET", one)).status_code == 404


async def test_roles_and_tenants(world: World, sender: Notifier, database: Database) -> None:
    channel = await added(world, sender, "ntfys://topic")
    one = f"/settings/channels/{channel.channel_id}"
    async with Site.of(world).logged_in(Role.TECHNICIAN) as browser:
        assert (await browser.post(f"{one}/test")).status == 403
        assert (await browser.get("/settings/channels/new/slack")).status == 403
    stranger = await World.make(database, "Other", MUSTER_OUTBOUND_ALLOW=LOOPBACK)
    async with Site.of(stranger).logged_in() as browser:
        assert (await browser.post(f"{one}/test")).status == 404
        assert (await browser.get(f"{one}/remove")).status == 404
        assert (await browser.post(f"{one}/remove")).status == 404
        assert "On call" not in (await browser.get("/settings/channels")).response.text
        assert (await browser.get("/settings/channels/new/carrier-pigeon")).status == 404


async def test_the_address_is_sealed_again_under_a_new_key(world: World, sender: Notifier) -> None:
    channel = await added(world, sender, "ntfys://topic/s3cr3t")
    old, new = world.box.source.current()[0], new_key()
    both = SecretBox(FixedKeys((new, old)))
    async with world.database.write(system=True) as session:
        assert await reseal(session, sealed_columns(), both) == 1
    async with world.database.read(world.scope) as session:
        only_new = ChannelService(session, world.scope, SecretBox(FixedKeys((new,))))
        assert await only_new.address(channel.channel_id) == "ntfys://topic/s3cr3t"


async def test_who_removes_a_channel_asks_the_rooms_above(world: World, sender: Notifier) -> None:
    channel = await added(world, sender, "ntfys://topic")

    async def users(*_: object) -> list[str]:
        return ["A rule"]

    async with world.database.write(world.scope) as session:
        with pytest.raises(Conflict, match="A rule"):
            await ChannelService(session, world.scope, world.box).remove(channel.channel_id, users)
