"""What a person with rights does in a simulated Tactical server, over its HTTP API."""

from datetime import timedelta
from typing import Any

import httpx2

from muster.simulator import SimulatorServer


class TacticalAdmin:
    """Sets up URL actions and alert templates, as the pages of the server's dashboard do."""

    def __init__(self, server: SimulatorServer) -> None:
        self._server = server

    def call(self, method: str, path: str, **body: Any) -> Any:
        """Send a request; the answer must be a success."""
        answer = httpx2.request(
            method,
            f"{self._server.url}{path}",
            headers={"X-API-KEY": self._server.api_key},
            json=body or None,
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def add_action(self, name: str, *, url: str, headers: str, body: str) -> int:
        """A URL action of type REST that sends `body`; its pk. `headers` is JSON in a string."""
        self.call(
            "POST",
            "/core/urlaction/",
            name=name,
            action_type="rest",
            pattern=url,
            rest_method="post",
            rest_headers=headers,
            rest_body=body,
        )
        (made,) = [each["id"] for each in self.actions() if each["name"] == name]
        return int(made)

    def actions(self) -> list[dict[str, Any]]:
        """The URL actions."""
        return list(self.call("GET", "/core/urlaction/"))

    def templates(self) -> list[dict[str, Any]]:
        """The alert templates."""
        return list(self.call("GET", "/alerts/templates/"))

    def make_default_template(self, name: str, *, raised: int, resolved: int) -> None:
        """An alert template that runs these actions for agents, checks and tasks, on the whole server."""
        self.call(
            "POST",
            "/alerts/templates/",
            name=name,
            is_active=True,
            action_type="rest",
            action_rest=raised,
            resolved_action_type="rest",
            resolved_action_rest=resolved,
            agent_script_actions=True,
            check_script_actions=True,
            task_script_actions=True,
        )
        (made,) = [each["id"] for each in self.templates() if each["name"] == name]
        # A person is slower than the server's background work; at once, the default may reach nobody.
        self._server.clock.advance(timedelta(seconds=5))
        self.call("PUT", "/core/settings/", alert_template=made)
