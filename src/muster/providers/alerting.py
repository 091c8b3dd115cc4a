"""What a provider offers about alerts: the normalized record, reading and writing them, and its webhook.

Part of the contract, in a file of its own. A connection of a provider with the capability `alerts` is an
AlertConnection; a provider with the capability `webhook` is a WebhookProvider.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol, runtime_checkable

import msgspec

from muster.providers.contract import RejectedRow


class AlertSeverity(StrEnum):
    """How bad it is, in our words, the worst first."""

    CRITICAL = "critical"
    MAJOR = "major"
    MODERATE = "moderate"
    MINOR = "minor"
    NONE = "none"


class AlertType(StrEnum):
    """What raised it. `unknown`: a webhook that did not say, and whose alert was not read yet."""

    AVAILABILITY = "availability"
    CHECK = "check"
    TASK = "task"
    CUSTOM = "custom"
    UNKNOWN = "unknown"


class AlertRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as the server describes it.

    `cause` names the check or task behind it, as the server numbers them ("check:12"); with the device and
    the type it tells one problem from another. `device_id` is None for an alert without an agent.
    `opened_at` is when the server raised it. `hidden`: the server does not show it on its dashboard.
    `delivered_at` is when the server's own webhook for it ran (None: not yet, or never), `delivery_code` what
    it was answered; `resolve_delivered_at` likewise for the webhook of its end. `raw` is the whole item.
    """

    external_id: str
    device_id: str | None
    device_name: str | None
    organization_name: str | None
    site_name: str | None
    alert_type: AlertType
    cause: str | None
    severity: AlertSeverity
    original_severity: str | None
    message: str | None
    opened_at: datetime
    resolved: bool
    resolved_at: datetime | None
    snoozed: bool
    snoozed_until: datetime | None
    hidden: bool
    delivered_at: datetime | None
    delivery_code: int | None
    resolve_delivered_at: datetime | None
    raw: dict[str, Any]


class AlertSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What one question for alerts was answered with."""

    records: tuple[AlertRecord, ...]
    rejected: tuple[RejectedRow, ...]
    answered_at: datetime


@runtime_checkable
class AlertConnection(Protocol):
    """The verbs on alerts of an open connection. Each may raise a ProviderError."""

    async def open_alerts(self) -> AlertSnapshot:
        """Every alert that is not resolved, snoozed and hidden ones included."""

    async def recent_alerts(self, days: int) -> AlertSnapshot:
        """Every alert raised in the last `days` (1 to 3650), resolved ones included."""

    async def alert(self, external_id: str) -> AlertRecord:
        """One alert. ProviderNotFound when the server has none of that id (any more),
        ProviderPermissionError when these credentials may not see it: that says nothing of its state.
        """

    async def resolve_alert(self, external_id: str) -> None:
        """Resolve it on the server; of one that is resolved nothing changes but its time."""

    async def snooze_alert(self, external_id: str, days: int) -> None:
        """Snooze it for so many days (1 to 3650) from now."""

    async def unsnooze_alert(self, external_id: str) -> None:
        """End its snooze."""


# --- the webhook ----------------------------------------------------------------------------------------


class WebhookMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What could be made of a webhook's body.

    `event` is None when the body does not say it (a placeholder left in it is no event). `problem` says why
    the body cannot be used, as a stable word with `explanation` beside it; None when it can. `salvaged`: the
    body was broken, and these values were picked out of it. `test`: sent by the server's test button, about
    no alert. Values that are no such thing ("None", an empty text) are None.
    """

    device_id: str | None = None
    external_alert_id: str | None = None
    event: Literal["trigger", "resolve"] | None = None
    alert_type: AlertType = AlertType.UNKNOWN
    severity: AlertSeverity | None = None
    original_severity: str | None = None
    message: str | None = None
    opened_at: datetime | None = None
    organization_id: str | None = None
    site_id: str | None = None
    device_name: str | None = None
    salvaged: bool = False
    test: bool = False
    problem: str | None = None
    explanation: str | None = None


class WebhookTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A body to paste into the server's settings. `key` is trigger or resolve; `with_message` for the form
    that carries free text.
    """

    key: Literal["trigger", "resolve"]
    label: str
    body: str
    with_message: bool = False


class WebhookFormat(msgspec.Struct, frozen=True, kw_only=True):
    """How the provider's webhook is set up by hand: the header that carries the secret, and the bodies."""

    header: str
    templates: tuple[WebhookTemplate, ...]


@runtime_checkable
class WebhookProvider(Protocol):
    """A provider whose server calls us."""

    webhook: WebhookFormat

    def parse_webhook(self, body: bytes) -> WebhookMessage:
        """What a body says, however broken it is; never raises. Pure."""


class WebhookTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how the server shall call us. `label` is what everything that is made is named with: no other
    target of the same server has it, and it never changes. `secret` is in clear: it lives in memory only.
    """

    url: str
    secret: str
    label: str

    def __repr__(self) -> str:
        return f"WebhookTarget({self.url!r}, {self.label!r})"


class WebhookObjects(msgspec.Struct, frozen=True, kw_only=True):
    """What Muster has made on the server for its webhook, by the server's own ids; None where nothing is.
    `previous` is what stood in its place before (the id of the template that was the default), to be put
    back when it is removed.
    """

    trigger_action: str | None = None
    resolve_action: str | None = None
    template: str | None = None
    previous: str | None = None


class WebhookStep(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that setting up, repairing or removing would do. `kind` is a stable word; `replaces` names
    something of the server's owner that it would take the place of: then a person is asked.
    """

    kind: str
    what: str
    detail: str | None = None
    replaces: str | None = None


class WebhookPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is there and what would be done; no steps: all is as it should be. `lacking` names the server's
    permissions that the steps need and the credentials do not have.
    """

    objects: WebhookObjects
    steps: tuple[WebhookStep, ...]
    lacking: tuple[str, ...] = ()


class WebhookTest(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the server's own test: whether it says that it was answered with success, and what it
    tells of it.
    """

    ok: bool
    answer: str


class UncoveredDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device whose alerts cannot reach us, and why: a stable word and a sentence."""

    device_id: str
    reason: str
    explanation: str


class WebhookCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the devices that the credentials may see can raise alerts that reach us, and who cannot.
    `notes` say what holds for all of them, such as a severity of which the server tells nobody.
    """

    devices: int
    covered: int
    uncovered: tuple[UncoveredDevice, ...]
    notes: tuple[str, ...]


@runtime_checkable
class WebhookConnection(Protocol):
    """Setting the webhook up on the server, over an open connection. Each may raise a ProviderError;
    ProviderPermissionError names what the credentials lack.
    """

    async def plan_webhook(self, target: WebhookTarget, objects: WebhookObjects) -> WebhookPlan:
        """Compare the server with what the target needs; nothing is changed. The plan's objects are what
        set-up begins with, `previous` included: kept before it, they outlive a crash in the middle of it.
        """

    async def set_up_webhook(
        self, target: WebhookTarget, objects: WebhookObjects, *, replace: bool = False
    ) -> WebhookObjects:
        """Make or mend what the target needs; what is right already is left alone, and what an earlier try
        left there under the target's label is taken over. Unless `replace`, nothing that the server's owner
        made is taken the place of: ProviderConfigurationError `would_replace` then.
        """

    async def plan_webhook_removal(self, label: str, objects: WebhookObjects) -> Sequence[WebhookStep]:
        """What removing would do; nothing is changed. `label` is the target's."""

    async def remove_webhook(self, label: str, objects: WebhookObjects) -> None:
        """Take away what Muster made under the label, and nothing else; what is gone already is no error."""

    async def test_webhook(self, target: WebhookTarget, objects: WebhookObjects) -> WebhookTest:
        """Have the server send its own test to us now."""

    async def webhook_coverage(self, objects: WebhookObjects) -> WebhookCoverage:
        """Which devices' alerts cannot reach us, and why."""
