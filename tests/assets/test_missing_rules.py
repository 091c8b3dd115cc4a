"""Which other agent looks like the same machine."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from muster.assets.missing.rules import Machine, shared, successor

START = datetime(2026, 11, 1, tzinfo=UTC)
few = st.sampled_from

machines = st.builds(
    Machine,
    asset_id=st.integers(1, 40).map(lambda number: UUID(int=number)),
    name=few(["PC-1", "pc-1", "PC-2"]),
    serial_number=few([None, "SN1", "sn1", "SN2"]),
    client_id=few([UUID(int=100), UUID(int=101)]),
    site_name=few([None, "HQ", "Remote"]),
    met_at=st.integers(0, 5).map(lambda days: START + timedelta(days=days)),
)


def machine(number: int, days: int, name: str = "PC-1", serial: str | None = "SN1") -> Machine:
    return Machine(
        asset_id=UUID(int=number),
        name=name,
        serial_number=serial,
        client_id=UUID(int=100),
        site_name="HQ",
        met_at=START + timedelta(days=days),
    )


@given(machines, st.lists(machines, max_size=12))
def test_a_successor_is_newer_another_asset_and_tells_why(missing: Machine, others: list[Machine]) -> None:
    found = successor(missing, others)
    telling = [
        each
        for each in others
        if each.asset_id != missing.asset_id
        and each.met_at > missing.met_at
        and (
            (missing.serial_number or "").casefold() == (each.serial_number or "-").casefold()
            or (missing.name.casefold() == each.name.casefold() and missing.client_id == each.client_id)
        )
    ]
    if found is None:
        assert telling == []
        return
    assert found in telling
    # Nothing beats the same serial number.
    if any("serial_number" in shared(missing, each) for each in telling):
        assert "serial_number" in shared(missing, found)


@given(machines, st.lists(machines, max_size=8))
def test_the_order_in_which_others_come_does_not_matter(missing: Machine, others: list[Machine]) -> None:
    unique = list({each.asset_id: each for each in others}.values())
    assert successor(missing, unique) == successor(missing, unique[::-1])


def test_of_two_with_as_much_in_common_the_newer_one_is_meant() -> None:
    older, newer = machine(2, 1), machine(3, 2)
    assert successor(machine(1, 0), [newer, older]) == newer


def test_no_serial_number_is_not_the_same_serial_number() -> None:
    assert successor(machine(1, 0, "A", None), [machine(2, 1, "B", None)]) is None
