"""What tests of pages need to watch a sync: a worker beside them, and patience."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from muster import bootstrap
from muster.audit.service import AuditService
from muster.jobs.engine import EngineOptions, JobEngine
from tests.support.site import Browser, Page, Site
from tests.support.world import World


@asynccontextmanager
async def working(site: Site) -> AsyncIterator[JobEngine]:
    """A worker in this process that does what is asked for, and nothing by schedule."""
    application = site.application
    engine = JobEngine(
        application.database,
        application.settings.data_dir,
        bootstrap.job_handlers(application),
        EngineOptions(poll=0.05),
    )
    async with engine.running():
        yield engine


def panel(integration_id: UUID) -> str:
    """Where an integration's panel is."""
    return f"/settings/integrations/rmm/{integration_id}"


async def until(browser: Browser, path: str, selector: str) -> Page:
    """Ask for a part as htmx does, until something stands in it; the test's own timeout is the limit."""
    while True:
        page = await browser.part(path)
        if page.html.css_first(selector) is not None:
            return page
        await asyncio.sleep(0.05)


async def recorded(world: World) -> list[tuple[str, str, str]]:
    """Who did what to syncs and schedules, oldest first; the last is the kind of sync."""
    async with world.database.read(world.scope) as session:
        entries = await AuditService(session, world.scope).list(limit=100)
    return [
        (entry.actor, entry.action, entry.detail.get("kind", ""))
        for entry in reversed(entries)
        if entry.action.startswith(("sync.", "schedule."))
    ]
