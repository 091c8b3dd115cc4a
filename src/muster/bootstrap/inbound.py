"""What comes in from providers' servers, bound together: the receiver, its jobs, its upkeep and commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import typer
from litestar.handlers import BaseRouteHandler

from muster.accounts.permissions import Permission
from muster.db import Database
from muster.encryption import SecretBox
from muster.inbound_webhooks import jobs, upkeep
from muster.inbound_webhooks.commands import receipt_commands, webhook_commands
from muster.inbound_webhooks.gauges import gauges
from muster.inbound_webhooks.provisioning import api as setup_api
from muster.inbound_webhooks.provisioning import commands as setup_commands
from muster.inbound_webhooks.provisioning import jobs as setup_jobs
from muster.inbound_webhooks.provisioning import pages as setup_pages
from muster.inbound_webhooks.provisioning.parts import setup_part
from muster.inbound_webhooks.provisioning.service import WebhookSetup
from muster.inbound_webhooks.receiver import WebhookReceiver
from muster.inbound_webhooks.sweep import ReceiptSweeper
from muster.integrations.connections import Connector
from muster.jobs.sweeper import Sweep
from muster.jobs.types import Handler
from muster.settings import Settings
from muster.web.frame import Slot

PAGES: Sequence[BaseRouteHandler] = setup_pages.ROUTES
API: Sequence[BaseRouteHandler] = setup_api.ROUTES
GAUGES = gauges
UPKEEP = upkeep
setup_commands.add_to(webhook_commands)


def command_groups() -> Sequence[typer.Typer]:
    """The commands of this side."""
    return receipt_commands, webhook_commands


def webhook_setup(
    database: Database, secrets: SecretBox, connector: Connector, settings: Settings
) -> WebhookSetup:
    """What sets webhooks up on their servers."""
    return WebhookSetup(database, secrets, connector, settings.public_url)


def job_handlers(
    database: Database, secrets: SecretBox, connector: Connector, settings: Settings
) -> Mapping[str, Handler]:
    """The handlers by kind of job."""
    setup = webhook_setup(database, secrets, connector, settings)
    return {**jobs.job_handlers(database, secrets, connector), **setup_jobs.job_handlers(setup)}


def dependencies(
    database: Database, secrets: SecretBox, connector: Connector, settings: Settings
) -> Mapping[str, object]:
    """What its routes ask for by name."""
    return {
        "webhook_setup": webhook_setup(database, secrets, connector, settings),
        "public_url": settings.public_url,
    }


def webhook_slots(
    database: Database, secrets: SecretBox, connector: Connector, settings: Settings
) -> Sequence[Slot]:
    """What stands in the section Webhook, beside how it is set up by hand."""
    setup = webhook_setup(database, secrets, connector, settings)
    part = setup_part(database, secrets, setup)
    return [Slot(key="setup", label="Set-up", permission=Permission.SETTINGS_READ, part=part)]


def receiver(database: Database, secrets: SecretBox, asked: Callable[[], None]) -> WebhookReceiver:
    """What keeps the webhooks that a process receives; `asked` is called when there are some to process."""
    return WebhookReceiver(database, secrets, asked=asked)


def sweeps(
    database: Database, secrets: SecretBox, settings: Settings, asked: Callable[[], None]
) -> Sequence[Sweep]:
    """What looks after receipts that wait or are old; `asked` is called when there are jobs for them."""
    retention = timedelta(days=settings.receipt_retention_days)
    receipts = ReceiptSweeper(database, secrets, retention, asked=asked)
    return (
        Sweep("receipts", receipts.look),
        Sweep("old_receipts", receipts.clear, every=timedelta(hours=1)),
    )
