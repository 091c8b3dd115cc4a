"""How subscriptions and deliveries read for a person. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from muster.events.types import EventType
from muster.outbound_webhooks.delivery_service import TEST
from muster.outbound_webhooks.schemas import SubscriptionView
from muster.outbound_webhooks.types import DeliveryState, DisabledReason

EVENT_NAMES: Mapping[str, str] = {
    EventType.ALERT_TRIGGERED: "An alert was raised",
    EventType.ALERT_UPDATED: "An alert changed",
    EventType.ALERT_RESOLVED: "An alert was resolved",
    EventType.DEVICE_CREATED: "A device became an asset",
    EventType.DEVICE_UPDATED: "A device changed",
    EventType.DEVICE_MISSING: "A device is missing",
    EventType.AGENT_STATUS_CHANGED: "An agent's status changed",
    EventType.SOFTWARE_INSTALLED: "Software was installed",
    EventType.SOFTWARE_UPDATED: "Software was updated",
    EventType.SOFTWARE_REMOVED: "Software was removed",
    EventType.SYNC_STARTED: "A sync began",
    EventType.SYNC_COMPLETED: "A sync ended",
    EventType.SYNC_FAILED: "A sync failed",
    EventType.INTEGRATION_CONNECTED: "An integration was connected",
    EventType.INTEGRATION_DISCONNECTED: "An integration was disconnected",
    EventType.INTEGRATION_NEEDS_ATTENTION: "An integration waits for a person",
    EventType.INTEGRATION_FAILING: "An integration began to fail",
    EventType.INTEGRATION_RECOVERED: "An integration works again",
    EventType.WEBHOOK_RECEIVED: "A webhook came in from a server",
    TEST: "Test",
}
DELIVERY_WORDS: Mapping[DeliveryState, tuple[str, str, str]] = {
    DeliveryState.WAITING: ("Waits", "warning", "clock"),
    DeliveryState.DELIVERED: ("Delivered", "online", "check"),
    DeliveryState.FAILED: ("Given up", "danger", "alert-circle"),
    DeliveryState.DROPPED: ("Dropped", "offline", "circle-minus"),
}


class State(NamedTuple):
    """How a subscription is, in a word, with what to do about it."""

    word: str
    tone: str
    icon: str
    explanation: str | None = None
    remedy: str | None = None


def event_name(event_type: str) -> str:
    """What an event is about."""
    return EVENT_NAMES.get(event_type, event_type)


def state_of(view: SubscriptionView) -> State:
    """How a subscription is."""
    if view.disabled_reason == DisabledReason.FAILING:
        return State(
            "Switched off",
            "danger",
            "alert-circle",
            "Muster switched it off: for five days no webhook got through.",
            "Mend the other side, switch it on, and send again what failed.",
        )
    if view.disabled_reason == DisabledReason.GONE:
        return State(
            "Switched off",
            "danger",
            "alert-circle",
            "Muster switched it off: the other side answered 410, which says that it wants no more webhooks.",
            "Change the address if it moved, then switch it on.",
        )
    if view.disabled_at is not None:
        return State("Switched off", "offline", "circle-minus")
    if view.failing_since is not None:
        return State(
            "Failing",
            "warning",
            "alert-triangle",
            "The last webhooks did not get through; the log below says why.",
            "Muster tries each again for a day. After five days without a success it switches this off.",
        )
    if view.last_success_at is not None:
        return State("Works", "online", "check")
    return State("Not tried yet", "plain", "clock")


def events_text(view: SubscriptionView) -> str:
    """Which events it gets."""
    if not view.event_types:
        return "Alerts that a rule sends"
    names = [event_name(each) for each in view.event_types]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def event_choices(chosen: Sequence[str]) -> Sequence[tuple[str, str, bool]]:
    """Every event with its name, and whether it is chosen."""
    return [(value, EVENT_NAMES[value], value in chosen) for value in EVENT_NAMES if value != TEST]
