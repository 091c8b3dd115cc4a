"""The alerts' URLs, odd cases included (CONTRACT section 4)."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from muster.simulator.access import may, visible_sites
from muster.simulator.agents import DAY
from muster.simulator.alert_rows import KINDS, MOMENTS, SEVERITIES, AlertRow, item
from muster.simulator.clock import to_microseconds
from muster.simulator.fields import BadField, Check, checked, choice, flag, one_of, text
from muster.simulator.http import Refusal, Response, answer, not_found, server_error
from muster.simulator.routing import Call, Endpoint, Handler, Routes

_FILTERS = ("timeFilter", "clientFilter", "severityFilter", "resolvedFilter", "snoozedFilter")
Wanted = Callable[[AlertRow], bool]


# ---- who may


def _permission(call: Call) -> bool:
    """Reading is GET and PATCH, everything else is managing; an alert without an agent is everybody's."""
    reads = call.request.method in ("GET", "PATCH")
    if not may(call.caller, "can_list_alerts" if reads else "can_manage_alerts"):
        return False
    if "pk" not in call.pieces or call.caller.superuser:
        return True
    call.state.alerts.settle()
    row = call.state.alerts.book.get(int(call.pieces["pk"]))
    if row is None:
        raise not_found("Alert")
    return _visible(call)(row)


def _visible(call: Call) -> Wanted:
    """Whether the caller's role covers an alert. Agentless ones are seen, unless a check or task is named."""
    fleet = call.state.fleet
    sites = visible_sites(call.caller, fleet)
    if sites is None:
        return lambda _: True
    return lambda row: row.agent is None or fleet.site_of(row.agent) in sites


def _rows(call: Call) -> list[AlertRow]:
    """The alerts the caller sees, in an order that nobody promised."""
    call.state.alerts.settle()
    rows = {row.pk: row for row in call.state.alerts.book}
    visible = _visible(call)
    return [rows[pk] for pk in call.state.shuffled(list(rows)) if visible(rows[pk])]


# ---- the list


def _list(call: Call) -> Response:
    data = call.request.data()
    if not isinstance(data, dict):
        raise server_error()
    fleet = call.state.fleet
    if "top" in data:
        return _top(call, data["top"])
    wanted = [_filter(call, name, data[name]) for name in _FILTERS if name in data]
    return answer([item(row, fleet) for row in _rows(call) if all(fits(row) for fits in wanted)])


def _top(call: Call, asked: Any) -> Response:
    number = _whole(asked)
    if number < 0:
        raise server_error()
    shown = [row for row in _rows(call) if not (row.resolved or row.snoozed or row.hidden)]
    oldest = sorted(shown, key=lambda row: row.alert_time)[:number]
    alerts = [item(row, call.state.fleet) for row in oldest]
    return answer({"alerts_count": len(shown), "alerts": alerts})


def _filter(call: Call, name: str, value: Any) -> Wanted:
    if name in ("resolvedFilter", "snoozedFilter"):
        return _flag_filter(name.removesuffix("Filter"), value)
    if name == "timeFilter":
        now = call.state.clock.now_us()
        after = now - _days(value)
        return lambda row: after < row.alert_time <= now
    if name == "severityFilter":
        severities = {str(each) for each in _each(value)}
        return lambda row: row.severity in severities
    fleet, clients = call.state.fleet, {_whole(each) for each in _each(value) if each is not None}
    sites = {site.pk for site in fleet.sites.values() if site.client in clients}
    return lambda row: row.agent is not None and fleet.site_of(row.agent) in sites


def _flag_filter(column: str, value: Any) -> Wanted:
    """What is true, the text "false" too, filters nothing; null is no flag and meets no row."""
    if value:
        return lambda _: True
    if (value is not None and value is not False and value != 0) or value in ("", [], {}):
        raise server_error()
    return lambda row: value is not None and not getattr(row, column)


def _each(value: Any) -> Iterable[Any]:
    """The values of a list; a text counts as its letters, as the database layer takes it."""
    if not isinstance(value, list | str | dict):
        raise server_error()
    return value


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise server_error() from None


def _days(value: Any) -> int:
    """A number of days in microseconds; 500 for one that dates cannot carry."""
    days = _whole(value)
    if abs(days) > 700_000:
        raise server_error()
    return days * DAY


# ---- one alert


def _found(call: Call) -> AlertRow:
    call.state.alerts.settle()
    row = call.state.alerts.book.get(int(call.pieces["pk"]))
    if row is None:
        raise not_found("Alert")
    return row


def _one(call: Call) -> Response:
    return answer(item(_found(call), call.state.fleet))


def _bad(message: str) -> Refusal:
    return Refusal(answer(message, 400))


def _change(call: Call) -> Response:
    row, data, now = _found(call), call.request.data(), call.state.clock.now_us()
    if not isinstance(data, dict):
        raise server_error()
    kind = data.get("type")
    if "type" not in data:
        _write(call, row, checked(data, _fields(call)))
    elif kind == "resolve":
        row.resolve(now)
    elif kind == "snooze":
        if "snooze_days" not in data:
            raise _bad("Missing 'snoozed_days' when trying to snooze alert")
        row.snoozed, row.snooze_until = True, now + _days(data["snooze_days"])
    elif kind == "unsnooze":
        row.snoozed, row.snooze_until = False, None
    else:
        raise _bad("There was an error in the request data")
    return answer("ok")


def _write(call: Call, row: AlertRow, columns: dict[str, Any]) -> None:
    for name, value in columns.items():
        setattr(row, name, value)
    call.state.alerts.book.put(row)


def _delete(call: Call) -> Response:
    call.state.alerts.settle()
    pk = int(call.pieces["pk"])
    if call.state.alerts.book.get(pk) is None:
        # The view asks the database for it without expecting that it is not there.
        raise server_error()
    call.state.alerts.book.remove(pk)
    return answer("ok")


def _add(call: Call) -> Response:
    columns = checked(call.request.data(), _fields(call))
    call.state.alerts.settle()
    call.state.alerts.book.add(call.state.clock.now_us(), **columns)
    return answer("ok")


def _bulk(call: Call) -> Response:
    data, now = call.request.data(), call.state.clock.now_us()
    if not isinstance(data, dict) or "bulk_action" not in data:
        raise server_error()
    action = data["bulk_action"]
    if action not in ("resolve", "snooze") or (action == "snooze" and "snooze_days" not in data):
        raise _bad("The request was invalid")
    if "alerts" not in data:
        raise server_error()
    pks = {_whole(each) for each in _each(data["alerts"]) if each is not None}
    until = now + _days(data["snooze_days"]) if action == "snooze" else None
    for row in _rows(call):
        if row.pk not in pks:
            continue
        if until is None:
            row.resolve(now)
        else:
            row.snoozed, row.snooze_until = True, until
    return answer("ok")


# ---- what a write may set


def _moment(value: Any) -> int | None:
    if value is None or value == "":
        return None
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        wanted = "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]"
        text = f"Datetime has wrong format. Use one of these formats instead: {wanted}."
        raise BadField(text) from None
    return to_microseconds(found if found.tzinfo else found.replace(tzinfo=UTC))


def _integer(value: Any) -> int | None:
    if value is None:
        return None
    try:
        return int(str(value))
    except ValueError:
        raise BadField("A valid integer is required.") from None


def _fields(call: Call) -> dict[str, Check]:
    """Every column but the time, which cannot be written."""
    fleet = call.state.fleet
    free = text(null=True, blank=True)
    found: dict[str, Check] = dict.fromkeys(MOMENTS - {"alert_time"}, _moment)
    found |= {"message": free, "alert_type": choice(*KINDS), "severity": choice(*SEVERITIES)}
    found |= dict.fromkeys(("snoozed", "resolved", "hidden"), flag())
    for column in ("action", "resolved_action"):
        found |= {f"{column}_stdout": free, f"{column}_stderr": free, f"{column}_retcode": _integer}
        found[f"{column}_execution_time"] = text(longest=100, null=True, blank=True)
    known = call.state.alerts.outages.failing
    checks, tasks = ({pk for kind, _, pk in known if kind == wanted} for wanted in ("check", "task"))
    return found | {
        "agent": one_of(frozenset(fleet.pks())),
        "assigned_check": one_of(checks),
        "assigned_task": one_of(tasks),
    }


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    several: dict[str, Handler] = {"PATCH": _list, "POST": _add}
    routes.add("/alerts/", Endpoint(several, "POST, PATCH, OPTIONS", _permission))
    routes.add("/alerts/bulk/", Endpoint({"POST": _bulk}, "POST, OPTIONS", _permission))
    one: dict[str, Handler] = {"GET": _one, "PUT": _change, "DELETE": _delete}
    routes.add("/alerts/<int:pk>/", Endpoint(one, "GET, PUT, DELETE, HEAD, OPTIONS", _permission))
