"""How the background work of this room is asked for."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from muster.alerts.types import AlertState
from muster.integrations.schemas import IntegrationView
from muster.jobs.service import JobService
from muster.schedules.types import lane_of

WRITE_BACK, FOLLOW = "write_back_alert", "follow_devices"


async def request_write_back(
    jobs: JobService, integration: IntegrationView, state: AlertState, *, not_before: datetime | None = None
) -> None:
    """Have the server told what a person did to an alert, in the caller's transaction. Each deed is a job of
    its own: one that is carried out just now may have looked at the alert already.
    """
    if state.write_back is None:
        return
    since = state.write_back.since.isoformat()
    await jobs.request(
        WRITE_BACK,
        f"{WRITE_BACK}:{state.alert_id}:{since}",
        {"alert_id": str(state.alert_id), "since": since},
        lane=lane_of(integration),
        not_before=not_before,
    )


async def request_following(jobs: JobService, integration_id: UUID, cause: str) -> None:
    """Have an integration's alerts follow their devices, in the caller's transaction. `cause` is the id of
    what moved them: a job for an earlier cause may have looked at the alerts already.
    """
    await jobs.request(FOLLOW, f"{FOLLOW}:{integration_id}:{cause}", {"integration": str(integration_id)})
