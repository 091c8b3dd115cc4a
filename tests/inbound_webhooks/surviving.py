"""A simulated server's own webhooks, many at once, to a process that is killed again and again; what is left
is held against that server.
"""

import asyncio
import random
import socket
from collections import Counter
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx2

from muster.db import Database
from muster.events.service import EventService
from muster.inbound_webhooks.provisioning.service import WebhookSetup
from muster.inbound_webhooks.types import ReceiptState
from muster.jobs.types import OPEN
from muster.simulator import FleetSpec, SimulatorServer
from muster.sync.refreshes import REFRESH
from tests.support.hook import Hook
from tests.support.serving import Serving
from tests.support.site import Browser
from tests.support.workers import Works

CONNECTIONS = 32
# Alerts whose webhooks are under way together: what a dead receiver loses is a part of these.
_AT_ONCE = 60
_TOLD = {"RMM_WEBHOOK_RECEIVED", "RMM_ALERT_TRIGGERED", "RMM_ALERT_RESOLVED"}


class Receiver:
    """`muster serve`, always at the same address, however often it dies."""

    def __init__(self, works: Works) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self._settings = works.settings_of_workers()
        self.process: Serving | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Come to life, and wait until it listens."""
        self.process = Serving(self._settings, "--port", str(self.port))
        await asyncio.to_thread(self.process.ready)

    async def kill(self) -> None:
        """kill -9, at whatever it is."""
        assert self.process is not None
        self.process.process.kill()
        await asyncio.to_thread(self.process.process.wait)
        self.process.close()

    async def stop(self) -> None:
        """End it as an operator would."""
        assert self.process is not None
        code = await asyncio.to_thread(self.process.stop)
        assert code == 0, self.process.log
        self.process.close()


class Survival:
    """One such run. `attempts` and `answered` count webhooks by alert and event: all of them, and those that
    were answered with success.
    """

    def __init__(self, works: Works, server: SimulatorServer, integration_id: UUID) -> None:
        self.works = works
        self.server = server
        self.integration_id = integration_id
        self.receiver = Receiver(works)
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.answered: Counter[tuple[str, str]] = Counter()
        self.struck = 0

    @classmethod
    async def prepare(cls, database: Database, folder: Path, server: SimulatorServer) -> "Survival":
        """A tenant with the server's devices, whose webhook Muster has set up there by itself."""
        works = await Works.open(database, folder)
        integration_id = await works.connect(server)
        await works.map_all(integration_id)
        assert (await works.devices(integration_id)).status == "succeeded"
        await works.unschedule(integration_id)
        made = cls(works, server, integration_id)
        setup = WebhookSetup(works.database, works.box, works.connector, None)
        await setup.set_up(works.scope, integration_id, address=made.receiver.url)
        # The server takes its time until all agents have the template.
        server.clock.advance(timedelta(minutes=5))
        server.webhooks.connections = CONNECTIONS
        return made

    async def storm(self, webhooks: int, kills: int, seed: int) -> None:
        """Have about so many webhooks sent, with duplicates and ends that come before their beginning, and
        kill the receiver so many times while they come.
        """
        dice = random.Random(seed)
        await self.receiver.start()
        # Of an alert there are 1.65 webhooks: half of them end, one in ten is sent twice.
        steps = max(round(webhooks / 1.65 / _AT_ONCE), kills)
        fatal = set(dice.sample(range(steps), kills))
        for number in range(steps):
            if number in fatal:
                await self._fatal_step(dice)
            else:
                await self._burst()
        for sent in self.server.webhooks.sent:
            key = (str(sent.alert), sent.event)
            self.attempts[key] += 1
            self.answered[key] += 200 <= sent.retcode < 300

    async def _burst(self) -> None:
        def send() -> None:
            self.server.alerts.burst(_AT_ONCE, recovering=0.5, doubled=0.1, reversed_=0.3)
            self.server.webhooks.wait(300)

        await asyncio.to_thread(send)

    async def _fatal_step(self, dice: random.Random) -> None:
        sent = self.server.webhooks.counts.total()
        fatal = sent + dice.randrange(_AT_ONCE)
        bursting = asyncio.create_task(self._burst())
        while self.server.webhooks.counts.total() < fatal and not bursting.done():
            await asyncio.sleep(0)
        self.struck += not bursting.done()
        await self.receiver.kill()
        await bursting
        await self.receiver.start()

    async def settle(self) -> None:
        """Wait until the receiver has processed everything it kept, and has ended."""
        while [
            receipt
            for receipt in await (await self.hook()).receipts()
            if receipt.state is ReceiptState.WAITING
        ]:
            await asyncio.sleep(0.5)
        # Devices are refreshed a minute later, so that a storm of alerts is one refresh: not waited for.
        while [job for job in await self.works.jobs() if job.state in OPEN and job.kind != REFRESH]:
            await asyncio.sleep(0.1)
        await self.receiver.stop()

    async def hook(self) -> Hook:
        """The webhook, for questions about it."""
        return await Hook.of(self.works, self.integration_id, Browser(httpx2.AsyncClient()))

    # --- what must hold ----------------------------------------------------------------------------------

    async def check_receipts(self) -> None:
        """What was answered with success is kept, and nothing more often than it was sent."""
        receipts = await (await self.hook()).receipts()
        kept = Counter((receipt.external_alert_id or "", receipt.event or "") for receipt in receipts)
        assert {receipt.state for receipt in receipts} == {ReceiptState.PROCESSED}
        assert not self.answered - kept, "answered with success and not kept"
        assert not kept - self.attempts, "kept more often than sent"

    async def check_alerts(self) -> None:
        """The server's alerts are ours, each once, as they are there."""
        found = await (await self.hook()).alerts()
        rows = {str(row.pk): row for row in self.server.alerts.rows()}
        agents = {agent.pk: agent.agent_id for agent in self.server.fleet}
        ours = {key: (alert.status, alert.device_id, alert.original_severity) for key, alert in found.items()}
        assert ours == {
            key: ("resolved" if row.resolved else "active", agents[row.agent or 0], row.severity)
            for key, row in rows.items()
        }
        assert {alert.confirmed for alert in found.values()} == {True}
        assert {alert.occurrences for alert in found.values()} == {1}
        assert None not in {alert.asset_id for alert in found.values()}

    async def check_events(self) -> None:
        """Nobody heard of anything twice."""
        async with self.works.database.read(self.works.scope) as session:
            events = await EventService(session, self.works.scope).list(limit=1_000_000)
        told = Counter((event.type, event.subject) for event in events if event.type in _TOLD)
        assert max(told.values()) == 1
        receipts = await (await self.hook()).receipts()
        heard = {subject for kind, subject in told if kind == "RMM_WEBHOOK_RECEIVED"}
        assert heard == {str(receipt.receipt_id) for receipt in receipts}

    async def check_reconciled(self, *, lost: bool) -> None:
        """One reconciliation makes all of it true, a second one has nothing left to do."""
        run = await self.works.alerts(self.integration_id, days=1)
        assert run.status == "succeeded", run.error
        assert run.failed == run.missing == 0
        assert (run.created > 0) is lost
        await self.check_alerts()
        again = await self.works.alerts(self.integration_id, days=1)
        assert (again.created, again.updated, again.missing, again.failed) == (0, 0, 0, 0)


async def survived(
    database: Database, folder: Path, *, webhooks: int, kills: int, seed: int, agents: int = 60
) -> Survival:
    """The whole run; what it counted."""
    with SimulatorServer(FleetSpec(agents=agents, seed=seed, alerts=0), frozen=True) as server:
        run = await Survival.prepare(database, folder, server)
        try:
            await run.storm(webhooks, kills, seed)
            await run.settle()
        finally:
            if run.receiver.process is not None:
                run.receiver.process.close()
        await run.check_receipts()
        await run.check_reconciled(lost=kills > 0)
        await run.check_events()
    assert run.struck == kills, "a kill came after the webhooks that it was to strike"
    return run
