"""Messages arrive by Apprise, and nothing else does: the process that it works in is held to the policy."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from muster.egress import EgressPolicy
from muster.notifications.notifier import Notifier
from muster.notifications.types import Outcome, Post
from tests.support.receiver import Receiver, receiving

LOOPBACK = EgressPolicy(allowed_networks=(ip_network("127.0.0.0/8"),), allow_private=False)
PUBLIC_ONLY = EgressPolicy(allow_private=False)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


def post(url: str, key: str = "a", **values: str) -> Post:
    return Post(key=key, url=url, **{"title": "A title", "body": "A body", **values})


async def test_a_message_arrives_as_it_was_written(receiver: Receiver) -> None:
    body = 'Disk <C:> is "full" & more\nÜbermut GmbH'
    outcomes = await Notifier(LOOPBACK).send([post(f"json://{receiver.place}/in", body=body)])
    assert outcomes == {"a": Outcome(ok=True)}
    (received,) = receiver.received
    assert received.path == "/in"
    assert received.json["title"] == "A title"
    assert received.json["message"] == body


async def test_one_that_fails_stops_no_other(receiver: Receiver) -> None:
    receiver.answers["/bad"] = 500
    outcomes = await Notifier(LOOPBACK).send(
        [
            post(f"json://{receiver.place}/bad", "a"),
            post("no address at all", "b"),
            post(f"json://{receiver.place}/good", "c"),
        ]
    )
    assert [outcomes[key].ok for key in "abc"] == [False, False, True]
    assert "500" in (outcomes["a"].error or "")
    assert not outcomes["a"].refused


async def test_messages_to_one_address_keep_their_order(receiver: Receiver) -> None:
    url = f"json://{receiver.place}/in"
    await Notifier(LOOPBACK).send([post(url, str(number), title=str(number)) for number in range(3)])
    assert [each.json["title"] for each in receiver.received] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "url",
    [
        "json://127.0.0.1:{port}/in",
        "json://localhost:{port}/in",
        "mailto://u:p@127.0.0.1:{port}/?smtp=127.0.0.1&from=a@example.com&to=b@example.com&mode=insecure",
        "json://169.254.169.254/latest",
    ],
)
async def test_addresses_that_were_not_allowed_are_not_reached(receiver: Receiver, url: str) -> None:
    outcomes = await Notifier(PUBLIC_ONLY).send([post(url.format(port=receiver.port))])
    assert not outcomes["a"].ok
    assert outcomes["a"].refused
    assert "may not be reached" in (outcomes["a"].error or "")
    assert receiver.received == []


async def test_no_redirect_is_followed(receiver: Receiver) -> None:
    with receiving() as elsewhere:
        receiver.status, receiver.headers = 302, {"location": f"http://{elsewhere.place}/stolen"}
        # The address asks for what it must not have.
        url = f"json://{receiver.place}/in?redirect=yes&verify=no"
        outcomes = await Notifier(LOOPBACK).send([post(url)])
        assert not outcomes["a"].ok
        assert elsewhere.received == []


async def test_no_file_of_the_machine_is_read(receiver: Receiver, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"text": "a secret of the machine"}')
    url = f"workflow://{receiver.place}/{'a' * 32}/{'b' * 43}/?template={secret}"
    await Notifier(LOOPBACK).send([post(url)])
    assert not any(b"secret of the machine" in each.body for each in receiver.received)


async def test_what_an_address_is_can_be_told_without_its_secrets() -> None:
    notifier = Notifier(PUBLIC_ONLY)
    slack = await notifier.look(
        "https://hooks.slack.com/services/T12345678/B12345678/abcdefghijklmnopqrstuvwx"
    )
    assert (slack.service, slack.shown, slack.error) == ("Slack", "Slack", None)
    own = await notifier.look("jsons://user:hidden@hooks.example.com:8443/hidden?hidden=1")
    assert own.shown == "JSON at hooks.example.com:8443"
    telegram = await notifier.look("tgram://123456789:abcdefg_hijklmnop/12315544/")
    assert telegram.shown == "Telegram"
    assert (await notifier.look("nonsense://x")).error
