"""What is looked after now and then: each in its own time, and one that fails stops no other."""

import asyncio
from datetime import timedelta

from muster.errors import NotConfigured
from muster.jobs.sweeper import Sweep, Sweeper
from tests.support.time import Time


class Swept:
    def __init__(self, *, fails: bool = False) -> None:
        self.times = 0
        self.fails = fails

    async def __call__(self) -> int:
        self.times += 1
        if self.fails:
            raise NotConfigured("The database is away.")
        return 2


async def test_each_in_its_own_time(time: Time) -> None:
    often, seldom = Swept(), Swept()
    sweeper = Sweeper([Sweep("often", often), Sweep("seldom", seldom, timedelta(hours=1))])
    assert await sweeper.sweep() == 4
    assert await sweeper.sweep() == 0
    time.pass_(minutes=1)
    assert await sweeper.sweep() == 2
    time.pass_(minutes=59)
    assert await sweeper.sweep() == 4
    assert (often.times, seldom.times) == (3, 2)


async def test_one_that_fails_is_tried_at_the_next_turn_and_stops_no_other(time: Time) -> None:
    failing, well = Swept(fails=True), Swept()
    sweeper = Sweeper([Sweep("failing", failing, timedelta(hours=1)), Sweep("well", well)])
    assert await sweeper.sweep() == 2
    failing.fails = False
    assert await sweeper.sweep() == 2
    assert failing.times == 2


async def test_it_goes_on_until_it_is_ended() -> None:
    swept = Swept()
    loop = asyncio.create_task(Sweeper([Sweep("swept", swept, timedelta(0))], seconds=0).run())
    while swept.times < 3:
        await asyncio.sleep(0)
    loop.cancel()
    await asyncio.wait([loop])
    assert loop.cancelled()
