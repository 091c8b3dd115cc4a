"""What the page of assets says of its filters: a chip for each one set, and the choices for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from muster.assets import filters
from muster.assets.filters import FIELDS, AssetQuery, Field
from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.encryption import SecretBox
from muster.errors import NotFound
from muster.integrations.service import IntegrationService
from muster.naming import as_id
from muster.tenancy import TenantScope
from muster.web.paging import address

PATH = "/assets"
_YES_NO = {"yes": "Yes", "no": "No"}


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is set: its field, its values in words, and the address of the list without it."""

    field: Field
    words: Sequence[tuple[str, str]]
    without: str


@dataclass(frozen=True, slots=True)
class Choices:
    """Every filter's values with their words, and what is set."""

    of: Mapping[str, Mapping[str, str]]
    chips: Sequence[Chip]


class Chooser:
    """Gathers what the filters of one tenant can be set to."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._assets = AssetService(session, scope)
        self._clients = ClientService(session, scope)
        self._integrations = IntegrationService(session, scope, secrets)

    async def choices(self, query: AssetQuery) -> Choices:
        """The choices; NotFound when a client or an integration that is asked for is not the tenant's."""
        client_id = query.wanted.client_id
        sites = [] if client_id is None else await self._assets.sites(client_id)
        known: dict[str, Mapping[str, str]] = {
            "client": {str(client.client_id): client.name for client in await self._clients.list()},
            "site": {site: site for site in sites},
            "status": filters.STATUS_WORDS,
            "type": filters.TYPE_WORDS,
            "platform": filters.PLATFORM_WORDS,
            "provider": filters.provider_words(),
            "integration": {
                str(each.integration_id): each.name for each in await self._integrations.list(limit=1000)
            },
            "seen": {value: filters.seen_words(value) for value in filters.SEEN_CHOICES},
            "reboot": _YES_NO,
            "maintenance": _YES_NO,
            "missing": _YES_NO,
            "retired": filters.RETIRED_WORDS,
        }
        for name in ("client", "integration"):
            for value in query.values.get(name, ()):
                if str(as_id(value)) not in known[name]:
                    raise NotFound(f"There is no {name} with this id here.", remedy="Choose another one.")
        return Choices(known, [_chip(field, query, known) for field in FIELDS if field.key in query.values])


def _chip(field: Field, query: AssetQuery, known: Mapping[str, Mapping[str, str]]) -> Chip:
    words = [(value, _words(field, value, known[field.key])) for value in query.values[field.key]]
    changes: dict[str, None] = {field.key: None}
    if field.key == "client":
        # A site is nothing without its client.
        changes["site"] = None
    return Chip(field, words, address(PATH, query.address, **changes))


def _words(field: Field, value: str, known: Mapping[str, str]) -> str:
    if field.key == "seen":
        return filters.seen_words(value)
    if field.key in ("client", "integration"):
        return known[str(as_id(value))]
    return known.get(value, value)
