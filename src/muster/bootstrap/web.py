"""What the rooms offer to browsers and programs: routes, the navigation's places, and slots of pages."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Router
from litestar.handlers import BaseRouteHandler
from litestar.types import ControllerRouterHandler

from muster.accounts import account, entrance, record
from muster.accounts import api as accounts_api
from muster.accounts import pages as accounts_pages
from muster.accounts.permissions import Permission
from muster.alerts import action_pages as alert_action_pages
from muster.alerts import api as alerts_api
from muster.alerts import pages as alerts_pages
from muster.alerts import parts as alerts_parts
from muster.assets import api as assets_api
from muster.assets import dashboard
from muster.assets import pages as assets_pages
from muster.assets.missing import api as missing_api
from muster.assets.missing import pages as missing_pages
from muster.bootstrap import Application, inbound, inventory, outbound
from muster.clients import api as clients_api
from muster.clients import pages as clients_pages
from muster.inbound_webhooks import api as webhooks_api
from muster.inbound_webhooks import door as webhooks_door
from muster.inbound_webhooks import pages as receipt_pages
from muster.inbound_webhooks import parts as webhooks_parts
from muster.inbound_webhooks import secret_pages
from muster.integrations import api as integrations_api
from muster.integrations import attention, connection_pages
from muster.integrations import pages as integration_pages
from muster.integrations.connections import Connector
from muster.mappings import api as mappings_api
from muster.mappings import pages as mappings_pages
from muster.mappings import parts as mappings_parts
from muster.schedules import api as schedules_api
from muster.schedules import pages as schedules_pages
from muster.sync import alert_parts as sync_alert_parts
from muster.sync import api as sync_api
from muster.sync import pages as sync_pages
from muster.sync import parts as sync_parts
from muster.sync import refresh_api, refresh_pages, run_pages
from muster.web.frame import Furnishing, Place, Slot

API = "/api/v1"

# Pages: for people, at addresses that can be shared.
_PAGES: Sequence[BaseRouteHandler] = (
    *entrance.ROUTES,
    *account.ROUTES,
    *accounts_pages.ROUTES,
    *record.ROUTES,
    *dashboard.ROUTES,
    *assets_pages.ROUTES,
    *alerts_pages.ROUTES,
    *alert_action_pages.ROUTES,
    *missing_pages.ROUTES,
    *clients_pages.ROUTES,
    *integration_pages.ROUTES,
    *connection_pages.ROUTES,
    *mappings_pages.ROUTES,
    *schedules_pages.ROUTES,
    *sync_pages.ROUTES,
    *run_pages.ROUTES,
    *refresh_pages.ROUTES,
    *receipt_pages.ROUTES,
    *secret_pages.ROUTES,
    *inbound.PAGES,
    *outbound.PAGES,
    *inventory.PAGES,
)
# The same verbs for programs, as JSON.
_API: Sequence[BaseRouteHandler] = (
    *accounts_api.ROUTES,
    *alerts_api.ROUTES,
    *assets_api.ROUTES,
    *clients_api.ROUTES,
    *integrations_api.ROUTES,
    *mappings_api.ROUTES,
    *missing_api.ROUTES,
    *schedules_api.ROUTES,
    *sync_api.ROUTES,
    *refresh_api.ROUTES,
    *webhooks_api.ROUTES,
    *inbound.API,
    *outbound.API,
    *inventory.API,
)

# In the order of the navigation.
_PLACES: Sequence[Place] = (
    Place(
        key="dashboard",
        label="Dashboard",
        icon="layout-dashboard",
        path="/",
        permission=Permission.ASSET_READ,
    ),
    Place(
        key="assets",
        label="Assets",
        icon="devices",
        path="/assets",
        permission=Permission.ASSET_READ,
        count=assets_pages.count_present,
    ),
    Place(
        key="alerts",
        label="Alerts",
        icon="bell",
        path="/alerts",
        permission=Permission.ALERT_READ,
        count=alerts_pages.count_unseen,
        urgent=True,
    ),
    Place(
        key="missing",
        label="Missing devices",
        icon="user-question",
        path="/missing",
        permission=Permission.ASSET_READ,
        count=missing_pages.count_open,
    ),
    inventory.PLACE,
    Place(
        key="clients",
        label="Clients",
        icon="building",
        path="/clients",
        permission=Permission.ASSET_READ,
        count=clients_pages.count_clients,
    ),
    Place(
        key="runs",
        label="Sync runs",
        icon="refresh",
        path="/runs",
        permission=Permission.ASSET_READ,
    ),
    Place(
        key="settings",
        label="Settings",
        icon="settings",
        path="/settings",
        permission=Permission.SETTINGS_READ,
        group="tenant",
    ),
    Place(
        key="audit",
        label="Audit log",
        icon="history",
        path="/audit",
        permission=Permission.SETTINGS_READ,
        group="tenant",
    ),
)


def routes() -> Sequence[ControllerRouterHandler]:
    """Every route that a room has."""
    return (
        Router("/", route_handlers=_PAGES, include_in_schema=False),
        Router("/", route_handlers=webhooks_door.ROUTES, include_in_schema=False),
        Router(API, route_handlers=_API),
    )


def furnishing(application: Application) -> Furnishing:
    """The navigation, and what rooms show on each other's pages."""
    return Furnishing(_PLACES, _slots(application))


def _slots(application: Application) -> dict[str, Sequence[Slot]]:
    database, secrets = application.database, application.secrets
    connector = Connector(database, secrets, application.egress)
    software = inventory.slots(database, secrets)
    in_webhook = inbound.webhook_slots(database, secrets, connector, application.settings)
    return {
        **_about_alerts(application),
        **_about_assets(application, software["asset"]),
        "client": [
            Slot(
                key="alerts",
                label="Alerts",
                permission=Permission.ALERT_READ,
                part=alerts_parts.client_section(database),
            ),
            Slot(
                key="organizations",
                label="Organizations",
                permission=Permission.ASSET_READ,
                part=mappings_parts.client_part(database),
            ),
            software["client"],
        ],
        "dashboard-person": _waiting_for_a_person(application),
        "panel": _of_panel(application, in_webhook),
        "webhook": in_webhook,
        "dashboard": [
            Slot(
                key="alerts",
                label="Alerts",
                permission=Permission.ALERT_READ,
                part=alerts_parts.dashboard_card(database),
            ),
            software["dashboard"],
            Slot(
                key="runs",
                label="Last runs",
                permission=Permission.ASSET_READ,
                part=sync_parts.last_runs(database),
            ),
        ],
    }


def _of_panel(application: Application, in_webhook: Sequence[Slot]) -> Sequence[Slot]:
    """The sections of an integration's panel, in this order."""
    database, secrets = application.database, application.secrets
    return [
        Slot(
            key="sync",
            label="Sync",
            permission=Permission.SETTINGS_READ,
            part=sync_parts.panel(database, secrets),
        ),
        Slot(
            key="organizations",
            label="Organizations",
            permission=Permission.SETTINGS_READ,
            part=mappings_parts.organizations_part(database),
        ),
        Slot(
            key="webhook",
            label="Webhook",
            permission=Permission.SETTINGS_READ,
            part=webhooks_parts.panel(database, secrets, application.settings.public_url, in_webhook),
        ),
        *outbound.panel_slots(database),
    ]


def _about_alerts(application: Application) -> dict[str, Sequence[Slot]]:
    """What other rooms add to the page of alerts."""
    database, secrets = application.database, application.secrets
    return {
        "alerts-facts": [
            Slot(
                key="checked",
                label="Checked",
                permission=Permission.ALERT_READ,
                part=sync_alert_parts.checked(database, secrets),
            ),
        ],
        "alerts-actions": [
            Slot(
                key="sync",
                label="Sync alerts",
                permission=Permission.ALERT_READ,
                part=sync_alert_parts.button(database, secrets),
            ),
        ],
    }


def _about_assets(application: Application, software: Slot) -> dict[str, Sequence[Slot]]:
    """What other rooms add to the page of an asset: tabs, cards, actions."""
    database, secrets = application.database, application.secrets
    return {
        "asset": [
            Slot(
                key="alerts",
                label="Alerts",
                permission=Permission.ALERT_READ,
                part=alerts_parts.asset_tab(database),
                count=alerts_parts.count_of_asset,
            ),
            software,
        ],
        "asset-actions": [
            Slot(
                key="refresh",
                label="Refresh now",
                permission=Permission.ASSET_READ,
                part=refresh_pages.button(database, secrets),
            ),
        ],
        "asset-overview": [
            Slot(
                key="alerts",
                label="Open alerts",
                permission=Permission.ALERT_READ,
                part=alerts_parts.asset_card(database),
            ),
        ],
    }


def _waiting_for_a_person(application: Application) -> Sequence[Slot]:
    """What stands under Needs a person on the dashboard, in this order."""
    database, secrets = application.database, application.secrets
    return [
        Slot(
            key="organizations",
            label="Organizations",
            permission=Permission.SETTINGS_READ,
            part=mappings_parts.unmapped_part(database),
        ),
        Slot(
            key="missing",
            label="Missing devices",
            permission=Permission.ASSET_READ,
            part=missing_pages.person_row(database),
        ),
        Slot(
            key="attention",
            label="Integrations",
            permission=Permission.SETTINGS_READ,
            part=attention.person_rows(database, secrets),
        ),
    ]
