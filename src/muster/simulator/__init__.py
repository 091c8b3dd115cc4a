"""A Tactical RMM 1.5.1 server to try things on: faithful to the recorded one, oddities included.

It imports nothing of the rest of Muster. See docs/simulator.md.
"""

from muster.simulator.faults import Fault
from muster.simulator.fleet import Fleet, FleetSpec
from muster.simulator.server import SimulatorServer
from muster.simulator.state import SeenRequest, Settings

__all__ = ["Fault", "Fleet", "FleetSpec", "SeenRequest", "Settings", "SimulatorServer"]
