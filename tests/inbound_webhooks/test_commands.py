"""`muster webhook` and `muster receipt`."""

import httpx2
import pytest

from tests.support.cli import Muster
from tests.support.serving import Serving


@pytest.fixture
def main(muster: Muster) -> Muster:
    muster.done("tenant", "create", "Acme")
    muster.done(
        *("integration", "add", "tacticalrmm", "--name", "Main", "--url", "https://api.example.com"),
        settings={"MUSTER_API_KEY": "K" * 32},
    )
    return muster


def test_what_a_server_is_set_up_with_is_shown(main: Muster) -> None:
    masked = main.done("webhook", "show", "Main")
    shown = main.done("webhook", "show", "Main", "--reveal")
    assert masked["url"] == shown["url"]
    assert masked["url"].startswith("http://127.0.0.1:8080/api/webhooks/tacticalrmm/")
    assert (masked["header"], masked["secret"]) == ("X-Alga-Webhook-Secret", f"...{shown['secret'][-4:]}")
    public = {"MUSTER_PUBLIC_URL": "https://muster.example.com/"}
    there = main.done("webhook", "show", "Main", settings=public)["url"]
    assert there.startswith("https://muster.example.com/api/webhooks/")
    assert shown["secret"] in main("webhook", "show", "Main", "--reveal").out
    assert "MUSTER_PUBLIC_URL" in main("webhook", "show", "Main").err
    assert main("webhook", "show", "Nobody").code == 1


def test_a_rotation_makes_another_secret(main: Muster) -> None:
    before = main.done("webhook", "show", "Main", "--reveal")["secret"]
    rotated = main.done("webhook", "rotate", "Main", "--overlap", 2)
    assert rotated["previous_until"] is not None
    after = main.done("webhook", "show", "Main", "--reveal")["secret"]
    assert after != before
    assert rotated["last_four"] == after[-4:]
    assert main.done("webhook", "rotate", "Main", "--overlap", 0)["previous_until"] is None
    assert main("webhook", "rotate", "Main", "--overlap", 1000).code == 2


def test_receipts_are_listed_shown_and_replayed(main: Muster) -> None:
    setup = main.done("webhook", "show", "Main", "--reveal")
    assert main.done("receipt", "list") == {"items": []}
    with Serving(main.settings, "--no-worker") as process:
        path = setup["url"].removeprefix("http://127.0.0.1:8080")
        for body in (b"broken", b'{"agent_id": "Agent"}'):
            httpx2.post(f"{process.url}{path}", content=body, headers={setup["header"]: setup["secret"]})
        httpx2.post(f"{process.url}{path}", content=b"{}", headers={setup["header"]: "wrong"})
        assert process.metric('muster_webhooks_total{outcome="refused"}') == 1
        assert process.metric('muster_webhooks_total{outcome="waiting"}') == 1
        assert process.metric("muster_receipts_waiting") == 1
    listed = main.done("receipt", "list")["items"]
    assert [item["state"] for item in listed] == ["waiting", "not_understood"]
    assert main.done("receipt", "list", "--state", "failed", "--hours", 1) == {"items": []}
    assert len(main.done("receipt", "list", "--device", "Agent", "--integration", "Main")["items"]) == 1
    broken = listed[1]["receipt_id"]
    shown = main.done("receipt", "show", broken)
    assert (shown["body"], shown["problem"]["code"]) == ("broken", "not_json")
    assert main.done("receipt", "replay", broken)["state"] == "waiting"
    again = main("receipt", "replay", "--integration", "Main", "--state", "waiting", "--json")
    assert (again.code, again.json) == (0, {"count": 0})


@pytest.mark.parametrize(
    "arguments",
    [
        ("receipt", "replay"),
        ("receipt", "replay", "--state", "failed"),
        ("receipt", "replay", "--integration", "Main"),
        ("receipt", "list", "--state", "nonsense"),
        ("receipt", "replay", "0199f0a3-0000-7000-8000-000000000000", "--state", "failed"),
    ],
)
def test_what_says_too_little_or_too_much_is_refused(main: Muster, arguments: tuple[str, ...]) -> None:
    assert main(*arguments).code == 2


def test_a_receipt_that_is_not_there(main: Muster) -> None:
    for receipt_id in ("nonsense", "0199f0a3-0000-7000-8000-000000000000"):
        for verb in ("show", "replay"):
            ended = main("receipt", verb, receipt_id, "--json")
            assert (ended.code, ended.error["code"]) == (1, "not_found")
