"""A provider's server calls us: who it is, how many calls it may make, and the receipt of what it said.

Authentication reads and never writes. A call that is refused leaves a number in memory, which is brought to
the database every half minute: nobody can make us write at a pace of his own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets as random_secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.db import Database
from muster.db.failures import DATABASE_ERRORS
from muster.encryption import SecretBox
from muster.errors import MusterError
from muster.inbound_webhooks.gathered import Gathered
from muster.inbound_webhooks.rates import SendingRates
from muster.inbound_webhooks.repository import EndpointRepository
from muster.inbound_webhooks.service import WebhookService
from muster.inbound_webhooks.types import EndpointId, ReceiptState, first_state
from muster.inbound_webhooks.writer import Arrival, ReceiptWriter
from muster.integrations.webhook_secrets import WebhookDoor, WebhookSecrets
from muster.providers.alerting import WebhookProvider
from muster.tenancy import TenantScope

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 30.0
_HEADER_LIMIT = 200
_FAILURES: tuple[type[Exception], ...] = (*DATABASE_ERRORS, MusterError)
# Compared with where there is nothing to compare with, so that the time of an answer tells nothing.
_NOBODY = random_secrets.token_bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A server that has shown its secret."""

    endpoint: EndpointId
    provider: str
    disconnected: bool

    @property
    def scope(self) -> TenantScope:
        """Whose rows its calls become."""
        return TenantScope(self.endpoint.tenant_id)


@dataclass(frozen=True, slots=True)
class Kept:
    """A receipt that is committed. `problem` says why its body cannot be used."""

    receipt_id: UUID
    state: ReceiptState
    problem: str | None


@dataclass(slots=True)
class _Refused:
    count: int
    last_at: datetime


class WebhookReceiver:
    """One for a process."""

    def __init__(
        self,
        database: Database,
        secrets: SecretBox,
        *,
        asked: Callable[[], None] | None = None,
    ) -> None:
        """`asked` is called when receipts wait to be processed."""
        self._database = database
        self._secrets = secrets
        self.rates = SendingRates()
        self._asked = asked
        self._writer = ReceiptWriter(database)
        self._doors = Gathered(self._read_doors)
        self._refused: dict[EndpointId, _Refused] = {}
        self._outcomes: Counter[str] = Counter()
        self._told_closed: set[UUID] = set()

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Bring the numbers of refused calls to the database while the body runs; at its end the rest."""
        flushing = asyncio.create_task(self._flush_again_and_again(), name="muster-refused-webhooks")
        try:
            yield
        finally:
            flushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await flushing
            await self._writer.finish()
            await self.flush()

    # --- who calls -----------------------------------------------------------------------------------------

    async def authenticate(
        self, provider: str, named: EndpointId | UUID | None, given: str | None
    ) -> Caller | None:
        """The caller whose secret was given: of the endpoint that is named, or among all the integrations of
        the provider that the named tenant has. None for a wrong secret, or none, or where nothing is.
        """
        if named is None:
            self.count("refused")
            return None
        tenant_id, integration_id = (
            (named.tenant_id, named.integration_id) if isinstance(named, EndpointId) else (named, None)
        )
        now = clock.now()
        doors, until = await self._doors.ask((provider, tenant_id, integration_id))
        digest = hashlib.sha256((given or "").encode(errors="surrogateescape")).digest()
        # Each is compared, whichever it is: an early end would tell how far one got.
        fitting = [door for door in (*doors, None) if _opens(door, digest, until, now)]
        found = fitting[0] if fitting and given else None
        self._tell_closed(doors)
        if found is None:
            self._refuse(tenant_id, doors, now)
            return None
        return Caller(
            endpoint=EndpointId(tenant_id, found.integration_id),
            provider=provider,
            disconnected=found.disconnected,
        )

    async def _read_doors(
        self, asked: tuple[str, UUID, UUID | None]
    ) -> tuple[Sequence[WebhookDoor], Mapping[UUID, datetime]]:
        """The integrations that are meant, and until when the secrets before the last rotation hold."""
        provider, tenant_id, integration_id = asked
        scope = TenantScope(tenant_id)
        async with self._database.read(scope) as session:
            doors = await WebhookSecrets(session, scope, self._secrets).doors(provider, integration_id)
            return doors, await _overlaps(session, scope, doors)

    def wait_for(self, caller: Caller) -> int:
        """0 when the caller may go on, else the seconds after which it may try again."""
        seconds = self.rates.take(caller.endpoint)
        if seconds:
            self.count("limited")
        return seconds

    # --- what is said --------------------------------------------------------------------------------------

    async def keep(
        self,
        caller: Caller,
        provider: WebhookProvider,
        body: bytes,
        *,
        content_type: str | None,
        sender: str | None,
    ) -> Kept:
        """Write the receipt; it is committed when this returns. One of DATABASE_ERRORS when it is not."""
        message = provider.parse_webhook(body)
        state = first_state(message, disconnected=caller.disconnected)
        arrival = Arrival(
            scope=caller.scope,
            integration_id=caller.endpoint.integration_id,
            provider=caller.provider,
            received_at=clock.now(),
            body=body,
            content_type=content_type[:_HEADER_LIMIT] if content_type else None,
            sender=sender,
            message=message,
            state=state,
        )
        receipt_id = await self._writer.write(arrival)
        self.count(state.value)
        if state is ReceiptState.WAITING and self._asked is not None:
            self._asked()
        explanation = message.explanation or message.problem
        return Kept(receipt_id, state, explanation if state is ReceiptState.NOT_UNDERSTOOD else None)

    # --- numbers -------------------------------------------------------------------------------------------

    def count(self, outcome: str) -> None:
        """Count a call by what became of it."""
        self._outcomes[outcome] += 1

    async def metrics(self, _: AsyncSession) -> Iterable[Metric]:
        """Calls of this process since its start, by what became of them."""
        family = CounterMetricFamily("muster_webhooks", "Webhooks received, by outcome.", labels=["outcome"])
        for outcome, count in sorted(self._outcomes.items()):
            family.add_metric([outcome], count)
        return [family]

    async def flush(self) -> None:
        """Bring the numbers of refused calls to the database."""
        refused, self._refused = self._refused, {}
        for endpoint, numbers in refused.items():
            scope = TenantScope(endpoint.tenant_id)
            try:
                async with self._database.write(scope) as session:
                    service = WebhookService(session, scope, self._secrets)
                    await service.count_refused(endpoint.integration_id, numbers.count, numbers.last_at)
            except _FAILURES as error:
                log.warning("webhooks.refused_not_counted", error=type(error).__name__)
                self._add(endpoint, numbers.count, numbers.last_at)

    async def _flush_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    def _refuse(self, tenant_id: UUID, doors: Sequence[WebhookDoor], now: datetime) -> None:
        self.count("refused")
        # Of several nobody knows which one was meant; and what is not there is not counted by its name.
        if len(doors) == 1:
            self._add(EndpointId(tenant_id, doors[0].integration_id), 1, now)

    def _add(self, endpoint: EndpointId, count: int, last_at: datetime) -> None:
        numbers = self._refused.setdefault(endpoint, _Refused(0, last_at))
        numbers.count += count
        numbers.last_at = max(numbers.last_at, last_at)

    def _tell_closed(self, doors: Sequence[WebhookDoor]) -> None:
        for door in doors:
            if door.closed and door.integration_id not in self._told_closed:
                self._told_closed.add(door.integration_id)
                log.warning("webhooks.secret_cannot_be_opened", integration=str(door.integration_id))


async def _overlaps(
    session: AsyncSession, scope: TenantScope, doors: Sequence[WebhookDoor]
) -> Mapping[UUID, datetime]:
    rotated = [door.integration_id for door in doors if door.previous is not None]
    return await EndpointRepository(session, scope).previous_until(rotated) if rotated else {}


def _opens(door: WebhookDoor | None, digest: bytes, until: Mapping[UUID, datetime], now: datetime) -> bool:
    current = previous = None
    if door is not None:
        current = door.current
        holds = door.integration_id in until and now < until[door.integration_id]
        previous = door.previous if holds else None
    # Both, always: `or` would leave the second out.
    matches = [hmac.compare_digest(digest, _digest(secret)) for secret in (current, previous)]
    return any(matches)


def _digest(secret: str | None) -> bytes:
    """Of one length whatever the secret is, since that is all that compare_digest does not hide."""
    return _NOBODY if secret is None else hashlib.sha256(secret.encode()).digest()
