"""Rules about alerts: an integration's ordered list with its tester, and the form of one rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.auth import needs
from muster.accounts.permissions import Permission
from muster.accounts.types import Actor
from muster.alerts import rule_forms, words
from muster.alerts.rule_service import RuleService
from muster.alerts.rule_words import CONDITION_NAMES, action_text, conditions_text
from muster.alerts.rules import AlertFacts, RuleView, Trial
from muster.clients.service import ClientService
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import InvalidInput
from muster.integrations.service import IntegrationService
from muster.mappings.service import MappingService
from muster.notifications.service import channel_names
from muster.outbound_webhooks.service import subscription_names
from muster.providers.alerting import AlertSeverity, AlertType
from muster.tenancy import TenantScope
from muster.web.forms import Form
from muster.web.frame import Frame, Toast, go

PATH = "/settings/rules"
_OF = f"{PATH}/integrations/{{integration_id:uuid}}"
_ONE = f"{PATH}/{{rule_id:uuid}}"
_TRAIL: Sequence[tuple[str, str | None]] = (("Settings", "/settings"), ("Alert rules", PATH))
_READ, _UPDATE = [needs(Permission.SETTINGS_READ)], [needs(Permission.SETTINGS_UPDATE)]


class Row(NamedTuple):
    """A rule as the list shows it; `trial` is how the tested alert did with it."""

    rule: RuleView
    conditions: Sequence[str]
    action: str
    lost: bool
    trial: Trial | None
    unmet: Sequence[str]


class _Names(NamedTuple):
    """What the ids in rules of one integration are called."""

    organizations: Mapping[str, str]
    clients: Mapping[UUID, str]
    channels: Mapping[UUID, str]
    subscriptions: Mapping[UUID, str]


class _Desk(NamedTuple):
    """What making a page takes."""

    session: AsyncSession
    scope: TenantScope
    secrets: SecretBox
    frame: Frame


@get(PATH, guards=_READ)
async def rule_index(
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """The integrations, each with the number of its rules."""
    async with database.read(actor.scope) as session:
        integrations = await IntegrationService(session, actor.scope, secrets).list()
        service = RuleService(session, actor.scope)
        rows = [(each, await service.list(each.integration_id)) for each in integrations]
    return frame.page("rules/index.html", title="Alert rules", place="settings", trail=_TRAIL[:1], rows=rows)


@get(_OF, guards=_READ)
async def rule_list(
    *,
    integration_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
    alert: FromQuery[UUID | None] = None,
) -> Template:
    """An integration's rules in their order; with `alert` also how that alert would do with them now."""
    async with database.read(actor.scope) as session:
        facts = None if alert is None else await RuleService(session, actor.scope).facts_of(alert)
        return await _list_page(
            _Desk(session, actor.scope, secrets, frame), integration_id, Form(_typed(facts)), facts
        )


@post(f"{_OF}/test", guards=_READ, status_code=200)
async def rule_test(
    *,
    request: Request[Actor, Any, Any],
    integration_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """How an alert that was typed would do with the rules. Nothing is changed, nobody is told."""
    form = await Form.read(request)
    facts = None
    try:
        facts = rule_forms.facts_of(form)
    except InvalidInput as refused:
        form.refuse_named(refused)
    async with database.read(actor.scope) as session:
        return await _list_page(_Desk(session, actor.scope, secrets, frame), integration_id, form, facts)


@get(f"{_OF}/new", guards=_UPDATE)
async def rule_new(
    integration_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """The form for another rule."""
    async with database.read(actor.scope) as session:
        desk = _Desk(session, actor.scope, secrets, frame)
        return await _form_page(desk, integration_id, None, rule_forms.form_of(None))


@post(f"{_OF}/new", guards=_UPDATE, status_code=200)
async def rule_create(
    *,
    request: Request[Actor, Any, Any],
    integration_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Add a rule behind the others."""
    form = await Form.read(request)
    try:
        draft = rule_forms.draft_of(form)
        async with database.write(actor.scope) as session:
            rule = await RuleService(session, actor.scope).add(integration_id, draft)
    except InvalidInput as refused:
        form.refuse_named(refused)
        async with database.read(actor.scope) as session:
            return await _form_page(_Desk(session, actor.scope, secrets, frame), integration_id, None, form)
    return go(request, list_path(integration_id), Toast(f"{rule.name} added as rule {rule.position}."))


@get(_ONE, guards=_READ)
async def rule_page(
    rule_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Template:
    """One rule."""
    async with database.read(actor.scope) as session:
        rule = await RuleService(session, actor.scope).get(rule_id)
        form = rule_forms.form_of(rule)
        return await _form_page(_Desk(session, actor.scope, secrets, frame), rule.integration_id, rule, form)


@post(_ONE, guards=_UPDATE, status_code=200)
async def rule_update(
    *,
    request: Request[Actor, Any, Any],
    rule_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    secrets: NamedDependency[SecretBox],
    frame: NamedDependency[Frame],
) -> Response[Any]:
    """Change a rule."""
    form = await Form.read(request)
    try:
        draft = rule_forms.draft_of(form)
        async with database.write(actor.scope) as session:
            rule = await RuleService(session, actor.scope).update(rule_id, draft)
    except InvalidInput as refused:
        form.refuse_named(refused)
        async with database.read(actor.scope) as session:
            known = await RuleService(session, actor.scope).get(rule_id)
            return await _form_page(
                _Desk(session, actor.scope, secrets, frame), known.integration_id, known, form
            )
    return go(request, list_path(rule.integration_id), Toast(f"{rule.name} saved."))


@post(f"{_ONE}/move", guards=_UPDATE, status_code=303)
async def rule_move(
    request: Request[Actor, Any, Any],
    rule_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redirect:
    """Let a rule change places with its neighbour."""
    form = await Form.read(request)
    async with database.write(actor.scope) as session:
        rule = await RuleService(session, actor.scope).move(rule_id, up=form.text("to") == "up")
    return go(request, list_path(rule.integration_id), Toast(f"{rule.name} is rule {rule.position} now."))


@post(f"{_ONE}/switch", guards=_UPDATE, status_code=303)
async def rule_switch(
    request: Request[Actor, Any, Any],
    rule_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redirect:
    """Switch a rule on or off."""
    form = await Form.read(request)
    async with database.write(actor.scope) as session:
        service = RuleService(session, actor.scope)
        rule = await service.activate(rule_id, is_active=form.text("to") == "on")
    word = "on" if rule.is_active else "off"
    return go(request, list_path(rule.integration_id), Toast(f"{rule.name} switched {word}."))


@get(f"{_ONE}/remove", guards=_UPDATE)
async def ask_remove(
    rule_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
    frame: NamedDependency[Frame],
) -> Template:
    """The question before a rule is removed, for browsers without scripts."""
    async with database.read(actor.scope) as session:
        rule = await RuleService(session, actor.scope).get(rule_id)
    trail = [*_TRAIL, (rule.name, f"{PATH}/{rule_id}")]
    return frame.page("rules/remove.html", title="Remove", place="settings", trail=trail, rule=rule)


@post(f"{_ONE}/remove", guards=_UPDATE, status_code=303)
async def rule_remove(
    request: Request[Actor, Any, Any],
    rule_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    database: NamedDependency[Database],
) -> Redirect:
    """Remove a rule."""
    async with database.write(actor.scope) as session:
        rule = await RuleService(session, actor.scope).remove(rule_id)
    return go(request, list_path(rule.integration_id), Toast(f"{rule.name} removed."))


ROUTES: list[BaseRouteHandler] = [
    rule_index,
    rule_list,
    rule_test,
    rule_new,
    rule_create,
    rule_page,
    rule_update,
    rule_move,
    rule_switch,
    ask_remove,
    rule_remove,
]


def list_path(integration_id: UUID) -> str:
    """The address of an integration's rules."""
    return f"{PATH}/integrations/{integration_id}"


def rows_of(rules: Sequence[RuleView], names: _Names, trials: Sequence[Trial] = ()) -> Sequence[Row]:
    """Rules as a list shows them."""
    targets = {**names.channels, **names.subscriptions}
    tried = {trial.rule.rule_id: trial for trial in trials}
    return [
        Row(
            rule,
            conditions_text(rule.conditions, names.organizations, names.clients),
            action_text(rule, targets),
            any(target not in targets for target in rule.targets),
            tried.get(rule.rule_id),
            [CONDITION_NAMES[name] for name in tried[rule.rule_id].unmet] if rule.rule_id in tried else (),
        )
        for rule in rules
    ]


async def names_in(session: AsyncSession, scope: TenantScope, integration_id: UUID) -> _Names:
    """What rules of an integration can name."""
    mapped = await MappingService(session, scope).list(integration_id)
    return _Names(
        {each.external_organization_id: each.external_organization_name for each in mapped},
        dict(await ClientService(session, scope).search()),
        await channel_names(session, scope),
        await subscription_names(session, scope),
    )


async def _list_page(
    desk: _Desk,
    integration_id: UUID,
    form: Form,
    facts: AlertFacts | None,
) -> Template:
    integration = await IntegrationService(desk.session, desk.scope, desk.secrets).get(integration_id)
    service = RuleService(desk.session, desk.scope)
    rules = await service.list(integration_id)
    trials = () if facts is None else await service.explain(integration_id, facts)
    names = await names_in(desk.session, desk.scope, integration_id)
    return desk.frame.page(
        "rules/list.html",
        title=integration.name,
        place="settings",
        trail=_TRAIL,
        status_code=422 if form.errors else 200,
        integration=integration,
        rows=rows_of(rules, names, trials),
        path=list_path(integration_id),
        form=form,
        tested=facts is not None,
        decided=next((trial.rule for trial in trials if trial.decides), None),
        severities=list(words.SEVERITIES.items()),
        types=list(words.TYPES.items()),
        organizations=[("", "Any"), *names.organizations.items()],
    )


async def _form_page(
    desk: _Desk,
    integration_id: UUID,
    rule: RuleView | None,
    form: Form,
) -> Template:
    integration = await IntegrationService(desk.session, desk.scope, desk.secrets).get(integration_id)
    names = await names_in(desk.session, desk.scope, integration_id)
    path = list_path(integration_id)
    return desk.frame.page(
        "rules/form.html",
        title="Add rule" if rule is None else rule.name,
        place="settings",
        trail=[*_TRAIL, (integration.name, path)],
        status_code=422 if form.errors else 200,
        integration=integration,
        rule=rule,
        form=form,
        action=f"{path}/new" if rule is None else f"{PATH}/{rule.rule_id}",
        back=path,
        actions=rule_forms.action_choices(form),
        severities=rule_forms.severity_choices(form),
        types=rule_forms.type_choices(form),
        organizations=rule_forms.named_choices(names.organizations, form, ["organizations"]),
        clients=rule_forms.named_choices(names.clients, form, ["clients"]),
        channels=rule_forms.named_choices(names.channels, form, ["targets", "channels"]),
        subscriptions=rule_forms.named_choices(names.subscriptions, form, ["targets", "subscriptions"]),
    )


def _typed(facts: AlertFacts | None) -> Mapping[str, str]:
    """The tester's form, filled with an alert."""
    if facts is None:
        return {"severity": AlertSeverity.CRITICAL.value, "type": AlertType.CHECK.value}
    return {
        "severity": facts.severity.value,
        "type": facts.alert_type.value,
        "organization": facts.organization_id or "",
        "client": "" if facts.client_id is None else str(facts.client_id),
        "device": facts.device_name or "",
        "message": facts.message or "",
    }
