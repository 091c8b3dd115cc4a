"""Asking for the job that processes an integration's receipts."""

from __future__ import annotations

from uuid import UUID

from muster.jobs.service import JobService
from muster.jobs.types import JobTicket

PROCESS_RECEIPTS = "process_receipts"


async def request_processing(jobs: JobService, integration_id: UUID) -> JobTicket:
    """Ask for it, in the caller's transaction. One that has begun may have looked already: behind it waits
    another.

    It has a lane of its own: a long sync of the same server must not keep alerts waiting.
    """
    key, payload = _key(integration_id), {"integration_id": str(integration_id)}
    return await jobs.request_anew(PROCESS_RECEIPTS, key, payload, lane=key)


async def is_processing_asked_for(jobs: JobService, integration_id: UUID) -> bool:
    """Whether a job for it waits or runs."""
    return await jobs.open(_key(integration_id)) is not None


def _key(integration_id: UUID) -> str:
    return f"{PROCESS_RECEIPTS}:{integration_id}"
