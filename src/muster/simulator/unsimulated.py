"""URLs the real server has and the simulator does not (yet): an honest 501 instead of a misleading 404."""

from muster.simulator.http import Response, answer
from muster.simulator.routing import Call, Endpoint, Routes, signed_in

PREFIXES = (
    "accounts",
    "alerts",
    "automation",
    "checks",
    "core",
    "logs",
    "reporting",
    "scripts",
    "services",
    "tasks",
)
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def _not_simulated(call: Call) -> Response:
    asked = f"{call.request.method} {call.request.path}"
    text = f"{asked} exists on a real server; the simulator does not answer it."
    return answer({"detail": text}, 501)


def register(routes: Routes) -> None:
    """Add these URLs; they come last, so that a simulated one wins."""
    endpoint = Endpoint(dict.fromkeys(_METHODS, _not_simulated), ", ".join(_METHODS), signed_in)
    for prefix in PREFIXES:
        routes.add(f"/{prefix}/<any:rest>", endpoint)
