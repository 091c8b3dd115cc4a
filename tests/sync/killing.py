"""Kills a sync at random moments and compares what is left with an undisturbed one."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from muster.db import Database
from muster.encryption import FixedKeys, Key, SecretBox, new_key
from tests.support.world import Server, World

_CHILD = """
import asyncio, sys
from uuid import UUID
from muster.db import Database
from muster.encryption import FixedKeys, Key, SecretBox
from muster.sync.types import SyncMode
from muster.tenancy import TenantScope
from tests.support.world import World

async def main(url, tenant, integration, mode):
    database = Database(url)
    key = Key(bytes.fromhex(sys.stdin.readline()))
    world = World(database, TenantScope(UUID(tenant)), SecretBox(FixedKeys((key,))))
    run = await world.devices(UUID(integration), SyncMode(mode))
    await database.close()
    print(run.status)

asyncio.run(main(*sys.argv[1:]))
"""


def child_status(out: str) -> str:
    """The last line a child printed; what comes before it is its log."""
    return out.strip().splitlines()[-1] if out.strip() else ""


class Victim:
    """Syncs the same integration again and again in processes of their own."""

    def __init__(self, world: World, key: Key, integration_id: object, mode: str = "full") -> None:
        self._arguments = [
            world.database.url.render_as_string(hide_password=False),
            str(world.scope.tenant_id),
            str(integration_id),
            mode,
        ]
        self._key = key

    def _start(self) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert child.stdin is not None
        child.stdin.write(self._key.material.hex() + "\n")
        child.stdin.flush()
        return child

    def run(self) -> tuple[str, float]:
        """One undisturbed sync: its status and seconds."""
        started = time.monotonic()
        out, err = self._start().communicate(timeout=600)
        assert child_status(out) in {"succeeded", "partial", "failed"}, err
        return child_status(out), time.monotonic() - started

    def kill(self, after: float) -> float | None:
        """Start a sync and kill -9 it; the seconds it took when it was done before."""
        child, started = self._start(), time.monotonic()
        try:
            child.communicate(timeout=after)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.communicate()
            return None
        return time.monotonic() - started


async def new_victim(database: Database, server: Server, name: str) -> tuple[World, Victim]:
    """A mapped world without assets, and what syncs it in other processes."""
    key = new_key()
    made = await World.make(database, name)
    world = World(database, made.scope, SecretBox(FixedKeys((key,))))
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    return world, Victim(world, key, integration_id)


async def killed_and_compared(database: Database, server: Server, *, kills: int, seed: int) -> None:
    """Kill syncs of empty worlds at random moments until `kills` of them were struck under way (two in a
    world), sync each world once more, and compare it with one that was never disturbed.
    """
    dice = random.Random(seed)
    undisturbed, quiet = await new_victim(database, server, "Undisturbed")
    status, seconds = await asyncio.to_thread(quiet.run)
    assert status == "succeeded"
    expected = await undisturbed.fleet()
    struck = tries = 0
    while struck < kills:
        assert tries < 4 * kills, f"only {struck} of {tries} kills struck a sync under way"
        world, victim = await new_victim(database, server, f"Disturbed {tries}")
        for _ in range(2):
            took = await asyncio.to_thread(victim.kill, dice.uniform(0.3, 1.0) * seconds)
            struck += took is None
            # A machine that has become less busy since is faster than the first run was.
            seconds = seconds if took is None else took
            tries += 1
        status, _ = await asyncio.to_thread(victim.run)
        assert status == "succeeded"
        assert await world.fleet() == expected
        assert not [run for run in await world.runs() if run.status == "running"]
