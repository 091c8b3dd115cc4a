"""The receiver, through HTTP: who is let in, what is kept, what is answered."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from litestar.di import Provide

from muster.inbound_webhooks.receiver import WebhookReceiver
from muster.inbound_webhooks.service import WebhookService
from muster.inbound_webhooks.types import MOST_BODY_BYTES, ReceiptState
from muster.integrations.service import IntegrationService
from muster.jobs.service import JobService
from tests.support.hook import HEADER, Hook
from tests.support.site import Site, some_id
from tests.support.time import Time
from tests.support.world import World

AGENT = "nwZqvrMSrJaHmfpUAFJWpSEPTFCYbfsozSptQLxE"
BODY = {"agent_id": AGENT, "alert_id": "214", "event": "trigger", "severity": "error"}


async def rotate(hook: Hook, overlap: timedelta) -> str:
    """Give the webhook a new secret, and the one before back."""
    before = hook.secret
    async with hook.world.database.write(hook.world.scope) as session:
        service = WebhookService(session, hook.world.scope, hook.world.box)
        await service.rotate(hook.integration_id, overlap)
        hook.secret = await service.secret(hook.integration_id)
    return before


async def test_a_body_is_kept_as_it_came_before_the_answer(hook: Hook) -> None:
    answer = await hook.call(BODY, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (200, "received")
    (receipt,) = await hook.receipts()
    assert str(receipt.receipt_id) == answer.json()["receipt_id"]
    assert (receipt.state, receipt.event, receipt.device_id) == (ReceiptState.WAITING, "trigger", AGENT)
    assert (receipt.external_alert_id, receipt.content_type) == ("214", "application/json")
    assert (await hook.endpoint()).last_receipt_at == receipt.received_at


async def test_the_job_rides_in_the_same_transaction(hook: Hook) -> None:
    await hook.call(BODY)
    await hook.call(BODY)
    async with hook.world.database.read(hook.world.scope) as session:
        jobs = await JobService(session, hook.world.scope).list(kinds=["process_receipts"])
    assert [(job.state, job.payload) for job in jobs] == [
        ("requested", {"integration_id": str(hook.integration_id)})
    ]


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "a/b; =x"])
async def test_any_content_type_will_do_and_none(hook: Hook, content_type: str | None) -> None:
    answer = await hook.call(BODY, headers={"content-type": content_type} if content_type else {})
    assert answer.status_code == 200
    assert [receipt.content_type for receipt in await hook.receipts()] == [content_type]


@pytest.mark.parametrize("secret", [None, "wrong", "", "no such endpoint", "é", "x" * 10_000])
async def test_without_the_secret_nothing_is_kept_but_a_number(
    site: Site, hook: Hook, secret: str | None
) -> None:
    receiver = receiver_of(site)
    headers = {} if secret is None else {HEADER.encode(): secret.encode("latin-1")}
    for _ in range(3):
        answer = await hook.client.post(hook.path, content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "wrong_secret")
    assert await hook.receipts() == []
    assert (await hook.endpoint()).refused == 0
    await receiver.flush()
    endpoint = await hook.endpoint()
    assert (endpoint.refused, endpoint.last_receipt_at) == (3, None)
    await hook.client.post(hook.path, content=b"{}", headers=headers)
    await receiver.flush()
    after = await hook.endpoint()
    assert (after.refused, after.refused_since) == (4, endpoint.refused_since)
    metrics = await hook.client.get("/metrics")
    assert 'muster_webhooks_total{outcome="refused"} 4.0' in metrics.text


async def test_what_is_refused_outlives_the_process(site: Site, hook: Hook) -> None:
    async with site.app.lifespan():
        await hook.call(BODY, secret="wrong")
    assert (await hook.endpoint()).refused == 1


@pytest.mark.parametrize("ending", ["", "x", f"{some_id()}.{some_id()}", f"{some_id()}", "a.b.c", "%00.%00"])
async def test_an_endpoint_that_is_none_is_refused_like_a_wrong_secret(hook: Hook, ending: str) -> None:
    answer = await hook.call(BODY, path=f"/api/webhooks/tacticalrmm/{ending}")
    expected = 400 if not ending else 401
    assert answer.status_code == expected
    assert await hook.receipts() == []


async def test_an_unknown_provider_has_no_address(hook: Hook) -> None:
    answer = await hook.call(BODY, path=hook.path.replace("tacticalrmm", "nothing"))
    assert answer.status_code == 404


async def test_without_a_tenant_or_an_endpoint_it_says_what_is_missing(hook: Hook) -> None:
    for query in ("", "?tenant=", "?tenant=Acme", "?tenant=00000000"):
        answer = await hook.call(BODY, path=f"/api/webhooks/tacticalrmm{query}")
        assert (answer.status_code, answer.json()["code"]) == (400, "no_tenant")


async def test_with_a_tenant_the_secret_chooses_the_integration(world: World, hook: Hook) -> None:
    second = await world.add("Second", instance_url="https://api.second.example", api_key="L" * 32)
    other = Hook(world, second, "", hook.client)
    async with world.database.write(world.scope) as session:
        other.secret = await WebhookService(session, world.scope, world.box).secret(second)
    path = f"/api/webhooks/tacticalrmm?tenant={world.scope.tenant_id}"
    assert (await other.call(BODY, path=path)).status_code == 200
    assert [len(await each.receipts()) for each in (hook, other)] == [0, 1]
    assert (await hook.call(BODY, path=path)).status_code == 200
    assert [len(await each.receipts()) for each in (hook, other)] == [1, 1]
    assert (await hook.call(BODY, path=path, secret="neither")).status_code == 401


async def test_a_secret_opens_nothing_of_another_tenant(world: World, hook: Hook) -> None:
    beta = await World.make(world.database, "Beta IT")
    theirs = await beta.add(instance_url="https://api.beta.example", api_key="M" * 32)
    for path in (
        f"/api/webhooks/tacticalrmm/{beta.scope.tenant_id}.{theirs}",
        f"/api/webhooks/tacticalrmm/{beta.scope.tenant_id}.{hook.integration_id}",
        f"/api/webhooks/tacticalrmm/{world.scope.tenant_id}.{theirs}",
        f"/api/webhooks/tacticalrmm?tenant={beta.scope.tenant_id}",
    ):
        assert (await hook.call(BODY, path=path)).status_code == 401


async def test_both_secrets_hold_for_a_while_after_a_rotation(hook: Hook, time: Time) -> None:
    before = await rotate(hook, timedelta(hours=24))
    assert before != hook.secret
    assert (await hook.call(BODY, secret=before)).status_code == 200
    assert (await hook.call(BODY)).status_code == 200
    time.pass_(hours=23, minutes=59)
    assert (await hook.call(BODY, secret=before)).status_code == 200
    time.pass_(minutes=1)
    assert (await hook.call(BODY, secret=before)).status_code == 401
    assert (await hook.call(BODY)).status_code == 200


async def test_a_second_rotation_ends_the_secret_before_the_first(hook: Hook) -> None:
    first = await rotate(hook, timedelta(hours=24))
    second = await rotate(hook, timedelta(hours=24))
    answers = [(await hook.call(BODY, secret=secret)).status_code for secret in (first, second, hook.secret)]
    assert answers == [401, 200, 200]


async def test_without_an_overlap_the_old_secret_ends_at_once(hook: Hook) -> None:
    before = await rotate(hook, timedelta(0))
    assert (await hook.call(BODY, secret=before)).status_code == 401
    assert (await hook.call(BODY)).status_code == 200


async def test_after_disconnecting_it_is_kept_and_answered(hook: Hook) -> None:
    world = hook.world
    await rotate(hook, timedelta(hours=1))
    async with world.database.write(world.scope) as session:
        await IntegrationService(session, world.scope, world.box).disconnect(hook.integration_id)
    for body in (BODY, b"no JSON at all"):
        assert (await hook.call(body)).status_code == 200
    assert [receipt.state for receipt in await hook.receipts()] == [ReceiptState.KEPT] * 2
    assert await hook.drain() == {}


async def test_saving_the_connection_again_keeps_both_secrets(hook: Hook) -> None:
    before = await rotate(hook, timedelta(hours=24))
    await hook.world.update(hook.integration_id, api_key="N" * 32)
    assert (await hook.call(BODY, secret=before)).status_code == 200
    assert (await hook.call(BODY)).status_code == 200


async def test_what_is_not_understood_is_kept_and_the_sender_told(hook: Hook) -> None:
    answer = await hook.call(b"<html>no alert</html>")
    assert (answer.status_code, answer.json()["code"]) == (400, "not_understood")
    (receipt,) = await hook.receipts()
    assert receipt.state is ReceiptState.NOT_UNDERSTOOD
    assert receipt.problem is not None
    assert receipt.problem["message"] in answer.json()["detail"]
    assert str(receipt.receipt_id) == answer.json()["receipt_id"]


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024):
        yield b" " * 1024


async def test_a_body_that_is_too_long_is_refused_while_it_is_read(hook: Hook) -> None:
    longest = b" " * (MOST_BODY_BYTES - 200) + b'{"agent_id": "%s"}' % AGENT.encode()
    assert len(longest) <= MOST_BODY_BYTES
    assert (await hook.call(longest)).status_code == 200
    for content in (b" " * (MOST_BODY_BYTES + 1), pieces(2 * MOST_BODY_BYTES)):
        answer = await hook.client.post(hook.path, content=content, headers={HEADER: hook.secret})
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert len(await hook.receipts()) == 1


async def test_a_get_is_told_what_made_it_one(hook: Hook) -> None:
    for path in (hook.path, "/api/webhooks/tacticalrmm"):
        answer = await hook.client.get(path, headers={HEADER: hook.secret})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        assert "redirect" in answer.json()["detail"]
    assert (await hook.client.put(hook.path, content=b"{}")).status_code == 405


def receiver_of(site: Site) -> WebhookReceiver:
    """The one that the site's routes use."""
    provided = site.app.dependencies["webhook_receiver"]
    assert isinstance(provided, Provide)
    receiver = provided.dependency()
    assert isinstance(receiver, WebhookReceiver)
    return receiver
