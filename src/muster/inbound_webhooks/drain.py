"""Receipts become alerts: in batches, each settled in the transaction that takes over what it says, so that a
process that dies at any moment loses nothing and does nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import RowMapping
from sqlalchemy.exc import SQLAlchemyError

from muster import clock
from muster.db import Database, bulk
from muster.db.types import table_of
from muster.encryption import SecretBox
from muster.errors import MusterError, NotFound
from muster.inbound_webhooks import reading
from muster.inbound_webhooks.models import WebhookReceipt
from muster.inbound_webhooks.reading import Readings
from muster.inbound_webhooks.repository import ReceiptRepository
from muster.inbound_webhooks.service import webhook_provider
from muster.inbound_webhooks.settling import Settling, Taken
from muster.inbound_webhooks.types import ReceiptState
from muster.integrations.connections import Connector
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.integrations.types import State
from muster.jobs.types import JobCancelled, JobContext, JobSuspended
from muster.providers.alerting import WebhookProvider
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

BATCH = 200
# Receipts settled in one transaction: on SQLite everybody who writes waits for it.
_CHUNK = 20
_TURNS = 4
MOST_ATTEMPTS = 5
_RECEIPTS = table_of(WebhookReceipt)


@dataclass(frozen=True, slots=True)
class _Subject:
    """Whose receipts are processed."""

    scope: TenantScope
    integration: IntegrationView
    provider: WebhookProvider


class ReceiptDrain:
    """Processes the waiting receipts of one integration at a time."""

    def __init__(self, database: Database, secrets: SecretBox, connector: Connector) -> None:
        self._database = database
        self._secrets = secrets
        self._connector = connector

    async def drain(self, job: JobContext) -> Mapping[str, int]:
        """Process until nothing waits; how many receipts came to which state."""
        integration_id = UUID(job.payload["integration_id"])
        counts: Counter[str] = Counter()
        alone: set[UUID] = set()
        while True:
            if job.cancelled():
                raise JobCancelled
            if job.stopping():
                raise JobSuspended
            subject = await self._subject(job.scope, integration_id)
            batch = [] if subject is None else await self._take(subject, alone)
            if subject is None or not batch:
                return dict(counts)
            counts.update(await self._process(subject, batch))
            job.report(dict(counts))

    async def _subject(self, scope: TenantScope, integration_id: UUID) -> _Subject | None:
        async with self._database.read(scope) as session:
            try:
                view = await IntegrationService(session, scope, self._secrets).get(integration_id)
                return _Subject(scope, view, webhook_provider(view.provider))
            except NotFound:
                # The integration, or its provider: its receipts stay as they are.
                return None

    async def _take(self, subject: _Subject, alone: set[UUID]) -> Sequence[Taken]:
        """The next receipts, each counted as tried before anything is done with it: what kills a process
        cannot do so for ever. What was tried in vain goes alone, after all others, once in a job.
        """
        scope, integration_id = subject.scope, subject.integration.integration_id
        async with self._database.read(scope) as session:
            repository = ReceiptRepository(session, scope)
            rows = await repository.fresh(integration_id, limit=BATCH)
            if not rows:
                rows = await repository.tried(integration_id, alone)
                alone |= {row["receipt_id"] for row in rows}
        if rows:
            async with self._database.write(scope) as session:
                attempts = [
                    {"receipt_id": row["receipt_id"], "attempts": row["attempts"] + 1} for row in rows
                ]
                await bulk.update(session, scope, _RECEIPTS, attempts, key=["receipt_id"])
        return [_taken(row, subject.provider) for row in rows]

    async def _process(self, subject: _Subject, batch: Sequence[Taken]) -> Counter[str]:
        """Settle a batch; what fails is left waiting for its turn alone, and given up after some of these."""
        counts: Counter[str] = Counter()
        if len(batch) == 1 and batch[0].attempts > MOST_ATTEMPTS:
            return await self._give_up(subject, batch[0], None)
        readings = await self._read(subject, batch)
        for chunk in _chunks(batch):
            try:
                counts += await self._settle(subject, chunk, readings)
            except (SQLAlchemyError, MusterError, ValueError) as error:
                log.warning("receipts.not_settled", receipts=len(chunk), error=type(error).__name__)
                if len(batch) == 1 and batch[0].attempts >= MOST_ATTEMPTS:
                    counts += await self._give_up(subject, batch[0], error)
            # In a storm, what comes is kept before more of it is processed: nobody waits for the latter.
            for _ in range(_TURNS):
                await self._database.give_way()
        return counts

    async def _read(self, subject: _Subject, batch: Sequence[Taken]) -> Readings:
        """What the server says. An inactive integration is not read: a wrong login could lock its account."""
        wanted = list(dict.fromkeys(taken.external_id for taken in batch if taken.external_id is not None))
        view = subject.integration
        if not view.is_active:
            return Readings(problem="inactive")
        async with self._database.read(subject.scope) as session:
            waiting = await ReceiptRepository(session, subject.scope).count_waiting(
                view.integration_id, most=reading.MOST_SINGLE_READS + 1
            )
        as_list = waiting > reading.MOST_SINGLE_READS
        return await reading.read(
            self._connector, subject.scope, view.integration_id, wanted, as_list=as_list
        )

    async def _settle(self, subject: _Subject, chunk: Sequence[Taken], readings: Readings) -> Counter[str]:
        scope = subject.scope
        async with self._database.write(scope) as session:
            held = await ReceiptRepository(session, scope).waiting_for_update(
                [taken.receipt_id for taken in chunk]
            )
            ours = [taken for taken in chunk if taken.receipt_id in held]
            # Within the transaction: it may have been disconnected since.
            view = await IntegrationService(session, scope, self._secrets).get(
                subject.integration.integration_id
            )
            settling = Settling(session, scope, view, readings)
            if view.state is State.DISCONNECTED:
                return await settling.keep(ours)
            return await settling.settle(ours)

    async def _give_up(self, subject: _Subject, taken: Taken, error: Exception | None) -> Counter[str]:
        """Mark a receipt as failed, for a person to look at."""
        said = error.message if isinstance(error, MusterError) else "Muster's log says what went wrong."
        problem = {"code": "gave_up", "message": f"It was tried {MOST_ATTEMPTS} times in vain. {said}"}
        values = {"state": ReceiptState.FAILED.value, "processed_at": clock.now(), "problem": problem}
        where = {"receipt_id": taken.receipt_id, "state": ReceiptState.WAITING.value}
        async with self._database.write(subject.scope) as session:
            changed = await bulk.update_where(session, subject.scope, _RECEIPTS, values, where=where)
        return Counter({ReceiptState.FAILED.value: changed})


def _taken(row: RowMapping, provider: WebhookProvider) -> Taken:
    return Taken(
        receipt_id=row["receipt_id"],
        received_at=row["received_at"],
        attempts=row["attempts"] + 1,
        message=provider.parse_webhook(row["body"]),
    )


def _chunks(batch: Sequence[Taken]) -> Iterator[Sequence[Taken]]:
    for start in range(0, len(batch), _CHUNK):
        yield batch[start : start + _CHUNK]
