"""What is looked after now and then: receipts that wait, old ones, secrets that hold no longer."""

from datetime import timedelta

from muster.inbound_webhooks.sweep import ReceiptSweeper
from muster.inbound_webhooks.types import ReceiptState
from muster.inbound_webhooks.upkeep import examine
from muster.integrations.webhook_secrets import WebhookSecrets
from muster.jobs.service import JobService
from muster.jobs.types import JobState
from tests.inbound_webhooks.test_door import BODY, rotate
from tests.support.hook import Hook
from tests.support.time import Time
from tests.support.world import World


def sweeper(world: World, days: int = 30, asked: list[int] | None = None) -> ReceiptSweeper:
    told = asked if asked is not None else []
    return ReceiptSweeper(
        world.database, world.box, timedelta(days=days), asked=lambda: told.append(len(told))
    )


async def cancel_all(world: World) -> None:
    async with world.database.write(world.scope) as session:
        jobs = JobService(session, world.scope)
        for job in await jobs.list([JobState.REQUESTED]):
            await jobs.cancel(job.job_id)


async def open_jobs(world: World) -> int:
    async with world.database.read(world.scope) as session:
        return len(await JobService(session, world.scope).list([JobState.REQUESTED, JobState.STARTED]))


async def test_receipts_that_wait_without_a_job_get_one(hook: Hook) -> None:
    await hook.call(BODY)
    asked: list[int] = []
    assert await sweeper(hook.world, asked=asked).look() == 0
    await cancel_all(hook.world)
    assert await sweeper(hook.world, asked=asked).look() == 1
    assert await open_jobs(hook.world) == 1
    assert asked == [0]
    await hook.drain()
    await cancel_all(hook.world)
    assert await sweeper(hook.world).look() == 0
    assert await open_jobs(hook.world) == 0


async def test_settled_receipts_go_when_their_time_is_over(hook: Hook, time: Time) -> None:
    await hook.call(BODY)
    await hook.drain()
    await hook.call(b"broken")
    time.pass_(days=10)
    await hook.call(BODY)
    assert await sweeper(hook.world).clear() == 0
    time.pass_(days=20, seconds=1)
    assert await sweeper(hook.world).clear() == 1
    left = [receipt.state for receipt in await hook.receipts()]
    assert left == [ReceiptState.NOT_UNDERSTOOD, ReceiptState.WAITING]
    time.pass_(days=59)
    assert await sweeper(hook.world).clear() == 0
    time.pass_(days=2)
    assert await sweeper(hook.world).clear() == 1
    time.pass_(days=400)
    assert await sweeper(hook.world).clear() == 0
    assert [receipt.state for receipt in await hook.receipts()] == [ReceiptState.WAITING]


async def test_a_longer_retention_holds_for_all(hook: Hook, time: Time) -> None:
    await hook.call(b"broken")
    time.pass_(days=120)
    assert await sweeper(hook.world, days=365).clear() == 0
    assert await sweeper(hook.world, days=1).clear() == 1


async def test_a_secret_that_holds_no_longer_is_deleted(hook: Hook, time: Time) -> None:
    world = hook.world
    await rotate(hook, timedelta(hours=1))
    await sweeper(world).clear()
    async with world.database.read(world.scope) as session:
        (door,) = await WebhookSecrets(session, world.scope, world.box).doors("tacticalrmm")
    assert door.previous is not None
    time.pass_(hours=1)
    await sweeper(world).clear()
    async with world.database.read(world.scope) as session:
        (door,) = await WebhookSecrets(session, world.scope, world.box).doors("tacticalrmm")
    assert (door.previous, door.current) == (None, hook.secret)


async def test_the_doctor_tells_of_receipts_that_nobody_processes(hook: Hook, time: Time) -> None:
    await hook.call(BODY)
    assert list(await examine(hook.world.database)) == []
    time.pass_(minutes=6)
    (finding,) = await examine(hook.world.database)
    assert finding.code == "receipts_waiting"
    assert finding.message.startswith("1 webhook receipts wait")
