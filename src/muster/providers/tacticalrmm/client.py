"""A connection to one Tactical RMM server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from functools import partial

from muster.providers.contract import (
    CheckResult,
    ConnectionSettings,
    Depth,
    DeviceChunk,
    OrganizationRead,
    OrganizationRecord,
    OrganizationSnapshot,
    ProviderAuthError,
    ProviderConfigurationError,
    ProviderError,
    ProviderNotFound,
    ProviderPayloadError,
    ProviderPermissionError,
    ProviderRateLimited,
    ProviderUnavailable,
    RejectedRow,
    RosterEntry,
    SiteRecord,
    Traffic,
)
from muster.providers.inventory import SoftwareRead, SoftwareReport
from muster.providers.tacticalrmm import answers, doctor, lists, software, translate
from muster.providers.tacticalrmm.alerts import AlertVerbs
from muster.providers.tacticalrmm.auth import Authenticator
from muster.providers.tacticalrmm.lists import DETAIL, LIGHT, LIST_AGENTS, Pace
from muster.providers.tacticalrmm.manifest import BULK, ONE_BY_ONE
from muster.providers.tacticalrmm.payloads import (
    BetaClientRow,
    BetaSiteRow,
    ClientRow,
    RosterRow,
    SingleRow,
)
from muster.providers.tacticalrmm.provisioning import WebhookVerbs
from muster.providers.tacticalrmm.translate import RowRefused
from muster.providers.tacticalrmm.wire import Wire

SINGLE = "single"
LIST_CLIENTS = "can_list_clients"
CLIENTS = "/clients/"
BETA_CLIENTS = "/beta/v1/client/"
_BETA_SITES = "/beta/v1/site/"
_SITES_PAGE = 1000
_UNREACHABLE_IN_A_ROW = 3
# Rows of the list of all agents after which others on the event loop get theirs.
_TURN = 500


class TacticalConnection(AlertVerbs, WebhookVerbs):
    """The verbs of the provider contract against one server; those on alerts are in `alerts`, those that set
    the webhook up in `provisioning`.
    """

    def __init__(
        self, settings: ConnectionSettings, wire: Wire, auth: Authenticator, traffic: Traffic
    ) -> None:
        self.traffic = traffic
        self.source = settings.options.get("source", "auto")
        self._one_by_one = settings.options.get("software", BULK) == ONE_BY_ONE
        self._settings = settings
        self._wire = wire
        self._auth = auth
        self._beta_on: bool | None = None
        self._by_name: dict[str, str] | None = None

    async def check(self, one_time_code: str | None = None) -> CheckResult:
        """Try everything a sync needs; what the server does is reported, never raised."""
        login = None if one_time_code is None else partial(self._auth.login, one_time_code)
        return await doctor.examine(self._settings, self._wire, login)

    async def login(self, one_time_code: str | None = None) -> None:
        """Log in now, in password mode; with an API key nothing happens."""
        await self._auth.login(one_time_code)

    async def logout(self) -> None:
        """End the Knox session on the server; the token is forgotten whatever it says."""
        await self._auth.logout()

    async def organizations(self) -> OrganizationSnapshot:
        """`GET /clients/`: clients, sites and counts in one answer, as far as the role sees them."""
        try:
            answer = await self._wire.get_list(CLIENTS, permission=LIST_CLIENTS)
        except ProviderPermissionError:
            if self.source != "beta":
                raise
            snapshot = await self._beta_organizations()
        else:
            rows = answers.decode_rows(answer, ClientRow)
            records: dict[str, OrganizationRecord] = {}
            rejected = list(rows.rejected)
            for position, row in rows.good:
                try:
                    record = translate.organization(row)
                except RowRefused as refused:
                    rejected.append(answers.rejected(position, str(row.id), refused))
                else:
                    records.setdefault(record.external_id, record)
            snapshot = OrganizationSnapshot(
                records=tuple(records.values()),
                rejected=tuple(rejected),
                answered_at=lists.answered_at(answer),
            )
        self._by_name = {record.name: record.external_id for record in snapshot.records}
        return snapshot

    async def roster(self) -> Mapping[str, RosterEntry]:
        """`GET /agents/?detail=false`: 140 bytes a device, integer pk beside the agent id."""
        answer = await self._wire.get_list(lists.AGENTS, params={"detail": "false"}, permission=LIST_AGENTS)
        rows = answers.decode_rows(answer, RosterRow)
        entries: dict[str, RosterEntry] = {}
        for position, entry in translate.roster(rows.good, rows.rejected):
            if entry is None:
                # A list with a hole cannot prove that a device is not in it.
                raise ProviderPayloadError(
                    f"Row {position} of the list of all agents has no usable agent_id.",
                    remedy="Look at the agents on the server; one of them has no valid id.",
                )
            entries[entry.external_id] = entry
            if len(entries) % _TURN == 0:
                await asyncio.sleep(0)
        return entries

    async def devices(
        self, organizations: Sequence[OrganizationRecord], depth: Depth
    ) -> AsyncIterator[DeviceChunk | OrganizationRead]:
        """Devices of these organizations: the light list, and for `full` the beta list where it is used."""
        light: dict[str, set[str]] = {}
        if depth == "light" or self.source != "beta":
            async for item in self._read_all(
                organizations, lambda organization: lists.read_light(self._wire, organization), LIGHT
            ):
                _note(item, light)
                yield item
        if depth == "light" or not (self.source == "beta" or await self.hardware_in_bulk()):
            return
        pace = Pace()
        # Only the light list honours roles; where it was read, it decides whom the beta list may bring.
        roles_known = self.source != "beta"
        async for item in self._read_all(
            [one for one in organizations if not roles_known or one.external_id in light],
            lambda organization: lists.read_detail(
                self._wire, organization, pace, light[organization.external_id] if roles_known else None
            ),
            DETAIL,
        ):
            yield item

    async def hardware_in_bulk(self) -> bool:
        """Whether the beta list is used: asked once, without credentials, unless the source is stable."""
        if self.source == "stable":
            return False
        if self._beta_on is None:
            self._beta_on = doctor.beta_is_on(await self._wire.without_credentials(BETA_CLIENTS))
        return self._beta_on

    async def device(self, external_id: str) -> DeviceChunk:
        """`GET /agents/<agent_id>/`: with RAM and disks, without serial number and integer pk."""
        path = lists.agent_path(lists.AGENTS, external_id)
        answer = await self._wire.get(path, permission=f"{LIST_AGENTS}, or a role that sees its client")
        row = answers.decode(answer, SingleRow)
        if row.agent_id != external_id:
            raise ProviderPayloadError("The server answered with another agent than was asked for.")
        moment, organization_id = lists.answered_at(answer), await self._organization_of(row)
        try:
            record = translate.single(row, organization_id, moment)
        except RowRefused as refused:
            raise ProviderPayloadError(
                f"In the answer to {path}, {refused.field} {refused.reason}."
            ) from refused
        return DeviceChunk(
            organization_id=organization_id,
            source=SINGLE,
            answered_at=moment,
            records=(record,),
        )

    def software_in_bulk(self) -> bool:
        """As the settings have it."""
        return not self._one_by_one

    def software(self, device_ids: Collection[str]) -> AsyncIterator[SoftwareReport | SoftwareRead]:
        """`GET /software/`, or where the settings say so `GET /software/<agent_id>/` over a longer time."""
        return software.read(self._wire, self.roster, device_ids, one_by_one=self._one_by_one)

    async def _organization_of(self, row: SingleRow) -> str:
        """The answer names its client; a name not met so far may be new: the list is read again, once."""
        name = translate.organization_name(row)
        if self._by_name is None or name not in self._by_name:
            await self.organizations()
        found = (self._by_name or {}).get(name)
        if found is None:
            raise ProviderPayloadError(f"The agent belongs to {name!r}, which the server does not list.")
        return found

    async def _read_all(
        self,
        organizations: Sequence[OrganizationRecord],
        reader: Callable[[OrganizationRecord], AsyncIterator[lists.Item]],
        source: str,
    ) -> AsyncIterator[lists.Item]:
        in_a_row = 0
        for organization in organizations:
            received = 0
            try:
                if not organization.external_id.isdecimal():
                    raise ProviderNotFound(f"{organization.name} is no client of this server.")
                async for item in reader(organization):
                    if isinstance(item, DeviceChunk):
                        received += len(item.records) + len(item.rejected)
                    yield item
            except (ProviderAuthError, ProviderConfigurationError):
                raise
            except ProviderError as failure:
                in_a_row = in_a_row + 1 if isinstance(failure, _TROUBLE) else 0
                if in_a_row == _UNREACHABLE_IN_A_ROW:
                    raise
                yield OrganizationRead(
                    organization_id=organization.external_id,
                    source=source,
                    received=received,
                    expected=organization.device_count,
                    complete=False,
                    problem=failure.message,
                    error=failure.info(),
                )
            else:
                in_a_row = 0

    async def _beta_organizations(self) -> OrganizationSnapshot:
        """Clients and sites by the beta lists, which know no counts."""
        answer = await self._wire.get(BETA_CLIENTS, permission=LIST_CLIENTS)
        clients = answers.decode_rows(answer, BetaClientRow)
        sites: dict[int, list[SiteRecord]] = {}
        rejected: list[RejectedRow] = list(clients.rejected)
        page, more = 1, True
        while more:
            rows = answers.decode_rows(
                await self._wire.get(
                    _BETA_SITES, params={"page": page, "page_size": _SITES_PAGE}, permission="can_list_sites"
                ),
                BetaSiteRow,
            )
            rejected += rows.rejected
            for _, site in rows.good:
                name = translate.site_name(site)
                sites.setdefault(site.client, []).append(SiteRecord(external_id=str(site.id), name=name))
            page, more = page + 1, rows.more and rows.total > 0
        records = []
        for position, row in clients.good:
            try:
                record = translate.organization(ClientRow(id=row.id, name=row.name))
            except RowRefused as refused:
                rejected.append(answers.rejected(position, str(row.id), refused))
            else:
                places = tuple({site.external_id: site for site in sites.get(row.id, ())}.values())
                records.append(
                    OrganizationRecord(external_id=record.external_id, name=record.name, sites=places)
                )
        return OrganizationSnapshot(
            records=tuple(records), rejected=tuple(rejected), answered_at=lists.answered_at(answer)
        )


def _note(item: lists.Item, light: dict[str, set[str]]) -> None:
    """Keep who is in the light list of each organization that could be read to its end."""
    if isinstance(item, OrganizationRead):
        if item.error is None:
            light.setdefault(item.organization_id, set())
        else:
            light.pop(item.organization_id, None)
        return
    ids = light.setdefault(item.organization_id, set())
    ids.update(record.external_id for record in item.records)
    ids.update(row.external_id for row in item.rejected if row.external_id is not None)


_TROUBLE = (ProviderUnavailable, ProviderRateLimited)
