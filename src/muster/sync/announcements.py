"""What a sync tells others: the events of its run, of its devices and of their software. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from muster.events.types import EventType, NewEvent
from muster.software.types import ChangeKind, SoftwareDelta
from muster.sync.schemas import RunView
from muster.sync.types import Action, DevicePlan, KnownDevice, RunStatus

_DEVICE_EVENTS = {
    Action.CREATED: EventType.DEVICE_CREATED,
    Action.UPDATED: EventType.DEVICE_UPDATED,
    Action.MOVED: EventType.DEVICE_UPDATED,
    Action.RETURNED: EventType.DEVICE_UPDATED,
}
_SOFTWARE_EVENTS = {
    ChangeKind.INSTALLED: EventType.SOFTWARE_INSTALLED,
    ChangeKind.UPDATED: EventType.SOFTWARE_UPDATED,
    ChangeKind.REMOVED: EventType.SOFTWARE_REMOVED,
}
# The sync came to its end; with `partial` not everything could be read, and `error` says what.
_COMPLETED = frozenset({RunStatus.SUCCEEDED.value, RunStatus.PARTIAL.value})


@dataclass(frozen=True, slots=True)
class About:
    """The run and the integration that events are about."""

    run_id: UUID
    integration_id: UUID
    provider: str

    @property
    def source(self) -> str:
        """Where its events come from."""
        return f"/integrations/{self.integration_id}"

    def data(self, **more: Any) -> dict[str, Any]:
        """What every event of a sync carries, and more."""
        return {
            "integration_id": self.integration_id,
            "provider": self.provider,
            "run_id": self.run_id,
            **more,
        }


@dataclass(frozen=True, slots=True)
class Machine:
    """An asset and the device behind it, as lines and events name it."""

    asset_id: UUID
    device_id: str
    name: str


def run_started(about: About, *, sync_type: str, mode: str, trigger: str) -> NewEvent:
    """A run has begun."""
    data = about.data(sync_type=sync_type, mode=mode, trigger=trigger)
    return NewEvent(type=EventType.SYNC_STARTED, subject=about.run_id, data=data, source=about.source)


def run_ended(about: About, run: RunView) -> NewEvent:
    """A run has ended. `error` is {code, message}, or null; RMM_SYNC_FAILED always has one."""
    completed = run.status in _COMPLETED
    problem = run.error and {"code": run.error["code"], "message": run.error["message"]}
    if problem is None and not completed:
        problem = {"code": run.status, "message": f"The sync ended as {run.status}."}
    data = about.data(
        sync_type=run.sync_type,
        mode=run.mode,
        status=run.status,
        items_processed=run.processed,
        items_created=run.created,
        items_updated=run.updated,
        items_deleted=run.deleted,
        items_failed=run.failed,
        error=problem,
    )
    event_type = EventType.SYNC_COMPLETED if completed else EventType.SYNC_FAILED
    return NewEvent(type=event_type, subject=about.run_id, data=data, source=about.source)


def of_plan(about: About, plan: DevicePlan, known: Mapping[str, KnownDevice]) -> list[NewEvent]:
    """What a batch of devices brings about; `known` as it was before. Changed fields are named without
    their values: who needs those reads the asset, and its history.
    """
    found = []
    for entry in plan.entries:
        event_type = _DEVICE_EVENTS.get(entry.action)
        if event_type is None or entry.asset_id is None:
            continue
        more: dict[str, Any] = {"reason": entry.reason}
        if event_type is EventType.DEVICE_UPDATED:
            more["changed"] = [change.field for change in entry.changes]
        data = about.data(
            asset_id=entry.asset_id,
            device_id=entry.external_id,
            organization_id=entry.organization_id,
            name=entry.name,
            **more,
        )
        found.append(NewEvent(type=event_type, subject=entry.asset_id, data=data, source=about.source))
    for reading in plan.readings:
        before = known[reading.external_id].agent_status
        if before != reading.agent_status:
            data = about.data(
                asset_id=reading.asset_id,
                device_id=reading.external_id,
                old=str(before),
                new=str(reading.agent_status),
                last_seen_at=reading.last_seen_at,
            )
            found.append(
                NewEvent(
                    type=EventType.AGENT_STATUS_CHANGED,
                    subject=reading.asset_id,
                    data=data,
                    source=about.source,
                )
            )
    return found


def of_software(about: About, changed: Iterable[tuple[Machine, SoftwareDelta]]) -> list[NewEvent]:
    """What changed of the programs of some machines, each program by itself."""
    return [
        NewEvent(
            type=_SOFTWARE_EVENTS[change.kind],
            subject=machine.asset_id,
            data=about.data(
                asset_id=machine.asset_id,
                device_id=machine.device_id,
                device_name=machine.name,
                software_id=change.program.software_id,
                name=change.program.name,
                publisher=change.program.publisher,
                version=change.program.version or None,
                **({} if change.was is None else {"from_version": change.was.version or None}),
            ),
            source=about.source,
        )
        for machine, delta in changed
        for change in delta.changes
    ]


def gone(about: About, missing: Iterable[str], known: Mapping[str, KnownDevice]) -> list[NewEvent]:
    """Devices that a complete list does not hold any more, for the first time."""
    return [
        NewEvent(
            type=EventType.DEVICE_MISSING,
            subject=known[external_id].entity.asset_id,
            data=about.data(
                asset_id=known[external_id].entity.asset_id,
                device_id=external_id,
                organization_id=known[external_id].entity.external_realm_id,
            ),
            source=about.source,
        )
        for external_id in missing
    ]
