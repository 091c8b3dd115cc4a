"""Does the connection work? Each fault by its code, with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from muster import clock
from muster.egress import Answer
from muster.providers.contract import (
    CheckResult,
    ConnectionSettings,
    Finding,
    ProviderError,
    ProviderNotFound,
    ProviderPermissionError,
    ProviderUnavailable,
)
from muster.providers.tacticalrmm import answers, ladder
from muster.providers.tacticalrmm.alerts import ALERTS, LIST_ALERTS, MANAGE_ALERTS
from muster.providers.tacticalrmm.ladder import Ladder
from muster.providers.tacticalrmm.payloads import ClientRow, DashRow, RosterRow
from muster.providers.tacticalrmm.software import LIST_SOFTWARE, SOFTWARE
from muster.providers.tacticalrmm.wire import LIST_ONCE, ONCE, Wire

_HOME = "/"
_VERSION = "/core/version/"
_DASHBOARD_INFO = "/core/dashinfo/"
_CLIENTS = "/clients/"
_AGENTS = "/agents/"
_BETA = "/beta/v1/client/"
# Long enough for the server's URLs, and no agent's: theirs are 40 letters.
_NO_AGENT = "0" * 40
# Status hangs on minutes; Date headers have seconds, and the answer may have been long on its way.
_SKEW_SECONDS = 120
# The oldest version whose answers are known to fit; see docs/providers/tacticalrmm.md.
_OLDEST = (1, 0, 0)


class _Report:
    def __init__(self, settings: ConnectionSettings) -> None:
        self.findings: list[Finding] = []
        self.facts: dict[str, Any] = {"auth_mode": settings.auth_mode}
        self.ladder = Ladder(settings)
        self._settings = settings

    def add(
        self, code: str, level: Any, message: str, remedy: str, fix: dict[str, str] | None = None
    ) -> None:
        finding = Finding(code=code, level=level, message=message, remedy=remedy, fix=fix or {})
        if finding not in self.findings:
            self.findings.append(finding)

    def add_error(self, failure: ProviderError) -> None:
        fix = api_host(self._settings.instance_url) if failure.code == "dashboard_host" else None
        self.add(
            failure.code,
            "error",
            failure.message,
            failure.remedy or "Try again later.",
            {"instance_url": fix} if fix else None,
        )
        self.ladder.failed(failure)

    def is_over(self) -> bool:
        """Whether nothing more is to be asked; what a role lacks ends no check."""
        return any(f.level == "error" and f.code != ProviderPermissionError.code for f in self.findings)

    def result(self) -> CheckResult:
        return CheckResult(
            ok=all(finding.level != "error" for finding in self.findings),
            findings=tuple(self.findings),
            facts=self.facts,
            steps=self.ladder.steps(),
        )


async def examine(
    settings: ConnectionSettings, wire: Wire, login: Callable[[], Awaitable[None]] | None = None
) -> CheckResult:
    """Everything a sync needs, tried in the order in which it can fail. `login` is done once it is sure that
    it goes to an API.
    """
    report = _Report(settings)
    try:
        await _reach(wire, report)
        if login is not None:
            await login()
        await _let_in(wire, report)
        await _version(wire, report)
        await _visible(wire, report)
        await _alerts(wire, report)
        await _software(wire, report)
        await _source(settings.options.get("source", "auto"), wire, report)
    except ProviderError as failure:
        report.add_error(failure)
    return report.result()


async def _reach(wire: Wire, report: _Report) -> None:
    # Asked first and without credentials, so that none are sent to what turns out to be a web site.
    answer = await wire.without_credentials(_HOME, ONCE)
    report.ladder.met(answer)
    failed = answers.refusal(answer)
    if failed is not None and not isinstance(failed, ProviderNotFound | ProviderPermissionError):
        raise failed


async def _let_in(wire: Wire, report: _Report) -> None:
    try:
        answer = await wire.get(_VERSION, ask=ONCE)
    except (ProviderNotFound, ProviderPermissionError):
        # Any user may read the version; a proxy may think otherwise. The lists decide.
        return
    report.facts["web_version"] = answers.decode(answer, str)[:50]
    report.ladder.passed(ladder.LOGIN)
    skew = (answer.date - clock.now()).total_seconds() if answer.date else 0.0
    report.facts["clock_skew_seconds"] = round(skew)
    apart = f"{abs(skew):.0f} s apart"
    report.ladder.set(ladder.CLOCK, "warned" if abs(skew) > _SKEW_SECONDS else "passed", apart)
    if abs(skew) > _SKEW_SECONDS:
        report.add(
            "clock_skew",
            "warning",
            f"The server's clock is {abs(skew):.0f} seconds {'ahead of' if skew > 0 else 'behind'} Muster's.",
            "Synchronize both clocks (NTP): status and one-time codes depend on them.",
        )


async def _version(wire: Wire, report: _Report) -> None:
    """Best effort: the server asks GitHub for news while it answers, and may forbid it."""
    try:
        version = answers.decode(await wire.get(_DASHBOARD_INFO, ask=ONCE), DashRow).trmm_version
    except ProviderError as failure:
        if failure.code in {"throttled", "connection_refused", "invalid_credentials", "key_expired"}:
            raise
        return
    if not version:
        return
    report.facts["server_version"] = version[:50]
    report.ladder.passed(ladder.HOST, f"version {version[:50]}")
    numbers = tuple(int(number) for number in re.findall(r"[0-9]{1,6}", version)[:3])
    if numbers and numbers < _OLDEST:
        report.add(
            "version_old",
            "warning",
            f"The server runs Tactical RMM {version[:50]}; what it answers may lack fields.",
            f"Update the server to {'.'.join(map(str, _OLDEST))} or later.",
        )


async def _visible(wire: Wire, report: _Report) -> None:
    """Clients and devices, and whether the role hides some of the devices that the clients count."""
    stated = seen = None
    try:
        clients = answers.decode_rows(
            await wire.get_list(_CLIENTS, permission="can_list_clients", ask=LIST_ONCE), ClientRow
        )
    except ProviderError as failure:
        report.add_error(failure)
    else:
        counts = [row.agent_count for _, row in clients.good]
        report.facts["organizations"] = clients.total
        report.facts["organizations_rejected"] = len(clients.rejected)
        stated = None if None in counts or clients.rejected else sum(count or 0 for count in counts)
        report.facts["devices_stated"] = stated
    try:
        roster = answers.decode_rows(
            await wire.get_list(
                _AGENTS, params={"detail": "false"}, permission="can_list_agents", ask=LIST_ONCE
            ),
            RosterRow,
        )
    except ProviderError as failure:
        report.add_error(failure)
    else:
        seen = report.facts["devices_seen"] = roster.total
        if "organizations" in report.facts:
            report.ladder.passed(
                ladder.ROLE, f"{report.facts['organizations']:,} clients, {roster.total:,} agents"
            )
    if stated is not None and seen is not None and seen < stated:
        report.add(
            "key_restricted",
            "warning",
            f"The role sees {seen} of the {stated} devices that its clients count: it is limited to some"
            " sites. The others will not come in, and none counts as missing.",
            "Give the role access to whole clients, if all of their devices are wanted.",
        )


class _Lack(NamedTuple):
    """What a role may not do: what follows from it, and what would help."""

    code: str
    message: str
    remedy: str


_LACKS = {
    "alerts_readable": _Lack(
        "alerts_not_readable",
        f"The role may not read alerts: it lacks {LIST_ALERTS}. What the webhook says stays unconfirmed,"
        " and what it missed is not found.",
        f"Give the role {LIST_ALERTS}.",
    ),
    "alerts_writable": _Lack(
        "alerts_not_writable",
        f"The role may not change alerts: it lacks {MANAGE_ALERTS}. What is resolved or snoozed in Muster"
        " stays as it was on the server.",
        f"Give the role {MANAGE_ALERTS}, if it shall be written back.",
    ),
    "software_readable": _Lack(
        "software_not_readable",
        f"The role may not read software: it lacks {LIST_SOFTWARE}. What is installed where stays unknown.",
        f"Give the role {LIST_SOFTWARE}.",
    ),
}


async def _alerts(wire: Wire, report: _Report) -> None:
    """What the role may do about alerts, by two questions that cost the server next to nothing.

    A list of no severity needs no look into its database. Numbers begin at 1, so that a change of alert 0,
    and one that there is not, does nothing: whoever may is told that there is no such alert.
    """
    if report.is_over():
        return
    try:
        listed = await wire.answer_to("PATCH", ALERTS, json={"severityFilter": []}, ask=ONCE, is_read=True)
        changed = await wire.answer_to("PUT", f"{ALERTS}0/", json={"type": "none"}, ask=ONCE)
    except ProviderError as failure:
        report.add(failure.code, "warning", failure.message, failure.remedy or "Try again later.")
        return
    _may(report, "alerts_readable", answers.refusal(listed, LIST_ALERTS))
    _may(report, "alerts_writable", _unless_missing(changed, MANAGE_ALERTS))


async def _software(wire: Wire, report: _Report) -> None:
    """Whether the role may read what is installed, without its weight: of an agent that there is not. The
    permission is looked at before the agent.
    """
    if report.is_over():
        return
    try:
        answer = await wire.answer_to("GET", f"{SOFTWARE}{_NO_AGENT}/", ask=ONCE)
    except ProviderError as failure:
        report.add(failure.code, "warning", failure.message, failure.remedy or "Try again later.")
        return
    _may(report, "software_readable", _unless_missing(answer, LIST_SOFTWARE))


def _unless_missing(answer: Answer, permission: str) -> ProviderError | None:
    """What an answer stands for; None also for the server's own word that there is no such thing."""
    if answer.status == 404 and answers.detail_of(answer):
        return None
    return answers.refusal(answer, permission)


def _may(report: _Report, what: str, failure: ProviderError | None) -> None:
    report.facts[what] = failure is None
    if failure is None:
        return
    if isinstance(failure, ProviderPermissionError):
        report.add(_LACKS[what].code, "warning", _LACKS[what].message, _LACKS[what].remedy)
    else:
        report.add(failure.code, "warning", failure.message, failure.remedy or "Try again later.")


async def _source(source: str, wire: Wire, report: _Report) -> None:
    try:
        on = beta_is_on(await wire.without_credentials(_BETA, ONCE))
    except ProviderError as failure:
        if source == "beta":
            raise
        report.add(failure.code, "warning", failure.message, "Nothing at once: the light list is used.")
        report.ladder.set(ladder.SOURCE, "warned", "the light list is used")
        return
    report.facts["beta_api"] = on
    report.facts["source_in_use"] = source if on else "stable"
    if on or source != "beta":
        report.ladder.set(ladder.SOURCE, "passed", "beta API is on" if on else "stable; beta API is off")
    if on:
        await _hidden_clients(wire, report)
    elif source == "beta":
        report.add(
            "beta_disabled",
            "error",
            "The beta API is off on this server.",
            "Set BETA_API_ENABLED = True in the server's local_settings.py, or choose source auto or stable.",
            {"source": "auto"},
        )
        report.ladder.set(ladder.SOURCE, "failed", "beta API is off")
    else:
        report.add(
            "beta_disabled",
            "info",
            "The beta API is off on this server; memory and disks are read agent by agent instead.",
            "Set BETA_API_ENABLED = True in the server's local_settings.py, if a faster full sync is wanted.",
        )


async def _hidden_clients(wire: Wire, report: _Report) -> None:
    """The beta lists ignore roles (CONTRACT 2), so they tell how many clients the role hides."""
    visible = report.facts.get("organizations")
    try:
        rows = answers.decode_rows(await wire.get(_BETA, permission="can_list_clients", ask=ONCE), ClientRow)
    except ProviderError as failure:
        report.add_error(failure)
        return
    if visible is not None and visible < rows.total:
        report.add(
            "key_restricted",
            "warning",
            f"The role sees {visible} of the server's {rows.total} clients. The others will not come in,"
            " and none of their devices counts as missing.",
            "Give the role access to all clients, if they are wanted.",
        )


def api_host(url: str) -> str | None:
    """The address at which the API of a dashboard's host usually is; None where no guess is good."""
    parts = urlsplit(url)
    first, _, domain = (parts.hostname or "").partition(".")
    if first == "api" or "." not in domain or domain.rpartition(".")[2].isdigit():
        return None
    return f"{parts.scheme}://api.{domain}{f':{parts.port}' if parts.port else ''}"


def beta_is_on(answer: Answer) -> bool:
    """Whether the beta API is there: a web page with 404 says no, JSON says yes, even a 401 (CONTRACT 2)."""
    if answer.status >= 500 or answer.status == 429:
        raise answers.refusal(answer) or ProviderUnavailable("The server did not answer.")
    return answer.media_type == "application/json" and answer.status in {200, 401, 403}
