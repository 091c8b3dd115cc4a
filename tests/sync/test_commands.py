"""`muster sync` puts on record who started what."""

import sqlite3
from contextlib import closing
from pathlib import Path

from muster.simulator import SimulatorServer
from tests.support.cli import Muster


def test_a_sync_on_the_command_line_is_put_on_record(
    muster: Muster, server: SimulatorServer, tmp_path: Path
) -> None:
    muster.done("tenant", "create", "Acme")
    muster.done(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", server.url),
        settings={"MUSTER_API_KEY": server.api_key},
    )
    muster.done("sync", "organizations", "Main", "--plan")
    muster.done("sync", "organizations", "Main")
    muster.done("sync", "devices", "Main", "--incremental")
    with closing(sqlite3.connect(tmp_path / "data" / "muster.db")) as database:
        recorded = database.execute(
            "SELECT actor, subject, json_extract(detail, '$.kind') FROM audit_entries"
            " WHERE action = 'sync.started' ORDER BY entry_id"
        ).fetchall()
    assert recorded == [("command line", "Main", "organizations"), ("command line", "Main", "devices")]
