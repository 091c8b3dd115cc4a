"""Every registered provider keeps the contract."""

import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from muster.providers import registry
from muster.simulator import FleetSpec, SimulatorServer
from tests.providers.conformance import Conformance, World
from tests.providers.second import KEY, AcmeServer, acme


def nowhere() -> str:
    """An address on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@contextmanager
def simulated(beta: bool, **options: str) -> Iterator[World]:
    with SimulatorServer(FleetSpec(agents=25), beta=beta, frozen=True) as server:
        fields = {"instance_url": server.url, "api_key": server.api_key, **options}
        yield World(
            fields=fields,
            refused={**fields, "api_key": "NOSUCHKEY"},
            nowhere={**fields, "instance_url": nowhere()},
        )


class TestTactical(Conformance):
    key = "tacticalrmm"

    @classmethod
    def world(cls) -> AbstractContextManager[World]:
        return simulated(beta=True)


class TestTacticalStock(Conformance):
    """As installed, the beta API is off; software is read agent by agent."""

    key = "tacticalrmm"

    @classmethod
    def world(cls) -> AbstractContextManager[World]:
        return simulated(beta=False, software="one-by-one")


class TestTacticalBeta(Conformance):
    key = "tacticalrmm"

    @classmethod
    def world(cls) -> AbstractContextManager[World]:
        return simulated(beta=True, source="beta")


class TestTacticalLogin(Conformance):
    """With username and password instead of a key."""

    key = "tacticalrmm"

    @classmethod
    @contextmanager
    def world(cls) -> Iterator[World]:
        with SimulatorServer(FleetSpec(agents=25), frozen=True, throttle=(100, 300)) as server:
            user = server.users["nototp"]
            user.role = server.users["technician"].role
            fields = {"instance_url": server.url, "username": user.username, "password": user.password}
            yield World(
                fields=fields,
                refused={**fields, "password": "wrong"},
                nowhere={**fields, "instance_url": nowhere()},
            )


class TestAcme(Conformance):
    key = KEY

    @classmethod
    @contextmanager
    def world(cls) -> Iterator[World]:
        server = AcmeServer("https://acme.example", organizations={"3": "Empty"})
        for number in range(230):
            server.add(str(number % 2 + 1), f"device-{number}")
        with acme(server):
            fields = {"instance_url": server.url, "token": server.token}
            yield World(
                fields=fields,
                refused={**fields, "token": "wrong"},
                nowhere={**fields, "instance_url": "https://nobody.example"},
            )


def test_no_provider_is_left_out() -> None:
    tried = {suite.key for suite in Conformance.__subclasses__()}
    with acme():
        assert {provider.manifest.key for provider in registry.all()} == tried
