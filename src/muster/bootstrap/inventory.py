"""What is installed where, bound together: its pages, and what other rooms' pages show of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from litestar.handlers import BaseRouteHandler

from muster.accounts.permissions import Permission
from muster.db import Database
from muster.encryption import SecretBox
from muster.software import api, pages, parts
from muster.web.frame import Place, Slot

PAGES: Sequence[BaseRouteHandler] = pages.ROUTES
API: Sequence[BaseRouteHandler] = api.ROUTES
PLACE = Place(
    key="software",
    label="Software",
    icon="package",
    path="/software",
    permission=Permission.SOFTWARE_READ,
)


def slots(database: Database, secrets: SecretBox) -> Mapping[str, Slot]:
    """What software shows on the page of an asset, of a client, and on the dashboard."""
    return {
        "asset": Slot(
            key="software",
            label="Software",
            permission=Permission.SOFTWARE_READ,
            part=parts.asset_tab(database, secrets),
            count=parts.count_of_asset,
        ),
        "client": Slot(
            key="software",
            label="Software",
            permission=Permission.SOFTWARE_READ,
            part=parts.client_section(database),
        ),
        "dashboard": Slot(
            key="software",
            label="Software",
            permission=Permission.SOFTWARE_READ,
            part=parts.dashboard_card(database),
        ),
    }
