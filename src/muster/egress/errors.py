"""Why a request brought no answer. An answer with an error status is an answer, not one of these.

EgressError
├── AddressNotAllowed   the name leads only to addresses the policy refuses
├── NameNotResolved     no such host name
├── ConnectionRefused   the host is there, nothing listens on the port
├── Unreachable         no way to the host, or it dropped the connection attempt
├── TlsUntrusted        the TLS handshake failed or the certificate is not trusted
├── TimedOut            no connection, no byte or no end in time
├── BrokenOff           the connection ended in the middle of the answer
├── BodyTooLarge        the answer is larger than this call accepts
└── NotKept             this machine's disk would not take the answer
"""

from __future__ import annotations

from muster.errors import MusterError


class EgressError(MusterError):
    """A request to another server brought no answer. `retryable`: asking again soon can help."""

    code = "unreachable"
    retryable = False


class AddressNotAllowed(EgressError):
    """The address policy refuses every address the name leads to; nothing was sent."""

    code = "address_not_allowed"


class NameNotResolved(EgressError):
    """The host name is not known."""

    code = "name_not_resolved"


class ConnectionRefused(EgressError):
    """Nothing listens on the port."""

    code = "connection_refused"
    retryable = True


class Unreachable(EgressError):
    """There is no way to the host at this moment."""

    retryable = True


class TlsUntrusted(EgressError):
    """The TLS handshake failed: untrusted, expired or wrong certificate, or no TLS at all."""

    code = "tls_untrusted"


class TimedOut(EgressError):
    """It took too long. A slow answer is not asked for again at once: that would only add load."""

    code = "timeout"

    def __init__(self, message: str, *, while_connecting: bool) -> None:
        super().__init__(message)
        self.retryable = while_connecting


class BrokenOff(EgressError):
    """The connection ended before the answer did, or what came was not HTTP."""

    code = "broken_off"
    retryable = True


class BodyTooLarge(EgressError):
    """The answer's body exceeds the bound of this call."""

    code = "body_too_large"


class NotKept(EgressError):
    """An answer that is kept on disk while it is read could not be written or read there."""

    code = "not_kept"
