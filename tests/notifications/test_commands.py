"""`muster channel` on the command line."""

from tests.notifications.conftest import LOOPBACK
from tests.support.cli import Muster
from tests.support.receiver import Receiver


def test_a_channel_is_added_tried_and_removed(muster_on: Muster, receiver: Receiver) -> None:
    muster_on.settings["MUSTER_OUTBOUND_ALLOW"] = LOOPBACK
    muster_on.done("tenant", "create", "Acme IT")
    assert "There is no channel yet" in muster_on("channel", "list").out
    address = f"json://{receiver.place}/s3cr3t\n".encode()
    made = muster_on.done("channel", "add", "On call", "--address-file", "-", stdin=address)
    assert (made["name"], made["kind"], made["shown"]) == ("On call", "apprise", f"JSON at {receiver.place}")
    assert muster_on.done("channel", "test", "on call") == {
        "channel": "On call",
        "delivered": True,
        "error": None,
    }
    assert len(receiver.received) == 1
    receiver.status = 500
    failed = muster_on("channel", "test", made["channel_id"], "--json")
    assert failed.code == 1
    assert "500" in failed.json["error"]
    listed = muster_on("channel", "list", "--json")
    assert "s3cr3t" not in listed.out
    assert [each["name"] for each in listed.json["items"]] == ["On call"]
    wrong = muster_on("channel", "add", "Other", "--address-file", "-", "--json", stdin=b"nonsense")
    assert wrong.code == 2
    unknown = muster_on("channel", "test", "Nobody", "--json")
    assert unknown.error["code"] == "not_found"
    muster_on.done("channel", "remove", "On call")
    assert muster_on.done("channel", "list") == {"items": []}
