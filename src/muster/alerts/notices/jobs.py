"""The job that tells channels of alerts.

A notice is marked before its message goes and again after it went. Who finds one that is marked as being sent
has found what a dead process left: it is sent once more, with a line that says so. Rather twice than never,
when somebody is on call. In every other case a channel hears of an alert's occasion once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.alerts.models import AlertChange, AlertNotice
from muster.alerts.notices import letters
from muster.alerts.notices.letters import Letter
from muster.alerts.notices.repository import NoticeRepository
from muster.alerts.notices.service import SEND_NOTICES
from muster.alerts.notices.types import DueNotice, NoticeState
from muster.alerts.types import ChangeKind
from muster.db import Database, bulk
from muster.db.types import new_id, table_of
from muster.encryption import CannotOpen, SecretBox
from muster.errors import NotFound
from muster.jobs.types import Handler, JobCancelled, JobContext, JobPostponed, JobSuspended
from muster.notifications.service import ChannelService, channel_names
from muster.notifications.types import Outcome, Post, Sender
from muster.tenancy import TenantScope

_NOTICES, _CHANGES = table_of(AlertNotice), table_of(AlertChange)
_AT_ONCE = 500
# Looked at once more after it did something: what is asked for while a job ends would join it in vain.
_LAST_LOOK = timedelta(seconds=2)


def job_handlers(
    database: Database, secrets: SecretBox, sender: Sender, public_url: str | None
) -> Mapping[str, Handler]:
    """The handlers by kind of job."""

    async def send(job: JobContext) -> Mapping[str, Any] | None:
        post = _PostOffice(database, secrets, sender, public_url, job.scope)
        await post.take_up()
        worked = False
        while True:
            if job.cancelled():
                raise JobCancelled
            if job.stopping():
                raise JobSuspended
            if not await post.send_some():
                break
            worked = True
        now = clock.now()
        moment = await post.next_moment()
        if moment is not None or worked:
            raise JobPostponed(max(moment or now, now + _LAST_LOOK))
        return None

    return {SEND_NOTICES: send}


class _PostOffice:
    """Sends what waits in one tenant."""

    def __init__(
        self,
        database: Database,
        secrets: SecretBox,
        sender: Sender,
        public_url: str | None,
        scope: TenantScope,
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._sender = sender
        self._public_url = public_url
        self._scope = scope

    async def take_up(self) -> None:
        """Let what a dead process was sending wait again. There is one job of this kind at a time, so that
        nobody else is sending now.
        """
        now = clock.now()
        async with self._database.write(self._scope) as session:
            rows = [
                {
                    "notice_id": notice_id,
                    "state": NoticeState.WAITING.value,
                    "next_attempt_at": now,
                    "error": {"message": _CUT_OFF, "at": now.isoformat(), "cut_off": True},
                }
                for notice_id in await NoticeRepository(session, self._scope).cut_off()
            ]
            await bulk.update(session, self._scope, _NOTICES, rows, key=["notice_id"])

    async def next_moment(self) -> datetime | None:
        """When there is something to do again."""
        async with self._database.read(self._scope) as session:
            return await NoticeRepository(session, self._scope).next_moment()

    async def send_some(self) -> bool:
        """Send what is due; whether there was anything that could be sent or given up."""
        now = clock.now()
        async with self._database.write(self._scope) as session:
            repository = NoticeRepository(session, self._scope)
            due = await repository.due(now, limit=_AT_ONCE)
            channels = {notice.channel_id for notice in due}
            sent = await repository.messages_since(now - letters.MINUTE, channels)
            mail = letters.sort_out(due, sent, now, self._link)
            held = [{"notice_id": each, "next_attempt_at": until} for each, until in mail.held.items()]
            await bulk.update(session, self._scope, _NOTICES, held, key=["notice_id"])
            names = await channel_names(session, self._scope)
            addressed, unaddressed = await self._addressed(session, mail.letters)
            marked = [
                {
                    "notice_id": notice.notice_id,
                    "state": NoticeState.SENDING.value,
                    "attempts": notice.attempts + 1,
                }
                for letter, _ in addressed
                for notice in letter.notices
            ]
            await bulk.update(session, self._scope, _NOTICES, marked, key=["notice_id"])
        posts = [
            Post(key=str(number), url=url, title=letter.title, body=letter.body)
            for number, (letter, url) in enumerate(addressed)
        ]
        outcomes = await self._sender.send(posts) if posts else {}
        settled = [(letter, outcomes[str(number)]) for number, (letter, _) in enumerate(addressed)]
        await self._settle([*settled, *unaddressed], names)
        return bool(settled or unaddressed)

    async def _addressed(
        self, session: AsyncSession, wanted: Sequence[Letter]
    ) -> tuple[Sequence[tuple[Letter, str]], Sequence[tuple[Letter, Outcome]]]:
        """Letters with their addresses, and those that have none."""
        service = ChannelService(session, self._scope, self._secrets)
        found, lost = [], []
        for letter in wanted:
            try:
                found.append((letter, await service.address(letter.channel_id)))
            except NotFound:
                lost.append((letter, Outcome(ok=False, error="The channel was removed.", refused=True)))
            except CannotOpen as closed:
                lost.append((letter, Outcome(ok=False, error=closed.message)))
        return found, lost

    async def _settle(self, settled: Sequence[tuple[Letter, Outcome]], names: Mapping[UUID, str]) -> None:
        """Note what became of letters: in the notices, the channels and the alerts' timelines."""
        if not settled:
            return
        async with self._database.write(self._scope) as session:
            service = ChannelService(session, self._scope, self._secrets)
            rows: list[dict[str, Any]] = []
            lines: list[dict[str, Any]] = []
            for number, (letter, outcome) in enumerate(settled):
                # Each message has a moment of its own, by which those of a minute are counted.
                at = clock.now() + timedelta(microseconds=number)
                await service.note(letter.channel_id, outcome, at=at)
                for notice in letter.notices:
                    row = _after(notice, outcome, at)
                    rows.append(row)
                    name = names.get(letter.channel_id, "A removed channel")
                    lines += _lines(notice, outcome, row, name, at)
            await bulk.update(session, self._scope, _NOTICES, rows, key=["notice_id"])
            await bulk.insert(session, self._scope, _CHANGES, lines)

    def _link(self, alert_id: UUID) -> str | None:
        return None if self._public_url is None else f"{self._public_url}/alerts/{alert_id}"


_CUT_OFF = "Muster was stopped while it sent this."


def _after(notice: DueNotice, outcome: Outcome, at: datetime) -> dict[str, Any]:
    """A notice's columns after a try."""
    attempts = notice.attempts + 1
    again = None if outcome.ok or outcome.refused else letters.next_attempt(notice, attempts, at)
    state = NoticeState.SENT if outcome.ok else NoticeState.WAITING if again else NoticeState.FAILED
    return {
        "notice_id": notice.notice_id,
        "state": state.value,
        "attempts": attempts,
        "next_attempt_at": again,
        "sent_at": at if outcome.ok else None,
        "error": None if outcome.ok else {"message": outcome.error or "", "at": at.isoformat()},
    }


def _lines(
    notice: DueNotice, outcome: Outcome, row: Mapping[str, Any], channel: str, at: datetime
) -> Sequence[dict[str, Any]]:
    """The timeline's line of a try; between the first and the last failure there is none."""
    word = {NoticeState.SENT: "delivered", NoticeState.WAITING: "waits"}.get(row["state"], "failed")
    if word == "waits" and notice.attempts > 0:
        return ()
    detail = {"channel": channel, "outcome": word, "error": outcome.error, "next_attempt_at": None}
    if row["next_attempt_at"] is not None:
        detail["next_attempt_at"] = row["next_attempt_at"].isoformat()
    line = {
        "change_id": new_id(),
        "alert_id": notice.alert_id,
        "at": at,
        "kind": ChangeKind.NOTIFIED.value,
        "actor": None,
        "detail": detail,
    }
    return (line,)
