"""What the page of assets says of its filters: a chip for each one set, and the choices for the others."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.ext.asyncio import AsyncSession

from muster.assets import filters
from muster.assets.filters import FIELDS, AssetQuery
from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.encryption import SecretBox
from muster.errors import NotFound
from muster.integrations.service import IntegrationService
from muster.naming import as_id
from muster.providers import registry
from muster.tenancy import TenantScope
from muster.web.filters import YES_NO_WORDS, Chip, Choices, Field, chip, span_words

PATH = "/assets"


class Chooser:
    """Gathers what the filters of one tenant can be set to."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._assets = AssetService(session, scope)
        self._clients = ClientService(session, scope)
        self._integrations = IntegrationService(session, scope, secrets)

    async def choices(self, query: AssetQuery) -> Choices:
        """The choices; NotFound when a client or an integration that is asked for is not the tenant's."""
        known: dict[str, Mapping[str, str]] = {
            "client": {str(client.client_id): client.name for client in await self._clients.list()},
            "status": filters.STATUS_WORDS,
            "type": filters.TYPE_WORDS,
            "platform": filters.PLATFORM_WORDS,
            "provider": registry.display_names(),
            "integration": {
                str(each.integration_id): each.name for each in await self._integrations.list(limit=1000)
            },
            "seen": {value: span_words(value) for value in filters.SEEN_CHOICES},
            "reboot": YES_NO_WORDS,
            "maintenance": YES_NO_WORDS,
            "missing": YES_NO_WORDS,
            "retired": filters.RETIRED_WORDS,
        }
        if query.wanted.client_id is not None:
            known["site"] = {site: site for site in await self._assets.sites(query.wanted.client_id)}
        for name in ("client", "integration"):
            for value in query.values.get(name, ()):
                if str(as_id(value)) not in known[name]:
                    raise NotFound(f"There is no {name} with this id here.", remedy="Choose another one.")
        return Choices(known, [_chip(field, query, known) for field in FIELDS if field.key in query.values])


def _chip(field: Field, query: AssetQuery, known: Mapping[str, Mapping[str, str]]) -> Chip:
    # A site is nothing without its client.
    gone_too = ("site",) if field.key == "client" else ()
    return chip(field, query, known[field.key], PATH, query.address, with_it=gone_too)
