"""Rules through their doors: pages, JSON, and what they do to alerts that come in."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from muster.accounts.permissions import Role
from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import RuleAction, RuleConditions, RuleView
from muster.audit.service import AuditService
from muster.db import Database
from muster.errors import Conflict, InvalidInput
from muster.notifications.service import ChannelService
from muster.notifications.types import ChannelKind
from muster.outbound_webhooks.schemas import SubscriptionInput
from muster.outbound_webhooks.service import SubscriptionService
from muster.providers.alerting import AlertSeverity, AlertType
from tests.alerts.saying import Alerts, record
from tests.support.site import Site
from tests.support.world import World

_LIST = "/settings/rules/integrations/{}"


class Rules:
    """The rules of an integration that nobody has reached yet."""

    def __init__(self, world: World, integration_id: UUID) -> None:
        self.world = world
        self.integration_id = integration_id
        self.path = _LIST.format(integration_id)

    async def add(self, name: str, **values: Any) -> RuleView:
        values.setdefault("action", RuleAction.SUPPRESS)
        async with self.world.database.write(self.world.scope) as session:
            draft = RuleDraft(name=name, **values)
            return await RuleService(session, self.world.scope).add(self.integration_id, draft)

    async def names(self) -> list[str]:
        async with self.world.database.read(self.world.scope) as session:
            return [
                rule.name for rule in await RuleService(session, self.world.scope).list(self.integration_id)
            ]

    async def channel(self, name: str = "On call") -> UUID:
        async with self.world.database.write(self.world.scope) as session:
            service = ChannelService(session, self.world.scope, self.world.box)
            return (await service.add(name, ChannelKind.APPRISE, "ntfys://topic", "ntfy")).channel_id


@pytest.fixture
async def rules(database: Database) -> Rules:
    world = await World.make(database)
    return Rules(world, await world.add(instance_url="https://api.example.com", api_key="K" * 32))


async def test_a_rule_is_added_changed_and_removed(rules: Rules) -> None:
    channel_id = await rules.channel()
    async with Site.of(rules.world).logged_in() as browser:
        assert "No rule yet" in (await browser.get(rules.path)).text("main")
        typed = {
            "name": "Disks",
            "action": "notify",
            "channels": str(channel_id),
            "severities": "critical",
            "types": "check",
            "messages": "disk*full\n  space   low ",
            "devices": "srv-*",
            "is_active": "1",
        }
        page = await browser.post(f"{rules.path}/new", typed)
        row = page.text("tbody tr")
        assert "Severity Critical" in row
        assert "disk*full or space low" in row
        assert "Notify: On call" in row
        (rule,) = [node.attributes["href"] or "" for node in page.html.css("td.m-name a")]
        form = await browser.get(rule)
        assert form.text("#field-messages") == "disk*full space low"
        assert form.html.css_first(f'input[value="{channel_id}"][checked]') is not None
        page = await browser.post(rule, {**typed, "name": "All disks", "action": "suppress"})
        assert "Suppress" in page.text("tbody tr")
        assert "Switched off" not in page.text("tbody tr")
        assert "Remove All disks?" in (await browser.get(f"{rule}/remove")).text("h1")
        await browser.post(f"{rule}/remove")
    assert await rules.names() == []
    async with rules.world.database.read(rules.world.scope) as session:
        entries = await AuditService(session, rules.world.scope).list(limit=10)
    assert {"rule.added", "rule.changed", "rule.removed"} <= {entry.action for entry in entries}


@pytest.mark.parametrize(
    ("typed", "field", "problem"),
    [
        ({"name": "", "action": "suppress"}, "name", "is empty"),
        ({"name": "A", "action": "notify"}, "name", "No channel is chosen"),
        ({"name": "A", "action": "webhook"}, "name", "No subscription is chosen"),
        ({"name": "A", "action": "explode"}, "name", "no such choice"),
        ({"name": "A", "action": "suppress", "messages": "*"}, "messages", "fits everything"),
        ({"name": "A", "action": "suppress", "devices": "x" * 201}, "devices", "At most 200"),
        ({"name": "A", "action": "notify", "channels": str(uuid4())}, "name", "not there any more"),
    ],
)
async def test_a_refused_form_keeps_what_was_typed(
    rules: Rules, typed: dict[str, str], field: str, problem: str
) -> None:
    async with Site.of(rules.world).logged_in() as browser:
        page = await browser.post(f"{rules.path}/new", typed)
        assert page.status == 422
        assert problem in page.text("main")
        assert f"{field}: " not in page.text("main")
        node = page.html.css_first(f"#field-{field}")
        assert node is not None
        assert (node.attributes.get("value") or node.text() or "") == typed[field]
    assert await rules.names() == []


async def test_rules_are_moved_and_switched(rules: Rules) -> None:
    made = [await rules.add(name) for name in ("A", "B", "C")]
    async with Site.of(rules.world).logged_in() as browser:
        await browser.post(f"/settings/rules/{made[2].rule_id}/move", {"to": "up"})
        assert await rules.names() == ["A", "C", "B"]
        await browser.post(f"/settings/rules/{made[0].rule_id}/move", {"to": "up"})
        assert await rules.names() == ["A", "C", "B"]
        await browser.post(f"/settings/rules/{made[0].rule_id}/move", {"to": "down"})
        assert await rules.names() == ["C", "A", "B"]
        page = await browser.post(f"/settings/rules/{made[1].rule_id}/switch", {"to": "off"})
        assert "B switched off." in page.text("#toasts")
        page = await browser.post(f"{rules.path}/test", {"severity": "minor", "type": "task"})
        assert "“C” decides: Suppress." in page.text("#tester")
        assert [row.split(" ")[0] for row in page.texts("tr.m-decides td.m-name")] == ["C"]
        assert "Switched off" in page.texts("tbody tr")[2]


async def test_the_tester_says_why_not(rules: Rules) -> None:
    await rules.add("Tasks", conditions=RuleConditions(types=(AlertType.TASK,), messages=("backup",)))
    await rules.add("Disks", conditions=RuleConditions(messages=("disk*full",)))
    await rules.add("Rest")
    async with Site.of(rules.world).logged_in(Role.TECHNICIAN) as browser:
        typed = {"severity": "critical", "type": "check", "message": "Disk C: is full"}
        page = await browser.post(f"{rules.path}/test", typed)
        first, second, third = page.texts("tbody tr")
        assert "Not met: type, message" in first
        assert "Decides" in second
        assert "an earlier rule decides" in third
        assert page.attribute("#field-message", "value") == "Disk C: is full"
        page = await browser.post(f"{rules.path}/test", {"severity": "awful"})
        assert page.status == 422
    answer = await _trials(rules, {"facts": {"message": "nothing"}})
    assert answer["decided"]["name"] == "Rest"
    assert answer["items"][0]["unmet"] == ["types", "messages"]


async def _trials(rules: Rules, body: dict[str, Any]) -> Any:
    async with Site.of(rules.world).logged_in() as browser:
        answer = await browser.json("POST", f"/integrations/{rules.integration_id}/rules/test", body)
        assert answer.status_code == 200, answer.text
        return answer.json()


async def test_json(rules: Rules) -> None:
    every = f"/integrations/{rules.integration_id}/rules"
    async with Site.of(rules.world).logged_in() as browser:
        body = {"name": "Disks", "action": "suppress", "conditions": {"messages": ["disk"]}}
        made = (await browser.json("POST", every, body)).json()
        one = f"/rules/{made['rule_id']}"
        assert (await browser.json("PUT", one, {**body, "name": "All"})).json()["name"] == "All"
        await browser.json("POST", every, {"name": "Second", "action": "suppress"})
        assert (await browser.json("POST", f"{one}/move", {"up": False})).json()["position"] == 2
        assert not (await browser.json("POST", f"{one}/switch", {"is_active": False})).json()["is_active"]
        assert [each["name"] for each in (await browser.json("GET", every)).json()["items"]] == [
            "Second",
            "All",
        ]
        assert (await browser.json("POST", every, {"name": "A", "action": "notify"})).status_code in (
            400,
            422,
        )
        assert (await browser.json("DELETE", one)).status_code == 204
        assert (await browser.json("GET", one)).status_code == 404


async def test_roles_and_tenants(rules: Rules, database: Database) -> None:
    rule = await rules.add("Mine")
    async with Site.of(rules.world).logged_in(Role.TECHNICIAN) as browser:
        assert (await browser.get(rules.path)).status == 200
        assert (await browser.get(f"{rules.path}/new")).status == 403
        assert (await browser.post(f"/settings/rules/{rule.rule_id}/move", {"to": "up"})).status == 403
    stranger = await World.make(database, "Other")
    async with Site.of(stranger).logged_in() as browser:
        for path in (rules.path, f"{rules.path}/new", f"/settings/rules/{rule.rule_id}"):
            assert (await browser.get(path)).status == 404
        for path in (f"{rules.path}/new", f"/settings/rules/{rule.rule_id}/remove"):
            assert (await browser.post(path, {"name": "A", "action": "suppress"})).status == 404
    assert await rules.names() == ["Mine"]


async def test_another_tenants_targets_and_clients_cannot_be_named(rules: Rules, database: Database) -> None:
    stranger = await World.make(database, "Other")
    theirs = Rules(stranger, await stranger.add(instance_url="https://api.example.com", api_key="K" * 32))
    channel_id = await theirs.channel()
    with pytest.raises(InvalidInput):
        await rules.add("A", action=RuleAction.NOTIFY, targets=(channel_id,))
    with pytest.raises(InvalidInput):
        await rules.add("A", conditions=RuleConditions(clients=(uuid4(),)))


async def test_there_is_a_bound(rules: Rules, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muster.alerts.rule_service.MOST_RULES", 2)
    await rules.add("A")
    await rules.add("B")
    with pytest.raises(Conflict):
        await rules.add("C")


async def test_a_rule_whose_target_is_gone_says_so(rules: Rules) -> None:
    channel_id = await rules.channel()
    await rules.add("A", action=RuleAction.NOTIFY, targets=(channel_id,))

    async def nobody(*_: object) -> list[str]:
        return []

    async with rules.world.database.write(rules.world.scope) as session:
        await ChannelService(session, rules.world.scope, rules.world.box).remove(channel_id, nobody)
    async with Site.of(rules.world).logged_in() as browser:
        assert "Incomplete" in (await browser.get(rules.path)).text("tbody tr")
        index = await browser.get("/settings/rules")
        assert "1 rule" in index.text("main")


async def test_what_rules_do_to_alerts_that_come_in(alerts: Alerts) -> None:
    mine = Rules(alerts.world, alerts.integration.integration_id)
    async with alerts.database.write(alerts.scope) as session:
        made = await SubscriptionService(session, alerts.scope, alerts.world.box).add(
            SubscriptionInput(name="Ticketing", url="https://hooks.example.com")
        )
    target = made.subscription.subscription_id
    await mine.add("Noise", conditions=RuleConditions(messages=("noise",)))
    await mine.add(
        "Tickets",
        action=RuleAction.WEBHOOK,
        targets=(target,),
        conditions=RuleConditions(severities=(AlertSeverity.CRITICAL,)),
    )
    await alerts.apply(
        record("1", message="Much Noise"),
        record("2", message="Real"),
        record("3", message="Small", severity=AlertSeverity.MINOR),
    )
    found = {each.external_alert_id: each for each in await alerts.all()}
    assert [(found[key].rule_name, found[key].suppressed) for key in "123"] == [
        ("Noise", True),
        ("Tickets", False),
        (None, False),
    ]
    events = {event.data["external_alert_id"]: event.data for event in await alerts.events()}
    assert [list(map(str, events[key]["deliver_to"])) for key in "123"] == [[], [str(target)], []]
    assert events["1"]["suppressed"] is True
    async with Site.of(alerts.world).logged_in() as browser:
        page = await browser.get(f"{mine.path}?alert={found['2'].alert_id}")
        assert "“Tickets” decides: Send webhook: Ticketing." in page.text("#tester")
        assert page.attribute("#field-message", "value") == "Real"
