"""Kills a sync at random moments and compares what is left with an undisturbed one."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from muster.db import Database
from muster.db.types import new_id
from muster.encryption import FixedKeys, Key, SecretBox, new_key
from tests.support.job import Job
from tests.support.world import Server, World
from tests.sync.installed import changes, inventory

_CHILD = """
import asyncio, os, signal, sys, threading
from uuid import UUID
from muster.db import Database
from muster.encryption import FixedKeys, Key, SecretBox
from muster.sync.types import SyncMode
from muster.tenancy import TenantScope
from tests.support.job import Job
from tests.support.world import World

class Struck(Job):
    def cancelled(self):
        if self.looks == reports:
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
        return super().cancelled()

async def main(url, tenant, integration, mode, job):
    database = Database(url)
    key = Key(bytes.fromhex(sys.stdin.readline()))
    world = World(database, TenantScope(UUID(tenant)), SecretBox(FixedKeys((key,))))
    if mode == "software":
        run = await world.software(UUID(integration), job=Struck(world.scope, UUID(job)))
    else:
        run = await world.devices(UUID(integration), SyncMode(mode))
    await database.close()
    print(run.status)

*arguments, reports, seconds = sys.argv[1:]
reports, seconds = int(reports), float(seconds)
asyncio.run(main(*arguments))
"""


def child_status(out: str) -> str:
    """The last line a child printed; what comes before it is its log."""
    return out.strip().splitlines()[-1] if out.strip() else ""


class Victim:
    """Syncs the same integration again and again in processes of their own: its devices, or its software as
    attempts at `job`.
    """

    def __init__(self, world: World, key: Key, integration_id: UUID, mode: str = "full") -> None:
        self.integration_id = integration_id
        self.job = new_id()
        self._mode = mode
        self._world = world
        self._key = key

    @property
    def _command(self) -> list[str]:
        url = self._world.database.url.render_as_string(hide_password=False)
        place = [url, str(self._world.scope.tenant_id), str(self.integration_id)]
        return [sys.executable, "-c", _CHILD, *place, self._mode, str(self.job)]

    def _start(self, reports: int = -1, seconds: float = 0.0) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [*self._command, str(reports), str(seconds)],
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

    def strike(self, reports: int, seconds: float) -> bool:
        """Read software, and kill -9 so long after so many reports; whether that came before its end."""
        child = self._start(reports, seconds)
        out, err = child.communicate(timeout=600)
        assert child.returncode == -signal.SIGKILL or child_status(out) == "succeeded", err
        return child.returncode == -signal.SIGKILL


async def new_victim(
    database: Database, server: Server, name: str, mode: str = "full"
) -> tuple[World, Victim]:
    """A mapped world, and what syncs it in other processes: without assets, or without their software."""
    key = new_key()
    made = await World.make(database, name)
    world = World(database, made.scope, SecretBox(FixedKeys((key,))))
    integration_id = await world.connect(server)
    await world.map_all(integration_id)
    if mode == "software":
        await world.devices(integration_id)
    return world, Victim(world, key, integration_id, mode)


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


async def struck_and_compared(
    database: Database, server: Server, change: Callable[[], None], *, kills: int, seed: int
) -> None:
    """Strike the first reading of software of some worlds at random moments, and the one after `change`.
    Each is taken up again under its own id, and must end with the counters, the installs and the changes of
    one that was never disturbed.
    """
    dice = random.Random(seed)
    worlds = [await new_victim(database, server, f"Software {n}", "software") for n in range(1 + kills // 2)]
    (undisturbed, quiet), *others = worlds
    for first in (True, False):
        expected = await _read(undisturbed, quiet)
        reports = sum(expected.run)
        assert (expected.run[0] > 0, expected.run[1] > 0) == (first, not first)
        for world, victim in others:
            moment = dice.randrange(reports - 1), dice.uniform(0, 0.05)
            struck = await asyncio.to_thread(victim.strike, *moment)
            under_way = {run.run_id for run in await world.runs() if run.status == "running"}
            assert under_way == ({victim.job} if struck else set())
            assert await _read(world, victim) == expected, (first, *moment, struck)
        if first:
            change()
            for _, victim in worlds:
                victim.job = new_id()


class Ended(NamedTuple):
    """What a reading of software left: created, updated, unchanged and failed; installs; changes."""

    run: tuple[int, ...]
    inventory: dict[str, set[tuple[str | None, ...]]]
    changes: list[tuple[str | None, ...]]


async def _read(world: World, victim: Victim) -> Ended:
    """Read software in this process, or go on with what another one has begun."""
    run = await world.software(victim.integration_id, job=Job(world.scope, victim.job))
    assert (run.run_id, run.status) == (victim.job, "succeeded")
    told = [
        (each.asset_name, each.kind, each.name, each.version, each.from_version)
        for each in await changes(world)
    ]
    return Ended(
        (run.created, run.updated, run.unchanged, run.failed), await inventory(world), sorted(told, key=str)
    )
