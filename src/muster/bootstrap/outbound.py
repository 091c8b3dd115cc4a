"""What goes out to others, bound together: rules that name targets, channels, subscriptions to webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import typer
from litestar.handlers import BaseRouteHandler
from sqlalchemy.ext.asyncio import AsyncSession

from muster.accounts.permissions import Permission
from muster.alerts import rule_api, rule_pages, rule_parts
from muster.alerts.notices import jobs as notice_jobs
from muster.alerts.notices import upkeep as notice_upkeep
from muster.alerts.rule_commands import rule_commands
from muster.alerts.rule_service import RuleService
from muster.db import Database
from muster.db.sealed import SealedColumn
from muster.db.types import table_of
from muster.egress import Egress, EgressPolicy
from muster.encryption import SecretBox
from muster.events.types import Subscriber
from muster.jobs.sweeper import Sweep
from muster.jobs.types import Handler
from muster.notifications import api as channel_api
from muster.notifications import pages as channel_pages
from muster.notifications import service as channel_service
from muster.notifications.commands import channel_commands
from muster.notifications.models import Channel
from muster.notifications.notifier import Notifier
from muster.notifications.types import TargetUsers
from muster.outbound_webhooks import api as subscription_api
from muster.outbound_webhooks import jobs as delivery_jobs
from muster.outbound_webhooks import log_pages
from muster.outbound_webhooks import pages as subscription_pages
from muster.outbound_webhooks import service as subscription_service
from muster.outbound_webhooks import subscribers as delivery_subscribers
from muster.outbound_webhooks import upkeep as delivery_upkeep
from muster.outbound_webhooks.commands import subscription_commands
from muster.outbound_webhooks.courier import Courier
from muster.outbound_webhooks.models import WebhookSubscription
from muster.settings import Settings
from muster.tenancy import TenantScope
from muster.web.frame import Slot

PAGES: Sequence[BaseRouteHandler] = (
    *rule_pages.ROUTES,
    *channel_pages.ROUTES,
    *subscription_pages.ROUTES,
    *log_pages.ROUTES,
)
API: Sequence[BaseRouteHandler] = (*rule_api.ROUTES, *channel_api.ROUTES, *subscription_api.ROUTES)

# Seconds that one webhook may take, all in all (Standard Webhooks advises 15 to 30).
_WEBHOOK_SECONDS = 20.0
_PER_SERVER = 4


def policy(settings: Settings) -> EgressPolicy:
    """What may be reached at addresses that tenants type in: public ones, and the operator's own networks
    where he says so.
    """
    return EgressPolicy(
        allowed_networks=settings.outbound_allow,
        allow_private=False,
        ca_file=settings.egress_ca_file,
        connect_timeout=settings.connect_timeout,
        read_timeout=min(settings.read_timeout, _WEBHOOK_SECONDS),
        call_timeout=_WEBHOOK_SECONDS,
        per_server=_PER_SERVER,
    )


def notifier(settings: Settings) -> Notifier:
    """What sends to channels."""
    return Notifier(policy(settings))


def courier(settings: Settings) -> Courier:
    """What sends webhooks."""
    rules = policy(settings)
    return Courier(Egress(rules), Egress(replace(rules, allow_public=False)))


def job_handlers(database: Database, secrets: SecretBox, settings: Settings) -> Mapping[str, Handler]:
    """The jobs that send."""
    return {
        **notice_jobs.job_handlers(database, secrets, notifier(settings), settings.public_url),
        **delivery_jobs.job_handlers(database, secrets, courier(settings)),
    }


def sweeps(database: Database, settings: Settings, asked: Callable[[], None]) -> Sequence[Sweep]:
    """What looks after messages and webhooks that wait; `asked` is called when there are jobs for them."""

    async def notices() -> int:
        return _told(await notice_upkeep.ask_for_forgotten(database))

    async def deliveries() -> int:
        return _told(await delivery_upkeep.ask_for_forgotten(database))

    async def old() -> int:
        return await delivery_upkeep.delete_old(database, settings.delivery_retention_days)

    def _told(count: int) -> int:
        if count:
            asked()
        return count

    return (
        Sweep("notices", notices),
        Sweep("deliveries", deliveries),
        Sweep("old_deliveries", old, every=timedelta(hours=1)),
    )


def subscribers() -> Sequence[Subscriber]:
    """Who of these rooms hears of events."""
    return delivery_subscribers.subscribers()


async def target_users(session: AsyncSession, scope: TenantScope, target_id: UUID) -> Sequence[str]:
    """The rules that have a channel or a subscription as target."""
    return await RuleService(session, scope).using(target_id)


def command_groups() -> Sequence[typer.Typer]:
    """The commands of these rooms."""
    return (
        rule_commands(),
        channel_commands(notifier, target_users),
        subscription_commands(target_users),
    )


def dependencies(settings: Settings) -> Mapping[str, object]:
    """What routes of these rooms ask for by name."""
    return {
        "sender": notifier(settings),
        "target_users": TargetUsers(target_users),
        "outbound_networks": tuple(str(network) for network in settings.outbound_allow),
    }


def panel_slots(database: Database) -> Sequence[Slot]:
    """What these rooms show in the panel of an integration."""
    return (
        Slot(
            key="rules",
            label="Alert rules",
            permission=Permission.SETTINGS_READ,
            part=rule_parts.panel(database),
        ),
    )


def sealed_columns() -> Sequence[SealedColumn]:
    """The columns of these rooms that hold sealed secrets."""
    subscriptions = table_of(WebhookSubscription)
    return (
        SealedColumn(table_of(Channel), "sealed_url", ("channel_id",), _channel_name),
        SealedColumn(subscriptions, "sealed_secret", ("subscription_id",), _subscription_name),
        SealedColumn(subscriptions, "sealed_previous_secret", ("subscription_id",), _subscription_name),
    )


def _channel_name(row: Mapping[str, Any]) -> str:
    return channel_service.sealed_name(row["channel_id"])


def _subscription_name(row: Mapping[str, Any]) -> str:
    return subscription_service.sealed_name(row["subscription_id"])
