"""Intake: what the server or its webhook says becomes alerts, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts import plan as plans
from muster.alerts.identity import dedup_key, derived_id
from muster.alerts.meeting import Meeting
from muster.alerts.places import Places
from muster.alerts.plan import Plan, Setting
from muster.alerts.repository import AlertRepository
from muster.alerts.types import AlertState, ChangeKind, Heard, Identity, IntakeResult, KnownAlert, Line, Place
from muster.alerts.writing import AlertWriter
from muster.db.types import new_id
from muster.integrations.schemas import IntegrationView
from muster.providers.alerting import AlertRecord, WebhookMessage
from muster.tenancy import TenantScope

# SQLite's older builds take 999 parameters in one statement, and a record may ask for two ids.
_AT_A_TIME = 400


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook's own words: what its body says, of which receipt, and when that arrived."""

    message: WebhookMessage
    receipt_id: UUID
    at: datetime


class AlertIntake:
    """Takes in what is said of one integration's alerts.

    Every `at` is a moment of our own clock from before the server was asked, or the webhook's arrival: what
    was learnt later is never undone by an answer that set out earlier.
    """

    def __init__(self, session: AsyncSession, scope: TenantScope, integration: IntegrationView) -> None:
        self._session = session
        self._scope = scope
        self._id = integration.integration_id
        self._repository = AlertRepository(session, scope)
        self._writer = AlertWriter(session, scope, integration)

    # --- what the server says -------------------------------------------------------------------------------

    async def apply(
        self, records: Sequence[AlertRecord], *, at: datetime, origin: Literal["webhook", "sync"]
    ) -> IntakeResult:
        """Take in alerts as the server describes them; of one that is there twice the last counts. The same
        again writes nothing. Alerts whose snooze is over by now are awake afterwards.
        """
        await self._repository.hold(self._id)
        result = IntakeResult()
        once = list({record.external_id: record for record in records}.values())
        for start in range(0, len(once), _AT_A_TIME):
            await self._apply_some(once[start : start + _AT_A_TIME], result, at, origin)
        await self._wake(at)
        return result

    async def _apply_some(
        self,
        records: Sequence[AlertRecord],
        result: IntakeResult,
        at: datetime,
        origin: Literal["webhook", "sync"],
    ) -> None:
        setting = Setting(integration_id=self._id, at=at, cause=origin, make_id=new_id)
        devices = {record.device_id for record in records if record.device_id is not None}
        meeting = Meeting(
            [
                *await self._repository.by_external(self._id, _ids_of(records)),
                *(await self._repository.provisional(self._id, devices) if devices else ()),
            ]
        )
        places = await Places.load(self._session, self._scope, self._id, devices)
        found = meeting.of_records(records)
        previous = await self._previous([(record, found.get(record.external_id)) for record in records])
        made: list[Plan] = []
        for record in sorted(records, key=lambda record: (record.opened_at, record.external_id)):
            current = found.get(record.external_id)
            if plans.is_stale(current, at) and current is not None:
                result.stale[record.external_id] = current.alert_id
                continue
            place = places.of(record.device_id, organization_name=record.organization_name)
            key = _key_of(record)
            made_of = plans.of_record(setting, current, record, place, previous.get(key) if key else None)
            if made_of is None:
                if current is not None:
                    result.unchanged[record.external_id] = current.alert_id
                continue
            made.append(made_of)
            _count(result, record, made_of)
            if key:
                previous[key] = made_of.after
        if origin == "sync":
            made.extend(
                plans.absorbed(provisional, real, at) for provisional, real in meeting.leftovers(records, at)
            )
        await self._writer.write(made, at=at)

    async def _previous(self, met: Sequence[tuple[AlertRecord, AlertState | None]]) -> dict[str, AlertState]:
        """The last alert of each problem that a new one, or one whose problem was not known, may follow."""
        keys = {
            key
            for record, current in met
            if (current is None or not current.dedup_key) and (key := _key_of(record))
        }
        return await self._repository.latest_of(self._id, keys)

    async def absent(self, external_ids: Collection[str], *, at: datetime) -> None:
        """The server, asked by id, has no such alert any more: those that were open are pruned."""
        await self._repository.hold(self._id)
        made = [plans.pruned(state, at) for state in await self._known_states(external_ids)]
        await self._writer.write([plan for plan in made if plan is not None], at=at)

    async def unseen(self, external_ids: Collection[str], *, at: datetime) -> None:
        """The server, asked by id, does not show these alerts to the integration's credentials: that says
        nothing of how they stand. Their timelines say so, once in a row.
        """
        await self._repository.hold(self._id)
        states = await self._known_states(external_ids)
        last = await self._repository.last_kinds([state.alert_id for state in states])
        line = Line(kind=ChangeKind.UNSEEN)
        made = [
            Plan(before=state, after=state, cause="sync", lines=[line])
            for state in states
            if last.get(state.alert_id) != ChangeKind.UNSEEN.value
        ]
        await self._writer.write(made, at=at)

    async def _known_states(self, external_ids: Collection[str]) -> list[AlertState]:
        ids = sorted(set(external_ids))
        found: list[AlertState] = []
        for start in range(0, len(ids), _AT_A_TIME):
            found += await self._repository.by_external(self._id, ids[start : start + _AT_A_TIME])
        return found

    async def _wake(self, at: datetime) -> None:
        sleepers = await self._repository.slept_in(self._id, at)
        await self._writer.write([plans.woken(state, at) for state in sleepers], at=at)

    async def place(self, after: UUID | None, *, at: datetime) -> UUID | None:
        """Have some alerts, after one, follow their devices: to the assets that stand for them by now, and to
        those assets' clients. Gives the last one that was looked at; None at the end.
        """
        await self._repository.hold(self._id)
        states = await self._repository.to_place(self._id, after, limit=_AT_A_TIME)
        if not states:
            return None
        ids = {state.device_id for state in states if state.device_id is not None}
        places = await Places.load(self._session, self._scope, self._id, ids)
        made = [plans.moved(state, _place_of(places, state), at) for state in states]
        await self._writer.write([plan for plan in made if plan is not None], at=at)
        return states[-1].alert_id

    # --- what a webhook says --------------------------------------------------------------------------------

    async def hear(self, message: WebhookMessage, *, at: datetime, receipt_id: UUID) -> Heard:
        """Take in a webhook's own words, for when the server could not be asked: what they say stands, marked
        as unconfirmed, until it could.
        """
        (heard,) = await self.hear_all([Said(message=message, receipt_id=receipt_id, at=at)])
        return heard

    async def hear_all(self, told: Sequence[Said]) -> Sequence[Heard]:
        """As `hear`, for some hundreds of webhooks in the order of their arrival."""
        await self._repository.hold(self._id)
        found: list[Heard] = []
        for start in range(0, len(told), _AT_A_TIME):
            found += await self._hear_some(told[start : start + _AT_A_TIME])
        return found

    async def _hear_some(self, told: Sequence[Said]) -> list[Heard]:
        messages = [each.message for each in told]
        devices = {message.device_id for message in messages if message.device_id is not None}
        meeting = Meeting(await self._states_of(messages, devices))
        places = await Places.load(self._session, self._scope, self._id, devices)
        previous = await self._repository.latest_of(self._id, _keys_of(messages))
        counted = await self._repository.raws(meeting.device_alerts())
        made: list[Plan] = []
        heard: list[Heard] = []
        for each in told:
            message = each.message
            place = places.of(message.device_id, organization_id=message.organization_id)
            known = place.asset_id is not None
            name = _name_of(message)
            if name is None:
                heard.append(Heard(alert_id=None, device_known=known, closed_nothing=True))
                continue
            current = meeting.of_message(message, name, each.at)
            setting = Setting(integration_id=self._id, at=each.at, cause="webhook", make_id=new_id)
            raw = counted.get(current.alert_id) if current is not None else None
            plan = plans.of_message(
                setting,
                current,
                message,
                place,
                receipt_id=each.receipt_id,
                receipts=(raw or {}).get("receipts", ()),
                previous=previous.get(_key_of_message(message)),
                name=name,
            )
            state = current
            if plan is not None:
                made.append(plan)
                state = plan.after
                meeting.remember(plan)
                if plan.raw is not None:
                    counted[state.alert_id] = plan.raw
            alert_id = None if state is None else state.alert_id
            heard.append(Heard(alert_id=alert_id, device_known=known))
        await self._writer.write(made, at=max(each.at for each in told))
        return heard

    async def _states_of(
        self, messages: Sequence[WebhookMessage], devices: Collection[str]
    ) -> Sequence[AlertState]:
        """Every alert that some messages may mean."""
        names = [name for message in messages if (name := _name_of(message)) is not None]
        ids = {name[1] for name in names if name[1]} | {
            derived_id(message.device_id, message.opened_at)
            for message in messages
            if message.device_id is not None and message.opened_at is not None
        }
        moments = {message.opened_at for message in messages if message.opened_at is not None}
        return [
            *(await self._repository.by_external(self._id, ids) if ids else ()),
            *(await self._repository.provisional(self._id, devices) if devices else ()),
            *(await self._repository.raised_at(self._id, devices, moments) if devices and moments else ()),
        ]

    # --- what others ask ------------------------------------------------------------------------------------

    async def open_ids(self) -> Sequence[str]:
        """The server's ids of the alerts that are open as far as Muster knows."""
        return await self._repository.open_ids(self._id)

    async def unnamed_since(self, after: datetime | None = None) -> datetime | None:
        """Since when the oldest open alert waits for the server to name it, of those that Muster first heard
        of `after` a moment; None when none does. A question for everything raised since then names it, if it
        is over on the server by now, too.
        """
        return await self._repository.unnamed_since(self._id, after)

    async def unseen_before(self, external_ids: Sequence[str]) -> Set[str]:
        """Those of some alerts that the server, asked last, did not show to the credentials."""
        found: set[str] = set()
        for start in range(0, len(external_ids), _AT_A_TIME):
            known = await self.known(external_ids[start : start + _AT_A_TIME])
            last = await self._repository.last_kinds([each.alert_id for each in known.values()])
            unseen = {alert_id for alert_id, kind in last.items() if kind == ChangeKind.UNSEEN.value}
            found.update(external_id for external_id, each in known.items() if each.alert_id in unseen)
        return found

    async def known(self, external_ids: Collection[str]) -> Mapping[str, KnownAlert]:
        """How some alerts stand here, by the server's ids."""
        ids = sorted(set(external_ids))
        found: dict[str, KnownAlert] = {}
        for start in range(0, len(ids), _AT_A_TIME):
            found |= await self._repository.known(self._id, ids[start : start + _AT_A_TIME])
        return found


def _ids_of(records: Sequence[AlertRecord]) -> set[str]:
    ids = {record.external_id for record in records}
    return ids | {
        derived_id(record.device_id, record.opened_at) for record in records if record.device_id is not None
    }


def _name_of(message: WebhookMessage) -> tuple[Identity, str] | None:
    """What a message's alert is known by; None for a resolve that does not say of what."""
    if message.external_alert_id is not None:
        return Identity.NAMED, message.external_alert_id
    if message.device_id is not None and message.opened_at is not None:
        return Identity.DERIVED, derived_id(message.device_id, message.opened_at)
    if message.device_id is None or message.event == "resolve":
        return None
    return Identity.DEVICE, ""


def _key_of(record: AlertRecord) -> str:
    return dedup_key(record.device_id, record.alert_type.value, record.cause, record.message)


def _key_of_message(message: WebhookMessage) -> str:
    return dedup_key(message.device_id, message.alert_type.value, None, message.message)


def _keys_of(messages: Sequence[WebhookMessage]) -> set[str]:
    return {key for message in messages if (key := _key_of_message(message))}


def _place_of(places: Places, state: AlertState) -> Place:
    return places.of(
        state.device_id,
        organization_id=state.organization_id,
        organization_name=state.organization_name,
    )


def _count(result: IntakeResult, record: AlertRecord, made: Plan) -> None:
    counted = result.created if made.before is None else result.updated
    counted[record.external_id] = made.after.alert_id
    if made.before is not None and made.before.is_open and not made.after.is_open:
        result.resolved[record.external_id] = made.after.alert_id
