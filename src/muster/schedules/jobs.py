"""The job of this room: check a paused integration's connection, so that it recovers by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import Conflict, NotFound
from muster.integrations.connections import Connector
from muster.jobs.types import Handler, JobContext
from muster.providers.contract import CheckResult, ProviderErrorInfo
from muster.schedules import kinds
from muster.schedules.service import ScheduleService
from muster.schedules.types import Attempt


def job_handlers(database: Database, secrets: SecretBox, connector: Connector) -> Mapping[str, Handler]:
    """The handlers by kind of job."""

    async def check(context: JobContext) -> Mapping[str, Any] | None:
        integration_id = UUID(context.payload["integration_id"])
        try:
            result = await connector.check(context.scope, integration_id)
            error = _first_error(result)
        except NotFound:
            return {"ok": False, "code": "not_found"}
        except Conflict as refused:
            error = ProviderErrorInfo(code=refused.code, message=refused.message, remedy=refused.remedy)
        async with database.write(context.scope) as session:
            service = ScheduleService(session, context.scope, secrets)
            await service.settle(Attempt(integration_id=integration_id, error=error))
        return {"ok": error is None, "code": error and error.code}

    return {kinds.CHECK.kind: check}


def _first_error(result: CheckResult) -> ProviderErrorInfo | None:
    found = next((finding for finding in result.findings if finding.level == "error"), None)
    if result.ok or found is None:
        return None
    return ProviderErrorInfo(code=found.code, message=found.message, remedy=found.remedy)
