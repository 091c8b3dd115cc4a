"""What docs/simulator.md says is what there is: options, users, faults, fleet methods."""

from pathlib import Path

import pytest
import typer

from muster.simulator import Fleet, FleetSpec, Settings, SimulatorServer
from muster.simulator.alert_hands import AlertHands
from muster.simulator.commands import simulator_app
from muster.simulator.faults import EXPLAINED
from muster.simulator.software_hands import SoftwareHands

_PAGE = (Path(__file__).resolve().parents[2] / "docs" / "simulator.md").read_text()


def _options() -> list[str]:
    command = typer.main.get_command(simulator_app)
    serve = command.commands["serve"]  # type: ignore[attr-defined]
    names = [(parameter.secondary_opts or parameter.opts)[0] for parameter in serve.params]
    return [name for name in names if name != "--help"]


def _methods() -> list[str]:
    return [name for name in vars(Fleet) if not name.startswith("_")]


# Read by the simulator itself while it answers.
_INNER = {"site_of", "pk_of", "agents_per_site", "sites_in_maintenance", "watch", "change"}


@pytest.mark.parametrize("option", _options())
def test_every_option_is_documented(option: str) -> None:
    assert f"`{option}" in _PAGE


@pytest.mark.parametrize("user", SimulatorServer(FleetSpec(1)).users)
def test_every_user_is_documented(user: str) -> None:
    assert f"`{user}`" in _PAGE


@pytest.mark.parametrize("kind", EXPLAINED)
def test_every_fault_is_documented(kind: str) -> None:
    assert f"`{kind}" in _PAGE


@pytest.mark.parametrize("method", [name for name in _methods() if name not in _INNER])
def test_every_change_of_the_fleet_is_documented(method: str) -> None:
    assert f"`{method}`" in _PAGE


@pytest.mark.parametrize("method", [name for name in vars(AlertHands) if not name.startswith("_")])
def test_every_hand_on_alerts_is_documented(method: str) -> None:
    assert f"`{method}`" in _PAGE


@pytest.mark.parametrize("hand", [name for name in vars(SoftwareHands) if not name.startswith("_")])
def test_every_hand_on_software_is_documented(hand: str) -> None:
    assert f"`{hand}`" in _PAGE


@pytest.mark.parametrize("setting", Settings.__dataclass_fields__)
def test_every_setting_is_documented(setting: str) -> None:
    assert f"`{setting}" in _PAGE
