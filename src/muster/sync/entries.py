"""The lines of a run's record that say what could not be done, and why."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from muster.mappings.schemas import MappingView
from muster.providers.alerting import AlertRecord
from muster.providers.contract import (
    DeviceRecord,
    OrganizationRead,
    ProviderError,
    ProviderNotFound,
    ProviderPermissionError,
    RejectedRow,
)
from muster.software.types import SoftwareChanged, SoftwareDelta
from muster.sync.announcements import Machine
from muster.sync.types import Action, Entry

_MOST_OF_A_MESSAGE = 300
# Of the programs that changed on a device so many are named, by so many letters.
_PROGRAMS_NAMED, _MOST_OF_A_NAME = 3, 60


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


def unread(external_id: str, error: ProviderError) -> Entry:
    """A device that was to be read anew, and could not be."""
    if isinstance(error, ProviderNotFound):
        return not_found(external_id, error)
    return Entry(
        item_type="device",
        action=Action.FAILED,
        reason=error.code,
        external_id=external_id,
        message=error.message,
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


def alert(record: AlertRecord, action: Action, reason: str, said: str) -> Entry:
    """An alert of which something was learned."""
    return Entry(
        item_type="alert",
        action=action,
        reason=reason,
        external_id=record.external_id,
        name=record.device_name,
        message=f"{said} {(record.message or '')[:_MOST_OF_A_MESSAGE]}".rstrip(),
    )


def alert_unread(external_id: str, error: ProviderError) -> Entry:
    """An alert that is open here, and that the server gave no account of."""
    action, why = Action.FAILED, error.message
    if isinstance(error, ProviderNotFound):
        action, why = Action.MISSING, "The server has it no more. It is kept, as gone."
    elif isinstance(error, ProviderPermissionError):
        action, why = Action.SKIPPED, f"{error.message} Whether it is resolved cannot be told: it stays open."
    return Entry(item_type="alert", action=action, reason=error.code, external_id=external_id, message=why)


def alerts_unseen(count: int) -> Entry:
    """Alerts that were not asked for again."""
    return Entry(
        item_type="alert",
        action=Action.SKIPPED,
        reason="unseen_before",
        name=f"{count:,} alerts" if count > 1 else "1 alert",
        message="These credentials could not see them when the server was asked last. It is asked again some"
        " hours later; Sync alerts asks now.",
    )


# --- software -------------------------------------------------------------------------------------------


def list_unread(device_id: str, asset_id: UUID, error: ProviderError) -> Entry:
    """What a device reports could not be understood."""
    return Entry(
        item_type="software",
        action=Action.FAILED,
        reason=error.code,
        external_id=device_id,
        asset_id=asset_id,
        message=f"{error.message} What is known of it is left as it is.",
    )


def programs_rejected(device_id: str, asset_id: UUID, rejected: Sequence[RejectedRow]) -> Entry:
    """Some of the programs that a device reports make no sense; the others were taken in."""
    first = rejected[0]
    where = f"field {first.field}: " if first.field else ""
    return Entry(
        item_type="software",
        action=Action.SKIPPED,
        reason="malformed",
        external_id=device_id,
        asset_id=asset_id,
        message=f"{len(rejected):,} of its programs make no sense. The first is entry {first.position + 1}; "
        f"{where}{first.reason}",
    )


def list_emptied(machine: Machine) -> Entry:
    """A device reports that it has nothing, and had something before."""
    return Entry(
        item_type="software",
        action=Action.SKIPPED,
        reason="list_emptied",
        external_id=machine.device_id,
        asset_id=machine.asset_id,
        name=machine.name,
        message="Its list is empty, and was not before. That is not believed: what it had is left as it is.",
    )


def not_reported(count: int) -> Entry:
    """Devices that reported once, and are not in a complete answer."""
    return Entry(
        item_type="software",
        action=Action.SKIPPED,
        reason="not_reported",
        name=f"{count:,} devices" if count > 1 else "1 device",
        message="Reported before, and not in an answer that is complete. What they had is left as it is.",
    )


def first_list(machine: Machine, installs: int) -> Entry:
    """A device reports for the first time."""
    return Entry(
        item_type="software",
        action=Action.CREATED,
        reason="first_list",
        external_id=machine.device_id,
        asset_id=machine.asset_id,
        name=machine.name,
        message=f"It reports for the first time: {installs:,} {'program' if installs == 1 else 'programs'}.",
    )


def list_changed(machine: Machine, delta: SoftwareDelta) -> Entry:
    """What a device has installed is not what it was."""
    said = (("Installed", delta.installed), ("Updated", delta.updated), ("Removed", delta.removed))
    return Entry(
        item_type="software",
        action=Action.UPDATED,
        reason="list_changed",
        external_id=machine.device_id,
        asset_id=machine.asset_id,
        name=machine.name,
        message=" ".join(f"{word} {_programs(changes)}." for word, changes in said if changes),
    )


def _programs(changes: Sequence[SoftwareChanged]) -> str:
    """7-Zip 23.01, Git 2.43.0 and 3 more."""
    named = [
        f"{each.program.name[:_MOST_OF_A_NAME]} {each.program.version[:_MOST_OF_A_NAME]}".rstrip()
        for each in changes[:_PROGRAMS_NAMED]
    ]
    more = len(changes) - len(named)
    return ", ".join(named) + (f" and {more:,} more" if more else "")
