"""The queue of webhooks to send and the threads that empty it."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple

Event = Literal["trigger", "resolve"]
_STOP_SECONDS = 1.0


class Job(NamedTuple):
    """The webhook of an alert's event, sent so many times."""

    alert: int
    event: Event
    copies: int = 1


class SendingQueue:
    """First come, first served by up to `connections` threads; two jobs of one alert never run at once."""

    def __init__(self, send: Callable[[Job], None]) -> None:
        self.connections = 1
        self._send = send
        self._changed = threading.Condition()
        self._waiting: deque[Job] = deque()
        # Alerts and events that wait or are under way, and the alerts that are under way.
        self._known: set[tuple[int, Event]] = set()
        self._busy: set[int] = set()
        self._threads: set[threading.Thread] = set()
        self._stopped = False

    def put(self, job: Job) -> bool:
        """Queue a job; False when that of the same alert and event waits already or is under way."""
        with self._changed:
            if self._stopped or (job.alert, job.event) in self._known:
                return False
            self._known.add((job.alert, job.event))
            self._waiting.append(job)
            idle = len(self._threads) - len(self._busy)
            if idle < len(self._waiting) and len(self._threads) < self.connections:
                thread = threading.Thread(target=self._work, name="simulator-webhooks", daemon=True)
                self._threads.add(thread)
                thread.start()
            self._changed.notify_all()
        return True

    def wait(self, seconds: float) -> None:
        """Wait until nothing waits and nothing is under way; TimeoutError after so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._known, seconds):
                raise TimeoutError(
                    f"{len(self._known)} webhooks are still to be sent after {seconds:g} seconds"
                )

    def start(self) -> None:
        """Take jobs again."""
        with self._changed:
            self._stopped = False

    def stop(self) -> None:
        """Take no more jobs, forget those that wait, and wait a second for those under way."""
        with self._changed:
            self._stopped = True
            self._known -= {(job.alert, job.event) for job in self._waiting}
            self._waiting.clear()
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._threads, _STOP_SECONDS)

    def _work(self) -> None:
        try:
            while (job := self._next()) is not None:
                try:
                    self._send(job)
                finally:
                    self._done(job)
        finally:
            with self._changed:
                self._threads.discard(threading.current_thread())
                self._changed.notify_all()

    def _next(self) -> Job | None:
        """The first job whose alert is not under way; None when this thread is not needed any more."""
        with self._changed:
            while not self._stopped and len(self._threads) <= self.connections:
                job = next((job for job in self._waiting if job.alert not in self._busy), None)
                if job is not None:
                    self._waiting.remove(job)
                    self._busy.add(job.alert)
                    return job
                self._changed.wait()
            return None

    def _done(self, job: Job) -> None:
        with self._changed:
            self._busy.discard(job.alert)
            self._known.discard((job.alert, job.event))
            self._changed.notify_all()
