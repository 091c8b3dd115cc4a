"""What the page of alerts says of its filters: a chip for each one set, and the choices for the others."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from muster.alerts import filters, words
from muster.alerts.filters import FIELDS, PATH, AlertQuery
from muster.assets.service import AssetService
from muster.clients.service import ClientService
from muster.encryption import SecretBox
from muster.errors import NotFound
from muster.integrations.service import IntegrationService
from muster.naming import as_id
from muster.providers import registry
from muster.tenancy import TenantScope
from muster.web.filters import YES_NO_WORDS, Choices, chip, span_words

_WHAT = {"client": "client", "integration": "integration", "asset": "device"}


class Chooser:
    """Gathers what the filters of one tenant can be set to."""

    def __init__(self, session: AsyncSession, scope: TenantScope, secrets: SecretBox) -> None:
        self._assets = AssetService(session, scope)
        self._clients = ClientService(session, scope)
        self._integrations = IntegrationService(session, scope, secrets)

    async def choices(self, query: AlertQuery) -> Choices:
        """The choices; NotFound when a client, a device or an integration that is asked for is not the
        tenant's.
        """
        spans = {value: span_words(value) for value in filters.SPANS}
        integrations = await self._integrations.list(limit=1000)
        known: dict[str, Mapping[str, str]] = {
            "severity": words.SEVERITIES,
            "type": words.TYPES,
            "client": {str(client.client_id): client.name for client in await self._clients.list()},
            "provider": registry.display_names(),
            "integration": {str(each.integration_id): each.name for each in integrations},
            "raised": spans,
            "last": spans,
            "suppressed": YES_NO_WORDS,
            "hidden": YES_NO_WORDS,
            "confirmed": YES_NO_WORDS,
            "linked": YES_NO_WORDS,
        }
        if query.wanted.asset_id is not None:
            known["asset"] = await self._device(query.wanted.asset_id)
        for name, what in _WHAT.items():
            for value in query.values.get(name, ()):
                if str(as_id(value)) not in known[name]:
                    raise NotFound(f"There is no {what} with this id here.", remedy="Choose another one.")
        chips = [
            chip(field, query, known[field.key], PATH, query.address)
            for field in FIELDS
            if field.key in query.values
        ]
        return Choices(known, chips)

    async def _device(self, asset_id: UUID) -> Mapping[str, str]:
        found = await self._assets.belongings([asset_id])
        return {str(asset_id): each.name for asset_id, each in found.items()}
