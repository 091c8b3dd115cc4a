"""What the rooms offer to browsers and programs: routes, the navigation's places, and slots of pages."""

from __future__ import annotations

from collections.abc import Sequence

from litestar import Router
from litestar.handlers import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ControllerRouterHandler

import muster
from muster.accounts import entrance
from muster.bootstrap import Application
from muster.web.frame import Furnishing, Place, Slot

API = "/api/v1"

# Pages: for people, at addresses that can be shared.
_PAGES: Sequence[BaseRouteHandler] = (*entrance.ROUTES,)
# The same verbs for programs, as JSON.
_API: Sequence[BaseRouteHandler] = ()

# In the order of the navigation.
_PLACES: Sequence[Place] = ()


def routes() -> Sequence[ControllerRouterHandler]:
    """Every route that a room has."""
    return (
        Router("/", route_handlers=_PAGES, include_in_schema=False),
        Router(API, route_handlers=_API),
    )


def furnishing(application: Application) -> Furnishing:
    """The navigation, and what rooms show on each other's pages."""
    return Furnishing(_PLACES, _slots(application))


def _slots(_application: Application) -> dict[str, Sequence[Slot]]:
    return {}


def openapi() -> OpenAPIConfig:
    """The description of the API, served by Muster itself at /api/openapi.json."""
    return OpenAPIConfig(
        title="Muster",
        version=muster.__version__,
        path="/api",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
    )
