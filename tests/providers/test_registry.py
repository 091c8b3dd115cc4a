"""One line adds a provider, one takes it out."""

import pytest

from muster.errors import NotFound
from muster.providers import registry
from tests.providers.second import KEY, PROVIDER, AcmeProvider


def test_the_built_in_provider_is_shown_by_its_name() -> None:
    (tactical,) = registry.all()
    assert registry.get("tacticalrmm") is tactical
    assert tactical.manifest.display_name == "Tactical RMM"


def test_an_unknown_provider_is_told_with_the_known_ones() -> None:
    with pytest.raises(NotFound, match="tacticalrmm"):
        registry.get("nosuch")


def test_a_provider_comes_and_goes_by_one_line() -> None:
    registry.register(PROVIDER)
    try:
        registry.register(PROVIDER)
        assert registry.get(KEY) is PROVIDER
        assert [provider.manifest.key for provider in registry.all()] == [KEY, "tacticalrmm"]
        with pytest.raises(ValueError, match="taken"):
            registry.register(AcmeProvider())
    finally:
        registry.unregister(KEY)
    registry.unregister(KEY)
    with pytest.raises(NotFound):
        registry.get(KEY)


def test_a_built_in_key_cannot_be_taken() -> None:
    class Impostor(AcmeProvider):
        manifest = registry.get("tacticalrmm").manifest

    with pytest.raises(ValueError, match="taken"):
        registry.register(Impostor())
    registry.unregister("tacticalrmm")
    assert registry.get("tacticalrmm").manifest.display_name == "Tactical RMM"
