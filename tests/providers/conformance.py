"""What every provider must keep: the contract of `muster.providers.contract`, as tests.

For a new provider, subclass `Conformance` and say by `world()` where its test server is; see
docs/adding-a-provider.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field

import msgspec
import pytest
from msgspec import UNSET

from muster.errors import InvalidInput
from muster.providers import registry
from muster.providers.contract import (
    AssetType,
    Capability,
    CheckResult,
    Depth,
    DeviceRecord,
    OrganizationRecord,
    Provider,
    ProviderAuthError,
    ProviderConnection,
    ProviderNotFound,
    ProviderUnavailable,
)
from tests.providers.alert_conformance import AlertConformance
from tests.providers.software_conformance import SoftwareConformance
from tests.support.opening import Fleet, opened, read

MOST_IN_A_CHUNK = 500
DEPTHS: tuple[Depth, ...] = ("light", "full")


@dataclass(frozen=True)
class World:
    """A running server of the provider with a few organizations and devices.

    `fields` lets in, `refused` does not, `nowhere` names a server that is not there.
    """

    fields: dict[str, str]
    refused: dict[str, str]
    nowhere: dict[str, str]
    unknown_device: str = field(default="q" * 40)
    unknown_alert: str = field(default="987654321")


class Conformance(AlertConformance, SoftwareConformance):
    """The suite. A subclass gives `key` and `world`."""

    key: str

    @classmethod
    def world(cls) -> AbstractContextManager[World]:
        """A server for the length of the suite; reading changes nothing on it."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def at(cls) -> Iterator[World]:
        with cls.world() as world:
            yield world

    def open(self, fields: dict[str, str]) -> AbstractAsyncContextManager[ProviderConnection]:
        return opened(fields["instance_url"], fields, provider=self.key)

    # --- the declaration -------------------------------------------------------------------------------

    def test_the_manifest_can_be_shown(self, at: World) -> None:
        manifest = self.provider.manifest
        assert manifest.key == self.key
        assert re.fullmatch(r"[a-z][a-z0-9_]{1,39}", manifest.key)
        assert manifest.display_name
        assert manifest.display_name != manifest.key
        names = [field.name for field in manifest.fields]
        assert len(set(names)) == len(names)
        assert "instance_url" in names
        for one in manifest.fields:
            assert one.label
            assert one.help.endswith(".")
            assert (one.kind == "choice") == bool(one.choices)
            assert one.default is None or not one.choices or one.default in one.choices
            assert one.secret == (one.kind == "secret")
        assert set(at.fields) <= set(names)
        modes = [mode.key for mode in manifest.auth_modes]
        assert len(set(modes)) == len(modes)
        assert {one.only_for_auth_mode for one in manifest.fields} - {None} == set(modes)
        assert all(mode.label not in ("", mode.key) for mode in manifest.auth_modes)

    @property
    def provider(self) -> Provider:
        return registry.get(self.key)

    def offers(self, capability: Capability) -> bool:
        return capability in self.provider.manifest.capabilities

    def test_settings_are_normalized_and_hide_their_secrets(self, at: World) -> None:
        settings = self.provider.settings(at.fields)
        again = self.provider.settings({**at.fields, "instance_url": f" {settings.instance_url}/ "})
        assert again.instance_url == settings.instance_url
        assert settings.secrets
        for secret in settings.secrets.values():
            assert secret not in repr(settings)
        secret_names = {one.name for one in self.provider.manifest.fields if one.secret}
        assert set(settings.secrets) <= secret_names
        assert not set(settings.options) & secret_names

    def test_settings_that_cannot_be_used_are_refused_by_name(self, at: World) -> None:
        with pytest.raises(InvalidInput, match="instance_url"):
            self.provider.settings({**at.fields, "instance_url": ""})
        secrets = [one.name for one in self.provider.manifest.fields if one.secret and one.name in at.fields]
        for name in secrets:
            with pytest.raises(InvalidInput, match=name):
                self.provider.settings({**at.fields, name: "  "})

    # --- the check -------------------------------------------------------------------------------------

    async def test_nothing_is_sent_before_the_first_verb(self, at: World) -> None:
        async with self.open(at.nowhere) as connection:
            assert (connection.traffic.requests, connection.traffic.bytes_received) == (0, 0)

    async def test_the_check_passes_and_reports_failures_without_raising(self, at: World) -> None:
        async with self.open(at.fields) as connection:
            result = await connection.check()
            assert result.ok
            assert msgspec.json.decode(msgspec.json.encode(result), type=CheckResult).ok
            assert connection.traffic.requests > 0
        for fields, codes in (
            (at.refused, {"invalid_credentials"}),
            (at.nowhere, {"connection_refused", "name_not_resolved", "unavailable"}),
        ):
            async with self.open(fields) as connection:
                result = await connection.check()
            assert not result.ok
            errors = [finding for finding in result.findings if finding.level == "error"]
            assert {finding.code for finding in errors} <= codes
            assert all(finding.message and finding.remedy for finding in errors)
            assert not result.steps or "failed" in {step.state for step in result.steps}

    async def test_errors_are_of_the_contract(self, at: World) -> None:
        for fields, kind in ((at.refused, ProviderAuthError), (at.nowhere, ProviderUnavailable)):
            async with self.open(fields) as connection:
                for verb in (connection.organizations, connection.roster):
                    with pytest.raises(kind) as caught:
                        await verb()
                    assert caught.value.code
                    assert caught.value.info().message
        assert ProviderUnavailable.retryable
        assert not ProviderAuthError.retryable

    async def test_devices_of_a_server_that_refuses_or_is_not_there(self, at: World) -> None:
        some = OrganizationRecord(external_id="1", name="Some", device_count=0)
        async with self.open(at.refused) as connection:
            with pytest.raises(ProviderAuthError):
                await anext(aiter(connection.devices([some], "light")))
        async with self.open(at.nowhere) as connection:
            try:
                fleet = await read(connection, "light", [some])
            except ProviderUnavailable:
                return
        # Where it does not raise, the organization is closed with the error, and proves nothing.
        (end,) = fleet.reads
        assert end.error is not None
        assert end.error.retryable
        assert not end.complete
        assert not fleet.chunks

    async def test_sessions_may_be_begun_and_ended_at_any_time(self, at: World) -> None:
        async with self.open(at.fields) as connection:
            await connection.logout()
            await connection.login()
            await connection.login(None)
            assert (await connection.organizations()).records
            await connection.logout()
            await connection.logout()

    # --- organizations and devices ---------------------------------------------------------------------

    async def test_organizations_are_unique_and_named(self, at: World) -> None:
        async with self.open(at.fields) as connection:
            snapshot = await connection.organizations()
        assert snapshot.answered_at.tzinfo is not None
        assert snapshot.records
        ids = [record.external_id for record in snapshot.records]
        assert len(set(ids)) == len(ids)
        for record in snapshot.records:
            assert record.external_id
            assert record.name == record.name.strip() != ""
            sites = [site.external_id for site in record.sites]
            assert len(set(sites)) == len(sites)

    @pytest.mark.parametrize("depth", DEPTHS)
    async def test_devices_come_in_bounded_chunks_and_each_organization_is_closed(
        self, at: World, depth: Depth
    ) -> None:
        async with self.open(at.fields) as connection:
            organizations = (await connection.organizations()).records
            roster = await connection.roster()
            fleet = await read(connection, depth, organizations)
        _closed_once(fleet, organizations)
        for chunk in fleet.chunks:
            assert len(chunk.records) <= MOST_IN_A_CHUNK
            assert chunk.answered_at.tzinfo is not None
        assert all(end.complete and end.received == end.expected for end in fleet.reads)
        for source, records in fleet.records.items():
            assert set(records) == set(roster), source
            counted = sum(end.received for end in fleet.reads if end.source == source)
            assert counted == len(records)
        for records in fleet.records.values():
            for record in records.values():
                _sound(record)

    async def test_only_the_organizations_asked_for_come_in(self, at: World) -> None:
        async with self.open(at.fields) as connection:
            organizations = (await connection.organizations()).records
            one = next(record for record in organizations if record.device_count)
            for depth in DEPTHS:
                fleet = await read(connection, depth, [one])
                assert {chunk.organization_id for chunk in fleet.chunks} == {one.external_id}
                for records in fleet.records.values():
                    assert len(records) == one.device_count
                nothing = await read(connection, depth, [])
                assert not nothing.chunks
                assert not nothing.reads

    async def test_reading_again_gives_the_same(self, at: World) -> None:
        async with self.open(at.fields) as connection:
            first, second = await read(connection, "light"), await read(connection, "light")
        assert _contents(first) == _contents(second)

    async def test_the_roster_names_the_organizations(self, at: World) -> None:
        async with self.open(at.fields) as connection:
            roster = await connection.roster()
            names = {record.name for record in (await connection.organizations()).records}
        assert {entry.organization_name for entry in roster.values()} <= names
        assert all(entry.external_id == key for key, entry in roster.items())

    async def test_hardware_comes_from_where_it_is_said_to_come(self, at: World) -> None:
        async with self.open(at.fields) as connection:
            in_bulk = await connection.hardware_in_bulk()
            fleet = await read(connection, "full")
        carried = [
            record
            for records in fleet.records.values()
            for record in records.values()
            if record.ram_gb is not UNSET
        ]
        assert bool(carried) == in_bulk

    async def test_one_device_at_a_time(self, at: World) -> None:
        if not self.offers(Capability.SINGLE_DEVICE):
            return
        async with self.open(at.fields) as connection:
            fleet = await read(connection, "light")
            records = next(iter(fleet.records.values()))
            for external_id in list(records)[:3]:
                chunk = await connection.device(external_id)
                (record,) = chunk.records
                assert record.external_id == external_id
                assert record.organization_id == chunk.organization_id == records[external_id].organization_id
                assert record.name == records[external_id].name
                _sound(record)
            for unknown in (at.unknown_device, "", "../../etc/passwd", "a b"):
                with pytest.raises(ProviderNotFound):
                    await connection.device(unknown)


def _closed_once(fleet: Fleet, organizations: tuple[OrganizationRecord, ...]) -> None:
    sources = {end.source for end in fleet.reads}
    assert sources
    closed = [(end.organization_id, end.source) for end in fleet.reads]
    assert len(closed) == len(set(closed)) == len(organizations) * len(sources)
    assert {chunk.source for chunk in fleet.chunks} <= sources


def _contents(fleet: Fleet) -> dict[str, dict[str, str]]:
    return {source: {key: r.name for key, r in records.items()} for source, records in fleet.records.items()}


def _sound(record: DeviceRecord) -> None:
    assert record.name
    assert isinstance(record.asset_type, AssetType)
    assert record.never_reported <= (record.last_seen_at is None)
    assert record.last_seen_at is None or record.last_seen_at.tzinfo is not None
    assert "\x00" not in str(msgspec.to_builtins(record))
    assert msgspec.json.decode(msgspec.json.encode(record), type=DeviceRecord) == record
