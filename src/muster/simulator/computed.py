"""What the server works out from `wmi_detail`, by its own rules (CONTRACT section 3, its Agent model).

The light list, both details and the beta detail carry these values, the beta list only their source: both
must come from one `wmi_detail`, so that a client which reads either source can be held to the same answer.
"""

import ipaddress
from typing import Any

Wmi = dict[str, Any] | None
_NO_MODEL_MARK = "to be filled"


class _Absent(Exception):
    """A property the rules need is not there; the rule's fallback text applies."""


def _first(element: list[dict[str, Any]], name: str) -> Any:
    for properties in element:
        if name in properties:
            return properties[name]
    raise _Absent(name)


def _elements(wmi: Wmi, class_name: str) -> list[list[dict[str, Any]]]:
    if not wmi or class_name not in wmi:
        raise _Absent(class_name)
    elements: list[list[dict[str, Any]]] = wmi[class_name]
    return elements


def _cpu_text(cpu: list[dict[str, Any]]) -> str:
    name = str(_first(cpu, "Name"))
    # The server looks for both counts in the *same* dictionary: agents that send one per property get no
    # suffix.
    for properties in cpu:
        if "NumberOfCores" in properties:
            cores, threads = properties["NumberOfCores"], properties.get("NumberOfLogicalProcessors")
            return f"{name}, {cores}C/{threads}T" if cores and threads else name
    return name


def cpu_model(wmi: Wmi, *, posix: bool) -> list[str]:
    """The processors' names; `["unknown cpu model"]` when there is nothing to read."""
    if posix:
        return list(wmi["cpus"]) if wmi and "cpus" in wmi else ["unknown cpu model"]
    try:
        return [_cpu_text(cpu) for cpu in _elements(wmi, "cpu")]
    except _Absent:
        return ["unknown cpu model"]


def graphics(wmi: Wmi, *, posix: bool) -> str:
    """The graphics cards in one string; a remote display adapter counts only when it is alone."""
    if posix:
        if not wmi or "gpus" not in wmi:
            return "Error getting graphics cards"
        return ", ".join(wmi["gpus"]) or "No graphics cards"
    try:
        captions = [str(_first(card, "Caption")) for card in _elements(wmi, "graphics")]
    except _Absent:
        return "Graphics info requires agent v1.4.14"
    real = [caption for caption in captions if "microsoft remote display adapter" not in caption.lower()]
    return "Microsoft Remote Display Adapter" if captions and not real else ", ".join(real)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def local_ips(wmi: Wmi, *, posix: bool) -> str:
    """One string; plain IPv4 addresses on Windows, everything with its CIDR suffix elsewhere."""
    failed = "error getting local ips"
    if posix:
        return ", ".join(wmi["local_ips"]) if wmi and "local_ips" in wmi else failed
    try:
        configurations = _elements(wmi, "network_config")
    except _Absent:
        return failed
    found: list[str] = []
    for configuration in configurations:
        addresses = next((p["IPAddress"] for p in configuration if "IPAddress" in p), None)
        found += [address for address in addresses or () if _is_ipv4(address)]
    return ", ".join(found) if found else failed


def _windows_make_model(wmi: Wmi) -> str:
    system = _elements(wmi, "comp_sys")[0]
    make = str(_first(_elements(wmi, "comp_sys_prod")[0], "Vendor"))
    model = str(_first(system, "Model"))
    if _NO_MODEL_MARK in model.lower():
        board = _elements(wmi, "base_board")[0]
        make, model = str(_first(board, "Manufacturer")), str(_first(board, "Product"))
    if make.lower() == "lenovo":
        family = str(_first(system, "SystemFamily"))
        model = model if _NO_MODEL_MARK in family.lower() else family
    return f"{make} {model}"


def make_model(wmi: Wmi, *, posix: bool) -> str:
    """Maker and model; the main board's when the maker left his form empty, Lenovo's family name."""
    if posix:
        return str(wmi["make_model"]) if wmi and "make_model" in wmi else "error getting make/model"
    try:
        return _windows_make_model(wmi)
    except _Absent:
        pass
    try:
        return str(_first(_elements(wmi, "comp_sys_prod")[0], "Version"))
    except _Absent:
        return "unknown make/model"


def physical_disks(wmi: Wmi, *, posix: bool) -> list[str]:
    """`<caption> <size>GB <interface>` of every disk that is not on USB (binary gigabytes, thousands with a
    comma).
    """
    if posix:
        return list(wmi["disks"]) if wmi and "disks" in wmi else ["unknown disk"]
    found: list[str] = []
    try:
        for disk in _elements(wmi, "disk"):
            interface = _first(disk, "InterfaceType")
            if interface != "USB":
                size = round(int(_first(disk, "Size")) / 1_073_741_824)
                found.append(f"{_first(disk, 'Caption')} {size:,}GB {interface}")
    except _Absent:
        return ["unknown disk"]
    return found


def serial_number(wmi: Wmi, *, posix: bool) -> str:
    """The BIOS serial as the maker wrote it, sentinels too; "" when the first dictionary lacks it."""
    if posix:
        return str(wmi.get("serialnumber", "")) if wmi else ""
    bios = (wmi or {}).get("bios")
    return str(bios[0][0].get("SerialNumber", "")) if bios and bios[0] else ""


def status(last_seen_us: int | None, now_us: int, offline_minutes: int, overdue_minutes: int) -> str:
    """online, offline or overdue; never seen counts as offline, and exactly at the overdue mark as online."""
    if last_seen_us is None:
        return "offline"
    silent = now_us - last_seen_us
    if silent <= offline_minutes * 60_000_000 or silent == overdue_minutes * 60_000_000:
        return "online"
    return "offline" if silent < overdue_minutes * 60_000_000 else "overdue"


def logged_username(user: str | None, last_user: str | None, agent_status: str) -> tuple[str | None, bool]:
    """`logged_username` and `italic` of a light row: the *last* user, in italics, of an online machine with
    nobody at it; "-" for nobody on a machine that is not online; null when the agent never said.
    """
    if user != "None":
        return user, False
    return (last_user, True) if agent_status == "online" else ("-", False)
