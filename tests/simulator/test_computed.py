"""The server's rules on `wmi_detail`, held against the recorded fleet and by example."""

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from muster.simulator import computed
from muster.simulator.clock import to_microseconds
from tests.support.recordings import Recordings

_RULES = (
    computed.cpu_model,
    computed.graphics,
    computed.local_ips,
    computed.make_model,
    computed.physical_disks,
    computed.serial_number,
)


@pytest.mark.recordings
def test_the_recorded_light_rows_come_out_of_the_recorded_beta_rows(recordings: Recordings) -> None:
    light = {row["agent_id"]: row for row in recordings.load_snapshot("agents.json.gz")}
    pages = [recordings.load_snapshot(f"beta_agent_page_{number}.json.gz") for number in (1, 2, 3)]
    beta = [row for page in pages for row in page["results"]]
    assert len(beta) == len(light) == 250
    for row in beta:
        for rule in _RULES:
            got = rule(row["wmi_detail"], posix=row["plat"] != "windows")
            assert got == light[row["agent_id"]][rule.__name__], (row["hostname"], rule.__name__)


@pytest.mark.recordings
def test_the_recorded_statuses_and_users_come_out_of_the_recorded_beta_rows(recordings: Recordings) -> None:
    entry = next(entry for entry in recordings.snapshot_index() if entry.file == "agents.json.gz")
    now = int(parsedate_to_datetime(entry.date).timestamp() * 1_000_000)
    light = {row["agent_id"]: row for row in recordings.load_snapshot(entry.file)}
    pages = [recordings.load_snapshot(f"beta_agent_page_{number}.json.gz") for number in (1, 2, 3)]
    for row in [row for page in pages for row in page["results"]]:
        wanted = light[row["agent_id"]]
        seen = _microseconds(row["last_seen"])
        status = computed.status(seen, now, row["offline_time"], row["overdue_time"])
        user = computed.logged_username(row["logged_in_username"], row["last_logged_in_user"], status)
        assert (status, *user) == (wanted["status"], wanted["logged_username"], wanted["italic"])


def _microseconds(text: str | None) -> int | None:
    return to_microseconds(datetime.fromisoformat(text)) if text else None


@pytest.mark.parametrize(
    ("silent_minutes", "expected"),
    [(None, "offline"), (0, "online"), (4, "online"), (5, "offline"), (29, "offline"), (31, "overdue")],
)
def test_status(silent_minutes: int | None, expected: str) -> None:
    seen = None if silent_minutes is None else -silent_minutes * 60_000_000
    assert computed.status(seen, 0, 4, 30) == expected


def test_exactly_at_the_overdue_mark_the_server_says_online() -> None:
    minute = 60_000_000
    around = [computed.status(-30 * minute + step, 0, 4, 30) for step in (1, 0, -1)]
    assert around == ["offline", "online", "overdue"]


@pytest.mark.parametrize(
    ("user", "last", "status", "expected"),
    [
        ("anna", "anna", "offline", ("anna", False)),
        ("None", "hana", "online", ("hana", True)),
        ("None", "hana", "offline", ("-", False)),
        (None, None, "offline", (None, False)),
    ],
)
def test_logged_username(user: str | None, last: str | None, status: str, expected: tuple[Any, bool]) -> None:
    assert computed.logged_username(user, last, status) == expected


def test_nothing_to_read_gives_the_servers_prose() -> None:
    said = [rule(None, posix=False) for rule in _RULES]
    assert said == [
        ["unknown cpu model"],
        "Graphics info requires agent v1.4.14",
        "error getting local ips",
        "unknown make/model",
        ["unknown disk"],
        "",
    ]
    assert computed.graphics(None, posix=True) == "Error getting graphics cards"
    assert computed.make_model(None, posix=True) == "error getting make/model"


def test_makers_names() -> None:
    def wmi(vendor: str, model: str, family: str) -> dict[str, Any]:
        return {
            "comp_sys": [[{"Model": model}, {"SystemFamily": family}]],
            "comp_sys_prod": [[{"Vendor": vendor, "Version": "1.2"}]],
            "base_board": [[{"Manufacturer": "Board", "Product": "B1"}]],
        }

    assert computed.make_model(wmi("LENOVO", "21HM", "ThinkPad X1"), posix=False) == "LENOVO ThinkPad X1"
    assert computed.make_model(wmi("LENOVO", "21HM", "To Be Filled"), posix=False) == "LENOVO 21HM"
    assert computed.make_model(wmi("x", "To be filled by O.E.M.", ""), posix=False) == "Board B1"
    assert computed.make_model({"comp_sys_prod": [[{"Version": "1.2"}]]}, posix=False) == "1.2"


def test_processor_counts_only_when_they_come_in_one_dictionary() -> None:
    both = {"NumberOfCores": 8, "NumberOfLogicalProcessors": 16}
    wide = {"cpu": [[{"Name": "X", **both}]]}
    narrow = {"cpu": [[{"Name": "X"}, {"NumberOfCores": 8}, {"NumberOfLogicalProcessors": 16}]]}
    assert computed.cpu_model(wide, posix=False) == ["X, 8C/16T"]
    assert computed.cpu_model(narrow, posix=False) == ["X"]


def test_usb_disks_do_not_count_and_sizes_are_binary() -> None:
    gib = 1_073_741_824
    disks = [
        [{"Caption": "A", "Size": str(4096 * gib), "InterfaceType": "SCSI"}],
        [{"Caption": "B", "Size": 1, "InterfaceType": "USB"}],
    ]
    assert computed.physical_disks({"disk": disks}, posix=False) == ["A 4,096GB SCSI"]


def test_only_ipv4_addresses_of_windows_are_listed() -> None:
    configurations = [
        [{"IPAddress": None}],
        [{"MTU": 1}],
        [{"IPAddress": ["10.0.0.1", "fe80::1", "10.0.0.2"]}],
    ]
    assert computed.local_ips({"network_config": configurations}, posix=False) == "10.0.0.1, 10.0.0.2"
