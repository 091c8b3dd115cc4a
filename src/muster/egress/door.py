"""The door: clients for one server each, polite, bounded, counted, and silent about secrets."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakValueDictionary

import httpx2
import structlog

from muster import clock
from muster.egress.errors import BodyTooLarge, BrokenOff, EgressError, TimedOut
from muster.egress.policy import EgressPolicy
from muster.egress.spool import Spool
from muster.egress.transport import CheckedTransport, Resolver, system_resolver
from muster.errors import NotConfigured

_log = structlog.get_logger("muster.egress")

_READS = frozenset({"GET", "HEAD"})
_AGENT = "muster"
# Shared by every client of the same origin: what counts is what the server has to bear.
_limits: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[str, asyncio.Semaphore]] = (
    WeakKeyDictionary()
)


class Meter(Protocol):
    """Counts what a client moves."""

    requests: int
    bytes_received: int


class _Uncounted:
    requests = 0
    bytes_received = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """Who answered: its address, and the end of its certificate's validity where there is one."""

    address: str
    certificate_until: datetime | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer. `seconds` is the time from sending to the last byte, waiting aside. `peer` is None
    where the connection does not tell. `body` is empty where a spool took it.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str
    path: str
    seconds: float
    peer: Peer | None = None

    @property
    def media_type(self) -> str:
        """The content type in lower case without parameters; empty when not stated."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def date(self) -> datetime | None:
        """The server's clock when it answered (Date header)."""
        return clock.from_http_date(self.headers.get("date"))

    @property
    def retry_after(self) -> float | None:
        """Seconds the server asks to wait; an HTTP date is taken relative to the answer's own Date."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return float(min(int(text[:9]), 86_400))
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait = (clock.as_utc(moment) - (self.date or clock.now())).total_seconds() if moment.tzinfo else 0.0
        return min(max(wait, 0.0), 86_400.0)


class Egress:
    """Makes clients under one policy.

    `sleep` (seconds), `jitter` (0 to 1) and `resolve` (host and port to addresses) may be given by who
    has other ones, tests above all.
    """

    def __init__(
        self,
        policy: EgressPolicy | None = None,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        resolve: Resolver = system_resolver,
    ) -> None:
        self.policy = policy or EgressPolicy()
        self._sleep = sleep
        self._jitter = jitter
        self._resolve = resolve
        self._context = _tls(self.policy)

    @asynccontextmanager
    async def server(self, origin: str, *, meter: Meter | None = None) -> AsyncIterator[ServerClient]:
        """A client for one origin (`https://host[:port]`); nothing is sent before the first request."""
        # A login answers with a cookie nobody needs: none is ever kept or sent.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        async with httpx2.AsyncClient(
            base_url=origin,
            transport=CheckedTransport(self.policy, self._context, self._resolve),
            follow_redirects=False,
            trust_env=False,
            cookies=no_cookies,
            headers={"User-Agent": _AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"},
        ) as http:
            yield ServerClient(
                http, self.policy, meter if meter is not None else _Uncounted(), self._sleep, self._jitter
            )


class ServerClient:
    """Requests to one server. Only reads are ever repeated."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        policy: EgressPolicy,
        meter: Meter,
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        self._http = http
        self._policy = policy
        self._meter = meter
        self._sleep = sleep
        self._jitter = jitter
        self._limit: asyncio.Semaphore | None = None

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        read_timeout: float | None = None,
        max_body: int | None = None,
        retries: int | None = None,
        is_read: bool | None = None,
        into: Spool | None = None,
    ) -> Answer:
        """One request with its whole answer, whatever the status; EgressError when there is none.

        `is_read` marks a method that reads although its name does not say so. A read is repeated up to
        `retries` times after 429, 5xx or a lost connection, after an exponential pause with full jitter.
        A 429 that asks for more than the policy's cap is handed back at once. `into` takes the body of a
        success, which is then not held; any other is held as ever, and is no larger than the policy allows.
        """
        read = method in _READS if is_read is None else is_read
        left = (self._policy.retries if retries is None else retries) if read else 0
        request = self._http.build_request(
            method,
            path,
            params=params,
            headers=headers,
            json=json,
            timeout=self._patience(read_timeout),
        )
        bound = self._policy.max_body_bytes if max_body is None else max_body
        for attempt in range(left + 1):
            last = attempt == left
            try:
                answer = await self._once(request, path, bound, attempt, into=into)
            except EgressError as failure:
                if last or not failure.retryable:
                    raise
                pause = self._backoff(attempt)
            else:
                wanted = self._pause_for(answer, attempt)
                if last or wanted is None:
                    return answer
                pause = wanted
            await self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    async def post(self, path: str, content: bytes, *, headers: Mapping[str, str], keep: int) -> Answer:
        """Send these very bytes, once, and read no more than `keep` bytes of what is answered; EgressError
        when there is no answer.
        """
        request = self._http.build_request(
            "POST", path, content=content, headers=headers, timeout=self._patience()
        )
        return await self._once(request, path, keep, 0, cut_short=True)

    @asynccontextmanager
    async def spool(self) -> AsyncIterator[Spool]:
        """A place on disk for one large answer, for the length of the block."""
        spool = Spool(self._policy.spool_folder)
        try:
            yield spool
        finally:
            await spool.aclose()

    async def rest(self, seconds: float) -> None:
        """Leave the server alone for so long."""
        await self._sleep(seconds)

    def _patience(self, read_timeout: float | None = None) -> httpx2.Timeout:
        seconds = read_timeout or self._policy.read_timeout
        return httpx2.Timeout(seconds, connect=self._policy.connect_timeout, pool=None)

    def _backoff(self, attempt: int) -> float:
        return self._jitter() * min(self._policy.backoff_cap, self._policy.backoff_base * 2.0**attempt)

    def _pause_for(self, answer: Answer, attempt: int) -> float | None:
        """How long to wait before asking again; None when the answer is to be taken as it is."""
        if answer.status == 429:
            asked = answer.retry_after
            if asked is None:
                return self._backoff(attempt)
            return asked if asked <= self._policy.retry_after_cap else None
        if answer.status >= 500 and answer.status not in {501, 505}:
            return self._backoff(attempt)
        return None

    async def _once(
        self,
        request: httpx2.Request,
        path: str,
        bound: int,
        attempt: int,
        *,
        cut_short: bool = False,
        into: Spool | None = None,
    ) -> Answer:
        async with self._limited():
            started = time.monotonic()
            self._meter.requests += 1
            try:
                async with asyncio.timeout(self._policy.call_timeout):
                    answer = await self._exchange(
                        request, path, bound, started, cut_short=cut_short, into=into
                    )
            except TimeoutError as late:
                self._report(request, path, attempt, started, error=TimedOut.code)
                raise TimedOut(
                    f"{request.url.host} did not finish its answer in time.", while_connecting=False
                ) from late
            except EgressError as failure:
                self._report(request, path, attempt, started, error=failure.code)
                raise
        size = len(answer.body) + (into.size if into is not None else 0)
        self._report(request, path, attempt, started, status=answer.status, bytes=size)
        return answer

    async def _exchange(
        self,
        request: httpx2.Request,
        path: str,
        bound: int,
        started: float,
        *,
        cut_short: bool,
        into: Spool | None,
    ) -> Answer:
        response = await self._http.send(request, stream=True)
        peer = _peer(response)
        body, size = bytearray(), 0
        try:
            if into is not None:
                await into.clear()
                if not response.is_success:
                    into, bound = None, min(bound, self._policy.max_body_bytes)
            async for part in response.aiter_bytes():
                size += len(part)
                if into is None:
                    body += part
                elif size <= bound:
                    await into.write(part)
                if size <= bound:
                    continue
                if not cut_short:
                    raise BodyTooLarge(f"{request.url.host} sent more than {bound:,} bytes for {path}.")
                del body[bound:]
                break
        except httpx2.DecodingError as broken:
            raise BrokenOff(f"{request.url.host} sent a body that cannot be unpacked.") from broken
        finally:
            self._meter.bytes_received += response.num_bytes_downloaded
            await response.aclose()
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=bytes(body),
            method=request.method,
            path=path,
            seconds=time.monotonic() - started,
            peer=peer,
        )

    def _limited(self) -> asyncio.Semaphore:
        if self._limit is None:
            per_loop = _limits.setdefault(asyncio.get_running_loop(), WeakValueDictionary())
            origin = str(self._http.base_url).rstrip("/")
            self._limit = per_loop.setdefault(origin, asyncio.Semaphore(self._policy.per_server))
        return self._limit

    def _report(
        self, request: httpx2.Request, path: str, attempt: int, started: float, **facts: str | int
    ) -> None:
        """One line a request: neither headers, query nor bodies, which is where secrets travel."""
        _log.debug(
            "request",
            method=request.method,
            host=request.url.host,
            path=path.partition("?")[0],
            attempt=attempt,
            ms=round((time.monotonic() - started) * 1000),
            **facts,
        )


def _peer(response: httpx2.Response) -> Peer | None:
    stream = response.extensions.get("network_stream")
    if stream is None or not (address := stream.get_extra_info("server_addr")):
        return None
    secured = stream.get_extra_info("ssl_object")
    ends = (secured.getpeercert() or {}).get("notAfter") if secured is not None else None
    until = None if ends is None else datetime.fromtimestamp(ssl.cert_time_to_seconds(ends), UTC)
    return Peer(str(address[0]), until)


def _tls(policy: EgressPolicy) -> ssl.SSLContext:
    context = httpx2.create_ssl_context(trust_env=False)
    if policy.ca_file is not None:
        try:
            context.load_verify_locations(cafile=policy.ca_file)
        except (OSError, ssl.SSLError) as unusable:
            raise NotConfigured(
                f"The CA file {policy.ca_file} cannot be used: {unusable}.",
                remedy="Give a readable file with certificates in PEM form.",
            ) from unusable
    return context
