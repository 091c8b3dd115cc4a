"""Rules about alerts: keep them in order, and have them decide.

Intake works in two steps, since a notice hangs on its alert's row: `judge` before the rows are written (it
gives what stands in them: rule, suppressed, deliver_to), `tell` after.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster import clock
from muster.alerts import rules
from muster.alerts.models import AlertRule
from muster.alerts.notices.service import NoticeService, NoticeWish
from muster.alerts.repository import AlertRepository
from muster.alerts.rulebook.repository import RuleRepository
from muster.alerts.rules import AlertFacts, RuleAction, RuleConditions, RuleView, Trial
from muster.alerts.types import AlertState
from muster.audit.service import AuditService
from muster.clients.service import ClientService
from muster.db import bulk
from muster.db.types import new_id, table_of
from muster.errors import Conflict, InvalidInput, NotFound
from muster.integrations.directory import views
from muster.naming import clean_name
from muster.notifications.service import channel_names
from muster.outbound_webhooks.service import subscription_names
from muster.providers.alerting import AlertSeverity, AlertType
from muster.tenancy import TenantScope

_RULES = table_of(AlertRule)
# Of one integration: each alert is held against them.
MOST_RULES = 200


class RuleDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as a person writes it."""

    name: str
    action: RuleAction
    conditions: RuleConditions = msgspec.field(default_factory=RuleConditions)
    targets: tuple[UUID, ...] = ()
    is_active: bool = True


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that was raised. `occasion` names this raising of it ("raised 1"): each channel is told of an
    occasion once.
    """

    alert_id: UUID
    occasion: str
    facts: AlertFacts


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say of a raised alert; `rule` is None when it meets none."""

    raised: Raised
    rule: RuleView | None

    @property
    def suppressed(self) -> bool:
        """Whether nobody is to be told."""
        return self.rule is not None and self.rule.action is RuleAction.SUPPRESS

    @property
    def deliver_to(self) -> tuple[UUID, ...]:
        """The subscriptions that get this alert's events, whatever they have chosen themselves."""
        return self.rule.targets if self.rule and self.rule.action is RuleAction.WEBHOOK else ()

    @property
    def notify(self) -> tuple[UUID, ...]:
        """The channels to tell."""
        return self.rule.targets if self.rule and self.rule.action is RuleAction.NOTIFY else ()


def facts_of(alert: AlertState) -> AlertFacts:
    """What rules look at in an alert."""
    return AlertFacts(
        severity=AlertSeverity(alert.severity),
        alert_type=AlertType(alert.alert_type),
        organization_id=alert.organization_id,
        client_id=alert.client_id,
        device_name=alert.device_name,
        message=alert.message,
    )


class RuleService:
    """The verbs on the rules of one tenant."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._session = session
        self._scope = scope
        self._repository = RuleRepository(session, scope)
        self._audit = AuditService(session, scope)

    # --- deciding ------------------------------------------------------------------------------------------

    async def judge(self, integration_id: UUID, raised: Sequence[Raised]) -> Mapping[UUID, Verdict]:
        """What the integration's rules say of each raised alert, by the alert's id; writes nothing."""
        if not raised:
            return {}
        known = await self._repository.of_integration(integration_id)
        return {each.alert_id: Verdict(raised=each, rule=rules.decide(known, each.facts)) for each in raised}

    async def tell(self, verdicts: Sequence[Verdict], *, at: datetime) -> None:
        """Have the channels told that verdicts name, in the caller's transaction, which has written the
        alerts' rows. A channel that was told of an alert's occasion is not told again.
        """
        wishes = [
            NoticeWish(verdict.raised.alert_id, channel_id, verdict.raised.occasion)
            for verdict in verdicts
            for channel_id in verdict.notify
        ]
        await NoticeService(self._session, self._scope).ask(wishes, at=at)

    async def facts_of(self, alert_id: UUID) -> AlertFacts:
        """What rules look at in an alert as it is now; NotFound when this tenant has none with that id."""
        found = await AlertRepository(self._session, self._scope).by_ids([alert_id])
        if not found:
            raise NotFound(f"There is no alert {alert_id}.", remedy="See: muster alert list")
        return facts_of(found[0])

    async def explain(self, integration_id: UUID, facts: AlertFacts) -> Sequence[Trial]:
        """Every rule of an integration, held against an alert as it was or might be."""
        return rules.explain(await self.list(integration_id), facts)

    # --- reading -------------------------------------------------------------------------------------------

    async def list(self, integration_id: UUID) -> Sequence[RuleView]:
        """An integration's rules in their order; NotFound when this tenant has no such integration."""
        await self._integration_name(integration_id)
        return await self._repository.of_integration(integration_id)

    async def get(self, rule_id: UUID) -> RuleView:
        """One rule; NotFound when this tenant has none with that id."""
        rule = await self._repository.by_id(rule_id)
        if rule is None:
            raise NotFound(f"There is no rule {rule_id}.", remedy="See: muster rule list")
        return rule

    async def target_names(self) -> Mapping[UUID, str]:
        """The name of everything that a rule may have as target."""
        return {
            **await channel_names(self._session, self._scope),
            **await subscription_names(self._session, self._scope),
        }

    async def using(self, target_id: UUID) -> Sequence[str]:
        """The names of the rules that have this channel or subscription as target."""
        wanted = str(target_id)
        return [name for name, targets in await self._repository.targets() if wanted in targets]

    # --- changing ------------------------------------------------------------------------------------------

    async def add(self, integration_id: UUID, draft: RuleDraft) -> RuleView:
        """Add a rule behind the others. InvalidInput, with its field, for what cannot be used."""
        integration = await self._integration_name(integration_id)
        known = await self._repository.of_integration(integration_id, for_update=True)
        if len(known) >= MOST_RULES:
            raise Conflict(
                f"{integration} has {MOST_RULES} rules, and cannot have more.", remedy="Remove one first."
            )
        now, rule_id = clock.now(), new_id()
        row = {
            "rule_id": rule_id,
            "integration_id": integration_id,
            "position": 1 + max((rule.position for rule in known), default=0),
            **await self._checked(draft),
            "created_at": now,
            "updated_at": now,
        }
        await bulk.insert(self._session, self._scope, _RULES, [row])
        await self._record("added", row["name"], rule_id, integration=integration, does=draft.action.value)
        return await self.get(rule_id)

    async def update(self, rule_id: UUID, draft: RuleDraft) -> RuleView:
        """Change a rule; its place stays. Refusals as for `add`."""
        rule = await self.get(rule_id)
        values = await self._checked(draft)
        await self._set(rule_id, values)
        await self._record("changed", values["name"], rule_id, old=rule.name, does=draft.action.value)
        return await self.get(rule_id)

    async def activate(self, rule_id: UUID, *, is_active: bool) -> RuleView:
        """Switch a rule on or off."""
        rule = await self.get(rule_id)
        if rule.is_active != is_active:
            await self._set(rule_id, {"is_active": is_active})
            await self._record("switched_on" if is_active else "switched_off", rule.name, rule_id)
        return await self.get(rule_id)

    async def move(self, rule_id: UUID, *, up: bool) -> RuleView:
        """Let a rule change places with the one before (`up`) or behind it; the first and the last stay."""
        rule = await self.get(rule_id)
        known = await self._repository.of_integration(rule.integration_id, for_update=True)
        order = [each.rule_id for each in known]
        # Another process may have removed it since the look above.
        at = order.index(rule_id) if rule_id in order else 0
        other = at - 1 if up else at + 1
        if rule_id not in order or not 0 <= other < len(order):
            return rule
        order[at], order[other] = order[other], order[at]
        now = clock.now()
        places = [
            {"rule_id": each, "position": number, "updated_at": now}
            for number, each in enumerate(order, start=1)
        ]
        await bulk.update(self._session, self._scope, _RULES, places, key=["rule_id"])
        await self._record("moved", rule.name, rule_id, old=at + 1, new=other + 1)
        return await self.get(rule_id)

    async def remove(self, rule_id: UUID) -> RuleView:
        """Remove a rule and give what it was. Alerts keep its name."""
        rule = await self.get(rule_id)
        await bulk.delete_where(self._session, self._scope, _RULES, where={"rule_id": rule_id})
        await self._record("removed", rule.name, rule_id)
        return rule

    async def _integration_name(self, integration_id: UUID) -> str:
        found = await views(self._session, self._scope, [integration_id])
        if integration_id not in found:
            raise NotFound(
                f"There is no integration {integration_id}.", remedy="See: muster integration list"
            )
        return found[integration_id].name

    async def _checked(self, draft: RuleDraft) -> dict[str, Any]:
        """A draft as columns."""
        try:
            name = clean_name(draft.name, what="the rule")
        except InvalidInput as wrong:
            raise InvalidInput(wrong.message, remedy=wrong.remedy, field="name") from wrong
        conditions = rules.cleaned(draft.conditions)
        known = await ClientService(self._session, self._scope).names(conditions.clients)
        if len(known) < len(conditions.clients):
            raise InvalidInput(
                "One of the clients is not there.", remedy="Choose again.", field="organizations"
            )
        return {
            "name": name,
            "is_active": draft.is_active,
            "conditions": msgspec.to_builtins(conditions),
            "action": draft.action.value,
            "targets": [str(target) for target in await self._targets(draft)],
        }

    async def _targets(self, draft: RuleDraft) -> Sequence[UUID]:
        if draft.action is RuleAction.SUPPRESS:
            return ()
        known, what = (
            (await channel_names(self._session, self._scope), "channel")
            if draft.action is RuleAction.NOTIFY
            else (await subscription_names(self._session, self._scope), "subscription")
        )
        wanted = list(dict.fromkeys(draft.targets))
        if not wanted:
            raise InvalidInput(f"No {what} is chosen.", remedy="Choose at least one.", field="targets")
        if any(target not in known for target in wanted):
            raise InvalidInput(f"One {what} is not there any more.", remedy="Choose again.", field="targets")
        return wanted

    async def _set(self, rule_id: UUID, values: Mapping[str, Any]) -> None:
        values = {**values, "updated_at": clock.now()}
        await bulk.update_where(self._session, self._scope, _RULES, values, where={"rule_id": rule_id})

    async def _record(self, verb: str, name: str, rule_id: UUID, **detail: Any) -> None:
        await self._audit.record(f"rule.{verb}", "rule", subject=name, subject_id=rule_id, **detail)
