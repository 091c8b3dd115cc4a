"""Whatever happens on the server, to webhooks on their way and by people here, in whatever order: in the end
Muster has every alert once, and as the server has it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from muster import clock
from muster.alerts.intake import AlertIntake
from muster.alerts.schemas import AlertView
from muster.alerts.service import AlertService
from muster.alerts.telling import Teller
from muster.alerts.types import OPEN_VALUES
from muster.db import Database
from muster.errors import Conflict
from muster.jobs.types import JobPostponed
from muster.providers.alerting import AlertConnection, AlertRecord
from muster.providers.contract import ProviderNotFound
from muster.simulator import FleetSpec, SimulatorServer
from muster.simulator.alert_rows import AlertRow
from tests.alerts.saying import Alerts
from tests.support.time import Time
from tests.support.world import World

_TOO_MANY = 20


@pytest.fixture
def server(time: Time) -> Iterator[SimulatorServer]:
    with SimulatorServer(FleetSpec(agents=12, seed=3, alerts=0), frozen=True) as running:
        time.servers.append(running)
        for agent in running.fleet:
            running.fleet.edit(agent, maintenance_mode=False)
        yield running


@pytest.fixture
async def alerts(database: Database, server: SimulatorServer) -> Alerts:
    world = await World.make(database)
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    await world.devices(integration_id)
    return await Alerts.of(world, integration_id)


@dataclass
class Story:
    """What happens to the alerts of some checks of one device."""

    alerts: Alerts
    server: SimulatorServer
    connection: AlertConnection
    time: Time
    device: str
    ids: list[int] = field(default_factory=list)
    on_their_way: list[tuple[int, str]] = field(default_factory=list)
    late: tuple[AlertRecord, ...] | None = None

    async def happen(self, what: str, n: int) -> None:
        self.time.pass_(seconds=1)
        match what:
            case "raise":
                self._raise(n % 3)
            case "recover":
                self._recover(n)
            case "heard" | "read" | "least":
                await self._deliver(what, n)
            case "list":
                self.late = (await self.connection.open_alerts()).records
                self.late_at = clock.now()
            case "late list" if self.late is not None:
                await self.alerts.apply(*self.late, at=self.late_at)
            case "tell":
                await self.tell()
            case "snooze there" | "unsnooze there" | "resolve there":
                await self._there(what, n)
            case "acknowledge" | "snooze" | "unsnooze" | "resolve" | "unacknowledge":
                await self._here(what, n)

    def _raise(self, check: int) -> None:
        cause = 10_000 + 10 * int(self.device.encode().hex()[:6], 16) + check
        pk = self.server.alerts.raise_alert(self.device, "check", cause=cause)
        if pk not in self.ids:
            self.ids.append(pk)
            self.on_their_way.append((pk, "trigger"))

    def rows(self) -> list[AlertRow]:
        """The device's alerts as the server has them."""
        agent = self.server.fleet.agent(self.device).pk
        return [row for row in self.server.alerts.rows() if row.agent == agent]

    def _open(self) -> list[int]:
        return [row.pk for row in self.rows() if row.pk in self.ids and not row.resolved]

    def _recover(self, n: int) -> None:
        if open_ones := self._open():
            pk = open_ones[n % len(open_ones)]
            self.server.alerts.recover(pk)
            self.on_their_way.append((pk, "resolve"))

    async def _deliver(self, how: str, n: int) -> None:
        """A webhook arrives; it stays on its way, and may come again."""
        if not self.on_their_way:
            return
        pk, event = self.on_their_way[n % len(self.on_their_way)]
        at = clock.now()
        if how == "heard":
            await self.alerts.hear(
                at, device_id=self.device, external_alert_id=str(pk), event=event, organization_id=None
            )
        elif how == "least":
            await self.alerts.hear(at, device_id=self.device)
        else:
            await self.alerts.apply(await self.connection.alert(str(pk)), at=at, origin="webhook")

    async def _there(self, what: str, n: int) -> None:
        if not (open_ones := self._open()):
            return
        pk = str(open_ones[n % len(open_ones)])
        match what:
            case "snooze there":
                await self.connection.snooze_alert(pk, 2)
            case "unsnooze there":
                await self.connection.unsnooze_alert(pk)
            case _:
                await self.connection.resolve_alert(pk)

    async def known(self) -> Sequence[AlertView]:
        return await self.alerts.all(device_id=self.device)

    async def _here(self, what: str, n: int) -> None:
        if not (known := await self.known()):
            return
        alert_id = known[n % len(known)].alert_id
        async with self.alerts.database.write(self.alerts.scope) as session:
            service = AlertService(session, self.alerts.scope)
            try:
                match what:
                    case "snooze":
                        await service.snooze(alert_id, days=3)
                    case "unsnooze":
                        await service.unsnooze(alert_id)
                    case "resolve":
                        await service.resolve(alert_id)
                    case "acknowledge":
                        await service.acknowledge(alert_id)
                    case _:
                        await service.unacknowledge(alert_id)
            except Conflict:
                assert known[n % len(known)].status != "active"

    async def tell(self) -> None:
        teller = Teller(self.alerts.database, self.alerts.world.connector, self.alerts.scope)
        for alert in await self.known():
            if alert.write_back is not None and alert.write_back.is_waiting:
                try:
                    await teller.tell(alert.alert_id, alert.write_back.since)
                except JobPostponed:
                    assert alert.confirmed or alert.identity == "named"

    async def reconcile(self) -> None:
        self.time.pass_(seconds=1)
        at = clock.now()
        await self.alerts.apply(*(await self.connection.recent_alerts(1)).records, at=at)
        at = clock.now()
        listed = (await self.connection.open_alerts()).records
        await self.alerts.apply(*listed, at=at)
        async with self.alerts.database.read(self.alerts.scope) as session:
            intake = AlertIntake(session, self.alerts.scope, self.alerts.integration)
            ours = set(await intake.open_ids()) - {record.external_id for record in listed}
        for external_id in ours:
            at = clock.now()
            try:
                await self.alerts.apply(await self.connection.alert(external_id), at=at)
            except ProviderNotFound:
                await self.alerts.absent(external_id, at=at)


WHAT = (
    *("raise", "recover", "heard", "read", "least", "list", "late list", "tell", "resolve"),
    *(
        "snooze there",
        "unsnooze there",
        "resolve there",
        "acknowledge",
        "unacknowledge",
        "snooze",
        "unsnooze",
    ),
)


@pytest.mark.slow
# Each story goes on where the one before left server and database: none can be made smaller by itself.
@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)
@given(
    first=st.integers(0, 9),
    happenings=st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 5)), min_size=4, max_size=_TOO_MANY),
)
async def test_in_the_end_every_alert_is_there_once_and_as_the_server_has_it(
    alerts: Alerts, server: SimulatorServer, time: Time, first: int, happenings: list[tuple[str, int]]
) -> None:
    device = alerts.devices[first]
    async with alerts.world.connector.open(alerts.scope, alerts.integration.integration_id) as connection:
        assert isinstance(connection, AlertConnection)
        story = Story(alerts, server, connection, time, device)
        await story.happen("raise", first)
        for what, n in happenings:
            await story.happen(what, n)
        for _ in range(3):
            await story.reconcile()
            # No webhook is under way for longer.
            time.pass_(minutes=1)
            await story.tell()
        await story.reconcile()
        known = await story.known()
        named = [each.external_alert_id for each in known if each.external_alert_id]
        assert len(named) == len(set(named))
        found = {each.external_alert_id: _shown(each) for each in known if each.external_alert_id}
        there = {str(row.pk): _stands(row) for row in story.rows()}
        assert found == there
        assert [each for each in known if each.status in OPEN_VALUES and not each.external_alert_id] == []
        for pk in story._open():
            server.alerts.recover(pk)
        await story.reconcile()


def _stands(row: AlertRow) -> str:
    if row.resolved:
        return "resolved"
    return "snoozed" if row.snoozed else "open"


def _shown(alert: AlertView) -> str:
    return "open" if alert.status in ("active", "acknowledged") else alert.status
