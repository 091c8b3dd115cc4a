"""`python -m muster.simulator`: the simulator alone, without the rest of Muster."""

from muster.simulator.commands import simulator_app

if __name__ == "__main__":
    simulator_app(prog_name="python -m muster.simulator")
