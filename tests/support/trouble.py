"""A fleet in trouble: alerts of many kinds and ages, told to people and programs, with what was done about
them; a webhook with receipts of every kind. For pages to show.
"""

from collections.abc import Sequence
from datetime import timedelta
from itertools import cycle
from uuid import UUID

import msgspec

from muster.alerts.notices.service import SEND_NOTICES
from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import RuleAction, RuleConditions
from muster.alerts.schemas import AlertFilter, AlertView
from muster.alerts.service import AlertService
from muster.alerts.telling import Teller
from muster.bootstrap import outbound
from muster.events.relay import EventRelay
from muster.inbound_webhooks.drain import ReceiptDrain
from muster.inbound_webhooks.provisioning.service import WebhookSetup
from muster.jobs.types import JobPostponed
from muster.notifications.service import ChannelService
from muster.notifications.types import ChannelKind
from muster.outbound_webhooks.delivery_service import DELIVER, DeliveryService
from muster.outbound_webhooks.schemas import SubscriptionInput
from muster.outbound_webhooks.service import SubscriptionService
from muster.providers.alerting import AlertSeverity
from muster.simulator import SimulatorServer
from muster.tenancy import TenantScope
from tests.support.hook import kept
from tests.support.job import Job
from tests.support.receiver import Receiver, receiving
from tests.support.world import World

ADDRESS = "https://muster.brightwater.example"
FULL_DISK = "Disk D: 91% used, limit 90%"
# Kind, severity, message, and how many hours ago.
_RAISED: Sequence[tuple[str, str, str, float]] = (
    ("check", "error", FULL_DISK, 0.8),
    ("check", "error", 'Service "Veeam Agent" stopped', 1.1),
    ("check", "warning", "Memory above 85% for 15 min", 1.3),
    ("check", "info", "Certificate of intranet.uebermut-soehne.example ends in 20 days", 3),
    ("task", "error", "Backup failed: the last copy is 3 days old", 3.2),
    ("check", "warning", "Event 7 on \\Device\\Harddisk2: the device has a bad block", 5),
    ("task", "warning", 'Task "Nightly WSUS cleanup" ran for 6 h', 13),
    ("check", "info", "Printer queue of Empfang-Süd: 40 jobs", 16),
    (
        "check",
        "error",
        "Datensicherung der Katholischen Kirchengemeinde St. Bonifatius und St. Hildegard",
        20,
    ),
    ("check", "warning", "Memory above 85% for 15 min", 22),
)
# Those of them that a person does something about.
_TAKEN_ON, _SNOOZED, _RESOLVED = (_RAISED[number][2] for number in (5, 6, 1))


class Trouble:
    """Brings trouble to the devices of a synced integration."""

    def __init__(self, world: World, server: SimulatorServer, integration_id: UUID) -> None:
        self.world = World(world.database, world.scope, world.box, MUSTER_OUTBOUND_ALLOW="127.0.0.0/8")
        self.server = server
        self.integration_id = integration_id
        # Whoever logs in by `House.session` as an administrator.
        self.person = TenantScope(world.scope.tenant_id, "admin@example.com")

    async def befall(self) -> dict[str, str]:
        """Everything; gives the ids of one of each."""
        with receiving() as receiver:
            targets = await self._tell_others(receiver)
            self._raise()
            run = await self.world.alerts(self.integration_id)
            assert run.status == "succeeded", run.error
            await self._send()
            receiver.status, receiver.body = 503, b"Down for maintenance until 18:00."
            alert = await self._work_on_them()
            await self._send()
        async with self.world.database.read(self.person) as session:
            subscription = UUID(targets["subscription"])
            (delivery,), _ = await DeliveryService(session, self.person).list(subscription, limit=1)
        ids = {**targets, "alert": str(alert.alert_id), "delivery": str(delivery.delivery_id)}
        return {**ids, **await self._receive(alert)}

    async def _tell_others(self, receiver: Receiver) -> dict[str, str]:
        """Channels, a webhook for a program, and rules that name them."""
        database, scope, box = self.world.database, self.person, self.world.box
        async with database.write(scope) as session:
            channels = ChannelService(session, scope, box)
            on_call = await channels.add(
                "On call", ChannelKind.APPRISE, f"json://{receiver.place}/in", f"JSON at {receiver.place}"
            )
            await channels.add(
                "Help desk", ChannelKind.SLACK, "slack://TAAAAAAAA/BBBBBBBB/c", "Slack, workspace TAAAAAAAA"
            )
            subscriptions = SubscriptionService(session, scope, box, plain_allowed=True)
            events = ["RMM_ALERT_TRIGGERED", "RMM_ALERT_RESOLVED"]
            made = await subscriptions.add(
                SubscriptionInput(name="Ticketing", url=receiver.url, event_types=events)
            )
            ticketing = made.subscription.subscription_id
            rules = RuleService(session, scope)
            draft = RuleDraft(
                name="Known noise",
                action=RuleAction.SUPPRESS,
                conditions=RuleConditions(messages=("printer queue", "forty days old")),
            )
            await rules.add(self.integration_id, draft)
            draft = RuleDraft(
                name="Disks and backups, critical: on call",
                action=RuleAction.NOTIFY,
                conditions=RuleConditions(
                    severities=(AlertSeverity.CRITICAL,), messages=("used, limit", "backup failed")
                ),
                targets=(on_call.channel_id,),
            )
            rule = await rules.add(self.integration_id, draft)
            draft = RuleDraft(
                name="The rest to the ticketing",
                action=RuleAction.WEBHOOK,
                targets=(ticketing,),
                is_active=False,
            )
            await rules.add(self.integration_id, draft)
        return {"rule": str(rule.rule_id), "subscription": str(ticketing)}

    def _raise(self) -> None:
        """Things fail on the server: each on another device, the first on the first one."""
        agents = [agent for agent in self.server.fleet if not agent.maintenance_mode]
        now = self.server.clock.now()
        for agent, (kind, severity, message, hours) in zip(cycle(agents), _RAISED, strict=False):
            pk = self.server.alerts.raise_alert(agent, kind, severity, message)  # type: ignore[arg-type]
            row = self.server.state.alerts.book.get(pk)
            assert row is not None
            row.alert_time = int((now - timedelta(hours=hours)).timestamp() * 1_000_000)

    async def _work_on_them(self) -> AlertView:
        """A person works on them, and the server is told. Gives the alert that was noted on."""
        world = self.world
        async with world.database.write(self.person) as session:
            alerts = AlertService(session, self.person)
            found, _ = await alerts.list(AlertFilter(), limit=100)
            named = {alert.message: alert.alert_id for alert in reversed(found)}
            noted = await alerts.note(named[FULL_DISK], "Old WSUS content; the cleanup task runs at 02:00.")
            await alerts.acknowledge(named[_TAKEN_ON])
            told = [await alerts.snooze(named[_SNOOZED], days=3), await alerts.resolve(named[_RESOLVED])]
        for alert in told:
            assert alert.write_back is not None
            await Teller(world.database, world.connector, world.scope).tell(
                alert.alert_id, alert.write_back.since
            )
        return noted

    async def _send(self) -> None:
        """What a worker does about messages and deliveries that wait."""
        world = self.world
        await EventRelay(world.database, outbound.subscribers(), timedelta(days=30)).relay_once()
        handlers = outbound.job_handlers(world.database, world.box, world.settings)
        for kind in (SEND_NOTICES, DELIVER):
            try:
                await handlers[kind](Job(world.scope, UUID(int=1)))
            except JobPostponed:
                continue

    async def _receive(self, alert: AlertView) -> dict[str, str]:
        """The webhook is set up, its server calls, and somebody changes what was set up there."""
        world = self.world
        setup = WebhookSetup(world.database, world.box, world.connector, None)
        state = await setup.set_up(self.person, self.integration_id, reached_by=ADDRESS)
        named = {"agent_id": alert.device_id, "alert_id": alert.external_alert_id, "event": "trigger"}
        receipts = [
            await kept(world, self.integration_id, body)
            for body in (
                msgspec.json.encode(named),
                b'{"agent_id": "NobodyKnowsThisDeviceYet", "event": "trigger", "severity": "error"}',
                b'{"agent_id": "{{agent.agent_id}}", "alert_id": "{{alert.id}}", "event": "trigger"}',
                b"an alert was raised on the file server",
            )
        ]
        await ReceiptDrain(world.database, world.box, world.connector).drain(
            Job(world.scope, UUID(int=1), {"integration_id": str(self.integration_id)})
        )
        assert state.objects.trigger_action is not None
        settings, now = self.server.state.alert_settings, self.server.clock.now_us()
        settings.actions.change(int(state.objects.trigger_action), {"rest_body": "{}"}, who="owner", now=now)
        return {"receipt": str(receipts[0]), "odd_receipt": str(receipts[-1])}
