"""`muster subscription` on the command line."""

from tests.support.cli import Muster

URL = "https://hooks.example.com/muster"


def test_a_subscription_is_added_tried_and_removed(muster_on: Muster) -> None:
    muster_on.done("tenant", "create", "Acme IT")
    assert "There is no subscription yet" in muster_on("subscription", "list").out
    made = muster_on.done("subscription", "add", "Ticketing", "--url", URL, "--event", "RMM_ALERT_TRIGGERED")
    assert made["secret"].startswith("whsec_")
    listed = muster_on("subscription", "list", "--json")
    assert made["secret"] not in listed.out
    assert listed.json["items"][0]["event_types"] == ["RMM_ALERT_TRIGGERED"]
    tried = muster_on.done("subscription", "test", "ticketing")
    log = muster_on.done("subscription", "log", "Ticketing")
    assert [each["delivery_id"] for each in log["items"]] == [tried["delivery_id"]]
    assert log["items"][0]["state"] == "waiting"
    assert muster_on.done("subscription", "redeliver", "Ticketing")["deliveries"] == 0
    plain = muster_on("subscription", "add", "Plain", "--url", "http://hooks.example.com", "--json")
    assert plain.code == 2
    assert "https only" in plain.error["message"]
    odd = muster_on("subscription", "add", "Odd", "--url", URL, "--event", "NOTHING", "--json")
    assert odd.code == 2
    muster_on.done("subscription", "remove", "Ticketing")
    assert muster_on.done("subscription", "list") == {"items": []}
