"""Faults to try clients on: injected at start (`--fault`) or while the server runs (`server.faults.add`)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

FaultKind = Literal[
    "slow", "error500", "error502", "throttle429", "drop", "dashboard", "malformed-agent", "cut-body",
    "huge-body",
    "beta-off", "short-list", "malformed-software",
]  # fmt: skip

EXPLAINED: dict[str, str] = {
    "slow": "wait VALUE seconds (5) before answering",
    "error500": "Django's HTML 500",
    "error502": "the reverse proxy's HTML 502",
    "throttle429": "429 with Retry-After VALUE seconds (1)",
    "drop": "close the connection without an answer",
    "dashboard": "answer 200 with the dashboard's HTML page to everything",
    "malformed-agent": "one agent of a list is ill-formed: VALUE type (wrong types) or missing (no id)",
    "cut-body": "announce the whole body, send half of it, close the connection",
    "huge-body": "10 MB of JSON, VALUE array or object, where something else should be",
    "beta-off": "the beta API is switched off: HTML 404 (with ,after=N: in the middle of a walk)",
    "short-list": "a list of agents or software leaves out VALUE percent of its rows (50), well-formed",
    "malformed-software": "one row of installed software is ill-formed: VALUE type (its list is none),"
    " missing (no agent) or entry (some entries make no sense)",
}
_SHAPE = re.compile(
    r"(?P<kind>[a-z0-9-]+)(=(?P<value>[^@,]*))?(@(?P<path>/[^,]*))?(?P<rest>(,(times|after)=\d+)*)",
)
_WORDS = {"malformed-agent": ("type", "missing"), "huge-body": ("array", "object"),
          "malformed-software": ("type", "missing", "entry")}  # fmt: skip
MAX_SECONDS = 3600.0


@dataclass(slots=True)
class Fault:
    """One fault. It strikes requests whose path begins with `path`; the first `after` of them pass unharmed,
    then it strikes `times` times (None: for ever). `agent_id` chooses the agent that malformed-agent
    or malformed-software spoils.
    """

    kind: FaultKind
    value: str = ""
    path: str = "/"
    times: int | None = None
    after: int = 0
    agent_id: str | None = None
    struck: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(FaultKind):
            raise ValueError(f"there is no fault {self.kind!r}; known: {', '.join(get_args(FaultKind))}")
        if self.kind in ("slow", "throttle429"):
            self.seconds()
        if self.kind == "short-list":
            self.percent()
        allowed = _WORDS.get(self.kind)
        if allowed and self.value and self.value not in allowed:
            raise ValueError(f"the value of {self.kind} is {' or '.join(allowed)}, not {self.value!r}")

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """A fault from `KIND[=VALUE][@PATHPREFIX][,times=N][,after=N]`; ValueError says what is wrong."""
        match = _SHAPE.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text!r} is not a fault; write KIND[=VALUE][@/PATHPREFIX][,times=N][,after=N]")
        numbers = {name: int(number) for name, number in re.findall(r",(times|after)=(\d+)", match["rest"])}
        kind: FaultKind = match["kind"]  # type: ignore[assignment]
        return cls(
            kind, match["value"] or "", match["path"] or "/", numbers.get("times"), numbers.get("after", 0)
        )

    def percent(self) -> int:
        """The value as a share of a hundred; ValueError when it is none."""
        if not self.value:
            return 50
        if not (self.value.isdecimal() and 1 <= int(self.value) <= 100):
            raise ValueError(f"the value of {self.kind} is a percentage from 1 to 100, not {self.value!r}")
        return int(self.value)

    def seconds(self) -> float:
        """The value as seconds; ValueError when it is none or above an hour."""
        default = 5.0 if self.kind == "slow" else 1.0
        try:
            found = float(self.value) if self.value else default
        except ValueError:
            found = -1.0
        if not 0 <= found <= MAX_SECONDS:
            raise ValueError(
                f"the value of {self.kind} is seconds from 0 to {MAX_SECONDS:.0f}, not {self.value!r}"
            )
        return found


class Faults:
    """The faults in force."""

    def __init__(self, faults: Iterable[Fault | str] = ()) -> None:
        self._faults: list[Fault] = []
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault | str) -> Fault:
        """Put a fault in force; text is read as on the command line."""
        added = Fault.parse(fault) if isinstance(fault, str) else fault
        self._faults.append(added)
        return added

    def clear(self) -> None:
        """Lift all faults."""
        self._faults.clear()

    def strike(self, path: str) -> dict[str, Fault]:
        """The faults that hit a request of this path with its query, by kind; counts it for each of them."""
        hits: dict[str, Fault] = {}
        for fault in list(self._faults):
            beta_only = fault.kind == "beta-off" and not path.startswith("/beta/")
            if beta_only or not path.startswith(fault.path) or fault.times == 0:
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.times is not None:
                fault.times -= 1
            fault.struck += 1
            hits[fault.kind] = fault
        return hits
