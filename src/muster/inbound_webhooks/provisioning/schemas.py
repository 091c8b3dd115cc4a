"""Shapes of a webhook's set-up as others see it. No secret is in any of them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from muster.providers.alerting import WebhookObjects, WebhookStep


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is done on the server. `replaces` names something of its owner that it takes the place
    of: that is done only when a person agreed.
    """

    kind: str
    what: str
    detail: str | None = None
    replaces: str | None = None


class SetupProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Why the server could not be looked at or changed."""

    code: str
    message: str
    remedy: str | None = None


class SetupDrift(msgspec.Struct, frozen=True, kw_only=True):
    """What the last look at the server found: the steps that would make it right, or why it failed."""

    steps: list[StepView] = []
    problem: SetupProblem | None = None


class SetupState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether Muster has set the webhook up on the server, and how that stands.

    `target_url` is the address that the server calls, null when Muster set nothing up. `objects` are the
    server's own ids. `drift` is what the look at `checked_at` found; empty when all is as it was made.
    `rotated_since`: there is a new secret since that look, and the server has the old one.
    """

    integration_id: UUID
    is_set_up: bool = False
    target_url: str | None = None
    objects: WebhookObjects = msgspec.field(default_factory=WebhookObjects)
    drift: SetupDrift = msgspec.field(default_factory=SetupDrift)
    checked_at: datetime | None = None
    rotated_since: bool = False


class SetupPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What setting up or repairing would do now. `replaces` names what of the server's owner would be taken
    the place of; `lacking` the permissions on the server that the steps need and the credentials do not have;
    `notes` what to know about the address.
    """

    integration_id: UUID
    target_url: str
    steps: list[StepView]
    replaces: list[str]
    lacking: list[str]
    notes: list[str]


class SetUpRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`replace`: the plan's `replaces` may be taken the place of."""

    replace: bool = False


class SetupTest(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the server's own test: whether it arrived here, as which receipt, and what the server
    says that it was answered.
    """

    arrived: bool
    receipt_id: UUID | None
    answer: str


class RemovalPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What removing would do now."""

    integration_id: UUID
    steps: list[StepView]


class UncoveredView(msgspec.Struct, frozen=True, kw_only=True):
    """A device whose alerts cannot reach Muster. `asset_id` and `name` are null before it is synced."""

    device_id: str
    asset_id: UUID | None
    name: str | None
    explanation: str


class CoverageGroup(msgspec.Struct, frozen=True, kw_only=True):
    """The devices that one reason keeps from it: how many, and the first of them."""

    reason: str
    count: int
    devices: list[UncoveredView]


class CoverageView(msgspec.Struct, frozen=True, kw_only=True):
    """How many devices' alerts can reach Muster, and of which not; `notes` hold for all of them."""

    integration_id: UUID
    devices: int
    covered: int
    groups: list[CoverageGroup]
    notes: list[str]


def step_view(step: WebhookStep) -> StepView:
    """A provider's step as others see it."""
    return StepView(kind=step.kind, what=step.what, detail=step.detail, replaces=step.replaces)
