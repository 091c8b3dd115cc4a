"""The recorded exchanges are found, and read as they are."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.support.recordings import FOLDER_VARIABLE, Recordings, find_recordings


@pytest.mark.recordings
def test_the_snapshot_is_whole(recordings: Recordings) -> None:
    index = recordings.snapshot_index()
    files = {entry.file for entry in index}
    assert {"clients.json.gz", "agents.json.gz", "beta_agent_page_1.json.gz"} <= files
    assert all(isinstance(recordings.load_snapshot(name), list | dict) for name in files)
    assert len(recordings.load_snapshot("agents.json.gz")) == 250
    assert all(parsedate_to_datetime(entry.date) > datetime(2026, 1, 1, tzinfo=UTC) for entry in index)


@pytest.mark.recordings
def test_captures_are_read_by_name(recordings: Recordings) -> None:
    names = recordings.capture_names("auth_")
    assert names
    assert all(name.startswith("auth_") for name in names)
    capture = recordings.load_capture("agents_one_404")
    assert capture["response"]["status"] == 404
    assert recordings.full_body("agents_detail_false").startswith(b"[")


def test_a_folder_without_recordings_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert find_recordings() is None
