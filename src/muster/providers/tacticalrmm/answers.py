"""What an answer means: errors told apart once (CONTRACT 0 and 1), lists decoded row by row if need be."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

import msgspec

from muster.egress import Answer, EgressError
from muster.providers.contract import (
    ProviderAuthError,
    ProviderConfigurationError,
    ProviderError,
    ProviderNotFound,
    ProviderPayloadError,
    ProviderPermissionError,
    ProviderRateLimited,
    ProviderUnavailable,
    RejectedRow,
)
from muster.providers.tacticalrmm import cleaning
from muster.providers.tacticalrmm.payloads import AlertPage, Detail, Page
from muster.providers.tacticalrmm.translate import RowRefused

T = TypeVar("T")

BETA = "/beta/"
# What decoding raises for bytes from outside: wrong JSON or types, no UTF-8, nested without end.
MALFORMED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
# Beyond these an answer is no list of this kind, rather than one with malformed rows.
MOST_REJECTED = 1_000
MOST_REJECTED_OF_NONE = 50
_HTML = "text/html"
_JSON = "application/json"
_PATH = re.compile(r" - at `\$(?:\.results)?(?:\[[^\]]*\])?\.?([^`]*)`")
_MISSING = re.compile(r"missing required field `([^`]*)`")
_CONFIGURATION = frozenset({"tls_untrusted", "address_not_allowed"})

_API_HOST_REMEDY = "Use the API host, usually the one that starts with api., as in https://api.example.com."


def from_egress(failure: EgressError) -> ProviderError:
    """A request that brought no answer, in the provider's terms; the code stays."""
    if failure.code == "body_too_large":
        return ProviderPayloadError(failure.message, code=failure.code, remedy=failure.remedy)
    if failure.code in _CONFIGURATION:
        return ProviderConfigurationError(failure.message, code=failure.code, remedy=failure.remedy)
    remedies = {
        "name_not_resolved": "Check the host name in the instance URL, and the name server.",
        "connection_refused": "Check host and port, and that the server and its firewall are up.",
    }
    return ProviderUnavailable(
        failure.message,
        code="unavailable" if failure.code == "unreachable" else failure.code,
        remedy=failure.remedy or remedies.get(failure.code, "Check that the server is up, then try again."),
    )


def refusal(answer: Answer, permission: str | None = None) -> ProviderError | None:
    """The error an answer stands for; None for a success. `permission` names what a 403 would lack."""
    status, html = answer.status, answer.media_type == _HTML
    if 200 <= status < 300:
        return _not_an_api(answer) if html else None
    if 300 <= status < 400:
        return ProviderConfigurationError(
            f"The server redirects {answer.path} to another address, which is not followed.",
            code="redirected",
            remedy=_API_HOST_REMEDY,
        )
    if status == 400:
        return _bad_request(answer, html)
    if status == 401:
        return _unauthorized(answer)
    if status == 403:
        return _forbidden(html, permission)
    if status == 404:
        return _missing(answer, html)
    if status == 405 and html:
        return _not_an_api(answer)
    if status == 429:
        return _throttled(answer)
    if status >= 500:
        return ProviderUnavailable(
            f"The server failed with {status} on {answer.path}.",
            remedy="Try again later; if it stays, look into the server's log.",
        )
    return ProviderConfigurationError(
        f"The server answered {status} to {answer.path}.",
        remedy="Check the instance URL and what is in between.",
    )


def _not_an_api(answer: Answer) -> ProviderError:
    return ProviderConfigurationError(
        f"The host answers {answer.path} with a web page: it is the dashboard or another site, not the API.",
        code="dashboard_host",
        remedy=_API_HOST_REMEDY,
    )


def _bad_request(answer: Answer, html: bool) -> ProviderError:
    if html:
        return ProviderConfigurationError(
            "The server does not accept being called by this host name (ALLOWED_HOSTS).",
            code="host_not_allowed",
            remedy="Use the API host name that the server was installed with, not an IP address or an alias.",
        )
    return ProviderPayloadError(f"The server did not accept the request {answer.method} {answer.path}.")


def _unauthorized(answer: Answer) -> ProviderError:
    said = detail_of(answer)
    if "expired" in said.lower():
        return ProviderAuthError(
            "The API key has expired.",
            code="key_expired",
            remedy="Make a new API key on the server and enter it.",
        )
    if "inactive" in said.lower():
        return ProviderAuthError(
            "The user behind the credentials is inactive.", remedy="Activate the user on the server."
        )
    return ProviderAuthError(
        "The server does not accept the credentials.",
        remedy="Enter the API key again, exactly as the server shows it, or log in again.",
    )


def _forbidden(html: bool, permission: str | None) -> ProviderError:
    if html:
        return ProviderPermissionError(
            "Something in front of the server forbids the request.",
            remedy="Let Muster's address through the proxy or firewall in front of the server.",
        )
    lacking = f" It lacks {permission}." if permission else ""
    return ProviderPermissionError(
        f"The user behind the credentials may not do this.{lacking}",
        remedy=f"Give the user a role with {permission or 'this permission'}; without a role nothing goes.",
    )


def _missing(answer: Answer, html: bool) -> ProviderError:
    if html and answer.path.startswith(BETA):
        return ProviderConfigurationError(
            "The beta API is off on this server.",
            code="beta_disabled",
            remedy="Set BETA_API_ENABLED = True in the server's local_settings.py, or choose source auto.",
        )
    return ProviderNotFound(f"The server has nothing at {answer.path}.")


def not_tactical(path: str) -> ProviderError:
    """There is nothing where every server of this kind has something."""
    return ProviderConfigurationError(
        f"The server has no {path}: it is not Tactical RMM.",
        code="not_tactical",
        remedy="Check the instance URL, and what is in front of the server.",
    )


def _throttled(answer: Answer) -> ProviderError:
    wait = answer.retry_after
    when = f"in {wait:.0f} seconds" if wait is not None else "later"
    return ProviderRateLimited(
        "The server throttles requests from here.", retry_after=wait, remedy=f"Try again {when}."
    )


def detail_of(answer: Answer) -> str:
    """The `detail` text of an error body; empty when there is none."""
    if answer.media_type != _JSON:
        return ""
    try:
        return msgspec.json.decode(answer.body, type=Detail).detail
    except MALFORMED:
        return ""


def decode(answer: Answer, kind: type[T]) -> T:
    """The body as `kind`; ProviderPayloadError names the field that does not fit."""
    require_json(answer)
    try:
        return msgspec.json.decode(answer.body, type=kind)
    except msgspec.ValidationError as wrong:
        field, reason = _explained(wrong)
        raise ProviderPayloadError(
            f"In the answer to {answer.path}, {field or 'the body'}: {reason}."
        ) from wrong
    except MALFORMED as broken:
        raise _not_json(answer) from broken


class Rows(msgspec.Struct, Generic[T]):
    """A list answer, bare or paginated: good rows by position, refused ones, and what the envelope says.

    `owners` says, for each of `rejected` in the same order, which client name and site the row states.
    """

    good: list[tuple[int, T]]
    rejected: list[RejectedRow]
    owners: list[tuple[object, object]]
    count: int | None = None
    more: bool = False
    paginated: bool = False

    @property
    def total(self) -> int:
        """How many rows the answer had."""
        return len(self.good) + len(self.rejected)


def decode_rows(answer: Answer, kind: type[T]) -> Rows[T]:
    """All rows of a list answer. One bad row is a RejectedRow; a body that is no list is an error.

    The whole is decoded at once; only when that fails is each row decoded by itself.
    """
    require_json(answer)
    paginated = answer.body.lstrip()[:1] == b"{"
    try:
        if paginated:
            page = msgspec.json.decode(answer.body, type=Page[kind])  # type: ignore[valid-type]
            rows = list(enumerate(page.results))
            return Rows(rows, [], [], page.count, page.next is not None, True)
        rows = list(enumerate(msgspec.json.decode(answer.body, type=list[kind])))  # type: ignore[valid-type]
        return Rows(rows, [], [])
    except MALFORMED:
        return _row_by_row(answer, kind, paginated)


def _row_by_row(answer: Answer, kind: type[T], paginated: bool) -> Rows[T]:
    count, more = None, False
    try:
        if paginated:
            page = msgspec.json.decode(answer.body, type=Page[msgspec.Raw])
            raws, count, more = page.results, page.count, page.next is not None
        else:
            raws = msgspec.json.decode(answer.body, type=list[msgspec.Raw])
    except msgspec.ValidationError as wrong:
        field, reason = _explained(wrong)
        raise ProviderPayloadError(
            f"The answer to {answer.path} is not a list: {field or 'the body'}: {reason}."
        ) from wrong
    except MALFORMED as broken:
        raise _not_json(answer) from broken
    result: Rows[T] = Rows([], [], [], count, more, paginated)
    decoder = msgspec.json.Decoder(kind)
    for position, raw in enumerate(raws):
        try:
            result.good.append((position, decoder.decode(raw)))
        except MALFORMED as wrong:
            field, reason = _explained(wrong)
            named = _named(raw)
            result.owners.append((named.client_name, named.site))
            result.rejected.append(
                RejectedRow(external_id=_id_of(named, kind), position=position, field=field, reason=reason)
            )
            bound = MOST_REJECTED if result.good else MOST_REJECTED_OF_NONE
            if len(result.rejected) > bound:
                said = f"Hardly a row of the answer to {answer.path} fits; {field or 'the first'}: {reason}."
                raise ProviderPayloadError(said) from wrong
    return result


def decode_alerts(answer: Answer) -> list[msgspec.Raw]:
    """The items of an alert list, bare or as {"alerts": []}, each still as it is on the wire."""
    require_json(answer)
    listed = answer.body.lstrip()[:1] == b"{"
    try:
        if listed:
            return msgspec.json.decode(answer.body, type=AlertPage).alerts
        return msgspec.json.decode(answer.body, type=list[msgspec.Raw])
    except msgspec.ValidationError as wrong:
        raise ProviderPayloadError(f"The answer to {answer.path} is not a list of alerts.") from wrong
    except MALFORMED as broken:
        raise _not_json(answer) from broken


def decode_item(item: bytes | msgspec.Raw, kind: type[T]) -> tuple[T, dict[str, Any]]:
    """One item as a row, with all that it holds; RowRefused names the field that does not fit."""
    try:
        whole = msgspec.json.decode(item, type=dict[str, Any])
        return msgspec.convert(whole, kind), whole
    except MALFORMED as wrong:
        field, reason = _explained(wrong)
        raise RowRefused(field or "", reason) from wrong


def decode_row(item: bytes | msgspec.Raw, kind: type[T]) -> T:
    """One item as a row, and no more of it than that; RowRefused names the field that does not fit."""
    try:
        return msgspec.json.decode(item, type=kind)
    except MALFORMED as wrong:
        field, reason = _explained(wrong)
        raise RowRefused(field or "", reason) from wrong


def id_of(item: msgspec.Raw) -> str | None:
    """The `id` of an item that does not fit, where it has one."""
    return _shown(_named(item).id)


def rejected(position: int, external_id: str | None, refused: RowRefused) -> RejectedRow:
    """A row that was decoded but cannot become a record."""
    return RejectedRow(
        external_id=None if external_id is None else cleaning.label(external_id, 200),
        position=position,
        field=refused.field or None,
        reason=refused.reason,
    )


class _Named(msgspec.Struct):
    agent_id: Any = None
    id: Any = None
    client_name: Any = None
    site: Any = None


def _named(raw: msgspec.Raw) -> _Named:
    try:
        return msgspec.json.decode(raw, type=_Named)
    except MALFORMED:
        return _Named()


def _id_of(row: _Named, kind: type[Any]) -> str | None:
    # An agent's integer pk must not pass for its agent_id.
    return _shown(row.agent_id if "agent_id" in kind.__struct_fields__ else row.id)


def _shown(name: object) -> str | None:
    return cleaning.label(str(name), 200) if isinstance(name, str | int) else None


def _explained(wrong: BaseException) -> tuple[str | None, str]:
    text = str(wrong)
    path = _PATH.search(text)
    field = path[1] if path else ""
    if missing := _MISSING.search(text):
        field = f"{field}.{missing[1]}" if field else missing[1]
    return cleaning.label(field, 200), cleaning.label(text.partition(" - at `")[0], 300) or "malformed"


def require_json(answer: Answer) -> None:
    """ProviderPayloadError unless the answer says that it is JSON."""
    if answer.media_type != _JSON:
        raise ProviderPayloadError(
            f"The answer to {answer.path} is {answer.media_type or 'of no stated type'}, not JSON."
        )


def _not_json(answer: Answer) -> ProviderPayloadError:
    return ProviderPayloadError(
        f"The answer to {answer.path} is not well-formed JSON ({len(answer.body):,} bytes).",
        remedy="The answer may have been cut off on the way; try again.",
    )
