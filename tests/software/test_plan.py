"""What a report does to the installs of an asset: pure."""

from collections import Counter
from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from muster.providers.inventory import SoftwareRecord
from muster.software.plan import Plan, nearest, of_report
from muster.software.types import (
    ChangeKind,
    Details,
    KnownInstall,
    Program,
    installs_of,
    program_of,
)
from muster.software.versions import key

TENANT = UUID(int=7)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
Told = tuple[str, str, str | None]

told = st.tuples(
    st.sampled_from(["Chrome", "OpenSSL"]),
    st.sampled_from(["", "1.0", "1.1", "2.0", "2.0.0", "3.1"]),
    st.sampled_from([None, "Google LLC", "Acme"]),
)


def program(name: str, version: str, publisher: str | None = None) -> Program:
    return program_of(TENANT, name, version, publisher)


def plan(before: list[Told], after: list[Told], *, is_first: bool = False) -> Plan:
    known = [KnownInstall(program(*each).version_id, Details(), LONG_AGO) for each in dict.fromkeys(before)]
    programs = {program(*each).version_id: program(*each) for each in before}
    records = [SoftwareRecord(name=n, version=v or None, publisher=p) for n, v, p in after]
    return of_report(known, installs_of(TENANT, records), programs, is_first=is_first)


def said(made: Plan) -> list[tuple[str, str, str | None]]:
    """(kind, version, what it was before) of each change."""
    return [
        (each.kind.value, each.program.version, None if each.was is None else each.was.version)
        for each in made.changes
    ]


def test_the_same_again_is_nothing() -> None:
    made = plan([("Chrome", "1.0", None)], [("chrome", "1.0", None), ("Chrome", "1.0", "")])
    assert made.is_empty
    assert made.changes == []


def test_what_came_and_went_of_one_title_is_an_update() -> None:
    made = plan([("Chrome", "1.0", None), ("A", "1", None)], [("Chrome", "1.1", None), ("B", "1", None)])
    assert said(made) == [("installed", "1", None), ("updated", "1.1", "1.0"), ("removed", "1", None)]


def test_a_name_with_its_version_is_updated_too() -> None:
    made = plan([("7-Zip 19.00 (x64)", "19.00", None)], [("7-Zip 22.01 (x64)", "22.01", None)])
    assert said(made) == [("updated", "22.01", "19.00")]


def test_versions_side_by_side_are_installs_of_their_own() -> None:
    made = plan([("C++", "9.0", None), ("C++", "12.0", None)], [("C++", "9.0", None), ("C++", "12.1", None)])
    assert said(made) == [("updated", "12.1", "12.0")]
    assert [each.program.version for each in made.came] == ["12.1"]


def test_an_update_goes_to_the_nearest_version_and_rather_up() -> None:
    def pairs(went: list[str], came: list[str]) -> list[tuple[str, str]]:
        found = nearest([program("X", each) for each in went], [program("X", each) for each in came])
        return [(before.version, now.version) for before, now in found]

    assert pairs(["1.0"], ["1.1", "2.0"]) == [("1.0", "1.1")]
    assert pairs(["1.0", "1.9"], ["2.0"]) == [("1.9", "2.0")]
    assert pairs(["1.0"], ["0.9", "2.0"]) == [("1.0", "2.0")]
    assert pairs(["1.0", "1.1"], ["1.2", "1.3"]) == [("1.0", "1.2"), ("1.1", "1.3")]
    assert pairs(["2.0"], ["1.0"]) == [("2.0", "1.0")]
    assert pairs(["9"], ["10"]) == [("9", "10")]
    assert pairs([], ["1"]) == []


def test_an_agent_that_learns_publishers_changes_nothing() -> None:
    made = plan([("Chrome", "1.0", None)], [("Chrome", "1.0", "Google LLC")])
    assert made.changes == []
    ((gone, install),) = made.renamed
    assert (gone.program.publisher, install.program.publisher) == (None, "Google LLC")
    assert gone.install.first_seen_at == LONG_AGO
    # Updated at the same time, it is an update.
    assert said(plan([("Chrome", "1.0", None)], [("Chrome", "1.1", "Google LLC")])) == [
        ("updated", "1.1", "1.0")
    ]
    # Of another publisher it is another program.
    assert said(plan([("Chrome", "1.0", "Acme")], [("Chrome", "1.1", "Google LLC")])) == [
        ("installed", "1.1", None),
        ("removed", "1.0", None),
    ]


def test_other_details_are_written_and_no_change() -> None:
    known = [KnownInstall(program("Chrome", "1.0").version_id, Details(size_bytes=1), LONG_AGO)]
    record = SoftwareRecord(name="Chrome", version="1.0", size_bytes=2)
    made = of_report(known, installs_of(TENANT, [record]), {}, is_first=False)
    assert [each.details.size_bytes for each in made.detailed] == [2]
    assert made.changes == []


def test_doubles_are_one_with_what_any_of_them_says() -> None:
    records = [
        SoftwareRecord(name="Datto Windows Agent", version="2.7", size_bytes=None, source="first"),
        SoftwareRecord(name="Datto  Windows agent", version="2.7", size_bytes=5, source="second"),
        SoftwareRecord(name=" \u0000 ", version="1"),
    ]
    assert [(each.program.name, each.details) for each in installs_of(TENANT, records)] == [
        ("Datto Windows Agent", Details(None, 5, "first"))
    ]


def test_the_first_report_is_where_changes_begin() -> None:
    made = plan([], [("Chrome", "1.0", None)], is_first=True)
    assert [each.program.name for each in made.came] == ["Chrome"]
    assert made.changes == []


def test_an_id_is_the_same_whoever_meets_it_and_another_tenants_is_another() -> None:
    assert program("Chrome", "1.0", "Google LLC").software_id == program("CHROME", "2", "Google").software_id
    other = program_of(UUID(int=8), "Chrome", "1.0", "Google LLC")
    assert other.software_id != program("Chrome", "1.0", "Google LLC").software_id


@given(st.lists(told, max_size=8), st.lists(told, max_size=8))
def test_every_install_is_accounted_for_once(before: list[Told], after: list[Told]) -> None:
    made = plan(before, after)
    had = {program(*each).version_id for each in before}
    has = {program(*each).version_id for each in after}
    came = [each.program.version_id for each in made.came] + [
        new.program.version_id for _, new in made.renamed
    ]
    went = [each.program.version_id for each in made.went] + [
        old.program.version_id for old, _ in made.renamed
    ]
    assert Counter(came) == Counter(has - had)
    assert Counter(went) == Counter(had - has)
    # The changes tell of each that came and went, renamed ones left out, once.
    now = Counter(each.program.version_id for each in made.changes if each.kind is not ChangeKind.REMOVED)
    was = Counter(
        each.program.version_id if each.was is None else each.was.version_id
        for each in made.changes
        if each.kind is not ChangeKind.INSTALLED
    )
    assert now == Counter(each.program.version_id for each in made.came)
    assert was == Counter(each.program.version_id for each in made.went)
    for change in made.changes:
        assert (change.was is not None) is (change.kind is ChangeKind.UPDATED)


@given(st.lists(told, max_size=8), st.lists(told, max_size=8))
def test_a_title_is_updated_as_often_as_it_can_be(before: list[Told], after: list[Told]) -> None:
    made = plan(before, after)
    for software_id in {program(*each).software_id for each in (*before, *after)}:
        of_title = [each for each in made.changes if each.program.software_id == software_id]
        kinds = {each.kind for each in of_title}
        assert not {ChangeKind.INSTALLED, ChangeKind.REMOVED} <= kinds


@given(st.lists(st.integers(0, 30), unique=True), st.lists(st.integers(31, 60), unique=True))
def test_pairs_of_updates_do_not_cross(went: list[int], came: list[int]) -> None:
    mixed = sorted((*went, *came))
    found = nearest(
        [program("X", str(each)) for each in mixed[::2]], [program("X", str(each)) for each in mixed[1::2]]
    )
    assert len(found) == min(len(mixed[::2]), len(mixed[1::2]))
    ups = sorted((key(before.version), key(now.version)) for before, now in found)
    assert [now for _, now in ups] == sorted(now for _, now in ups)
