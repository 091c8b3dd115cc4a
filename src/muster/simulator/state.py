"""Everything one simulated server knows: time, fleet, users, faults, settings, the requests seen so far."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from muster.simulator.accounts import Accounts, Throttle
from muster.simulator.alert_settings import AlertSettings
from muster.simulator.alerts import Alerts
from muster.simulator.clock import SimulatedClock
from muster.simulator.faults import Fault, Faults
from muster.simulator.fleet import Fleet, FleetSpec
from muster.simulator.rows import Rows
from muster.simulator.software import SoftwareBook

# Requests remembered; older ones are forgotten so that a long-lived server does not grow.
REMEMBERED = 50_000
# Seconds between two runs of the server's task that looks for overdue agents; checks run about as often.
OUTAGES_EVERY = 150.0
_LOOPBACK_NAMES = frozenset({"localhost", "[::1]", "::1"})


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One request the server answered: path with query, status (0: the connection was dropped), bytes of the
    body sent, and the user it was authenticated as (None: nobody, or a wrong credential).
    """

    method: str
    path: str
    status: int
    bytes: int
    user: str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """How one simulated server behaves. Throttles are (calls a minute, calls a day), each login view for
    itself. `alert_every`: simulated seconds after which an alert comes or goes by itself (None: none does).
    `outages_every`: simulated seconds between two looks at who is overdue and what fails.
    """

    beta: bool = True
    frozen: bool = False
    at: datetime | None = None
    api_key: str | None = None
    host_names: tuple[str, ...] = ()
    throttle: tuple[int, int] = (10, 300)
    faults: tuple[Fault | str, ...] = ()
    alert_every: float | None = None
    outages_every: float = OUTAGES_EVERY


@dataclass(slots=True)
class State:
    """One simulated server's state. `lock` is held while a request is answered and while the fleet is
    changed.
    """

    clock: SimulatedClock
    fleet: Fleet
    rows: Rows
    alert_settings: AlertSettings
    alerts: Alerts
    software: SoftwareBook
    accounts: Accounts
    faults: Faults
    throttles: dict[str, Throttle]
    host_names: set[str]
    beta_enabled: bool
    version: str = "1.5.1"
    requests: deque[SeenRequest] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _lists: int = 0

    @classmethod
    def make(cls, spec: FleetSpec, settings: Settings) -> "State":
        """The state a server starts with."""
        clock = SimulatedClock(settings.at, frozen=settings.frozen)
        fleet = Fleet(spec, clock)
        alert_settings = AlertSettings(fleet, clock)
        # The limited users see the first client, and the first site of the second.
        site = min(site.pk for site in fleet.sites_of_client(2))
        accounts = Accounts(spec.seed, clock, client=1, site=site, api_key=settings.api_key)
        return cls(
            clock=clock,
            fleet=fleet,
            rows=Rows(fleet, alert_settings),
            alert_settings=alert_settings,
            alerts=Alerts(fleet, alert_settings, settings.alert_every, settings.outages_every),
            software=SoftwareBook(fleet),
            accounts=accounts,
            faults=Faults(settings.faults),
            throttles={view: Throttle(*settings.throttle) for view in ("checkcreds", "login")},
            host_names=set(settings.host_names),
            beta_enabled=settings.beta,
        )

    def host_allowed(self, host: str) -> bool:
        """Whether ALLOWED_HOSTS would let a Host header pass: loopback and the given names, any port."""
        name = host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdigit() else host
        return name.startswith("127.") or name in _LOOPBACK_NAMES or name in self.host_names

    def shuffled(self, pks: list[int]) -> list[int]:
        """The same pks in another order than last time: `/agents/` has no ORDER BY (CONTRACT section 3)."""
        self._lists += 1
        if not pks:
            return pks
        start = self._lists * 7919 % len(pks)
        turned = pks[start:] + pks[:start]
        return turned[::-1] if self._lists % 2 else turned
