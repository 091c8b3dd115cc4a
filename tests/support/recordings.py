"""Recorded exchanges of a real Tactical RMM server: they stand beside the project, not in it.

They are looked for in ``../shared/tactical``, or where MUSTER_TEST_RECORDINGS says. A plain clone has
none: tests that replay them skip with a reason, in CI they fail.
"""

import gzip
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.session import in_ci

FOLDER_VARIABLE = "MUSTER_TEST_RECORDINGS"
NO_RECORDINGS = "The recorded exchanges were not found"

_PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class SnapshotEntry:
    """One answer of the snapshot: what was asked, and the server's clock (HTTP date) when it answered."""

    file: str
    method: str
    path: str
    body: Any
    date: str


@dataclass(frozen=True)
class Recordings:
    """The folder with ``captures/`` and ``snapshot/``."""

    folder: Path

    def load_capture(self, name: str) -> Any:
        """One recorded exchange as it stands in ``captures/NAME.json`` (lists in bodies are cut)."""
        return json.loads((self.folder / "captures" / f"{name}.json").read_text())

    def capture_names(self, prefix: str = "") -> list[str]:
        """Names of the recorded exchanges of one family, ``auth_`` for example."""
        return sorted(path.stem for path in (self.folder / "captures").glob(f"{prefix}*.json"))

    def full_body(self, name: str) -> bytes:
        """The whole body of a recorded answer, byte for byte, where one was kept."""
        return (self.folder / "captures" / "full" / f"{name}.body").read_bytes()

    def load_snapshot(self, file: str) -> Any:
        """A decoded answer of the snapshot: ``load_snapshot("clients.json.gz")``."""
        return json.loads(self.snapshot_bytes(file))

    def snapshot_bytes(self, file: str) -> bytes:
        """An answer of the snapshot as it was on the wire."""
        content = (self.folder / "snapshot" / file).read_bytes()
        return gzip.decompress(content) if file.endswith(".gz") else content

    def snapshot_index(self) -> list[SnapshotEntry]:
        """What the snapshot holds, in the order of asking."""
        names = SnapshotEntry.__dataclass_fields__
        return [
            SnapshotEntry(**{name: entry[name] for name in names})
            for entry in self.load_snapshot("index.json")
        ]


def find_recordings() -> Recordings | None:
    """The recordings of this machine, if it has them."""
    named = os.environ.get(FOLDER_VARIABLE)
    folder = Path(named) if named else _PROJECT.parent / "shared" / "tactical"
    return Recordings(folder) if (folder / "snapshot" / "index.json").is_file() else None


@pytest.fixture(scope="session")
def recordings() -> Recordings:
    """The recorded exchanges. Tests that use them carry ``@pytest.mark.recordings``."""
    found = find_recordings()
    if found is None:
        message = f"{NO_RECORDINGS}: put them in ../shared/tactical or set {FOLDER_VARIABLE}"
        if in_ci():
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return found
