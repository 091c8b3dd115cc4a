"""The audit log's page: who did what, newest first."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.accounts.permissions import Role
from muster.accounts.sentences import label, sentence
from muster.audit.schemas import AuditView
from muster.audit.service import AuditService
from muster.db import Database
from muster.db.types import new_id
from muster.tenancy import TenantScope
from tests.support.site import Site
from tests.support.world import World

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
async def site(database: Database) -> Site:
    return Site.of(await World.make(database))


async def _record(site: Site, actor: str | None, action: str, count: int = 1, **detail: str) -> None:
    scope = TenantScope(site.world.scope.tenant_id, actor)
    async with site.world.database.write(scope) as session:
        for number in range(count):
            await AuditService(session, scope).record(
                action, "organization", subject=f"Contoso {number}", **detail
            )


async def test_it_shows_who_did_what_newest_first(site: Site) -> None:
    async with site.logged_in() as browser:
        await _record(site, ANN, "mapping.assigned", client="Contoso <Ltd>")
        await _record(site, None, "integration.disconnected")
        await browser.post("/account", {"name": "Dana"})
        page = await browser.get("/audit")
    assert page.texts("tbody .m-name") == [
        "User renamed",
        "Integration disconnected",
        "Mapping assigned",
        "User added",
    ]
    assert page.texts("tbody td:nth-child(4)") == ["admin@example.com", "Command line", ANN, "Command line"]
    renamed, _, assigned, added = page.texts("tbody td:nth-child(3)")
    assert "Dana" in renamed
    assert assigned == "client: Contoso <Ltd>"
    assert added == "role: Administrator"


async def test_it_is_filtered_by_person_and_action_and_turned_over(site: Site) -> None:
    await _record(site, ANN, "mapping.assigned", 30)
    await _record(site, BOB, "mapping.assigned", 2)
    await _record(site, ANN, "integration.disconnected")
    async with site.logged_in() as browser:
        page = await browser.get(f"/audit?person={ANN}&action=mapping.assigned")
        assert page.text(".m-filter-count") == "30 entries"
        assert page.attribute("#filter-person option[selected]", "value") == ANN
        assert len(page.html.css("tbody tr")) == 25
        turn = page.attribute("a[rel=next]", "href")
        assert turn is not None
        page = await browser.get(turn)
        assert len(page.html.css("tbody tr")) == 5
        assert page.text(".m-filter-count") == "30 entries"
        page = await browser.get("/audit?person=nobody@example.com")
        assert page.text(".m-nothing h2") == "No entry matches"
        assert page.text("#filter-person option[selected]") == "nobody@example.com"
        assert page.attribute(".m-nothing a", "href") == "/audit"
        assert (await browser.get("/audit?page=99999999&rows=7")).status == 200
        assert (await browser.get("/audit?page=x")).status == 400


async def test_it_is_for_who_may_see_settings_and_for_their_tenant(site: Site) -> None:
    other = await World.make(site.world.database, "Beta IT")
    await _record(site, ANN, "mapping.assigned")
    async with site.logged_in(Role.VIEWER) as viewer, site.logged_in(Role.ADMIN, other) as stranger:
        page = await viewer.get("/audit")
        assert page.status == 403
        assert "system_settings:read" in page.text()
        page = await stranger.get("/audit")
        assert page.texts("tbody .m-name") == ["User added"]
        assert ANN not in page.response.text


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.text(min_size=1, max_size=40),
    st.dictionaries(st.sampled_from(["old", "new", "client", "sessions", "address"]), _JSON),
)
def test_every_entry_reads_as_a_sentence(action: str, detail: dict[str, object]) -> None:
    entry = AuditView(
        entry_id=new_id(),
        at=datetime(2026, 1, 2, tzinfo=UTC),
        actor=ANN,
        action=action,
        subject_type="organization",
        subject_id=None,
        subject=None,
        detail=detail,
    )
    shown = sentence(entry)
    assert shown.label == label(action)
    assert "None" not in " ".join(shown.facts) or "None" in str(detail.values())
