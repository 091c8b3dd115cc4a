"""Running a URL action by hand: its URL for the browser, and the test button (CONTRACT section 5)."""

from collections.abc import Callable

from muster.simulator.access import may_see_agent, may_see_client, may_see_site
from muster.simulator.delivery import NotDelivered, deliver
from muster.simulator.fields import Check, checked, choice, text
from muster.simulator.http import Refusal, Response, answer, forbidden, not_found, server_error, whole
from muster.simulator.instances import AgentInstance, ClientInstance, SiteInstance
from muster.simulator.rendering import Instance, RenderingFailed, RestCall, fill, quoted, render
from muster.simulator.routing import Call, Endpoint, Routes
from muster.simulator.url_actions import METHODS, permission

_CHECKS: dict[str, Check] = {
    "pattern": text(),
    "rest_body": text(),
    "rest_headers": text(),
    "rest_method": choice(*METHODS),
    "run_instance_type": choice("agent", "client", "site", "none"),
    "run_instance_id": text(null=True),
}


def _agent(call: Call, agent_id: str) -> Instance:
    fleet = call.state.fleet
    if not may_see_agent(call.caller, fleet, agent_id):
        raise forbidden()
    pk = fleet.pk_of(agent_id)
    if pk is None:
        raise not_found("Agent")
    return AgentInstance(fleet, fleet.agent(pk))


def _site(call: Call, pk: str) -> Instance:
    fleet = call.state.fleet
    if not may_see_site(call.caller, fleet, pk):
        raise forbidden()
    site = fleet.sites.get(whole(pk) or 0)
    if site is None:
        raise not_found("Site")
    return SiteInstance(fleet, site)


def _client(call: Call, pk: str) -> Instance:
    fleet = call.state.fleet
    if not may_see_client(call.caller, fleet, pk):
        raise forbidden()
    client = fleet.clients.get(whole(pk) or 0)
    if client is None:
        raise not_found("Client")
    return ClientInstance(fleet, client)


_INSTANCES: dict[str, Callable[[Call, str], Instance]] = {"agent": _agent, "site": _site, "client": _client}


def _url(call: Call) -> Response:
    """The URL of an action, filled. Nothing is sent: the dashboard opens it in the browser."""
    data = call.request.data()
    if not isinstance(data, dict):
        raise server_error()
    keys = {"agent_id": "agent", "site": "site", "client": "client"}
    key = next((key for key in keys if key in data), None)
    if key is None:
        raise Refusal(answer("received an incorrect request", 400))
    instance = _INSTANCES[keys[key]](call, str(data[key]))
    if "action" not in data:
        raise server_error()
    action = call.state.alert_settings.actions.get(data["action"])
    if action is None:
        raise not_found("URLAction")
    return answer(quoted(fill(action["pattern"], instance, call.state.alerts.firing.key_store)))


def _test(call: Call) -> Response:
    """The test button: sent now and once, answered with 200 whatever becomes of it."""
    sent = checked(call.request.data(), _CHECKS, required=_CHECKS)
    kind, which = sent["run_instance_type"], sent["run_instance_id"]
    instance: Instance | None = None
    if kind != "none" and which:
        try:
            instance = _INSTANCES[kind](call, which)
        except Refusal:
            # For a superuser nothing is looked up beforehand; the look-up itself then fails.
            if call.caller.superuser:
                raise server_error() from None
            raise
    rest = RestCall(sent["pattern"], sent["rest_method"], sent["rest_body"], sent["rest_headers"])
    try:
        outgoing = render(rest, instance, call.state.alerts.firing.key_store)
    except RenderingFailed as failure:
        return _told(str(failure), str(failure), str(failure))

    timeout = call.state.alerts.firing.timeout

    def send() -> Response:
        try:
            got = deliver(outgoing, timeout=timeout)
        except NotDelivered as failure:
            said = str(failure)
            if failure.connecting:
                return _told(outgoing.url, said, str(outgoing.body))
            return _told(said, said, said)
        return _told(got.url, got.text, got.body)

    return Response(200, later=send)


def _told(url: str, result: str, body: str | None) -> Response:
    return answer({"url": url, "result": result, "body": body})


def register(routes: Routes) -> None:
    """Add this family's URLs."""
    path = "/core/urlaction/run/"
    routes.add(path, Endpoint({"PATCH": _url}, "PATCH, OPTIONS", permission))
    routes.add(f"{path}test/", Endpoint({"POST": _test}, "POST, OPTIONS", permission))
