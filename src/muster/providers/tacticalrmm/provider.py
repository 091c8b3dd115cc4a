"""Tactical RMM as the registry knows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

from muster.egress import Egress
from muster.providers.alerting import WebhookMessage
from muster.providers.contract import ConnectionSettings, SessionStore, Traffic
from muster.providers.tacticalrmm.auth import authenticator
from muster.providers.tacticalrmm.client import TacticalConnection
from muster.providers.tacticalrmm.manifest import MANIFEST
from muster.providers.tacticalrmm.settings import normalize
from muster.providers.tacticalrmm.webhook import WEBHOOK, parse_webhook
from muster.providers.tacticalrmm.wire import Wire


class TacticalProvider:
    """The kind of provider behind `tacticalrmm`."""

    manifest = MANIFEST
    webhook = WEBHOOK

    def settings(self, raw: Mapping[str, str | None]) -> ConnectionSettings:
        """What a person typed, normalized; InvalidInput names the field."""
        return normalize(raw)

    def device_url(self, instance_url: str, external_id: str) -> str | None:
        """The agent's page of the dashboard (`/agents/<agent_id>`: src/router/routes.js of tacticalrmm-web).

        Nothing the server answers names the dashboard's host. The installer asks for hosts called api. and
        rmm. of one domain; under another name it is not guessed.
        """
        scheme, _, host = instance_url.partition("://api.")
        return f"{scheme}://rmm.{host}/agents/{quote(external_id, safe='')}" if host else None

    def parse_webhook(self, body: bytes) -> WebhookMessage:
        """What a body that arrived says; never raises."""
        return parse_webhook(body)

    @asynccontextmanager
    async def connect(
        self, settings: ConnectionSettings, *, egress: Egress, session: SessionStore
    ) -> AsyncIterator[TacticalConnection]:
        """A connection; nothing is sent before its first verb."""
        traffic = Traffic()
        async with egress.server(settings.instance_url, meter=traffic) as http:
            auth = authenticator(settings, http, session)
            yield TacticalConnection(settings, Wire(http, auth), auth, traffic)


PROVIDER = TacticalProvider()
