"""What every provider must keep that offers alerts or a webhook: `muster.providers.alerting`, as tests.

Part of `Conformance`; a provider without the capability passes by not having it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest

from muster.providers.alerting import (
    AlertConnection,
    AlertRecord,
    AlertSeverity,
    AlertSnapshot,
    AlertType,
    WebhookMessage,
    WebhookProvider,
)
from muster.providers.contract import (
    Capability,
    Provider,
    ProviderAuthError,
    ProviderConnection,
    ProviderNotFound,
    ProviderUnavailable,
)

LONG_AGO = 3650
ODD_BODIES = (
    *(b"", b" ", b"null", b"[]", b"17", b'"', b'""', b'"x"', b"{", b"{}", b"\xff\xfe\x00", b"\xef\xbb\xbf{}"),
    *(b"NaN", b"[" * 50_000, b'{"a":' * 50_000, b'{"a":1,"a":2}', b'{"agent_id":', b"x" * 1_000_000),
)


class AlertConformance:
    """The part of the suite about alerts; `at` is `Conformance`'s world, made anew where it is changed."""

    @property
    def provider(self) -> Provider:
        raise NotImplementedError

    @classmethod
    def world(cls) -> Any:
        raise NotImplementedError

    def open(self, fields: dict[str, str]) -> AbstractAsyncContextManager[ProviderConnection]:
        raise NotImplementedError

    @asynccontextmanager
    async def alerting(self, fields: dict[str, str]) -> AsyncIterator[AlertConnection]:
        async with self.open(fields) as connection:
            assert isinstance(connection, AlertConnection)
            yield connection

    def offers(self, capability: Capability) -> bool:
        raise NotImplementedError

    # --- alerts ----------------------------------------------------------------------------------------

    async def test_open_alerts_are_open_and_among_all(self, at: Any) -> None:
        if not self.offers(Capability.ALERTS):
            return
        async with self.alerting(at.fields) as connection:
            still_open, ever = await connection.open_alerts(), await connection.recent_alerts(LONG_AGO)
            lately = await connection.recent_alerts(1)
        assert still_open.records
        _sound(still_open)
        _sound(ever)
        assert not any(record.resolved for record in still_open.records)
        everything = {record.external_id: record for record in ever.records}
        assert {record.external_id for record in still_open.records} <= everything.keys()
        assert any(record.resolved for record in ever.records)
        assert {record.external_id for record in lately.records} < everything.keys()

    async def test_one_alert_is_what_the_list_says(self, at: Any) -> None:
        if not self.offers(Capability.ALERTS):
            return
        async with self.alerting(at.fields) as connection:
            for record in (await connection.open_alerts()).records[:3]:
                assert await connection.alert(record.external_id) == record
            for unknown in (at.unknown_alert, "", "../../etc/passwd", "a b"):
                with pytest.raises(ProviderNotFound):
                    await connection.alert(unknown)
                with pytest.raises(ProviderNotFound):
                    await connection.resolve_alert(unknown)

    async def test_errors_about_alerts_are_of_the_contract(self, at: Any) -> None:
        if not self.offers(Capability.ALERTS):
            return
        for fields, kind in ((at.refused, ProviderAuthError), (at.nowhere, ProviderUnavailable)):
            async with self.alerting(fields) as connection:
                for asking in (
                    connection.open_alerts(),
                    connection.recent_alerts(1),
                    connection.alert(at.unknown_alert),
                    connection.resolve_alert(at.unknown_alert),
                    connection.snooze_alert(at.unknown_alert, 1),
                    connection.unsnooze_alert(at.unknown_alert),
                ):
                    with pytest.raises(kind):
                        await asking

    async def test_alerts_are_changed_and_nothing_else_is(self) -> None:
        if not self.offers(Capability.ALERTS):
            return
        with self.world() as own:
            async with self.alerting(own.fields) as connection:
                before = {record.external_id: record for record in (await connection.open_alerts()).records}
                chosen = next(key for key, record in before.items() if not record.snoozed)
                await connection.snooze_alert(chosen, 2)
                snoozed = await connection.alert(chosen)
                assert (snoozed.snoozed, snoozed.resolved) == (True, False)
                assert snoozed.snoozed_until is not None
                assert (snoozed.snoozed_until - snoozed.opened_at).total_seconds() > 0
                await connection.unsnooze_alert(chosen)
                await connection.unsnooze_alert(chosen)
                assert not (await connection.alert(chosen)).snoozed
                await connection.resolve_alert(chosen)
                await connection.resolve_alert(chosen)
                assert (await connection.alert(chosen)).resolved
                after = {record.external_id: record for record in (await connection.open_alerts()).records}
        assert after == {key: record for key, record in before.items() if key != chosen}

    # --- the webhook -----------------------------------------------------------------------------------

    def test_the_webhook_can_be_set_up_by_hand(self, at: Any) -> None:
        if not self.offers(Capability.WEBHOOK):
            return
        form = self.webhook.webhook
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{2,60}", form.header)
        assert {one.key for one in form.templates if not one.with_message} == {"trigger", "resolve"}
        shown = [one.label for one in form.templates]
        assert all(shown)
        assert len(set(shown)) == len(shown)
        for template in form.templates:
            assert json.loads(template.body)
            # A body that the server has not filled in closes nothing and opens nothing.
            message = self.webhook.parse_webhook(template.body.encode())
            assert message.test or message.problem
            assert message.external_alert_id is message.device_id is None

    def test_no_body_makes_the_webhook_fail(self, at: Any) -> None:
        if not self.offers(Capability.WEBHOOK):
            return
        for body in ODD_BODIES:
            message = self.webhook.parse_webhook(body)
            assert message.problem, body[:40]
            assert re.fullmatch(r"[a-z_]+", message.problem)
            assert message.explanation
            assert message.event is message.device_id is message.external_alert_id is None
            encoded = msgspec.json.encode(message)
            assert msgspec.json.decode(encoded, type=WebhookMessage) == message

    @property
    def webhook(self) -> WebhookProvider:
        assert isinstance(self.provider, WebhookProvider)
        return self.provider


def _sound(snapshot: AlertSnapshot) -> None:
    assert snapshot.answered_at.tzinfo is not None
    assert not snapshot.rejected
    ids = [record.external_id for record in snapshot.records]
    assert len(set(ids)) == len(ids)
    for record in snapshot.records:
        assert record.external_id
        assert isinstance(record.severity, AlertSeverity)
        assert isinstance(record.alert_type, AlertType)
        assert record.opened_at.tzinfo is not None
        assert record.resolved or record.resolved_at is None
        assert record.snoozed or record.snoozed_until is None
        assert record.raw
        encoded = msgspec.json.encode(record)
        assert b"\\u0000" not in encoded
        assert msgspec.json.decode(encoded, type=AlertRecord) == record
