"""What a failure and its end do to an alert, and whether a webhook is sent for it (CONTRACT section 5).

A webhook is sent once, before the alert is marked: the server reads the alert, waits for the answer, and then
saves all columns as it had read them. What the API wrote in between is lost, here too.
"""

import copy
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime

from muster.simulator.alert_rows import AlertBook, AlertRow, Key
from muster.simulator.alert_settings import AlertSettings
from muster.simulator.causes import Cause
from muster.simulator.delivery import TIMEOUT, NotDelivered, deliver
from muster.simulator.fleet import Fleet
from muster.simulator.instances import AlertInstance
from muster.simulator.rendering import Outgoing, RenderingFailed, RestCall, render
from muster.simulator.sending import Event, Job, SendingQueue
from muster.simulator.stored import Stored

# Webhooks remembered; older ones are forgotten so that a long-lived server does not grow.
REMEMBERED = 50_000
_COLUMN: dict[Event, str] = {"trigger": "action", "resolve": "resolved_action"}
_LOST = "('Connection aborted.', ConnectionResetError(104, 'Connection reset by peer'))"


@dataclass(frozen=True, slots=True)
class SentWebhook:
    """One attempt: for which alert, what was sent (None: nothing), and what the server notes of it. `lost`:
    the attempt was made to fail on purpose.
    """

    alert: int
    event: Event
    outgoing: Outgoing | None
    retcode: int
    output: str
    at: datetime
    lost: bool = False


@dataclass(slots=True)
class _Prepared:
    """An alert as it was read, and what is sent for it (or why nothing is)."""

    memory: AlertRow
    outgoing: Outgoing | None
    problem: str = ""


def _wanted(cause: Cause, template: Stored | None) -> bool:
    """Whether a failure makes an alert: its own settings say so, or the template does, by showing, telling
    or calling.
    """
    if cause.dashboard or cause.notifies:
        return True
    if template is None:
        return False
    what = _word(cause.kind)
    calls = any(template[name] is not None for name in ("action_rest", "resolved_action_rest"))
    always = any(template[f"{what}_always_{way}"] for way in ("alert", "email", "text"))
    return bool(always or (calls and template[f"{what}_script_actions"]))


def _shown(cause: Cause, template: Stored | None) -> bool:
    """Whether the dashboard shows the alert."""
    if template is None:
        return cause.dashboard
    what = _word(cause.kind)
    severities = {"agent": ["error"], "check": ["error", "warning", "info"], "task": ["error", "warning"]}[
        what
    ]
    if what != "agent":
        severities = template[f"{what}_dashboard_alert_severity"] or severities
    return bool(cause.dashboard or template[f"{what}_always_alert"]) and cause.severity in severities


def _word(kind: str) -> str:
    return "agent" if kind == "availability" else kind


class Firing:
    """Sends the webhooks of one server, one after the other unless `connections` says otherwise.

    `connections`, `timeout` (seconds) and `key_store` may be changed while it runs; `sent` are the attempts
    so far, `counts` how many there were of each event and how many "failed" or were "lost".
    """

    def __init__(self, fleet: Fleet, settings: AlertSettings, book: AlertBook) -> None:
        self._fleet = fleet
        self._settings = settings
        self._book = book
        self._queue = SendingQueue(self._send)
        self._losing = [0, 1]
        self._turn = 0
        # When alerts ended because their cause did: their trigger is still sent if it waits, and what its
        # save undoes is done again.
        self._recovered: dict[int, int] = {}
        # What is known of causes, for templates that read a check or a task.
        self._causes: dict[Key, Cause] = {}
        self.timeout = TIMEOUT
        self.key_store: dict[str, str] = {}
        self.sent: deque[SentWebhook] = deque(maxlen=REMEMBERED)
        self.counts: Counter[str] = Counter()

    # ---- what happens to alerts

    def failure(self, cause: Cause, now: int, *, quiet: bool = False) -> AlertRow | None:
        """Something failed, perhaps once more (CONTRACT section 5): its alert, or None when nobody wants one.
        `quiet`: no webhook is sent for now.
        """
        agent = self._fleet.agent(cause.agent)
        self._causes[cause.key] = cause
        template = self._settings.effective_template(agent)
        if agent.maintenance_mode:
            return None
        row = self._alert_of(cause.key, now)
        if row is None and _wanted(cause, template):
            row = self._book.add(now, hidden=True, **cause.columns)
        if row is None:
            return None
        row.severity = cause.severity
        if _shown(cause, template):
            row.hidden = False
        if not quiet:
            self.fire(row, "trigger")
        return row

    def recovery(self, key: Key, now: int, *, quiet: bool = False) -> AlertRow | None:
        """What failed works again (CONTRACT section 5): the alert that this resolved, or None when none was
        open.
        """
        if self._fleet.agent(key[1]).maintenance_mode:
            return None
        row = self._alert_of(key, now)
        if row is not None:
            row.resolve(now)
            self._recovered[row.pk] = now
            if not quiet:
                self.fire(row, "resolve")
        return row

    def fire(self, row: AlertRow, event: Event, *, copies: int = 1) -> bool:
        """Queue the webhook of an alert's event, unless it ran already or nothing says to send one (CONTRACT
        section 5). `copies`: it goes out so many times, as after a crash before the alert was marked.
        """
        if getattr(row, f"{_COLUMN[event]}_run") is not None or self._call(row, event) is None:
            return False
        return self._queue.put(Job(row.pk, event, copies))

    def _alert_of(self, key: Key, now: int) -> AlertRow | None:
        """The open alert about something; of several the newest, the others are resolved."""
        rows = self._book.open_of(key)
        for row in rows[:-1]:
            row.resolve(now)
        return rows[-1] if rows else None

    def _call(self, row: AlertRow, event: Event) -> RestCall | None:
        """What to send for an event of an alert; None: nothing."""
        if row.agent is None or row.key is None:
            return None
        template = self._settings.effective_template(self._fleet.agent(row.agent))
        column = _COLUMN[event]
        if template is None or not template[f"{_word(row.key[0])}_script_actions"]:
            return None
        # The template's own setting whether it acts by webhook: a URL action alone does nothing.
        action = self._settings.actions.get(template[f"{column}_rest"])
        if action is None or template[f"{column}_type"] != "rest":
            return None
        if not self._settings.core.get(f"notify_on_{row.severity}_alerts", True):
            return None
        return RestCall(*(action[name] for name in ("pattern", "rest_method", "rest_body", "rest_headers")))

    # ---- sending

    @property
    def connections(self) -> int:
        """How many webhooks are sent at once; those of one alert never are."""
        return self._queue.connections

    @connections.setter
    def connections(self, number: int) -> None:
        self._queue.connections = number

    def lose(self, times: int, *, every: int = 1) -> None:
        """Have webhooks lost on their way: of those to come each `every`-th, until so many are lost."""
        self._losing = [times, every]

    def wait(self, seconds: float = 60.0) -> None:
        """Wait until nothing is to be sent any more; TimeoutError after so many seconds of real time. Never
        call it while the fleet's lock is held.
        """
        self._queue.wait(seconds)

    def start(self) -> None:
        """Let what is queued be sent; so it is from the beginning."""
        self._queue.start()

    def stop(self) -> None:
        """Forget what waits to be sent and wait a second for what is under way."""
        self._queue.stop()

    def _send(self, job: Job) -> None:
        with self._fleet.lock:
            prepared = self._prepare(job)
        if prepared is None:
            return
        retcode, output = 500, prepared.problem
        for _ in range(job.copies):
            retcode, output = self._attempt(job, prepared)
        with self._fleet.lock:
            self._save(prepared.memory, _COLUMN[job.event], retcode, output)

    def _prepare(self, job: Job) -> _Prepared | None:
        row = self._book.get(job.alert)
        if row is None or getattr(row, f"{_COLUMN[job.event]}_run") is not None:
            return None
        if job.event == "trigger" and row.resolved and row.pk not in self._recovered:
            # Resolved by somebody while it waited its turn: the next failure raises another alert.
            return None
        call = self._call(row, job.event)
        if call is None:
            return None
        if job.event == "resolve" and not row.resolved and row.pk in self._recovered:
            row.resolve(self._recovered[row.pk])
        memory = copy.copy(row)
        instance = AlertInstance(self._fleet, memory, None if row.key is None else self._causes.get(row.key))
        try:
            return _Prepared(memory, render(call, instance, self.key_store))
        except RenderingFailed as failed:
            return _Prepared(memory, None, str(failed))

    def _attempt(self, job: Job, prepared: _Prepared) -> tuple[int, str]:
        lost, retcode, output = False, 500, prepared.problem
        if prepared.outgoing is not None:
            lost = self._loses()
            if lost:
                output = _LOST
            else:
                try:
                    answer = deliver(prepared.outgoing, timeout=self.timeout)
                    retcode, output = answer.status, answer.text
                except NotDelivered as failed:
                    output = str(failed)
        with self._fleet.lock:
            self.counts.update([job.event] + ["lost"] * lost + ["failed"] * (not 200 <= retcode < 300))
            now = self._fleet.clock.now()
            self.sent.append(SentWebhook(job.alert, job.event, prepared.outgoing, retcode, output, now, lost))
        return retcode, output

    def _loses(self) -> bool:
        with self._fleet.lock:
            self._turn += 1
            times, every = self._losing
            if times <= 0 or self._turn % every:
                return False
            self._losing[0] -= 1
            return True

    def _save(self, memory: AlertRow, column: str, retcode: int, output: str) -> None:
        """All columns, as they were read before sending: what was written meanwhile is gone."""
        values = {"retcode": retcode, "stdout": output, "stderr": "", "execution_time": "0.0000"}
        for name, value in values.items():
            setattr(memory, f"{column}_{name}", value)
        setattr(memory, f"{column}_run", self._fleet.clock.now_us())
        self._book.put(memory)
