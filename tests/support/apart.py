"""A simulated server in another process, so that its memory and time are not those of the test."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Apart:
    """A simulated server in a process of its own."""

    url: str
    api_key: str


@contextmanager
def simulator_apart(agents: int, *, weight: str = "light", seed: int = 1) -> Iterator[Apart]:
    """Run a frozen simulator in another process, so that its memory and time are not ours."""
    options = ["--agents", str(agents), "--seed", str(seed), "--weight", weight, "--port", "0", "--frozen"]
    child = subprocess.Popen(
        [sys.executable, "-m", "muster.simulator", "serve", *options, "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        said = json.loads(child.stdout.readline())
        yield Apart(said["url"], said["api_key"])
    finally:
        child.terminate()
        child.communicate()
