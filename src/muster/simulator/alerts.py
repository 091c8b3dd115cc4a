"""The alerts of one server, and everything that keeps them going (CONTRACT sections 4 and 5).

They are made when somebody first asks for one: a fleet whose alerts nobody looks at costs nothing for them.
"""

import threading

from muster.simulator.alert_rows import AlertBook
from muster.simulator.alert_settings import AlertSettings
from muster.simulator.firing import Firing
from muster.simulator.first_alerts import first_alerts
from muster.simulator.fleet import Fleet
from muster.simulator.outages import WATCHED, Outages

# Real seconds between two looks at the simulated clock.
_TICK = 0.5


class Alerts:
    """`book` has the alerts, `outages` what fails, `firing` sends their webhooks."""

    def __init__(
        self, fleet: Fleet, settings: AlertSettings, alert_every: float | None, outages_every: float
    ) -> None:
        self._fleet = fleet
        self._settings = settings
        self._awake = False
        self._over = threading.Event()
        self._ticking: threading.Thread | None = None
        self.book = AlertBook(fleet)
        self.firing = Firing(fleet, settings, self.book)
        self.outages = Outages(fleet, self.book, self.firing, outages_every, alert_every)

    def settle(self) -> None:
        """Bring the alerts to the present simulated moment; the fleet's lock must be held."""
        if not self._awake:
            self._awake = True
            self._invent()
        self.outages.settle()

    def _invent(self) -> None:
        fleet, outages = self._fleet, self.outages
        silent = outages.overdue_agents(fleet.clock.start)
        for draft in first_alerts(fleet, silent, fleet.pks()[:WATCHED]):
            self.book.add(draft.time, **draft.columns)
            if draft.cause is not None and draft.cause.kind != "availability":
                outages.failing[draft.cause.key] = draft.cause
        if fleet.spec.alerts is not None:
            # So many were asked for: nobody else's silence counts until he was heard of again.
            outages.ignored = {
                agent.pk for agent in silent if not self.book.open_of(("availability", agent.pk, 0))
            }

    # ---- by itself

    def start(self) -> None:
        """Follow the simulated clock in a thread, from when somebody asks for alerts or is to be told."""
        self.firing.start()
        self._over.clear()
        self._ticking = threading.Thread(target=self._tick, name="simulator-alerts", daemon=True)
        self._ticking.start()

    def stop(self) -> None:
        """Follow it no more."""
        self._over.set()
        if self._ticking is not None:
            self._ticking.join()
        self.firing.stop()

    def _tick(self) -> None:
        while not self._over.wait(_TICK):
            if self._awake or len(self._settings.templates) or self.outages.come_by_themselves:
                with self._fleet.lock:
                    self.settle()
