"""The organizations of an integration as a person maps them: with clients, contacts and proposals."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from muster.clients.service import ClientService, ContactService
from muster.errors import Conflict
from muster.mappings.matching import Proposal, propose
from muster.mappings.schemas import Acceptance, MappingView, OrganizationRow
from muster.mappings.service import MappingService
from muster.naming import is_found, sort_key
from muster.tenancy import TenantScope


class MappingState(StrEnum):
    """Which organizations are looked at."""

    ALL = "all"
    UNMAPPED = "unmapped"
    MAPPED = "mapped"


class AgentTally(msgspec.Struct, frozen=True, kw_only=True):
    """How many agents the server has, and which of them syncs do not read: those of organizations without
    a client, and of those whose auto-sync is off. Organizations without agents do not count.
    """

    agents: int
    read: int
    unmapped_agents: int
    unmapped_organizations: int
    paused_agents: int
    paused_organizations: int


class OrganizationsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around the list. `counts` and `proposals` are of those that the search finds;
    `agreement` stands for exactly these proposals; `known` counts all organizations there are.
    """

    counts: Mapping[MappingState, int]
    proposals: int
    agreement: str
    tally: AgentTally
    known: int


class OrganizationsPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page of organizations, those that need a client first."""

    rows: Sequence[OrganizationRow]
    total: int
    summary: OrganizationsSummary


class OrganizationListing:
    """Reads the organizations of one tenant with what belongs to them in other rooms."""

    def __init__(self, session: AsyncSession, scope: TenantScope) -> None:
        self._mappings = MappingService(session, scope)
        self._clients = ClientService(session, scope)
        self._contacts = ContactService(session, scope)

    async def page(
        self,
        integration_id: UUID,
        *,
        state: MappingState = MappingState.ALL,
        search: str = "",
        limit: int,
        offset: int = 0,
    ) -> OrganizationsPage:
        """Organizations in a state whose name contains what is looked for, however its umlauts are spelt.
        Past the end it is the last page.
        """
        everything = await self._mappings.list(integration_id)
        clients = await self._clients.search()
        proposals = await _proposals(everything, clients)
        found = _found(everything, search)
        wanted = sorted((view for view in found if _is_in(view, state)), key=_place)
        start = min(offset, max(0, (len(wanted) - 1) // limit * limit))
        return OrganizationsPage(
            rows=await self._rows(wanted[start : start + limit], dict(clients), proposals),
            total=len(wanted),
            summary=_summary(everything, found, proposals),
        )

    async def row(
        self, integration_id: UUID, external_organization_id: str, *, search: str = ""
    ) -> tuple[OrganizationRow, OrganizationsSummary]:
        """One organization, and what stands around the list that it is in; NotFound when there is none."""
        view = await self._mappings.get(integration_id, external_organization_id)
        everything = await self._mappings.list(integration_id)
        clients = await self._clients.search()
        proposals = await _proposals(everything, clients)
        (row,) = await self._rows([view], dict(clients), proposals)
        return row, _summary(everything, _found(everything, search), proposals)

    async def accept(self, integration_id: UUID, agreement: str, *, search: str = "") -> int:
        """Map all that is proposed among what the search finds, and give the number. Conflict when it is
        not what `agreement` stands for any more: somebody saw other proposals than these.
        """
        everything = await self._mappings.list(integration_id)
        proposals = await _proposals(everything, await self._clients.search())
        accepted = _accepted(_found(everything, search), proposals)
        if _agreement(accepted) != agreement:
            raise Conflict(
                "Not saved: the proposals have changed since you saw them.",
                remedy="Look at them as they are now, and accept them again.",
                code="proposals_changed",
            )
        return await self._mappings.accept(integration_id, accepted)

    async def _rows(
        self,
        views: Sequence[MappingView],
        clients: Mapping[UUID, str],
        proposals: Mapping[str, Proposal],
    ) -> Sequence[OrganizationRow]:
        chosen = {view.default_contact_id for view in views if view.default_contact_id is not None}
        contacts = await self._contacts.names(chosen)
        return [
            OrganizationRow(
                integration_id=view.integration_id,
                external_organization_id=view.external_organization_id,
                external_organization_name=view.external_organization_name,
                client_id=view.client_id,
                client_name=clients.get(view.client_id) if view.client_id else None,
                auto_sync_assets=view.auto_sync_assets,
                device_count=view.device_count,
                missing_since=view.missing_since,
                proposal=proposals.get(view.external_organization_id),
                default_contact_id=view.default_contact_id,
                default_contact_name=contacts.get(view.default_contact_id)
                if view.default_contact_id
                else None,
                revision=view.revision,
            )
            for view in views
        ]


async def _proposals(
    views: Sequence[MappingView], clients: Sequence[tuple[UUID, str]]
) -> Mapping[str, Proposal]:
    # A thousand names against a thousand others take seconds the first time: not on the event loop.
    return await asyncio.to_thread(propose, open_organizations(views), clients, taken_clients(views))


def open_organizations(views: Sequence[MappingView]) -> list[tuple[str, str]]:
    """Id and name of the organizations that stand for no client."""
    # One the server no longer lists would only take a client's name away from one it does.
    return [
        (view.external_organization_id, view.external_organization_name)
        for view in views
        if view.client_id is None and view.missing_since is None
    ]


def taken_clients(views: Sequence[MappingView]) -> frozenset[UUID]:
    """The clients that an organization stands for."""
    return frozenset(view.client_id for view in views if view.client_id is not None)


def _found(views: Sequence[MappingView], search: str) -> Sequence[MappingView]:
    if not search.strip():
        return views
    return [view for view in views if is_found(search, view.external_organization_name)]


def _is_in(view: MappingView, state: MappingState) -> bool:
    return state is MappingState.ALL or (state is MappingState.MAPPED) == (view.client_id is not None)


def _place(view: MappingView) -> tuple[int, str, str]:
    """Those that wait for a person come first, those that nobody waits for last; else by name."""
    waits = view.client_id is None and view.missing_since is None
    need = 0 if waits else 1 if view.client_id is not None else 2
    return need, sort_key(view.external_organization_name), view.external_organization_id


def _accepted(views: Sequence[MappingView], proposals: Mapping[str, Proposal]) -> list[Acceptance]:
    ids = [view.external_organization_id for view in views]
    return [Acceptance(each, proposals[each].client_id) for each in ids if each in proposals]


def _agreement(accepted: Sequence[Acceptance]) -> str:
    return hashlib.sha256(msgspec.json.encode(accepted)).hexdigest()[:32]


def _summary(
    everything: Sequence[MappingView], found: Sequence[MappingView], proposals: Mapping[str, Proposal]
) -> OrganizationsSummary:
    accepted = _accepted(found, proposals)
    return OrganizationsSummary(
        counts={state: sum(_is_in(view, state) for view in found) for state in MappingState},
        proposals=len(accepted),
        agreement=_agreement(accepted),
        tally=_tally([view for view in everything if view.missing_since is None]),
        known=len(everything),
    )


def _tally(views: Sequence[MappingView]) -> AgentTally:
    unmapped = [view.device_count or 0 for view in views if view.client_id is None]
    paused = [
        view.device_count or 0 for view in views if view.client_id is not None and not view.auto_sync_assets
    ]
    agents = sum(view.device_count or 0 for view in views)
    return AgentTally(
        agents=agents,
        read=agents - sum(unmapped) - sum(paused),
        unmapped_agents=sum(unmapped),
        unmapped_organizations=sum(count > 0 for count in unmapped),
        paused_agents=sum(paused),
        paused_organizations=sum(count > 0 for count in paused),
    )
