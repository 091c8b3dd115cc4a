"""A webhook's set-up on its server: the verbs. No transaction is held while anything travels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from muster import clock
from muster.assets.listing import AssetListing
from muster.audit.service import AuditService
from muster.db import Database
from muster.encryption import SecretBox
from muster.errors import Conflict, NotFound
from muster.inbound_webhooks.provisioning import rules
from muster.inbound_webhooks.provisioning.schemas import (
    CoverageView,
    RemovalPlan,
    SetupDrift,
    SetupPlan,
    SetupState,
    SetupTest,
    step_view,
)
from muster.inbound_webhooks.receipts import ReceiptService
from muster.inbound_webhooks.repository import EndpointRepository
from muster.inbound_webhooks.service import WebhookService, webhook_provider
from muster.integrations.connections import Connector
from muster.integrations.schemas import IntegrationView
from muster.integrations.service import IntegrationService
from muster.mappings.service import MappingService
from muster.providers.alerting import (
    WebhookConnection,
    WebhookCoverage,
    WebhookObjects,
    WebhookPlan,
    WebhookTarget,
    WebhookTest,
)
from muster.providers.contract import ProviderError
from muster.tenancy import TenantScope


@dataclass(frozen=True, slots=True)
class _Subject:
    """An integration and what is kept of its webhook."""

    scope: TenantScope
    view: IntegrationView
    state: SetupState

    @property
    def label(self) -> str:
        """What everything on the server is named with."""
        return rules.label_of(self.view.integration_id)


class WebhookSetup:
    """Sets webhooks up on their servers.

    The server is told to call an `address` that a person gives, as in https://muster.example.com; else the
    operator's `public_url`; else what it was told before; else what the person reached Muster by.
    """

    def __init__(
        self, database: Database, secrets: SecretBox, connector: Connector, public_url: str | None
    ) -> None:
        self._database = database
        self._secrets = secrets
        self._connector = connector
        self._public_url = public_url

    # --- looking ------------------------------------------------------------------------------------------

    async def state(self, scope: TenantScope, reference: str | UUID) -> SetupState:
        """How the set-up stood at the last look; nothing is asked. NotFound for the integration, and for a
        provider whose servers call nobody.
        """
        return (await self._subject(scope, reference)).state

    async def plan(
        self,
        scope: TenantScope,
        reference: str | UUID,
        *,
        address: str | None = None,
        reached_by: str | None = None,
    ) -> SetupPlan:
        """What setting up or repairing would do."""
        subject = await self._subject(scope, reference)
        target = await self._target(subject, address, reached_by)
        async with self._open(subject) as connection:
            found = await connection.plan_webhook(target, subject.state.objects)
        return rules.plan_view(subject.view.integration_id, target, found)

    async def check(self, scope: TenantScope, reference: str | UUID) -> SetupState:
        """Compare the server with what was made there, and keep what differs. What Muster did not set up is
        not looked at.
        """
        subject = await self._subject(scope, reference)
        kept = subject.state.objects
        if not subject.state.is_set_up:
            return subject.state
        try:
            target = await self._target(subject)
            async with self._open(subject) as connection:
                found = await connection.plan_webhook(target, kept)
        except Conflict as refused:
            return await self._keep(subject, kept, subject.state.target_url, rules.failed(refused))
        # What our template took the place of is known best from when it did.
        there = msgspec.structs.replace(found.objects, previous=kept.previous)
        return await self._keep(subject, there, subject.state.target_url, rules.drift_of(found.steps))

    async def plan_removal(self, scope: TenantScope, reference: str | UUID) -> RemovalPlan:
        """What removing would do."""
        subject = await self._subject(scope, reference)
        async with self._open(subject) as connection:
            steps = await connection.plan_webhook_removal(subject.label, subject.state.objects)
        return RemovalPlan(integration_id=subject.view.integration_id, steps=list(map(step_view, steps)))

    async def coverage(self, scope: TenantScope, reference: str | UUID) -> CoverageView:
        """Which devices' alerts cannot reach Muster, and why; read from the server now."""
        subject = await self._subject(scope, reference)
        async with self._open(subject) as connection:
            found = await connection.webhook_coverage(subject.state.objects)
        return await self._coverage_view(subject, found)

    # --- changing -----------------------------------------------------------------------------------------

    async def set_up(
        self,
        scope: TenantScope,
        reference: str | UUID,
        *,
        address: str | None = None,
        reached_by: str | None = None,
        replace: bool = False,
    ) -> SetupState:
        """Make on the server what is not there, mend what differs. On record before it begins.

        Conflict, before anything was changed: `would_replace` unless `replace`, `permission_missing`.
        """
        subject = await self._subject(scope, reference)
        target = await self._target(subject, address, reached_by)
        async with self._open(subject) as connection:
            plan = await connection.plan_webhook(target, subject.state.objects)
            rules.require_permitted(plan)
            rules.require_agreed(plan, agreed=replace)
            if plan.steps:
                await self._begin(subject, target, plan)
            try:
                objects = await connection.set_up_webhook(target, plan.objects, replace=replace)
            except ProviderError as failure:
                await self._interrupted(subject, "webhook.set_up_failed", failure, plan.objects, target.url)
                raise
        return await self._keep(subject, objects, target.url, rules.drift_of(()))

    async def remove(self, scope: TenantScope, reference: str | UUID) -> SetupState:
        """Take away from the server what was made there, and put back what was there before. On record
        before it begins.
        """
        subject = await self._subject(scope, reference)
        objects = subject.state.objects
        async with self._open(subject) as connection:
            steps = await connection.plan_webhook_removal(subject.label, objects)
            if steps:
                await self._record(subject, "webhook.removed", steps=rules.said(steps))
            try:
                await connection.remove_webhook(subject.label, objects)
            except ProviderError as failure:
                url = subject.state.target_url
                await self._interrupted(subject, "webhook.removal_failed", failure, objects, url)
                raise
        return await self._keep(subject, WebhookObjects(), None, None)

    async def test(
        self,
        scope: TenantScope,
        reference: str | UUID,
        *,
        address: str | None = None,
        reached_by: str | None = None,
    ) -> SetupTest:
        """Have the server send its own test now, and look for it among the receipts. On record."""
        subject = await self._subject(scope, reference)
        target = await self._target(subject, address, reached_by)
        await self._record(subject, "webhook.tested", url=target.url)
        async with self._open(subject) as connection:
            sent = await connection.test_webhook(target, subject.state.objects)
        receipt_id = await self._arrived(subject, sent)
        return SetupTest(arrived=receipt_id is not None, receipt_id=receipt_id, answer=sent.answer)

    # --- inside -------------------------------------------------------------------------------------------

    async def _subject(self, scope: TenantScope, reference: str | UUID) -> _Subject:
        async with self._database.read(scope) as session:
            view = await IntegrationService(session, scope, self._secrets).get(reference)
            # NotFound where servers call nobody.
            webhook_provider(view.provider)
            row = await EndpointRepository(session, scope).endpoint(view.integration_id)
        return _Subject(scope, view, rules.state_of(view.integration_id, row))

    async def _target(
        self, subject: _Subject, address: str | None = None, reached_by: str | None = None
    ) -> WebhookTarget:
        """What the server has to call; the secret is made if there is none yet."""
        scope, integration_id = subject.scope, subject.view.integration_id
        async with self._database.write(scope) as session:
            service = WebhookService(session, scope, self._secrets)
            secret = await service.secret(integration_id)
            path = (await service.endpoint(integration_id)).path
        base = address or self._public_url
        if base is None and subject.state.target_url is not None:
            url = subject.state.target_url
        else:
            url = f"{rules.require_address(base or reached_by)}{path}"
        return WebhookTarget(url=url, secret=secret, label=subject.label)

    @asynccontextmanager
    async def _open(self, subject: _Subject) -> AsyncIterator[WebhookConnection]:
        """A connection that can do it; what the server refuses comes out as a Conflict with its code."""
        rules.require_connected(subject.view)
        try:
            async with self._connector.open(subject.scope, subject.view.integration_id) as connection:
                if not isinstance(connection, WebhookConnection):
                    raise NotFound(
                        "Muster cannot set the webhook up on servers of this kind.",
                        remedy="Set it up by hand, with the address, header and bodies that Muster shows.",
                    )
                yield connection
        except ProviderError as failure:
            raise rules.refused(failure) from failure

    async def _begin(self, subject: _Subject, target: WebhookTarget, plan: WebhookPlan) -> None:
        """Keep what set-up begins with, so that a crash in the middle of it forgets nothing."""
        replaced = [step.replaces for step in plan.steps if step.replaces]
        await self._keep(subject, plan.objects, target.url, rules.drift_of(plan.steps))
        said = rules.said(plan.steps)
        await self._record(subject, "webhook.set_up", url=target.url, steps=said, replaced=replaced)

    async def _interrupted(
        self,
        subject: _Subject,
        action: str,
        failure: ProviderError,
        objects: WebhookObjects,
        target_url: str | None,
    ) -> None:
        """Something may have been changed before it failed: a check tells what, a repair goes on."""
        await self._keep(subject, objects, target_url, rules.failed(rules.refused(failure)))
        await self._record(subject, action, code=failure.code, message=failure.message)

    async def _keep(
        self,
        subject: _Subject,
        objects: WebhookObjects,
        target_url: str | None,
        drift: SetupDrift | None,
    ) -> SetupState:
        """Keep what is on the server, and what differs there as of now (None: nothing was looked at)."""
        scope, integration_id = subject.scope, subject.view.integration_id
        async with self._database.write(scope) as session:
            await WebhookService(session, scope, self._secrets).set_objects(
                integration_id,
                objects,
                target_url=target_url,
                drift=None if drift is None else msgspec.to_builtins(drift),
                checked_at=None if drift is None else clock.now(),
            )
        return await self.state(scope, integration_id)

    async def _record(self, subject: _Subject, action: str, **detail: Any) -> None:
        async with self._database.write(subject.scope) as session:
            await AuditService(session, subject.scope).record(
                action,
                "integration",
                subject=subject.view.name,
                subject_id=subject.view.integration_id,
                **detail,
            )

    async def _arrived(self, subject: _Subject, sent: WebhookTest) -> UUID | None:
        """The receipt that the server was answered with, if it is one of this integration."""
        receipt_id = rules.receipt_named(sent.answer) if sent.ok else None
        if receipt_id is None:
            return None
        async with self._database.read(subject.scope) as session:
            try:
                found = await ReceiptService(session, subject.scope, self._secrets).get(receipt_id)
            except NotFound:
                return None
        ours = found.receipt.integration_id == subject.view.integration_id
        return receipt_id if ours else None

    async def _coverage_view(self, subject: _Subject, found: WebhookCoverage) -> CoverageView:
        shown = [device.device_id for device in rules.first_of_each(found.uncovered)]
        scope, integration_id = subject.scope, subject.view.integration_id
        async with self._database.read(scope) as session:
            states = await MappingService(session, scope).device_states(integration_id, shown)
            of_asset = {state.asset_id: state.external_entity_id for state in states}
            rows = await AssetListing(session, scope, self._secrets).some(list(of_asset))
        names = {of_asset[row.asset_id]: (row.asset_id, row.name) for row in rows}
        return CoverageView(
            integration_id=integration_id,
            devices=found.devices,
            covered=found.covered,
            groups=rules.groups(found.uncovered, names),
            notes=list(found.notes),
        )
