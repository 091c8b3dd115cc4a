"""`muster rule` on the command line."""

import asyncio
from uuid import UUID

import pytest

from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import RuleAction, RuleConditions
from muster.bootstrap import open_application
from muster.settings import load
from tests.support.cli import Muster


async def _add(settings: dict[str, str], integration_id: UUID) -> None:
    async with open_application(load(settings)) as application:
        scope = await application.scope(None)
        async with application.database.write(scope) as session:
            service = RuleService(session, scope)
            disks = RuleConditions(messages=("disk*full",))
            await service.add(
                integration_id, RuleDraft(name="Disks", action=RuleAction.SUPPRESS, conditions=disks)
            )
            await service.add(integration_id, RuleDraft(name="Rest", action=RuleAction.SUPPRESS))


def test_rules_are_listed_and_tried(muster_on: Muster) -> None:
    muster_on.done("tenant", "create", "Acme IT")
    made = muster_on.done(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", "https://api.example.com"),
        *("--api-key-file", "-"),
        stdin=b"K" * 32,
    )
    assert "There is no rule" in muster_on("rule", "list", "Main").out
    asyncio.run(_add(muster_on.settings, UUID(made["integration_id"])))
    listed = muster_on.done("rule", "list", "Main")["items"]
    assert [(each["position"], each["name"], each["conditions"]) for each in listed] == [
        (1, "Disks", {"messages": ["disk*full"]}),
        (2, "Rest", {}),
    ]
    tried = muster_on.done("rule", "test", "Main", "--message", "Disk C: is full")
    assert tried["rule"]["name"] == "Disks"
    assert [each["verdict"] for each in tried["items"]] == ["decides", "an earlier rule decided"]
    other = muster_on.done(
        "rule", "test", "Main", "--message", "Fan", "--severity", "minor", "--type", "task"
    )
    assert other["rule"]["name"] == "Rest"
    assert other["items"][0]["verdict"] == "not met: message"


@pytest.mark.parametrize("alert", ["nonsense", "01a216bc-5145-724a-a905-ca8cf1df77f7"])
def test_an_alert_that_is_not_there(muster_on: Muster, alert: str) -> None:
    muster_on.done("tenant", "create", "Acme IT")
    muster_on.done(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", "https://api.example.com"),
        *("--api-key-file", "-"),
        stdin=b"K" * 32,
    )
    assert muster_on("rule", "test", "Main", "--alert", alert, "--json").code in (1, 2)
