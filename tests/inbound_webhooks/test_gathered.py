"""A question is put once for all who ask at the same time, and never answered with what was before."""

import asyncio

import pytest

from muster.inbound_webhooks.gathered import Gathered


async def test_who_asks_before_it_is_put_shares_the_answer() -> None:
    put: list[str] = []

    async def answer(key: str) -> str:
        put.append(key)
        await asyncio.sleep(0)
        return f"{key} {put.count(key)}"

    gathered = Gathered(answer)
    assert await asyncio.gather(*(gathered.ask("a") for _ in range(5)), gathered.ask("b")) == ["a 1"] * 5 + [
        "b 1"
    ]
    assert put == ["a", "b"]
    assert await gathered.ask("a") == "a 2"


async def test_who_asks_while_it_is_answered_hears_what_changed_meanwhile() -> None:
    state, going, go_on = ["old"], asyncio.Event(), asyncio.Event()

    async def answer(_: str) -> str:
        seen = state[0]
        going.set()
        await go_on.wait()
        return seen

    gathered = Gathered(answer)
    first = asyncio.create_task(gathered.ask("a"))
    await going.wait()
    state[0] = "new"
    later = [asyncio.create_task(gathered.ask("a")) for _ in range(3)]
    await asyncio.sleep(0)
    go_on.set()
    assert await first == "old"
    assert await asyncio.gather(*later) == ["new"] * 3


async def test_an_error_reaches_everybody_and_the_next_is_asked_anew() -> None:
    times = [0]

    async def answer(_: str) -> int:
        times[0] += 1
        if times[0] == 1:
            raise OSError("down")
        return times[0]

    gathered = Gathered(answer)
    ended = await asyncio.gather(*(gathered.ask("a") for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in ended] == [OSError] * 3
    assert await gathered.ask("a") == 2


async def test_one_who_goes_away_leaves_the_others_their_answer() -> None:
    go_on = asyncio.Event()

    async def answer(_: str) -> str:
        await go_on.wait()
        return "there"

    gathered = Gathered(answer)
    first, second = (asyncio.create_task(gathered.ask("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert await second == "there"
