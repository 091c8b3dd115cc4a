"""Questions to the table of rules."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from sqlalchemy import RowMapping, select

from muster.alerts.models import AlertRule
from muster.alerts.rules import RuleAction, RuleConditions, RuleView
from muster.db.repository import TenantRepository
from muster.db.types import table_of

_rules = table_of(AlertRule)


class RuleRepository(TenantRepository):
    """Rules of one tenant."""

    async def of_integration(self, integration_id: UUID, *, for_update: bool = False) -> Sequence[RuleView]:
        """An integration's rules in their order. `for_update` keeps others from changing them meanwhile."""
        statement = (
            select(_rules)
            .where(_rules.c.tenant_id == self.scope.tenant_id, _rules.c.integration_id == integration_id)
            .order_by(_rules.c.position, _rules.c.rule_id)
        )
        if for_update:
            statement = statement.with_for_update()
        return [_view(row) for row in (await self.session.execute(statement)).mappings()]

    async def by_id(self, rule_id: UUID) -> RuleView | None:
        """One rule."""
        statement = select(_rules).where(
            _rules.c.tenant_id == self.scope.tenant_id, _rules.c.rule_id == rule_id
        )
        row = (await self.session.execute(statement)).mappings().one_or_none()
        return None if row is None else _view(row)

    async def targets(self) -> Sequence[tuple[str, Sequence[str]]]:
        """Name and targets of every rule of the tenant, by name."""
        statement = (
            select(_rules.c.name, _rules.c.targets)
            .where(_rules.c.tenant_id == self.scope.tenant_id)
            .order_by(_rules.c.name, _rules.c.rule_id)
        )
        return [(row[0], row[1]) for row in await self.session.execute(statement)]


def _view(row: RowMapping) -> RuleView:
    return RuleView(
        rule_id=row["rule_id"],
        integration_id=row["integration_id"],
        position=row["position"],
        name=row["name"],
        is_active=row["is_active"],
        conditions=msgspec.convert(row["conditions"], RuleConditions),
        action=RuleAction(row["action"]),
        targets=tuple(UUID(target) for target in row["targets"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
