"""The background work of this room: the server is told what a person did, and alerts follow their devices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from muster import clock
from muster.alerts.intake import AlertIntake
from muster.alerts.requests import FOLLOW, WRITE_BACK
from muster.alerts.telling import Teller
from muster.db import Database
from muster.integrations.connections import Connector
from muster.integrations.directory import views
from muster.jobs.types import Handler, JobContext


def job_handlers(database: Database, connector: Connector) -> Mapping[str, Handler]:
    """The handlers by kind of job."""

    async def write_back(job: JobContext) -> Mapping[str, Any]:
        since = datetime.fromisoformat(job.payload["since"])
        state = await Teller(database, connector, job.scope).tell(UUID(job.payload["alert_id"]), since)
        return {"alert_id": job.payload["alert_id"], "state": state and state.value}

    async def follow(job: JobContext) -> Mapping[str, Any] | None:
        integration_id, last = UUID(job.payload["integration"]), None
        async with database.read(job.scope) as session:
            integration = (await views(session, job.scope, [integration_id])).get(integration_id)
        while integration is not None:
            async with database.write(job.scope) as session:
                last = await AlertIntake(session, job.scope, integration).place(last, at=clock.now())
            if last is None:
                break
        return None

    return {WRITE_BACK: write_back, FOLLOW: follow}
