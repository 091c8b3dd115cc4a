"""Alerts: the verbs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.alerts import verbs
from muster.alerts.board.repository import BoardRepository
from muster.alerts.plan import Plan
from muster.alerts.repository import AlertRepository
from muster.alerts.schemas import AlertCounts, AlertDetail, AlertFilter, AlertOrder, AlertSort, AlertView
from muster.alerts.types import OPEN, OPEN_VALUES, AlertState, AlertStatus, Deed
from muster.alerts.views import views_of
from muster.alerts.writing import AlertWriter
from muster.audit.service import COMMAND_LINE, AuditService
from muster.clients.service import ClientService
from muster.errors import Conflict, InvalidInput, NotFound
from muster.integrations.directory import ids_of_provider
from muster.integrations.directory import views as integration_views
from muster.providers.alerting import AlertSeverity
from muster.tenancy import TenantScope

_LATEST = AlertOrder()
_Decide = Callable[[AlertState, datetime], Plan | None]
# So many rows a page of the list has at most.
MOST_TOGETHER = 250
# Of a message, as much as tells a reader of the audit log which alert it was.
_SHORT = 200


class AlertService:
    """Alerts of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._actor = scope.actor or COMMAND_LINE
        self._repository = AlertRepository(session, scope)
        self._board = BoardRepository(session, scope)

    # --- reading -------------------------------------------------------------------------------------------

    async def list(
        self, wanted: AlertFilter, order: AlertOrder = _LATEST, *, limit: int, offset: int = 0
    ) -> tuple[Sequence[AlertView], int]:
        """A part of the alerts that match, and how many match in all."""
        among = await self._among(wanted)
        total = await self._board.count(wanted, among)
        if total <= offset:
            return [], total
        return await self._page(wanted, order, among, limit=limit, offset=offset), total

    async def page(
        self, wanted: AlertFilter, order: AlertOrder = _LATEST, *, limit: int, offset: int = 0
    ) -> Sequence[AlertView]:
        """A part of the alerts that match, for who knows how many there are."""
        return await self._page(wanted, order, await self._among(wanted), limit=limit, offset=offset)

    async def get(self, alert_id: UUID) -> AlertDetail:
        """One alert with its timeline; NotFound when this tenant has none with that id."""
        state = await self._state(alert_id)
        (view,) = await views_of(self._session, self._scope, [state])
        return AlertDetail(
            **{name: getattr(view, name) for name in AlertView.__struct_fields__},
            timeline=await self._repository.timeline(alert_id),
            raw=await self._repository.raw(alert_id),
            next_alert_id=await self._repository.next_of(state),
        )

    async def of_asset(self, asset_id: UUID, *, limit: int, offset: int = 0) -> Sequence[AlertView]:
        """An asset's alerts, the latest first, over ones included."""
        return await self.page(AlertFilter(asset_id=asset_id), limit=limit, offset=offset)

    async def count(self, wanted: AlertFilter) -> int:
        """How many alerts match."""
        return await self._board.count(wanted, await self._among(wanted))

    async def counts(self, wanted: AlertFilter | None = None) -> AlertCounts:
        """How many alerts match by status, and how many of the open ones by severity; all names are there."""
        statuses: Counter[str] = Counter({status.value: 0 for status in AlertStatus})
        severities: Counter[str] = Counter({severity.value: 0 for severity in AlertSeverity})
        wanted = wanted or AlertFilter()
        for status, severity, number in await self._board.counts(wanted, await self._among(wanted)):
            statuses[status] += number
            if status in OPEN_VALUES:
                severities[severity] += number
        return AlertCounts(by_status=dict(statuses), by_severity=dict(severities))

    async def count_active(self, integration_id: UUID) -> int:
        """How many of an integration's alerts are active: open, and neither acknowledged nor snoozed."""
        wanted = AlertFilter(integration_id=integration_id, statuses=(AlertStatus.ACTIVE,))
        return await self._board.count(wanted)

    async def count_open(self) -> int:
        """How many alerts are open: active, acknowledged or snoozed."""
        return await self._board.count(AlertFilter(statuses=OPEN))

    async def count_unseen(self) -> int:
        """How many alerts nobody has dealt with yet: active ones that no rule suppressed."""
        return await self._board.count(AlertFilter(statuses=(AlertStatus.ACTIVE,), suppressed=False))

    async def open_by_asset(self, asset_ids: Collection[UUID]) -> Mapping[UUID, int]:
        """How many open alerts each of a page's worth of assets has; those without any are left out."""
        return await self._board.count_open_by("asset_id", asset_ids) if asset_ids else {}

    async def open_by_client(self, client_ids: Collection[UUID]) -> Mapping[UUID, int]:
        """How many open alerts each of a page's worth of clients has; those without any are left out."""
        return await self._board.count_open_by("client_id", client_ids) if client_ids else {}

    # --- what a person does: each gives the alert as it is then, and changes nothing when it is so already --

    async def acknowledge(self, alert_id: UUID) -> AlertView:
        """Say that somebody has seen it. It stays here: the server knows no such thing. Conflict for one that
        is snoozed or over.
        """
        return await self._decide(alert_id, self._verb(Deed.ACKNOWLEDGE))

    async def unacknowledge(self, alert_id: UUID) -> AlertView:
        """Take acknowledging back. Conflict for one that is snoozed or over."""
        return await self._decide(alert_id, self._verb(Deed.UNACKNOWLEDGE))

    async def snooze(
        self, alert_id: UUID, *, days: int | None = None, until: datetime | None = None
    ) -> AlertView:
        """Leave it alone for some days, or until a moment, rounded up to whole days, as servers count them;
        here at once, on the server by a job. InvalidInput for less than a day or more than ten years,
        Conflict for one that is over.
        """
        await self._state(alert_id)
        count = verbs.days_of(clock.now(), days=days, until=until)
        return await self._decide(alert_id, self._verb(Deed.SNOOZE, count))

    async def unsnooze(self, alert_id: UUID) -> AlertView:
        """End its snooze; on the server by a job. Conflict for one that is over."""
        return await self._decide(alert_id, self._verb(Deed.UNSNOOZE))

    async def resolve(self, alert_id: UUID) -> AlertView:
        """Say that it is over; on the server by a job. Conflict for one that is gone from the server."""
        return await self._decide(alert_id, self._verb(Deed.RESOLVE))

    async def note(self, alert_id: UUID, text: str) -> AlertView:
        """Write something down in its timeline."""
        return await self._decide(alert_id, lambda state, at: verbs.note(state, at, text))

    async def together(
        self, alert_ids: Sequence[UUID], deed: Deed, *, days: int | None = None
    ) -> tuple[Sequence[AlertView], Mapping[UUID, Conflict]]:
        """Do the same to several alerts: as they are then, and why some were left as they are. NotFound, and
        nothing is done, when one of them is not this tenant's; InvalidInput for more than 250 at once.
        """
        if len(alert_ids) > MOST_TOGETHER:
            raise InvalidInput(f"That are more than {MOST_TOGETHER} alerts.", remedy="Choose fewer at once.")
        if days is not None and deed is not Deed.SNOOZE:
            raise InvalidInput("Only a snooze takes a number of days.", remedy="Leave it out.", field="days")
        return await self._decide_all(alert_ids, self._verb(deed, days))

    def _verb(self, deed: Deed, days: int | None = None) -> _Decide:
        match deed:
            case Deed.ACKNOWLEDGE:
                return lambda state, at: verbs.acknowledge(state, at, self._actor)
            case Deed.UNACKNOWLEDGE:
                return verbs.unacknowledge
            case Deed.SNOOZE:
                count = verbs.days_of(clock.now(), days=days, until=None)
                return lambda state, at: verbs.snooze(state, at, self._actor, count)
            case Deed.UNSNOOZE:
                return lambda state, at: verbs.unsnooze(state, at, self._actor)
            case Deed.RESOLVE:
                return lambda state, at: verbs.resolve(state, at, self._actor)

    async def _decide(self, alert_id: UUID, verb: _Decide) -> AlertView:
        done, left = await self._decide_all([alert_id], verb)
        if left:
            raise left[alert_id]
        return done[0]

    async def _decide_all(
        self, alert_ids: Sequence[UUID], verb: _Decide
    ) -> tuple[Sequence[AlertView], Mapping[UUID, Conflict]]:
        integration_ids = sorted({state.integration_id for state in await self._states(alert_ids)})
        # In one order for everybody, or two of them wait for each other.
        for integration_id in integration_ids:
            await self._repository.hold(integration_id)
        now = {state.alert_id: state for state in await self._states(alert_ids)}
        at, plans, left = clock.now(), [], {}
        for alert_id, state in now.items():
            try:
                plans.append(verb(state, at))
            except Conflict as refused:
                left[alert_id] = refused
        known = await integration_views(self._session, self._scope, integration_ids)
        for integration_id in integration_ids:
            some = [plan for plan in plans if plan and plan.after.integration_id == integration_id]
            now |= await AlertWriter(self._session, self._scope, known[integration_id]).write(some, at=at)
            for plan in some:
                await self._record(plan)
        done = [state for alert_id, state in now.items() if alert_id not in left]
        return await views_of(self._session, self._scope, done), left

    async def _record(self, plan: Plan) -> None:
        state = plan.after
        for line in plan.lines:
            await AuditService(self._session, self._scope).record(
                f"alert.{line.kind.value}",
                "alert",
                subject=state.device_name or state.device_id or state.external_alert_id,
                subject_id=state.alert_id,
                message=state.message and state.message[:_SHORT],
                **line.detail,
            )

    # --- inside ---

    async def _page(
        self,
        wanted: AlertFilter,
        order: AlertOrder,
        among: Sequence[UUID] | None,
        *,
        limit: int,
        offset: int,
    ) -> Sequence[AlertView]:
        if order.by is AlertSort.CLIENT:
            clients = [each.client_id for each in await ClientService(self._session, self._scope).list()]
            ordered = clients[::-1] if order.descending else clients
            ids = await self._board.page_by_client(wanted, ordered, limit=limit, offset=offset, among=among)
        else:
            ids = await self._board.page(wanted, order, limit=limit, offset=offset, among=among)
        states: dict[UUID, AlertState] = {}
        for start in range(0, len(ids), MOST_TOGETHER):
            some = await self._repository.by_ids(ids[start : start + MOST_TOGETHER])
            states |= {state.alert_id: state for state in some}
        found = [states[alert_id] for alert_id in ids if alert_id in states]
        return await views_of(self._session, self._scope, found)

    async def _among(self, wanted: AlertFilter) -> Sequence[UUID] | None:
        """The integrations of the wanted provider."""
        if wanted.provider is None:
            return None
        return await ids_of_provider(self._session, self._scope, wanted.provider)

    async def _state(self, alert_id: UUID) -> AlertState:
        (state,) = await self._states([alert_id])
        return state

    async def _states(self, alert_ids: Sequence[UUID]) -> Sequence[AlertState]:
        """Alerts in the order of their ids; NotFound when one of them is not this tenant's."""
        found = {state.alert_id: state for state in await self._repository.by_ids(alert_ids)}
        for alert_id in alert_ids:
            if alert_id not in found:
                raise NotFound(f"There is no alert {alert_id}.", remedy="See: muster alert list")
        return [found[alert_id] for alert_id in dict.fromkeys(alert_ids)]
