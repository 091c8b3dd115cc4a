"""A receiver, and a tenant whose messages may go to the loopback."""

from collections.abc import Iterator

import pytest

from muster.bootstrap import outbound
from muster.db import Database
from muster.notifications.notifier import Notifier
from tests.support.receiver import Receiver, receiving
from tests.support.world import World

LOOPBACK = "127.0.0.0/8"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A program that can be told things."""
    with receiving() as running:
        yield running


@pytest.fixture
async def world(database: Database) -> World:
    """A tenant of an operator who allows the loopback."""
    return await World.make(database, MUSTER_OUTBOUND_ALLOW=LOOPBACK)


@pytest.fixture
def sender(world: World) -> Notifier:
    """What sends."""
    return outbound.notifier(world.settings)
