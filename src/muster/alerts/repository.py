"""Questions to the tables of alerts and their changes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, RowMapping, and_, func, or_, select, true

from muster.alerts.models import Alert, AlertChange
from muster.alerts.schemas import TimelineEntry
from muster.alerts.types import OPEN_VALUES, AlertState, AlertStatus, Identity, KnownAlert, WriteBack
from muster.db.repository import TenantRepository
from muster.db.types import table_of
from muster.mappings.missing.service import devices
from muster.providers.alerting import AlertSeverity

_alerts = table_of(Alert)
_changes = table_of(AlertChange)
# Any number that no other advisory lock of Muster's has; beside it stands the integration.
_INTAKE = 7_205
_STATE = AlertState.__struct_fields__
_RAISED = func.coalesce(_alerts.c.opened_at, _alerts.c.first_seen_at)
_LATEST = (_alerts.c.raised_at.desc(), _alerts.c.alert_id.desc())
_is_open = _alerts.c.status.in_(sorted(OPEN_VALUES))
_SEVERITIES = {severity.value: place for place, severity in enumerate(reversed(AlertSeverity))}
_STATUSES = {status.value: place for place, status in enumerate(reversed(AlertStatus))}


class AlertRepository(TenantRepository):
    """Alerts of one tenant."""

    async def hold(self, integration_id: UUID) -> None:
        """Let one transaction at a time decide about an integration's alerts: a webhook, a sync and a person
        may mean the same one. On SQLite there is one that writes anyway.
        """
        if self.session.get_bind().dialect.name == "postgresql":
            key = func.hashtext(str(integration_id))
            await self.session.execute(select(func.pg_advisory_xact_lock(_INTAKE, key)))

    # --- what is known, for those who decide ----------------------------------------------------------------

    async def by_external(self, integration_id: UUID, external_ids: Collection[str]) -> list[AlertState]:
        """Alerts by the server's ids, or those that Muster has given instead (a few hundred at most)."""
        return await self._states(
            _alerts.c.integration_id == integration_id, _alerts.c.external_alert_id.in_(external_ids)
        )

    async def provisional(self, integration_id: UUID, device_ids: Collection[str]) -> list[AlertState]:
        """Alerts of some devices that the server has not named yet and that are not over, the oldest first:
        open ones, and those whose end the server is still to be told.
        """
        return await self._states(
            _alerts.c.integration_id == integration_id,
            _alerts.c.device_id.in_(device_ids),
            _alerts.c.identity != Identity.NAMED.value,
            or_(_is_open, _alerts.c.write_back.is_not(None)),
            order=(_alerts.c.first_seen_at, _alerts.c.alert_id),
        )

    async def raised_at(
        self, integration_id: UUID, device_ids: Collection[str], moments: Collection[datetime]
    ) -> list[AlertState]:
        """Alerts that some devices raised at some moments."""
        return await self._states(
            _alerts.c.integration_id == integration_id,
            _alerts.c.device_id.in_(device_ids),
            _alerts.c.opened_at.in_(moments),
        )

    async def latest_of(self, integration_id: UUID, dedup_keys: Collection[str]) -> dict[str, AlertState]:
        """The alert that was raised last, for each of some problems."""
        if not dedup_keys:
            return {}
        columns = [_alerts.c[name] for name in _STATE]
        place = func.row_number().over(
            partition_by=_alerts.c.dedup_key, order_by=(_RAISED.desc(), _alerts.c.alert_id.desc())
        )
        ranked = (
            select(*columns, place.label("place"))
            .where(
                _alerts.c.tenant_id == self.scope.tenant_id,
                _alerts.c.integration_id == integration_id,
                _alerts.c.dedup_key.in_(dedup_keys),
            )
            .subquery()
        )
        found = await self.session.execute(select(ranked).where(ranked.c.place == 1))
        return {row["dedup_key"]: _state(row) for row in found.mappings()}

    async def by_ids(self, alert_ids: Collection[UUID]) -> list[AlertState]:
        """Alerts by their own ids (a few hundred at most)."""
        return await self._states(_alerts.c.alert_id.in_(alert_ids))

    async def to_place(self, integration_id: UUID, after: UUID | None, *, limit: int) -> list[AlertState]:
        """Some alerts, after one, that may belong elsewhere by now: open ones of a device, and those without
        an asset whose device has one.
        """
        device = devices()
        known = select(device.c.external_entity_id).where(
            device.c.tenant_id == self.scope.tenant_id,
            device.c.integration_id == integration_id,
            device.c.entity_type == "device",
        )
        unlinked = and_(_alerts.c.asset_id.is_(None), _alerts.c.device_id.in_(known))
        statement = (
            select(*(_alerts.c[name] for name in _STATE))
            .where(
                self._own(),
                _alerts.c.integration_id == integration_id,
                _alerts.c.device_id.is_not(None),
                or_(_is_open, unlinked),
            )
            .order_by(_alerts.c.alert_id)
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(_alerts.c.alert_id > after)
        return [_state(row) for row in (await self.session.execute(statement)).mappings()]

    async def slept_in(self, integration_id: UUID, at: datetime) -> list[AlertState]:
        """Snoozed alerts whose snooze is over."""
        return await self._states(
            _alerts.c.integration_id == integration_id,
            _alerts.c.status == AlertStatus.SNOOZED.value,
            _alerts.c.snoozed_until <= at,
        )

    async def open_ids(self, integration_id: UUID) -> Sequence[str]:
        """The server's ids of an integration's open alerts."""
        statement = select(_alerts.c.external_alert_id).where(
            self._own(),
            _alerts.c.integration_id == integration_id,
            _alerts.c.identity == Identity.NAMED.value,
            _is_open,
        )
        return (await self.session.scalars(statement)).all()

    async def unnamed_since(self, integration_id: UUID, after: datetime | None = None) -> datetime | None:
        """Since when the oldest open alert waits for the server to name it, of those that Muster first heard
        of `after` a moment; None when none does.
        """
        heard_later = true() if after is None else _alerts.c.first_seen_at > after
        statement = select(func.min(_RAISED)).where(
            self._own(),
            _alerts.c.integration_id == integration_id,
            _alerts.c.identity != Identity.NAMED.value,
            _is_open,
            heard_later,
        )
        found: datetime | None = (await self.session.execute(statement)).scalar_one_or_none()
        return found

    async def known(self, integration_id: UUID, external_ids: Collection[str]) -> dict[str, KnownAlert]:
        """How some alerts stand, by the server's ids (a few hundred at most)."""
        names = KnownAlert.__struct_fields__
        statement = select(_alerts.c.external_alert_id, *(_alerts.c[name] for name in names)).where(
            self._own(),
            _alerts.c.integration_id == integration_id,
            _alerts.c.external_alert_id.in_(external_ids),
        )
        found = (await self.session.execute(statement)).mappings()
        return {row["external_alert_id"]: _known(row) for row in found}

    async def last_kinds(self, alert_ids: Collection[UUID]) -> dict[UUID, str]:
        """What the last line of some alerts' timelines tells of."""
        place = func.row_number().over(
            partition_by=_changes.c.alert_id, order_by=(_changes.c.at.desc(), _changes.c.change_id.desc())
        )
        ranked = (
            select(_changes.c.alert_id, _changes.c.kind, place.label("place"))
            .where(_changes.c.tenant_id == self.scope.tenant_id, _changes.c.alert_id.in_(alert_ids))
            .subquery()
        )
        found = await self.session.execute(
            select(ranked.c.alert_id, ranked.c.kind).where(ranked.c.place == 1)
        )
        return {row[0]: row[1] for row in found}

    # --- what is shown --------------------------------------------------------------------------------------

    async def timeline(self, alert_id: UUID) -> list[TimelineEntry]:
        """An alert's history, oldest first."""
        columns = _changes.c
        statement = (
            select(columns.change_id.label("id"), columns.at, columns.kind, columns.actor, columns.detail)
            .where(columns.tenant_id == self.scope.tenant_id, columns.alert_id == alert_id)
            .order_by(columns.at, columns.change_id)
        )
        return [TimelineEntry(**row) for row in (await self.session.execute(statement)).mappings()]

    async def raw(self, alert_id: UUID) -> dict[str, Any] | None:
        """The item that an alert was read from."""
        statement = select(_alerts.c.raw).where(self._own(), _alerts.c.alert_id == alert_id)
        found: dict[str, Any] | None = (await self.session.execute(statement)).scalar_one_or_none()
        return found

    async def raws(self, alert_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
        """The raw items of some alerts."""
        if not alert_ids:
            return {}
        statement = select(_alerts.c.alert_id, _alerts.c.raw).where(
            self._own(), _alerts.c.alert_id.in_(alert_ids)
        )
        return {row[0]: row[1] or {} for row in await self.session.execute(statement)}

    async def next_of(self, state: AlertState) -> UUID | None:
        """The alert that followed one when its cause went on."""
        statement = (
            select(_alerts.c.alert_id)
            .where(
                self._own(),
                _alerts.c.integration_id == state.integration_id,
                _alerts.c.dedup_key == state.dedup_key,
                _alerts.c.previous_alert_id == state.alert_id,
            )
            .order_by(_RAISED)
            .limit(1)
        )
        return (await self.session.execute(statement)).scalar_one_or_none()

    # --- inside ---

    def _own(self) -> ColumnElement[bool]:
        return _alerts.c.tenant_id == self.scope.tenant_id

    async def _states(
        self, *conditions: ColumnElement[bool], order: Sequence[ColumnElement[Any]] = ()
    ) -> list[AlertState]:
        statement = select(*(_alerts.c[name] for name in _STATE)).where(self._own(), *conditions)
        found = await self.session.execute(statement.order_by(*order))
        return [_state(row) for row in found.mappings()]


def _state(row: RowMapping) -> AlertState:
    values = {name: row[name] for name in _STATE}
    told = values["write_back"]
    return AlertState(
        **{
            **values,
            "identity": Identity(values["identity"]),
            "status": AlertStatus(values["status"]),
            "write_back": None if told is None else msgspec.convert(told, WriteBack),
        }
    )


def _known(row: RowMapping) -> KnownAlert:
    values = {name: row[name] for name in KnownAlert.__struct_fields__}
    return KnownAlert(
        **{**values, "status": AlertStatus(values["status"]), "identity": Identity(values["identity"])}
    )


def over_before(moment: datetime) -> ColumnElement[bool]:
    """The alerts that ended before a moment, however long ago they were raised."""
    ended = func.coalesce(_alerts.c.resolved_at, _alerts.c.last_seen_at)
    return and_(~_is_open, _alerts.c.raised_at < moment, ended < moment)
