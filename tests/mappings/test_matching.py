"""Proposals of clients for organizations: pure rules."""

from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.mappings.matching import AMBIGUOUS, EXACT, LEAST, normalized, plan_matches, propose


def clients(*names: str) -> list[tuple[UUID, str]]:
    return [(UUID(int=number), name) for number, name in enumerate(names, 1)]


def proposed(organizations: list[str], ours: list[str]) -> dict[str, tuple[str, float]]:
    found = propose([(name, name) for name in organizations], clients(*ours))
    return {name: (proposal.client_name, proposal.confidence) for name, proposal in found.items()}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Contoso", "CONTOSO"),
        ("Contoso", "  contoso\t Ltd. "),
        ("Contoso Inc", "Contoso, Inc."),
        ("Contoso GmbH", "Contoso GmbH & Co. KG"),
        ("Contoso", "Contoso S.A."),
        ("Contoso", "Contoso S. A."),
        ("Contoso", "Contoso Sp. z o.o."),
        ("Contoso", "Contoso s. r. o."),
        ("Contoso", "Contoso A/S"),
        ("Contoso", "Contoso Pty Ltd"),
        ("Müller", "Mueller AG"),
        ("Müller", "Muller"),
        ("Straße", "STRASSE"),
        ("Møller", "Moller ApS"),
        ("Café Noir", "cafe noir"),
        ("Smith & Sons", "Smith and Sons Ltd"),
        ("O'Brien", "OBrien"),
        ("Ｃｏｎｔｏｓｏ", "Contoso"),
        ("東京 株式会社", "東京 株式会社"),
        ("AG", "ag"),
        ("Łódź Serwis", "Lodz Serwis"),
    ],
)
def test_names_that_say_the_same(one: str, other: str) -> None:
    assert normalized(one) & normalized(other)
    assert proposed([one], [other, "Unrelated Holdings"]) == {one: (other, EXACT)}
    assert proposed([other], [one]) == {other: (one, EXACT)}


@pytest.mark.parametrize(
    ("one", "other"),
    [("Contoso", "Fabrikam"), ("か", "が"), ("###", "!!!"), ("", ""), ("Nord", "Süd"), ("AG", "Inc")],
)
def test_names_that_do_not(one: str, other: str) -> None:
    assert proposed([one], [other]) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Contso", "Contoso"),
        ("Bäckerei Schmidt", "Schmidt Baeckerei"),
        ("Contoso Europe", "Contoso Europa Ltd"),
    ],
)
def test_alike_is_less_than_the_same(one: str, other: str) -> None:
    name, confidence = proposed([one], ["Fabrikam", other])[one]
    assert name == other
    assert LEAST <= confidence < AMBIGUOUS


def test_the_closest_spelling_wins() -> None:
    assert proposed(["Alpha GmbH"], ["Alpha Inc", "Alpha GmbH"]) == {"Alpha GmbH": ("Alpha GmbH", EXACT)}
    assert proposed(["Müller"], ["Mueller", "Müller"]) == {"Müller": ("Müller", EXACT)}


def test_nothing_is_sure_where_several_could_be_meant() -> None:
    assert proposed(["Alpha"], ["Alpha GmbH", "Alpha Inc"])["Alpha"][1] == AMBIGUOUS
    both = proposed(["Alpha AG", "Alpha Ltd"], ["Alpha"])
    assert both == {"Alpha AG": ("Alpha", AMBIGUOUS), "Alpha Ltd": ("Alpha", AMBIGUOUS)}
    named = proposed(["Alpha", "Alpha Ltd"], ["Alpha"])
    assert named == {"Alpha": ("Alpha", EXACT), "Alpha Ltd": ("Alpha", AMBIGUOUS)}


def test_a_client_that_is_taken_is_never_sure() -> None:
    ours = clients("Alpha")
    assert propose([("1", "Alpha")], ours, taken=[ours[0][0]])["1"].confidence == AMBIGUOUS


def test_what_automatic_matching_would_do() -> None:
    organizations = [("1", "Alpha"), ("2", "Bta Services"), ("3", "Gamma"), ("4", "Delta"), ("5", "DELTA")]
    ours = clients("Alpha", "Beta Services")
    assert [match.action for match in plan_matches(organizations, ours)] == [
        "map",
        "review",
        "none",
        "none",
        "none",
    ]
    creating = plan_matches(organizations, ours, create_missing=True)
    assert [match.action for match in creating] == ["map", "review", "create", "review", "review"]


names = st.text("abÄßüo.,&- ", max_size=12) | st.sampled_from(
    ["Alpha", "alpha gmbh", "Alpha Inc.", "ALPHA & Co. KG", "Älpha", "Aelpha", "Beta", "Bta"]
)
many = st.lists(names, max_size=8)


@given(many, many)
def test_no_client_is_sure_for_two_organizations(theirs: list[str], ours: list[str]) -> None:
    organizations = [(str(number), name) for number, name in enumerate(theirs)]
    found = propose(organizations, clients(*ours))
    sure = [proposal.client_id for proposal in found.values() if proposal.confidence == EXACT]
    assert len(sure) == len(set(sure))
    assert all(LEAST <= proposal.confidence <= EXACT for proposal in found.values())
    assert set(found) <= {external_id for external_id, _ in organizations}


@given(many, many)
def test_being_sure_takes_the_same_name(theirs: list[str], ours: list[str]) -> None:
    by_id = dict(enumerate(theirs))
    for external_id, proposal in propose([(str(k), v) for k, v in by_id.items()], clients(*ours)).items():
        if proposal.confidence == EXACT:
            assert normalized(by_id[int(external_id)]) & normalized(proposal.client_name)


@given(many, many, st.randoms(use_true_random=False))
def test_the_order_of_the_lists_does_not_matter(theirs: list[str], ours: list[str], dice: Random) -> None:
    organizations = [(str(number), name) for number, name in enumerate(theirs)]
    known = clients(*ours)
    before = propose(organizations, known)
    dice.shuffle(organizations)
    dice.shuffle(known)
    assert propose(organizations, known) == before


@given(names)
def test_normalizing_twice_is_normalizing_once(name: str) -> None:
    for spelling in normalized(name):
        assert spelling in normalized(spelling)
        assert spelling == " ".join(spelling.split())
