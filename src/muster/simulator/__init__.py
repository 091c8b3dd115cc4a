"""A Tactical RMM 1.5.1 server to try things on: faithful to the recorded one, oddities included.

It imports nothing of the rest of Muster. See docs/simulator.md.
"""

from muster.simulator.alert_hands import Burst
from muster.simulator.alert_rows import AlertRow
from muster.simulator.faults import Fault
from muster.simulator.firing import SentWebhook
from muster.simulator.fleet import Fleet, FleetSpec
from muster.simulator.server import SimulatorServer
from muster.simulator.state import SeenRequest, Settings

__all__ = [
    "AlertRow",
    "Burst",
    "Fault",
    "Fleet",
    "FleetSpec",
    "SeenRequest",
    "SentWebhook",
    "Settings",
    "SimulatorServer",
]
