"""Values that schedules are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from muster.integrations.schemas import IntegrationView
from muster.providers.contract import Capability, ProviderErrorInfo
from muster.tenancy import TenantScope

# What asks for syncs, as their runs say it, without a person who waits for the result.
BY_SCHEDULE, BY_ALERT = "schedule", "webhook"
BY_ITSELF = frozenset({BY_SCHEDULE, BY_ALERT})


@dataclass(frozen=True, slots=True)
class JobOrder:
    """The kind of job that is asked for, and its payload beside the integration's id. `parts` sets it apart
    from other jobs of its kind: see dedup_key.
    """

    kind: str
    payload: Mapping[str, str | int] = field(default_factory=dict)
    parts: tuple[str, ...] = ()

    def key(self, integration_id: UUID) -> str:
        """What makes two requests for this job the same."""
        return dedup_key(self.kind, integration_id, *self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleKind:
    """Something that is done again and again for each integration: every `minutes` by default, `least` to
    `most` by choice. `covers` names kinds whose work this one does as well. `needs` is what a provider has
    to be able to do for it. `apart`: it takes a permission of its own, and lacking that stops it alone.
    """

    name: str
    title: str
    minutes: int
    least: int
    most: int
    order: JobOrder
    covers: frozenset[str] = frozenset()
    needs: Capability | None = None
    apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """How a sync of an integration ended, or a check of its connection (without type and mode). `error` is
    None for a success.
    """

    integration_id: UUID
    sync_type: str = ""
    mode: str = ""
    error: ProviderErrorInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A schedule whose moment has come. `next_run_at` is that moment: what a tick's claim compares with."""

    scope: TenantScope
    integration_id: UUID
    kind: str
    minutes: int
    next_run_at: datetime
    paused_code: str | None


def dedup_key(kind: str, integration_id: UUID, *parts: str) -> str:
    """What makes two requests for a job the same: its kind, its integration, and such as the mode."""
    return ":".join([kind, str(integration_id), *parts])


def lane_of(integration: IntegrationView) -> str:
    """The server that an integration's jobs talk to: how many do so at once is bounded over all workers."""
    return urlsplit(integration.instance_url).netloc.lower()
