"""What every provider must keep that offers installed software: `muster.providers.inventory`, as tests.

Part of `Conformance`; a provider without the capability passes by not having it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
import pytest

from muster.providers.contract import Capability, ProviderAuthError, ProviderConnection, ProviderUnavailable
from muster.providers.inventory import (
    SoftwareConnection,
    SoftwareList,
    SoftwareRead,
    SoftwareRecord,
    SoftwareReport,
)


class SoftwareConformance:
    """The part of the suite about software; `at` is `Conformance`'s world."""

    def open(self, fields: dict[str, str]) -> AbstractAsyncContextManager[ProviderConnection]:
        raise NotImplementedError

    def offers(self, capability: Capability) -> bool:
        raise NotImplementedError

    @asynccontextmanager
    async def inventory(self, fields: dict[str, str]) -> AsyncIterator[SoftwareConnection]:
        async with self.open(fields) as connection:
            assert isinstance(connection, SoftwareConnection)
            yield connection

    async def everybody(self, fields: dict[str, str]) -> list[str]:
        async with self.open(fields) as connection:
            return list(await connection.roster())

    async def test_software_is_reported_once_a_device_and_the_reading_is_closed(self, at: Any) -> None:
        if not self.offers(Capability.SOFTWARE):
            return
        asked = await self.everybody(at.fields)
        async with self.inventory(at.fields) as connection:
            reports, end = await _read(connection, asked)
            again, _ = await _read(connection, list(reversed(asked)))
        assert reports.keys() <= set(asked)
        assert (end.complete, end.problem, end.error, end.rejected) == (True, None, None, ())
        assert end.reports >= len(reports)
        assert end.answered_at.tzinfo is not None
        # A second reading says what is new without understanding anything.
        assert {key: one.digest for key, one in again.items()} == {
            k: one.digest for k, one in reports.items()
        }
        contents = {key: report.read() for key, report in reports.items()}
        assert any(content.records for content in contents.values())
        for key, content in contents.items():
            _sound(content)
            assert reports[key].size > 0
            assert content == again[key].read()
        # Where lists differ, so do their digests; those of a fleet do.
        different = {str(content) for content in contents.values()}
        assert len({one.digest for one in reports.values()}) >= len(different) > 1

    async def test_only_the_devices_asked_for_come_in(self, at: Any) -> None:
        if not self.offers(Capability.SOFTWARE):
            return
        asked = await self.everybody(at.fields)
        async with self.inventory(at.fields) as connection:
            reports, _ = await _read(connection, asked)
            for key in list(reports)[:2]:
                alone, end = await _read(connection, [key])
                assert alone.keys() == {key}
                assert alone[key].digest == reports[key].digest
                assert end.complete
            nothing, end = await _read(connection, [])
            assert (nothing, end.complete) == ({}, True)

    async def test_a_device_that_is_not_there_is_no_device_that_does_not_report(self, at: Any) -> None:
        if not self.offers(Capability.SOFTWARE):
            return
        asked = await self.everybody(at.fields)
        async with self.inventory(at.fields) as connection:
            for unknown in (at.unknown_device, "", "../../etc/passwd", "a b"):
                reports, end = await _read(connection, [asked[0], unknown])
                assert reports.keys() <= {asked[0]}
                assert not end.complete
                assert end.problem

    async def test_errors_about_software_are_of_the_contract(self, at: Any) -> None:
        if not self.offers(Capability.SOFTWARE):
            return
        for fields, kind in ((at.refused, ProviderAuthError), (at.nowhere, ProviderUnavailable)):
            async with self.inventory(fields) as connection:
                with pytest.raises(kind):
                    await _read(connection, [at.unknown_device])


async def _read(
    connection: SoftwareConnection, device_ids: Collection[str]
) -> tuple[dict[str, SoftwareReport], SoftwareRead]:
    items = [item async for item in connection.software(device_ids)]
    reports = {item.external_id: item for item in items if isinstance(item, SoftwareReport)}
    (end,) = [item for item in items if isinstance(item, SoftwareRead)]
    assert items[-1] is end
    assert len(reports) == len(items) - 1
    return reports, end


def _sound(content: SoftwareList) -> None:
    assert not content.rejected
    for record in content.records:
        texts = [
            text
            for text in (record.name, record.version, record.publisher, record.source)
            if text is not None
        ]
        assert all(text == text.strip() != "" for text in texts)
        assert max(map(len, texts)) <= 500
        assert record.size_bytes is None or record.size_bytes > 0
        assert record.installed_on is None or record.installed_on.year >= 1980
        encoded = msgspec.json.encode(record)
        assert b"\\u0000" not in encoded
        assert msgspec.json.decode(encoded, type=SoftwareRecord) == record
