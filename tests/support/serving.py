"""`muster serve` in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx2

_WAIT = 60


class Serving:
    """A running `muster serve`; used with `with`, it must end by itself with exit code 0 when told to."""

    def __init__(self, settings: Mapping[str, str], *options: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MUSTER_")}
        self._log = Path(settings["MUSTER_DATA_DIR"]) / f"serve-{id(self)}.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "muster", "--json", "serve", "--port", "0", *options],
                stdout=subprocess.PIPE,
                stderr=log,
                env={**kept, "MUSTER_LOG_LEVEL": "info", "MUSTER_LOG_FORMAT": "json", **settings},
            )
        self.url = ""
        # Of the first run; empty once there is a user.
        self.setup_token = ""

    @property
    def log(self) -> str:
        return self._log.read_text()

    def logged(self, event: str) -> list[Mapping[str, Any]]:
        lines = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    def ready(self) -> Self:
        """Wait until it listens."""
        assert self.process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = self.process.stdout.readline().decode()
            assert line, self.log
            text += line
        said = json.loads(text)
        self.url = said["url"]
        self.setup_token = said["setup_token"] or ""
        return self

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(f"{self.url}{path}", timeout=_WAIT)

    def metric(self, name: str) -> float:
        """The value of a sample, named with its labels as on the page."""
        for line in self.get("/metrics").text.splitlines():
            if line.rpartition(" ")[0] == name:
                return float(line.rpartition(" ")[2])
        raise AssertionError(f"there is no {name}")

    def stop(self) -> int:
        """Ask it to end, and wait for its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_WAIT)

    def close(self) -> None:
        """Put away what is left of it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def __enter__(self) -> Self:
        try:
            return self.ready()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            code = self.stop() if self.process.poll() is None else self.process.returncode
        finally:
            self.close()
        if kind is None:
            assert code == 0, self.log
