"""Hands for tests and demonstrations: raise alerts, let them recover, a storm of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from muster.simulator.agents import Agent
from muster.simulator.alert_rows import SEVERITIES, AlertRow, Kind
from muster.simulator.alerts import Alerts
from muster.simulator.causes import FIRST_INVENTED, Cause, failing_check, failing_task, overdue
from muster.simulator.dice import Dice
from muster.simulator.fleet import Fleet

# An alert of a burst recovers when so many others were raised after it.
_TRAILING = 25
_BURST = 1 << 22


@dataclass(slots=True)
class Burst:
    """What a burst did, by the alerts' pks: all were raised; of some the cause ended, of some the webhooks go
    out twice, of some the resolve goes out before the trigger.
    """

    raised: list[int] = field(default_factory=list)
    recovered: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    reversed: list[int] = field(default_factory=list)


class AlertHands:
    """The alerts of a running server. Every method may be called from any thread while the server answers."""

    def __init__(self, fleet: Fleet, alerts: Alerts) -> None:
        self._fleet = fleet
        self._alerts = alerts
        self._raised = 0

    # ---- asking

    def rows(self) -> list[AlertRow]:
        """All alerts as they are now; changing one of these changes nothing."""
        with self._fleet.lock:
            self._alerts.settle()
            return [replace(row) for row in self._alerts.book]

    def get(self, alert: int) -> AlertRow | None:
        """One alert as it is now, or None."""
        with self._fleet.lock:
            self._alerts.settle()
            row = self._alerts.book.get(alert)
            return None if row is None else replace(row)

    # ---- raising and ending

    def raise_alert(
        self,
        agent: int | str | Agent,
        kind: Kind = "check",
        severity: str | None = None,
        message: str | None = None,
        *,
        cause: int | None = None,
        hidden: bool = False,
        **rest: Any,
    ) -> int:
        """Let something of an agent fail now and go on failing; the pk of its alert.

        `availability`: the agent falls silent and is overdue at once, always an error. `check` and `task`:
        `cause` is its pk (None: a new one), so that the same one can fail again; `label`, `type` and `result`
        say what it is. `custom`: an alert nothing stands behind, which never fires. The message is the
        server's own unless given. `hidden`: not on the dashboard, unless a template says always.
        ValueError when the agent is in maintenance, where nothing makes an alert.
        """
        if severity is not None and severity not in SEVERITIES:
            raise ValueError(f"a severity is one of {', '.join(SEVERITIES)}, not {severity!r}")
        with self._fleet.lock:
            self._alerts.settle()
            found = self._fleet.agent(agent)
            now = self._fleet.clock.now_us()
            if kind == "custom":
                columns = {"agent": found.pk, "alert_type": kind, "severity": severity or "info"}
                return self._alerts.book.add(now, message=message, hidden=hidden, **columns).pk
            if message is not None:
                rest["message"] = message
            made = self._cause(found, kind, severity, cause, rest, shown=not hidden)
            row = self._fail(replace(made, dashboard=not hidden, notifies=True))
            return row.pk

    def _cause(
        self,
        agent: Agent,
        kind: Kind,
        severity: str | None,
        pk: int | None,
        rest: dict[str, Any],
        *,
        shown: bool = True,
    ) -> Cause:
        if kind == "availability":
            if severity not in (None, "error"):
                raise ValueError(f"an agent that is overdue is always an error, not {severity!r}")
            silent = self._fleet.clock.now() - timedelta(minutes=agent.overdue_time, seconds=30)
            # As in the agent's settings: whoever is watched by nobody raises no alert.
            self._fleet.set_last_seen(agent, silent)
            silenced = self._fleet.edit(agent, overdue_email_alert=True, overdue_dashboard_alert=shown)
            return replace(overdue(silenced, self._fleet), **rest)
        if pk is None:
            self._raised += 1
            pk = 3 * FIRST_INVENTED + self._raised
        make = failing_check if kind == "check" else failing_task
        return make(agent, pk, severity or "error", **rest)

    def _fail(self, cause: Cause, *, quiet: bool = False) -> AlertRow:
        if cause.kind != "availability":
            self._alerts.outages.failing[cause.key] = cause
        self._alerts.outages.ignored.discard(cause.agent)
        row = self._alerts.firing.failure(cause, self._fleet.clock.now_us(), quiet=quiet)
        if row is None:
            raise ValueError(f"agent {cause.agent} is in maintenance: nothing makes an alert there")
        return row

    def recover(self, alert: int, *, quiet: bool = False) -> None:
        """Let the cause of an alert end, which resolves it: an agent reports again, a check or task succeeds.
        KeyError when there is no such alert, ValueError when no cause stands behind it. `quiet`: no webhook.
        """
        with self._fleet.lock:
            row = self._alerts.book.get(alert)
            if row is None:
                raise KeyError(f"the simulated server has no alert {alert}")
            key = row.key
            if key is None:
                raise ValueError(f"nothing stands behind alert {alert} that could recover")
            if key[0] == "availability":
                self._fleet.wake(key[1])
            self._alerts.outages.failing.pop(key, None)
            self._alerts.firing.recovery(key, self._fleet.clock.now_us(), quiet=quiet)

    def cycle(self) -> None:
        """Run the server's periodic tasks now: what fails fails again, who is back recovers, snoozes end."""
        with self._fleet.lock:
            self._alerts.settle()
            self._alerts.outages.cycle(self._fleet.clock.now_us())

    # ---- storms

    def burst(
        self,
        count: int,
        *,
        recovering: float = 0.0,
        doubled: float = 0.0,
        reversed_: float = 0.0,
        agents: Sequence[int] | None = None,
    ) -> Burst:
        """Raise so many alerts over the agents that are not in maintenance, each with a cause of its own.

        Of these shares (0 to 1) the cause ends soon, the webhooks are sent twice, and the resolve is sent
        before the trigger (of those that recover); chosen by the seed. It returns when all is queued:
        `server.webhooks.wait()` waits until all is sent, `server.webhooks.connections` says how many at once.
        """
        done = Burst()
        pks = [pk for pk in agents or self._fleet.pks() if not self._fleet.agent(pk).maintenance_mode]
        if not pks:
            raise ValueError("the simulated fleet has no agents that could raise alerts")
        trailing: list[tuple[int, int]] = []
        for number in range(count):
            dice = Dice(self._fleet.spec.seed, "alerts", _BURST + self._raised)
            copies = 2 if dice.chance(doubled) else 1
            ends, turned = dice.chance(recovering), dice.chance(reversed_)
            with self._fleet.lock:
                self._alerts.settle()
                self._one_of_burst(done, pks[number % len(pks)], copies, ends=ends, turned=turned)
            if ends and not turned:
                trailing.append((done.raised[-1], copies))
            if len(trailing) > _TRAILING:
                self._end(*trailing.pop(0))
        for alert, copies in trailing:
            self._end(alert, copies)
        return done

    def _one_of_burst(self, done: Burst, pk: int, copies: int, *, ends: bool, turned: bool) -> None:
        kind: Kind = "task" if self._raised % 4 == 3 else "check"
        severity = "warning" if self._raised % 3 == 2 else "error"
        cause = self._cause(self._fleet.agent(pk), kind, severity, None, {})
        row = self._fail(replace(cause, notifies=True), quiet=True)
        done.raised.append(row.pk)
        if copies > 1:
            done.doubled.append(row.pk)
        if ends:
            done.recovered.append(row.pk)
        if ends and turned:
            done.reversed.append(row.pk)
            self.recover(row.pk, quiet=True)
            self._alerts.firing.fire(row, "resolve", copies=copies)
        self._alerts.firing.fire(row, "trigger", copies=copies)

    def _end(self, alert: int, copies: int) -> None:
        with self._fleet.lock:
            self.recover(alert, quiet=True)
            row = self._alerts.book.get(alert)
            if row is not None:
                self._alerts.firing.fire(row, "resolve", copies=copies)
