"""HTTP over connections that go to the very address which was checked."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from ipaddress import ip_address

import httpcore2
import httpx2

from muster.egress.errors import (
    AddressNotAllowed,
    BrokenOff,
    ConnectionRefused,
    EgressError,
    NameNotResolved,
    TimedOut,
    TlsUntrusted,
    Unreachable,
)
from muster.egress.policy import Address, EgressPolicy

Resolver = Callable[[str, int], Awaitable[list[str]]]


async def system_resolver(host: str, port: int) -> list[str]:
    """The addresses of a host as the operating system gives them; NameNotResolved when there are none."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as unknown:
        raise NameNotResolved(f"The name {host} cannot be resolved.") from unknown
    return [str(entry[4][0]) for entry in found]


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves a name once, checks every address, and connects to a checked one.

    Between check and connection the name is not asked again, so a name that changes its answer
    (DNS rebinding) gains nothing. TLS still verifies the host name, not the address.
    """

    def __init__(self, policy: EgressPolicy, resolve: Resolver) -> None:
        self._policy = policy
        self._resolve = resolve
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore2's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect within `timeout` seconds, all addresses of the name together."""
        budget = self._policy.connect_timeout if timeout is None else timeout
        end = time.monotonic() + budget
        try:
            async with asyncio.timeout(budget):
                addresses = await self._checked(host, port)
        except TimeoutError as late:
            raise TimedOut(f"{host} was not resolved in time.", while_connecting=True) from late
        for position, address in enumerate(addresses):
            remaining = max(0.05, (end - time.monotonic()) / (len(addresses) - position))
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout=remaining, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if position == len(addresses) - 1:
                    raise
        raise NameNotResolved(f"{host} has no address.")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore2's
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Refused: Muster talks to hosts."""
        raise AddressNotAllowed("Local sockets are not reached.")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def _checked(self, host: str, port: int) -> list[Address]:
        found = await self._resolve(host, port)
        addresses = list(dict.fromkeys(ip_address(text) for text in found))
        refusals = {address: self._policy.refusal(address) for address in addresses}
        allowed = [address for address in addresses if refusals[address] is None]
        if addresses and not allowed:
            address = addresses[0]
            raise AddressNotAllowed(
                f"{host} leads to {address}, which may not be reached: {refusals[address]}.",
                remedy="Use another address, or let an operator extend the allowed networks.",
            )
        return allowed


class CheckedTransport(httpx2.AsyncBaseTransport):
    """An httpx2 transport over `CheckedBackend`; every failure is an EgressError."""

    def __init__(self, policy: EgressPolicy, context: ssl.SSLContext, resolve: Resolver) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            max_connections=policy.per_server,
            max_keepalive_connections=policy.per_server,
            keepalive_expiry=30.0,
            network_backend=CheckedBackend(policy, resolve),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the body is streamed."""
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        try:
            answer = await self._pool.handle_async_request(
                httpcore2.Request(
                    method=request.method,
                    url=url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except FAILURES as failure:
            raise classified(failure, request.url.host) from failure
        return httpx2.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream, request.url.host),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: object, host: str) -> None:
        if not isinstance(stream, AsyncIterable):
            raise TypeError("the answer's body is not an asynchronous stream")
        self._stream = stream
        self._host = host

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except FAILURES as failure:
            raise classified(failure, self._host) from failure

    async def aclose(self) -> None:
        if hasattr(self._stream, "aclose"):
            await self._stream.aclose()


FAILURES = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
    ssl.SSLError,
    OSError,
)


def classified(failure: BaseException, host: str) -> EgressError:
    """The failure as one of our classes, by what caused it."""
    if isinstance(failure, httpcore2.ConnectTimeout):
        return TimedOut(f"{host} did not accept a connection in time.", while_connecting=True)
    if isinstance(failure, httpcore2.TimeoutException):
        return TimedOut(f"{host} did not answer in time.", while_connecting=False)
    causes = list(_chain(failure))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TlsUntrusted(
                f"The certificate of {host} is not trusted: {cause.verify_message}.",
                remedy="Install a certificate from a known authority, or name its CA file.",
            )
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return TlsUntrusted(
            f"No TLS connection with {host} could be made.",
            remedy="Check that the port speaks https and that its certificate is valid.",
        )
    if isinstance(failure, httpcore2.ConnectError):
        if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            return ConnectionRefused(f"{host} refused the connection.")
        return Unreachable(f"{host} cannot be reached.")
    return BrokenOff(f"{host} broke off the connection before its answer was complete.")


def _chain(failure: BaseException | None) -> Iterable[BaseException]:
    while failure is not None:
        yield failure
        if isinstance(failure, BaseExceptionGroup):
            for member in failure.exceptions:
                yield from _chain(member)
        failure = failure.__cause__ or failure.__context__
