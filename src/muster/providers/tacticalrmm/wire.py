"""Authenticated requests: one re-login after a 401, every failure a ProviderError."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from muster.egress import Answer, EgressError, ServerClient, Spool
from muster.providers.contract import ProviderNotFound
from muster.providers.tacticalrmm import answers
from muster.providers.tacticalrmm.auth import Authenticator


class Ask(NamedTuple):
    """How patiently a request is made: read timeout in seconds, largest body in bytes, repetitions."""

    seconds: float | None = None
    max_body: int = 8 * 1024 * 1024
    retries: int | None = None


SMALL = Ask()
# One try: a person is waiting for the check's result.
ONCE = Ask(retries=0)
# Computing one light row costs the server up to 2 ms, so 5,000 agents of one client take 10 s and more.
LIST = Ask(seconds=120.0, max_body=256 * 1024 * 1024)
LIST_ONCE = LIST._replace(retries=0)
PAGE = Ask(seconds=60.0, max_body=64 * 1024 * 1024)


class Wire:
    """Requests to one server."""

    def __init__(self, http: ServerClient, auth: Authenticator) -> None:
        self._http = http
        self._auth = auth

    async def get(
        self,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        permission: str | None = None,
        ask: Ask = SMALL,
        into: Spool | None = None,
    ) -> Answer:
        """A successful answer; `into` takes its body. `permission` is what a 403 would lack."""
        answer = await self.answer_to("GET", path, params=params, ask=ask, into=into)
        return _accepted(answer, permission)

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        permission: str | None = None,
        ask: Ask = SMALL,
        is_read: bool = False,
    ) -> Answer:
        """A successful answer to a request with a body. Never repeated, unless `is_read`: it only asks."""
        answer = await self.answer_to(method, path, json=json, ask=ask, is_read=is_read)
        return _accepted(answer, permission)

    async def answer_to(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Any = None,
        ask: Ask = SMALL,
        is_read: bool | None = None,
        into: Spool | None = None,
    ) -> Answer:
        """Any answer, after one login anew where the session had ended."""
        request = {"params": params, "json": json, "is_read": is_read, "into": into}
        headers = await self._auth.headers()
        answer = await self._send(method, path, headers, ask, **request)
        if answer.status == 401 and await self._auth.renew(headers):
            headers = await self._auth.headers()
            answer = await self._send(method, path, headers, ask, **request)
        return answer

    async def get_list(
        self,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        permission: str,
        ask: Ask = LIST,
        into: Spool | None = None,
    ) -> Answer:
        """A list that every server of this kind has."""
        try:
            return await self.get(path, params=params, permission=permission, ask=ask, into=into)
        except ProviderNotFound as missing:
            raise answers.not_tactical(path) from missing

    async def without_credentials(self, path: str, ask: Ask = SMALL) -> Answer:
        """Any answer to a request that carries no credentials."""
        return await self._send("GET", path, {}, ask)

    @asynccontextmanager
    async def spool(self) -> AsyncIterator[Spool]:
        """A place on disk for one large answer, for the length of the block."""
        try:
            async with self._http.spool() as spool:
                yield spool
        except EgressError as failure:
            raise answers.from_egress(failure) from failure

    async def rest(self, seconds: float) -> None:
        """Leave the server alone for so long."""
        await self._http.rest(seconds)

    async def _send(
        self, method: str, path: str, headers: dict[str, str], ask: Ask, **request: Any
    ) -> Answer:
        try:
            return await self._http.request(
                method,
                path,
                headers=headers,
                read_timeout=ask.seconds,
                max_body=ask.max_body,
                retries=ask.retries,
                **request,
            )
        except EgressError as failure:
            raise answers.from_egress(failure) from failure


def _accepted(answer: Answer, permission: str | None) -> Answer:
    failed = answers.refusal(answer, permission)
    if failed is not None:
        raise failed
    return answer
