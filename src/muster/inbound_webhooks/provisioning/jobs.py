"""The job of a webhook's set-up: look at the server once a day whether all is as it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from muster.errors import NotFound
from muster.inbound_webhooks.provisioning.service import WebhookSetup
from muster.jobs.types import Handler, JobContext

CHECK_WEBHOOK = "check_webhook"


def job_handlers(setup: WebhookSetup) -> Mapping[str, Handler]:
    """The handlers by kind of job."""

    async def check(job: JobContext) -> Mapping[str, Any]:
        try:
            state = await setup.check(job.scope, UUID(job.payload["integration_id"]))
        except NotFound:
            return {"is_set_up": False}
        problem = state.drift.problem
        return {
            "is_set_up": state.is_set_up,
            "to_repair": [step.kind for step in state.drift.steps],
            "problem": None if problem is None else problem.code,
        }

    return {CHECK_WEBHOOK: check}
