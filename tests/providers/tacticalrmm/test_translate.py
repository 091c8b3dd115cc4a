"""The rules between wire and record, on any input."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from muster.egress import Answer
from muster.providers.contract import AgentStatus, DeviceRecord, ProviderPayloadError, RejectedRow
from muster.providers.tacticalrmm import answers, cleaning, hardware, translate
from muster.providers.tacticalrmm.payloads import BetaRow, LightRow, SingleRow
from muster.providers.tacticalrmm.translate import Places, RowRefused

NOW = datetime(2026, 11, 23, 15, 20, 8, tzinfo=UTC)
PLACES = Places("1", {"HQ": "11"}, {"11": "HQ"})

LIGHT = {
    "agent_id": "wEldhGPvLBjOUzpchpzFtSMlPVyXSYQQfXDPyrOP",
    "hostname": "DC-2",
    "site_name": "HQ",
    "client_name": "Acme Corp",
    "monitoring_type": "workstation",
    "description": "Primary DC",
    "needs_reboot": False,
    "status": "online",
    "last_seen": "2026-11-23T15:19:40.576107Z",
    "boot_time": 1795012313.146535,
    "maintenance_mode": False,
    "logged_username": "Karen",
    "italic": True,
    "plat": "windows",
    "has_patches_pending": True,
    "version": "2.11.0",
    "operating_system": "Microsoft Windows 10 Pro, 64bit (build 18363)",
    "public_ip": "74.123.43.5",
    "cpu_model": ["Intel(R) Xeon(R)   CPU E5-2620 v4 @ 2.10GHz, 8C/16T"] * 2,
    "graphics": "NVIDIA Quadro P520",
    "local_ips": "172.17.9.121, 172.17.9.6",
    "make_model": "HP ProLiant DL380 Gen9",
    "physical_disks": ["ATA CT500MX500SSD1 SCSI Disk Device 466GB SCSI"],
    "serial_number": "SN000243",
}
BETA = {
    "id": 7,
    "agent_id": "wEldhGPvLBjOUzpchpzFtSMlPVyXSYQQfXDPyrOP",
    "hostname": "DC-2",
    "site": 11,
    "monitoring_type": "server",
    "plat": "windows",
    "last_seen": "2026-11-23T15:19:40.576107Z",
    "offline_time": 4,
    "overdue_time": 30,
    "logged_in_username": "None",
    "last_logged_in_user": "Karen",
    "total_ram": 16,
    "disks": [{"free": "346.5G", "used": "129.1G", "total": "475.6G", "device": "C:", "percent": 27}],
    "wmi_detail": {
        "cpu": [
            [{"Name": "Fast CPU  9"}, {"NumberOfCores": 8}],
            [{"Name": "Fast CPU 9", "NumberOfCores": 8}],
        ],
        "comp_sys": [[{"Model": "OptiPlex 7010", "SystemFamily": "OptiPlex"}]],
        "comp_sys_prod": [[{"Vendor": "Dell Inc.", "Version": "1.0"}]],
        "base_board": [[{"Manufacturer": "ASUSTeK COMPUTER INC.", "Product": "PRIME B550M-A"}]],
        "bios": [[{"SerialNumber": "ABC123"}]],
        "network_config": [[{"IPAddress": ["10.0.0.5", "fe80::1"]}], [{"IPAddress": None}], [{"MTU": 0}]],
        "graphics": [[{"Caption": "Microsoft Remote Display Adapter"}], [{"Caption": "NVIDIA T400"}]],
        "disk": [
            [{"Caption": "Stick", "Size": 8_000_000_000, "InterfaceType": "USB"}],
            [{"Caption": "Samsung SSD 860", "Size": "500105249280", "InterfaceType": "IDE"}],
        ],
    },
}


def answer(body: Any) -> Answer:
    return Answer(
        status=200,
        headers={"content-type": "application/json"},
        body=json.dumps(body).encode("utf-8", "surrogatepass"),
        method="GET",
        path="/agents/",
        seconds=0.1,
    )


def light(**fields: Any) -> DeviceRecord:
    return translate.light(msgspec.convert({**LIGHT, **fields}, LightRow), PLACES, NOW)


def detail(**fields: Any) -> DeviceRecord:
    row = msgspec.json.decode(json.dumps({**BETA, **fields}), type=BetaRow)
    return translate.detail(row, PLACES, NOW)


def wmi(**classes: Any) -> DeviceRecord:
    return detail(wmi_detail={**BETA["wmi_detail"], **classes})  # type: ignore[dict-item]


# --- absent, null, value -----------------------------------------------------------------------------------


def test_what_an_answer_does_not_carry_stays_absent() -> None:
    record = light()
    for name in ("ram_gb", "disks", "external_pk"):
        assert getattr(record, name) is UNSET
    assert detail().pending_patches is UNSET
    thin = {
        key: LIGHT[key] for key in ("agent_id", "hostname", "client_name", "site_name", "monitoring_type")
    }
    record = translate.light(
        msgspec.convert({**thin, "status": "online", "last_seen": None}, LightRow), PLACES, NOW
    )
    for name in (
        "serial_number",
        "os_version",
        "make",
        "model",
        "cpu_model",
        "lan_ips",
        "wan_ip",
        "boot_time",
    ):
        assert getattr(record, name) is UNSET
    assert record.current_user is UNSET
    assert record.pending_patches is UNSET


def test_null_is_null() -> None:
    record = light(
        description=None,
        operating_system=None,
        public_ip=None,
        boot_time=None,
        logged_username=None,
        italic=False,
        make_model=None,
        cpu_model=None,
        graphics=None,
        local_ips=None,
        physical_disks=None,
    )
    for name in ("description", "os_version", "wan_ip", "boot_time", "current_user", "make", "model"):
        assert getattr(record, name) is None
    for name in ("cpu_model", "cpu_cores", "gpu_model", "lan_ips", "physical_disks"):
        assert getattr(record, name) is None
    record = detail(wmi_detail=None, disks=None, total_ram=None)
    for name in ("make", "model", "cpu_model", "gpu_model", "lan_ips", "serial_number", "disks", "ram_gb"):
        assert getattr(record, name) is None


STAND_INS = [
    "",
    " ",
    "-",
    "None",
    "none",
    "N/A",
    "To be filled by O.E.M.",
    "TO BE FILLED BY O.E.M.",
    "System manufacturer",
    "Default string",
    "default STRING",
    "Not Specified",
    "unknown make/model",
    "error getting make/model",
    "System Serial Number",
    "error getting local ips",
    "Error getting graphics cards",
    "No graphics cards",
    "Graphics info requires agent v1.4.14",
    "unknown cpu model",
    "unknown disk",
    " Default\u0000 string ",
]


@pytest.mark.parametrize("text", STAND_INS)
def test_stand_ins_never_become_data(text: str) -> None:
    record = light(
        serial_number=text,
        make_model=text,
        cpu_model=[text],
        graphics=text,
        local_ips=text,
        physical_disks=[text],
        operating_system=text,
        version=text,
        public_ip=text,
    )
    for name in ("serial_number", "make", "model", "cpu_model", "gpu_model", "lan_ips", "physical_disks"):
        assert getattr(record, name) is None, name
    for name in ("os_version", "agent_version", "wan_ip"):
        assert getattr(record, name) is None, name
    posix = {"make_model": text, "serialnumber": text, "cpus": [text], "gpus": [text], "disks": [text]}
    record = detail(plat="linux", wmi_detail={**posix, "local_ips": [text]})
    for name in ("serial_number", "make", "model", "cpu_model", "gpu_model", "lan_ips", "physical_disks"):
        assert getattr(record, name) is None, name


# --- users -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "italic", "current", "last"),
    [
        ("Karen", False, "Karen", UNSET),
        ("Karen", True, None, "Karen"),
        ("ACME\\karen", False, "ACME\\karen", UNSET),
        ("-", False, None, UNSET),
        ("None", False, None, UNSET),
        (None, False, None, UNSET),
        (None, True, None, None),
        ("", False, None, UNSET),
    ],
)
def test_users_of_the_light_list(name: str | None, italic: bool, current: Any, last: Any) -> None:
    record = light(logged_username=name, italic=italic)
    assert (record.current_user, record.last_user) == (current, last)


@pytest.mark.parametrize(("name", "current"), [("None", None), ("", None), (None, None), ("jo", "jo")])
def test_users_of_the_beta_list(name: str | None, current: str | None) -> None:
    record = detail(logged_in_username=name, last_logged_in_user="Karen")
    assert (record.current_user, record.last_user) == (current, "Karen")


# --- status ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes_ago", "status"),
    [
        (0, "online"),
        (3.99, "online"),
        (4, "online"),
        (4.01, "offline"),
        (29.99, "offline"),
        (30, "overdue"),
        (300, "overdue"),
        (-500, "online"),
        (None, "offline"),
    ],
)
def test_status_from_thresholds(minutes_ago: float | None, status: str) -> None:
    last_seen = None if minutes_ago is None else NOW - timedelta(minutes=minutes_ago)
    assert translate.computed_status(last_seen, 4, 30, NOW).value == status


@given(
    st.datetimes(timezones=st.just(UTC)) | st.none(),
    st.integers(0, 2**31),
    st.integers(0, 2**31),
    st.datetimes(datetime(1971, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_status_bears_every_threshold(
    last_seen: datetime | None, offline: int, overdue: int, now: datetime
) -> None:
    status = translate.computed_status(last_seen, offline, overdue, now)
    assert status in {AgentStatus.ONLINE, AgentStatus.OFFLINE, AgentStatus.OVERDUE}
    if last_seen is None:
        assert status is AgentStatus.OFFLINE
    elif last_seen >= now:
        assert status is AgentStatus.ONLINE
    elif status is AgentStatus.OVERDUE:
        assert last_seen <= now - timedelta(minutes=min(overdue, 100 * 365 * 1440))


def test_a_clock_gone_wrong_is_no_last_seen_but_no_newcomer_either() -> None:
    for moment in ("1969-12-31T23:00:00Z", "2026-11-25T15:20:08Z", "9999-12-31T23:59:59Z"):
        record = light(last_seen=moment)
        assert record.last_seen_at is None
        assert not record.never_reported
    assert light(last_seen=None).never_reported


# --- make and model --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "make", "model"),
    [
        (
            "Gigabyte Technology Co., Ltd. X570 AORUS ULTRA",
            "Gigabyte Technology Co., Ltd.",
            "X570 AORUS ULTRA",
        ),
        ("Dell Inc. OptiPlex 7010", "Dell Inc.", "OptiPlex 7010"),
        ("HP ProLiant DL380 Gen9", "HP", "ProLiant DL380 Gen9"),
        ("LENOVO ThinkPad X1 Carbon Gen 11", "LENOVO", "ThinkPad X1 Carbon Gen 11"),
        ("VMware, Inc. VMware Virtual Platform", "VMware, Inc.", "VMware Virtual Platform"),
        ("Microsoft Corporation Virtual Machine", "Microsoft Corporation", "Virtual Machine"),
        ("ASUSTeK COMPUTER INC. PRIME B550M-A", "ASUSTeK COMPUTER INC.", "PRIME B550M-A"),
        ("Micro-Star International Co., Ltd. MS-7C02", "Micro-Star International Co., Ltd.", "MS-7C02"),
        ("Raspberry Pi 2 Model B Rev 1.1", "Raspberry Pi", "2 Model B Rev 1.1"),
        ("QEMU pc-i440fx-3.1", "QEMU", "pc-i440fx-3.1"),
        ("MacBookAir10,1", None, "MacBookAir10,1"),
        ("  HP   ProLiant  ", "HP", "ProLiant"),
        ("To Be Filled By O.E.M. B450M Pro4", None, "B450M Pro4"),
        ("System manufacturer System Product Name", None, None),
        ("To be filled by O.E.M. To be filled by O.E.M.", None, None),
        ("Default string Default string", None, None),
        ("ASUS System Product Name", "ASUS", None),
        ("Dell Inc. None", "Dell Inc.", None),
        ("Dell Inc.", "Dell Inc.", None),
        ("unknown make/model", None, None),
    ],
)
def test_make_and_model_of_one_line(text: str, make: str | None, model: str | None) -> None:
    assert hardware.split_make_model(text) == (make, model)


@given(st.text(max_size=80))
def test_make_and_model_joined_give_the_line_back(text: str) -> None:
    make, model = hardware.split_make_model(text)
    line = cleaning.label(text)
    joined = " ".join(filter(None, (make, model)))
    if make is not None and model is not None:
        assert joined == line
    elif line is not None:
        assert joined in line


def test_make_and_model_from_windows_classes() -> None:
    assert (wmi().make, wmi().model) == ("Dell Inc.", "OptiPlex 7010")
    board = wmi(comp_sys=[[{"Model": "To be filled by O.E.M."}]])
    assert (board.make, board.model) == ("ASUSTeK COMPUTER INC.", "PRIME B550M-A")
    family = wmi(
        comp_sys=[[{"Model": "20XW"}, {"SystemFamily": "ThinkPad X1"}]],
        comp_sys_prod=[[{"Vendor": "LENOVO"}]],
    )
    assert (family.make, family.model) == ("LENOVO", "ThinkPad X1")
    number = wmi(
        comp_sys=[[{"Model": "20XW", "SystemFamily": "To be filled by O.E.M."}]],
        comp_sys_prod=[[{"Vendor": "LENOVO"}]],
    )
    assert (number.make, number.model) == ("LENOVO", "20XW")
    version = wmi(comp_sys=[[{"Model": None}]], comp_sys_prod=[[{"Vendor": "LENOVO", "Version": "ThinkPad"}]])
    assert (version.make, version.model) == (None, "ThinkPad")
    assert (wmi(comp_sys=None, comp_sys_prod="x").make, wmi(comp_sys=[], comp_sys_prod=[[]]).model) == (
        None,
        None,
    )


def test_parts_from_windows_classes() -> None:
    record = wmi()
    assert (record.cpu_model, record.cpu_cores) == ("Fast CPU 9", 16)
    assert record.lan_ips == ("10.0.0.5",)
    assert record.gpu_model == "NVIDIA T400"
    assert record.physical_disks == ("Samsung SSD 860 466GB IDE",)
    assert record.serial_number == "ABC123"
    assert wmi(cpu=[[{"Name": "A"}]]).cpu_cores is UNSET
    assert wmi(cpu=[[{"NumberOfCores": 4}]]).cpu_model is None
    only_remote = wmi(graphics=[[{"Caption": "Microsoft Remote Display Adapter"}]])
    assert only_remote.gpu_model == "Microsoft Remote Display Adapter"


def test_cores_are_known_only_when_every_line_states_them() -> None:
    assert light(cpu_model=["A, 8C/16T", "A, 4C/8T"]).cpu_cores == 12
    assert light(cpu_model=["A, 8C/16T", "A"]).cpu_cores is UNSET
    assert light(cpu_model=["A   B 3900X 12-Core Processor    "]).cpu_model == "A B 3900X 12-Core Processor"


# --- sizes, addresses, moments, texts ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("346.5G", round(346.5 * 1024**3)),
        ("109.0 GB", round(109.0 * 1024**3)),
        ("203.8 MB", round(203.8 * 1024**2)),
        ("1.8T", round(1.8 * 1024**4)),
        ("48,3 MB", round(48.3 * 1024**2)),
        ("512 B", 512),
        ("512", 512),
        (1024, 1024),
        (1024.0, 1024),
        ("1 GiB", 1024**3),
        ("", None),
        ("-5G", None),
        ("lots", None),
        ("1.2.3G", None),
        (-1, None),
        (True, None),
        (None, None),
        ("9" * 39, None),
    ],
)
def test_disk_sizes(text: object, size: int | None) -> None:
    assert cleaning.size(text) == size


@given(st.decimals(0, 9999, places=1), st.sampled_from(["", "K", "M", "G", "T"]), st.sampled_from(["", " "]))
def test_any_size_the_agent_writes_is_understood(amount: Any, unit: str, blank: str) -> None:
    suffix = f"{unit}B" if blank else unit
    size = cleaning.size(f"{amount}{blank}{suffix}")
    power = ["", "K", "M", "G", "T"].index(unit)
    assert size == round(float(amount) * 1024**power)


@given(st.lists(st.ip_addresses(), max_size=8), st.booleans())
def test_addresses_lose_their_prefix_and_keep_their_order(given_ones: list[Any], prefix: bool) -> None:
    texts = [f"{one}/24" if prefix else str(one) for one in given_ones]
    found = light(local_ips=", ".join(texts)).lan_ips
    expected = list(dict.fromkeys(str(one) for one in given_ones if not one.is_unspecified))
    ordered = sorted(expected, key=lambda text: ip_address(text).version)
    assert found == (tuple(ordered) or None)


@given(st.text())
def test_addresses_are_valid_or_left_out(text: str) -> None:
    for found in (light(local_ips=text).lan_ips, cleaning.addresses([text])):
        assert isinstance(found, tuple | None)
        for one in found or ():
            ip_address(one)


def test_boot_time_is_a_moment_to_the_second() -> None:
    assert light(boot_time=1795012313.6).boot_time == datetime.fromtimestamp(1795012314, UTC)
    for nonsense in (0, -5, 1e12, 1e300, 4102444800):
        assert light(boot_time=nonsense).boot_time is None


@given(st.text() | st.text(st.characters(categories=("Cc", "Cs", "Zs", "Zl")), max_size=30))
def test_texts_are_fit_to_store(text: str) -> None:
    for bound, cleaned in (
        (500, cleaning.line(text)),
        (500, cleaning.label(text)),
        (4_000, cleaning.prose(text * 50)),
    ):
        if cleaned is None:
            continue
        assert 0 < len(cleaned) <= bound
        assert cleaned == cleaned.strip()
        assert "\x00" not in cleaned
        cleaned.encode("utf-8")
        assert all(char.isprintable() or char == "\n" or not char.isascii() for char in cleaned)


def test_long_texts_are_cut() -> None:
    record = light(hostname="h" * 9_000, description="d" * 90_000, operating_system="o" * 9_000)
    assert len(record.name) == 500
    assert len(str(record.os_version)) == 500
    assert len(str(record.description)) == 4_000


# --- anything at all ---------------------------------------------------------------------------------------

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(STAND_INS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.data())
def test_junk_in_a_row_is_a_record_or_a_rejection_never_anything_else(data: st.DataObject) -> None:
    template, kind = data.draw(
        st.sampled_from(
            [(LIGHT, LightRow), (BETA, BetaRow), ({**LIGHT, "client": "A", "site": 1}, SingleRow)]
        )
    )
    spoiled = data.draw(st.dictionaries(st.sampled_from(sorted(template)), junk, max_size=5))
    rows: answers.Rows[Any] = answers.decode_rows(answer([{**template, **spoiled}]), kind)
    outcomes: list[DeviceRecord | RejectedRow] = list(rows.rejected)
    for position, row in rows.good:
        try:
            outcomes.append(translated(row))
        except RowRefused as refused:
            outcomes.append(answers.rejected(position, row.agent_id, refused))
    (outcome,) = outcomes
    if isinstance(outcome, RejectedRow):
        assert outcome.reason
        assert outcome.field
    else:
        assert msgspec.json.decode(msgspec.json.encode(outcome), type=DeviceRecord) == outcome


@given(st.dictionaries(st.sampled_from(sorted(BETA["wmi_detail"])), junk) | junk)  # type: ignore[call-overload]
def test_junk_in_the_hardware_is_unknown_hardware_not_a_rejection(classes: Any) -> None:
    for platform in ("windows", "linux", "darwin", "plan9"):
        record = detail(plat=platform, wmi_detail=classes)
        assert record.name == "DC-2"


@given(st.binary(max_size=60) | junk.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_junk_as_a_body_is_rows_or_a_payload_error(body: bytes) -> None:
    reply = Answer(200, {"content-type": "application/json"}, body, "GET", "/agents/", 0.1)
    with suppress(ProviderPayloadError):
        assert not answers.decode_rows(reply, LightRow).good


def translated(row: Any) -> DeviceRecord:
    if isinstance(row, LightRow):
        return translate.light(row, PLACES, NOW)
    if isinstance(row, SingleRow):
        return translate.single(row, "1", NOW)
    return translate.detail(row, PLACES, NOW)
