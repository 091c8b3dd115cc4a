"""What is looked after now and then: receipts that wait without anybody on their way, and those whose time is
over.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from muster import clock
from muster.db import Database, ageing
from muster.db.types import table_of
from muster.encryption import SecretBox
from muster.inbound_webhooks.models import WebhookReceipt
from muster.inbound_webhooks.repository import AllReceiptsRepository, over_before
from muster.inbound_webhooks.requests import is_processing_asked_for, request_processing
from muster.inbound_webhooks.service import WebhookService
from muster.jobs.service import JobService
from muster.tenancy import TenantScope

# What a person should look at is kept for so long at least.
UNSETTLED_KEPT = timedelta(days=90)


class ReceiptSweeper:
    """Looks after receipts of all tenants."""

    def __init__(
        self,
        database: Database,
        secrets: SecretBox,
        retention: timedelta,
        *,
        asked: Callable[[], None] | None = None,
    ) -> None:
        """`retention` is how long settled receipts are kept; `asked` is called when jobs were asked for."""
        self._database = database
        self._secrets = secrets
        self._retention = retention
        self._asked = asked

    async def look(self) -> int:
        """Ask for the jobs that waiting receipts lack, and give their number."""
        async with self._database.read(system=True) as session:
            waiting = await AllReceiptsRepository(session).waiting()
        asked = 0
        for row in waiting:
            scope, integration_id = TenantScope(row["tenant_id"]), row["integration_id"]
            async with self._database.read(scope) as session:
                if await is_processing_asked_for(JobService(session, scope), integration_id):
                    continue
            async with self._database.write(scope) as session:
                ticket = await request_processing(JobService(session, scope), integration_id)
            asked += not ticket.joined
        if asked and self._asked is not None:
            self._asked()
        return asked

    async def clear(self) -> int:
        """Delete receipts whose time is over, and secrets that hold no longer; the number of receipts."""
        now = clock.now()
        settled = now - self._retention
        unsettled = now - max(self._retention, UNSETTLED_KEPT)
        async with self._database.read(system=True) as session:
            overlaps = await AllReceiptsRepository(session).ended_overlaps(now)
        for row in overlaps:
            scope = TenantScope(row["tenant_id"])
            async with self._database.write(scope) as session:
                service = WebhookService(session, scope, self._secrets)
                await service.forget_previous(row["integration_id"])
        is_old = over_before(settled, unsettled)
        return await ageing.delete_old(self._database, table_of(WebhookReceipt), is_old)
