"""The lines of a run's record that say what could not be done, and why."""

from __future__ import annotations

from muster.mappings.schemas import MappingView
from muster.providers.contract import DeviceRecord, OrganizationRead, ProviderError, RejectedRow
from muster.sync.types import Action, Entry


def malformed(row: RejectedRow, organization_id: str | None, item_type: str = "device") -> Entry:
    """A row that could not be understood."""
    where = f"Field {row.field}: " if row.field else ""
    return Entry(
        item_type=item_type,
        action=Action.FAILED,
        reason="malformed",
        external_id=row.external_id,
        organization_id=organization_id,
        message=f"{where}{row.reason} (row {row.position + 1} of the answer)",
    )


def unlisted(view: MappingView) -> Entry:
    """A mapped organization that the server does not list."""
    return Entry(
        item_type="organization",
        action=Action.SKIPPED,
        reason="organization_not_listed",
        external_id=view.external_organization_id,
        organization_id=view.external_organization_id,
        name=view.external_organization_name,
        message="The server does not list it to these credentials. Its assets are left as they are.",
    )


def unfinished(read: OrganizationRead, name: str | None) -> Entry:
    """An organization that could not be read, or not to a proved end."""
    message = read.error.message if read.error else read.problem
    return Entry(
        item_type="organization",
        action=Action.FAILED if read.error else Action.SKIPPED,
        reason=read.error.code if read.error else "incomplete",
        external_id=read.organization_id,
        organization_id=read.organization_id,
        name=name,
        message=f"{message or 'Its list is not complete.'} None of its devices is judged missing.",
    )


def no_roster(error: ProviderError) -> Entry:
    """The list of all visible devices could not be read."""
    return Entry(
        item_type="roster",
        action=Action.FAILED,
        reason=error.code,
        message=f"{error.message} Nothing is judged missing in this run.",
    )


def not_found(external_id: str, error: ProviderError) -> Entry:
    """The one device asked for is not there."""
    return Entry(
        item_type="device",
        action=Action.FAILED,
        reason=error.code,
        external_id=external_id,
        message=f"{error.message} Its asset stays as it is: absence alone deletes nothing.",
    )


def hardware_unread(external_id: str, error: ProviderError) -> Entry:
    """A device's hardware could not be read; everything else of it was."""
    return Entry(
        item_type="device",
        action=Action.SKIPPED,
        reason=error.code,
        external_id=external_id,
        message=f"Its hardware could not be read: {error.message}",
    )


def turned_away(record: DeviceRecord) -> Entry:
    """A device of an organization that brings no assets in."""
    return Entry(
        item_type="device",
        action=Action.SKIPPED,
        reason="organization_not_mapped",
        external_id=record.external_id,
        organization_id=record.organization_id,
        name=record.name,
        message="Its organization is not mapped to a client, or its auto-sync is off.",
    )
