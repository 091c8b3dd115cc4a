"""Sends messages by Apprise, each address in a process of its own (see child.py)."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
import structlog

from muster.egress import EgressPolicy
from muster.notifications.types import Answer, Look, Order, Outcome, Post

log = structlog.get_logger(__name__)

_AT_ONCE = 4
# Seconds: for the process to start, and for each message.
_START, _MESSAGE = 30.0, 60.0
_LINE_BYTES = 64 * 1024
# What such a process may know of its surroundings: no secret of Muster's, no proxy.
_PASSED_ON = (
    "LANG",
    "LC_ALL",
    "PATH",
    "PYTHONPATH",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TZ",
)
_TOO_LONG = Outcome(ok=False, error="The service took too long.")
_BROKE = Outcome(ok=False, error="Apprise broke off; the log says more.")


class Notifier:
    """A Sender (see types) under one policy."""

    def __init__(self, policy: EgressPolicy) -> None:
        self._networks = tuple(str(network) for network in policy.allowed_networks)
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def send(self, posts: Sequence[Post]) -> Mapping[str, Outcome]:
        """Send messages, those of one address in their order; what became of each, by its key."""
        by_url: dict[str, list[Post]] = defaultdict(list)
        for post in posts:
            by_url[post.url].append(post)
        outcomes: dict[str, Outcome] = {}
        for found in await asyncio.gather(*(self._sent(group) for group in by_url.values())):
            outcomes.update(found)
        return outcomes

    async def look(self, url: str) -> Look:
        """What an address is; nothing is sent."""
        answers, _ = await self._carried_out(Order(allowed_networks=self._networks, look=url), _START)
        found = next((answer.look for answer in answers if answer.look is not None), None)
        return found or Look(error="Apprise broke off; the log says more.")

    async def _sent(self, posts: Sequence[Post]) -> Mapping[str, Outcome]:
        order = Order(allowed_networks=self._networks, posts=tuple(posts))
        answers, in_time = await self._carried_out(order, _START + _MESSAGE * len(posts))
        known = {answer.key: answer.outcome for answer in answers if answer.outcome is not None}
        return {post.key: known.get(post.key, _BROKE if in_time else _TOO_LONG) for post in posts}

    async def _carried_out(self, order: Order, seconds: float) -> tuple[Sequence[Answer], bool]:
        """The answers that came, and whether the process ended by itself."""
        async with self._places:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "muster.notifications.child",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                limit=_LINE_BYTES,
            )
            try:
                async with asyncio.timeout(seconds):
                    said, complaints = await process.communicate(msgspec.json.encode(order))
            except TimeoutError:
                return (), False
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode != 0:
            log.warning(
                "notifications.broke_off",
                code=process.returncode,
                # The last line is the error's; addresses are in none of them.
                error=complaints.decode(errors="replace").strip().rpartition("\n")[2][:300],
            )
        return [msgspec.json.decode(line, type=Answer) for line in said.splitlines()], True
