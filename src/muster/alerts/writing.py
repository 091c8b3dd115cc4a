"""Plans of alerts become rows, timelines, events and notices: a fixed number of statements for any number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts.announcements import of_alert
from muster.alerts.models import Alert, AlertChange
from muster.alerts.plan import Plan
from muster.alerts.requests import request_write_back
from muster.alerts.rule_service import Raised, RuleService, Verdict
from muster.alerts.rulebook.repository import RuleRepository
from muster.alerts.rules import AlertFacts, RuleAction
from muster.alerts.types import AlertState, AlertStatus, ChangeKind, Line
from muster.audit.service import COMMAND_LINE
from muster.db import bulk
from muster.db.types import new_id, table_of
from muster.events.service import EventService
from muster.events.types import NewEvent
from muster.integrations.schemas import IntegrationView
from muster.jobs.service import JobService
from muster.providers.alerting import AlertSeverity, AlertType
from muster.tenancy import TenantScope

_ALERTS = table_of(Alert)
_CHANGES = table_of(AlertChange)
_KEY = ("alert_id",)
# What is set once, when an alert is met.
_FIXED = ("integration_id", "first_seen_at", "created_at")


@dataclass(slots=True)
class _Written:
    """All plans of one alert, in their order."""

    before: AlertState | None
    after: AlertState
    plans: list[Plan] = field(default_factory=list)

    @property
    def raw(self) -> dict[str, Any] | None:
        """The last raw item among them."""
        return next((plan.raw for plan in reversed(self.plans) if plan.raw is not None), None)

    @property
    def raised(self) -> bool:
        """Whether rules are to decide about it."""
        return self.after.is_open and any(plan.raised for plan in self.plans)


class AlertWriter:
    """Writes plans of one integration's alerts, in the caller's transaction, which holds its intake."""

    def __init__(self, session: AsyncSession, scope: TenantScope, integration: IntegrationView) -> None:
        self._session = session
        self._scope = scope
        self._integration = integration
        self._rules = RuleService(session, scope)

    async def write(self, plans: Sequence[Plan], *, at: datetime) -> Mapping[UUID, AlertState]:
        """Write plans in their order, several of one alert as one row; the alerts as they are now."""
        if not plans:
            return {}
        gathered: dict[UUID, _Written] = {}
        for plan in plans:
            written = gathered.setdefault(plan.after.alert_id, _Written(plan.before, plan.after))
            written.after = plan.after
            written.plans.append(plan)
        verdicts = await self._judge(list(gathered.values()))
        await self._save(list(gathered.values()))
        await self._save_lines(plans, verdicts, at)
        await self._announce(gathered, verdicts)
        # Who snoozed it wants to hear nothing of it for a while.
        awake = [
            verdict
            for alert_id, verdict in verdicts.items()
            if gathered[alert_id].after.status is not AlertStatus.SNOOZED
        ]
        await self._rules.tell(awake, at=at)
        jobs = JobService(self._session, self._scope)
        for written in gathered.values():
            if written.after.waits_for is not None and any(plan.tell_server for plan in written.plans):
                await request_write_back(jobs, self._integration, written.after)
        return {alert_id: written.after for alert_id, written in gathered.items()}

    async def _judge(self, gathered: Sequence[_Written]) -> Mapping[UUID, Verdict]:
        """Have the rules decide about what was raised, and put that into its row."""
        raised = [
            Raised(
                alert_id=each.after.alert_id,
                occasion=f"raised {each.after.occurrences}",
                facts=facts_of(each.after),
            )
            for each in gathered
            if each.raised
        ]
        verdicts = await self._rules.judge(self._integration.integration_id, raised)
        for each in gathered:
            verdict = verdicts.get(each.after.alert_id)
            if verdict is not None:
                each.after = msgspec.structs.replace(
                    each.after,
                    suppressed=verdict.suppressed,
                    rule_id=verdict.rule and verdict.rule.rule_id,
                    rule_name=verdict.rule and verdict.rule.name,
                )
        return verdicts

    async def _save(self, gathered: Sequence[_Written]) -> None:
        new = [{**_row(each.after), "raw": each.raw} for each in gathered if each.before is None]
        read, told = [], []
        for each in gathered:
            if each.before is None or each.before == each.after:
                continue
            row = {name: value for name, value in _row(each.after).items() if name not in _FIXED}
            if each.raw is None:
                told.append(row)
            else:
                read.append({**row, "raw": each.raw})
        await bulk.insert(self._session, self._scope, _ALERTS, new)
        await bulk.update(self._session, self._scope, _ALERTS, read, key=_KEY)
        await bulk.update(self._session, self._scope, _ALERTS, told, key=_KEY)

    async def _save_lines(
        self, plans: Sequence[Plan], verdicts: Mapping[UUID, Verdict], at: datetime
    ) -> None:
        lines = [(plan.after.alert_id, plan.cause, line) for plan in plans for line in plan.lines]
        for alert_id, verdict in verdicts.items():
            if verdict.rule is not None:
                detail = {"name": verdict.rule.name, "action": verdict.rule.action.value}
                lines.append((alert_id, "sync", Line(kind=ChangeKind.RULE, detail=detail)))
        rows = [
            {
                "change_id": new_id(),
                "alert_id": alert_id,
                "at": at,
                "kind": line.kind.value,
                "actor": (self._scope.actor or COMMAND_LINE) if cause == "person" else None,
                "detail": line.detail,
            }
            for alert_id, cause, line in lines
        ]
        await bulk.insert(self._session, self._scope, _CHANGES, rows)

    async def _announce(self, gathered: Mapping[UUID, _Written], verdicts: Mapping[UUID, Verdict]) -> None:
        subscriptions = await self._subscriptions(list(gathered.values()), verdicts)
        events: list[NewEvent] = []
        for alert_id, written in gathered.items():
            for plan in written.plans:
                if plan.event is not None:
                    # Of an alert as it was then, but with what the rules said of all of it.
                    state = msgspec.structs.replace(
                        plan.after,
                        suppressed=written.after.suppressed,
                        rule_id=written.after.rule_id,
                        rule_name=written.after.rule_name,
                    )
                    events.append(
                        of_alert(
                            plan.event,
                            state,
                            provider=self._integration.provider,
                            cause=plan.cause,
                            changes=[line.kind for line in plan.lines],
                            deliver_to=subscriptions.get(alert_id, ()),
                        )
                    )
        await EventService(self._session, self._scope).publish_many(events)

    async def _subscriptions(
        self, gathered: Sequence[_Written], verdicts: Mapping[UUID, Verdict]
    ) -> Mapping[UUID, Sequence[UUID]]:
        """The subscriptions that get an alert's events by its rule: a rule that has just decided, or the one
        that did when the alert was raised.
        """
        found: dict[UUID, Sequence[UUID]] = {
            alert_id: verdict.deliver_to for alert_id, verdict in verdicts.items()
        }
        ruled = [
            each.after
            for each in gathered
            if each.after.rule_id is not None
            and each.after.alert_id not in verdicts
            and any(plan.event is not None for plan in each.plans)
        ]
        if not ruled:
            return found
        rules = RuleRepository(self._session, self._scope)
        known = await rules.of_integration(self._integration.integration_id)
        targets = {rule.rule_id: rule.targets for rule in known if rule.action is RuleAction.WEBHOOK}
        return {
            **found,
            **{state.alert_id: targets.get(state.rule_id, ()) for state in ruled if state.rule_id},
        }


def facts_of(state: AlertState) -> AlertFacts:
    """What rules look at in an alert."""
    return AlertFacts(
        severity=AlertSeverity(state.severity),
        alert_type=AlertType(state.alert_type),
        organization_id=state.organization_id,
        client_id=state.client_id,
        device_name=state.device_name,
        message=state.message,
    )


def _row(state: AlertState) -> dict[str, Any]:
    row = msgspec.structs.asdict(state)
    row["identity"] = state.identity.value
    row["status"] = state.status.value
    row["raised_at"] = state.raised_at
    row["write_back"] = None if state.write_back is None else msgspec.to_builtins(state.write_back)
    return row
