"""The job of this room: process an integration's receipts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from muster.db import Database
from muster.encryption import SecretBox
from muster.inbound_webhooks.drain import ReceiptDrain
from muster.inbound_webhooks.requests import PROCESS_RECEIPTS
from muster.integrations.connections import Connector
from muster.jobs.types import Handler, JobContext


def job_handlers(database: Database, secrets: SecretBox, connector: Connector) -> Mapping[str, Handler]:
    """The handlers by kind of job."""
    drain = ReceiptDrain(database, secrets, connector)

    async def process(job: JobContext) -> Mapping[str, Any]:
        return await drain.drain(job)

    return {PROCESS_RECEIPTS: process}
