"""Rules about alerts as JSON: the same verbs as the pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, JSONBody

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.alerts.rule_service import RuleDraft, RuleService
from muster.alerts.rules import AlertFacts, RuleView, Trial
from muster.db import Database

_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]
_TAGS = ["Alert rules"]
_ALL = "/integrations/{integration_id:uuid}/rules"
_ONE = "/rules/{rule_id:uuid}"

Text = Annotated[str, msgspec.Meta(max_length=10_000)]


class RuleList(msgspec.Struct, frozen=True, kw_only=True):
    """An integration's rules in their order: the first that an alert meets decides."""

    items: Sequence[RuleView]
    total: int


class RuleMove(msgspec.Struct, frozen=True, kw_only=True):
    """Which neighbour a rule changes places with: the one before it (`up`) or the one behind."""

    up: bool


class RuleSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a rule is on."""

    is_active: bool


class RuleQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What to hold against the rules: an alert by its id, or facts of one that might be."""

    alert_id: UUID | None = None
    facts: AlertFacts | None = None


class RuleTrials(msgspec.Struct, frozen=True, kw_only=True):
    """Every rule with what was not met in it, and the one that decides."""

    decided: RuleView | None
    items: Sequence[Trial]


@get(_ALL, guards=_READ, operation_id="listRules", tags=_TAGS)
async def rule_list(
    integration_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> RuleList:
    """The rules of an integration, in their order."""
    async with database.read(actor.scope) as session:
        items = await RuleService(session, actor.scope).list(integration_id)
    return RuleList(items=items, total=len(items))


@post(_ALL, guards=_UPDATE, operation_id="createRule", tags=_TAGS)
async def rule_create(
    data: JSONBody[RuleDraft],
    integration_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> RuleView:
    """Add a rule behind the others."""
    async with database.write(actor.scope) as session:
        return await RuleService(session, actor.scope).add(integration_id, data)


@post(f"{_ALL}/test", guards=_READ, operation_id="testRules", tags=_TAGS, status_code=200)
async def rule_test(
    data: JSONBody[RuleQuestion],
    integration_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> RuleTrials:
    """Which rule an alert would meet, and why not the ones before it. Nothing is changed, nobody is told."""
    async with database.read(actor.scope) as session:
        service = RuleService(session, actor.scope)
        facts = data.facts if data.alert_id is None else await service.facts_of(data.alert_id)
        trials = await service.explain(integration_id, facts or AlertFacts())
    return RuleTrials(decided=next((each.rule for each in trials if each.decides), None), items=trials)


@get(_ONE, guards=_READ, operation_id="getRule", tags=_TAGS)
async def rule_get(
    rule_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> RuleView:
    """One rule."""
    async with database.read(actor.scope) as session:
        return await RuleService(session, actor.scope).get(rule_id)


@put(_ONE, guards=_UPDATE, operation_id="updateRule", tags=_TAGS)
async def rule_update(
    data: JSONBody[RuleDraft],
    rule_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> RuleView:
    """Change a rule; its place stays."""
    async with database.write(actor.scope) as session:
        return await RuleService(session, actor.scope).update(rule_id, data)


@post(f"{_ONE}/move", guards=_UPDATE, operation_id="moveRule", tags=_TAGS, status_code=200)
async def rule_move(
    data: JSONBody[RuleMove],
    rule_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> RuleView:
    """Let a rule change places with its neighbour."""
    async with database.write(actor.scope) as session:
        return await RuleService(session, actor.scope).move(rule_id, up=data.up)


@post(f"{_ONE}/switch", guards=_UPDATE, operation_id="switchRule", tags=_TAGS, status_code=200)
async def rule_switch(
    data: JSONBody[RuleSwitch],
    rule_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> RuleView:
    """Switch a rule on or off."""
    async with database.write(actor.scope) as session:
        return await RuleService(session, actor.scope).activate(rule_id, is_active=data.is_active)


@delete(_ONE, guards=_UPDATE, operation_id="removeRule", tags=_TAGS)
async def rule_remove(
    rule_id: FromPath[UUID], actor: NamedDependency[Actor], database: NamedDependency[Database]
) -> None:
    """Remove a rule. Alerts keep its name."""
    async with database.write(actor.scope) as session:
        await RuleService(session, actor.scope).remove(rule_id)


ROUTES: list[BaseRouteHandler] = [
    rule_list,
    rule_create,
    rule_test,
    rule_get,
    rule_update,
    rule_move,
    rule_switch,
    rule_remove,
]
