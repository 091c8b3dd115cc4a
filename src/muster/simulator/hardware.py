"""The machines the invented fleet is made of, and the `wmi_detail` and `disks` their agents report."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import msgspec

from muster.simulator.wmi_names import filler

Weight = Literal["light", "real"]
Element = list[dict[str, Any]]
_GIB = 1_073_741_824


@dataclass(frozen=True, slots=True)
class Model:
    """One make of machine. Windows machines fill `wmi_detail` by WMI class, the others by six short keys."""

    key: str
    vendor: str
    name: str
    cpus: tuple[tuple[str, int, int], ...]
    gpus: tuple[str, ...]
    # Caption, size in GiB, interface.
    disks: tuple[tuple[str, int, str], ...]
    board: tuple[str, str] = ("Invented Boards", "IB-1")
    family: str = ""
    # Old agents send one dictionary per property, newer ones one dictionary with all of them.
    wide: bool = True
    serial_prefix: str = "SN"


_XEON = ("Intel(R) Xeon(R) Silver 4310 CPU @ 2.10GHz", 12, 24)
_CORE = ("13th Gen Intel(R) Core(TM) i5-1335U", 10, 12)
_RYZEN = ("AMD Ryzen 5 5600G with Radeon Graphics         ", 6, 12)

WINDOWS_SERVER_MODELS = (
    Model("r750", "Dell Inc.", "PowerEdge R750", (_XEON, _XEON), ("Matrox G200eW3",),
          (("DELL PERC H755 Front SCSI Disk Device", 3575, "SCSI"), ("DELL BOSS VD", 447, "SCSI"))),
    Model("vmware", "VMware, Inc.", "VMware20,1", (_XEON,), ("VMware SVGA 3D",),
          (("VMware Virtual disk SCSI Disk Device", 100, "SCSI"),), wide=False,
          serial_prefix="VMware-42 1c "),
    Model("hyperv", "Microsoft Corporation", "Virtual Machine", (_XEON,),
          ("Microsoft Remote Display Adapter",),
          (("Microsoft Virtual Disk", 127, "SCSI"),), serial_prefix="8514-"),
    Model("dl360", "HPE", "ProLiant DL360 Gen10", (_XEON, _XEON),
          ("Matrox G200eH3", "Microsoft Remote Display Adapter"),
          (("HPE LOGICAL VOLUME SCSI Disk Device", 1118, "SCSI"), ("HPE USB Stick", 29, "USB")), wide=False),
)  # fmt: skip
WINDOWS_CLIENT_MODELS = (
    Model("x1", "LENOVO", "21HMCTO1WW", (_CORE,), ("Intel(R) Iris(R) Xe Graphics",),
          (("SAMSUNG MZVL2512HCJQ-00BL7", 477, "SCSI"),), family="ThinkPad X1 Carbon Gen 11",
          serial_prefix="PF"),
    Model("optiplex", "Dell Inc.", "OptiPlex 7010", (_CORE,), ("Intel(R) UHD Graphics 770",),
          (("KIOXIA KXG60ZNV256G", 238, "SCSI"), ("SanDisk Ultra USB Device", 57, "USB"))),
    Model("selfmade", "System manufacturer", "To be filled by O.E.M.", (_RYZEN,),
          ("AMD Radeon(TM) Graphics",),
          (("Samsung SSD 870 EVO 1TB", 932, "IDE"), ("ST4000DM004-2CV104", 3726, "IDE")),
          board=("ASUSTeK COMPUTER INC.", "PRIME B550M-A"), wide=False),
    Model("surface", "Microsoft Corporation", "Surface Laptop 5", (_CORE,), ("Intel(R) Iris(R) Xe Graphics",),
          (("SK hynix BC901 NVMe", 238, "SCSI"),), serial_prefix="0"),
)  # fmt: skip
LINUX_MODELS = (
    Model("qemu", "QEMU", "Standard PC (Q35 + ICH9, 2009)", (("Intel Xeon Processor (Cascadelake)", 4, 4),),
          ("Red Hat, Inc. QXL paravirtual graphic card",), (("virtio vda", 40, "virtblk"),),
          serial_prefix=""),
    Model("nuc", "Intel(R) Client Systems", "NUC11TNKi5", (("11th Gen Intel(R) Core(TM) i5-1135G7", 4, 8),),
          (),
          (("NVMe SSD Controller nvme0n1", 466, "NVMe"),), serial_prefix="BTTN"),
)  # fmt: skip
ARM_MODEL = Model(
    "pi", "Raspberry Pi", "4 Model B Rev 1.5", (("ARMv7 Processor rev 3 (v7l)", 4, 4),), (),
    (("MMC SSD mmcblk0", 119, "MMC"),), serial_prefix="1000",
)  # fmt: skip
DARWIN_MODELS = (
    Model("mba", "Apple", "Mac14,2", (("Apple M2", 8, 8),), (), (("APPLE SSD AP0256Z disk0", 234, "SSD"),),
          serial_prefix="FV"),
    Model("imac", "Apple", "iMac19,1", (("Intel(R) Core(TM) i5-8500 CPU @ 3.00GHz", 6, 6),),
          ("Radeon Pro 570X",),
          (("APPLE HDD ST1000LM024 disk0", 932, "HDD"), ("APPLE SSD SM0032L disk1", 26, "SSD")),
          serial_prefix="C02"),
)  # fmt: skip
MODELS = {
    model.key: model
    for model in (*WINDOWS_SERVER_MODELS, *WINDOWS_CLIENT_MODELS, *LINUX_MODELS, ARM_MODEL, *DARWIN_MODELS)
}


@dataclass(frozen=True, slots=True)
class Hardware:
    """The hardware of one agent: its model and what is its own."""

    model: Model
    serial: str
    ips: tuple[str, ...]
    hostname: str
    ram_gb: int


def _element(class_name: str, wide: bool, weight: Weight, turn: int, **own: Any) -> Element:
    properties = {**filler(class_name, turn), **own} if weight == "real" else own
    return [properties] if wide else [{name: value} for name, value in properties.items()]


# How many elements a real agent sends of the classes that no rule reads.
_REAL_ONLY = {"os": 1, "mem": 6, "usb": 4, "desktop_monitor": 1, "network_adapter": 12}


@lru_cache(maxsize=64)
def _shared(key: str, weight: Weight) -> dict[str, list[Element]]:
    """The classes that are equal on every machine of one model."""
    model, wide = MODELS[key], MODELS[key].wide
    shared = {
        "cpu": [
            _element(
                "cpu", wide, weight, n, Name=name, NumberOfCores=cores, NumberOfLogicalProcessors=threads
            )
            for n, (name, cores, threads) in enumerate(model.cpus)
        ],
        "disk": [
            _element("disk", wide, weight, n, Caption=caption, Size=str(gib * _GIB), InterfaceType=interface)
            for n, (caption, gib, interface) in enumerate(model.disks)
        ],
        "graphics": [_element("graphics", wide, weight, n, Caption=gpu) for n, gpu in enumerate(model.gpus)],
        "base_board": [
            _element("base_board", wide, weight, 3, Manufacturer=model.board[0], Product=model.board[1])
        ],
        "comp_sys_prod": [
            _element("comp_sys_prod", wide, weight, 1, Vendor=model.vendor, Name=model.name, Version="1.0")
        ],
    }
    if weight == "real":
        for name, count in _REAL_ONLY.items():
            shared[name] = [_element(name, wide, weight, n) for n in range(count)]
    return shared


@lru_cache(maxsize=64)
def _idle_networks(wide: bool, weight: Weight) -> list[Element]:
    """Network configurations without an address, as every Windows machine has a dozen of."""
    count = 12 if weight == "real" else 1
    return [_element("network_config", wide, weight, n, IPAddress=None) for n in range(count)]


@lru_cache(maxsize=64)
def _shared_raw(key: str, weight: Weight) -> dict[str, msgspec.Raw]:
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in _shared(key, weight).items()}


@lru_cache(maxsize=64)
def _idle_networks_raw(wide: bool, weight: Weight) -> list[msgspec.Raw]:
    return [msgspec.Raw(msgspec.json.encode(element)) for element in _idle_networks(wide, weight)]


def _own(hardware: Hardware, weight: Weight) -> dict[str, list[Element]]:
    """The classes that hold something of one machine: serial, names, addresses."""
    model = hardware.model
    bios = _element("bios", model.wide, weight, 5)
    if model.wide:
        bios[0]["SerialNumber"] = hardware.serial
    else:
        bios = [{"SerialNumber": hardware.serial}, *[p for p in bios if "SerialNumber" not in p]]
    system = {
        "Name": hardware.hostname,
        "Model": model.name,
        "SystemFamily": model.family or "To be filled by O.E.M.",
    }
    # Windows lists IPv6 beside IPv4 in one configuration; the server keeps only the IPv4 addresses.
    addresses = [*hardware.ips, "fe80::1c2d:aaff:fe00:17"] if hardware.ips else None
    return {
        "bios": [bios],
        "comp_sys": [_element("comp_sys", model.wide, weight, 2, **system)],
        "network_config": [_element("network_config", model.wide, weight, 7, IPAddress=addresses)],
    }


def _posix_wmi(hardware: Hardware) -> dict[str, Any]:
    model = hardware.model
    return {
        "cpus": [name for name, _, _ in model.cpus],
        "gpus": list(model.gpus),
        "disks": [f"{model.vendor} {caption} {gib}.0 GB" for caption, gib, _ in model.disks],
        "local_ips": list(hardware.ips),
        "make_model": model.name if model.vendor == "Apple" else f"{model.vendor} {model.name}",
        "serialnumber": hardware.serial,
    }


def wmi_detail(hardware: Hardware, weight: Weight, *, posix: bool) -> dict[str, Any]:
    """The agent's `wmi_detail` as plain values, for the server's rules to read."""
    if posix:
        return _posix_wmi(hardware)
    own = _own(hardware, weight)
    own["network_config"] += _idle_networks(hardware.model.wide, weight)
    return {**_shared(hardware.model.key, weight), **own}


def wmi_for_json(hardware: Hardware, weight: Weight, *, posix: bool) -> dict[str, Any]:
    """The same value, its shared parts already encoded: a real one has 50 KB, 3 KB of them its own."""
    if posix:
        return _posix_wmi(hardware)
    own: dict[str, Any] = dict(_own(hardware, weight))
    own["network_config"] += _idle_networks_raw(hardware.model.wide, weight)
    return {**_shared_raw(hardware.model.key, weight), **own}


def volumes(plat: str, model: Model, roll: int) -> list[dict[str, Any]]:
    """The `disks` field: Windows writes `346.5G`, the others `109.0 GB` (CONTRACT section 3)."""
    unit, found = ("G", []) if plat == "windows" else (" GB", [])
    names = {
        "windows": ("C:", "D:"),
        "linux": ("/dev/vda1", "/dev/sdb1"),
        "darwin": ("/dev/disk3s1s1", "/dev/disk2s1"),
    }
    kinds = {"windows": "NTFS", "linux": "ext4", "darwin": "apfs"}
    for device, (_, gib, interface) in zip(names[plat], model.disks, strict=False):
        percent = 5 + (roll * 7 + gib) % 90
        used = round(gib * percent / 100, 1)
        if interface != "USB":
            found.append({"free": f"{round(gib - used, 1)}{unit}", "used": f"{used}{unit}",
                          "total": f"{gib}.0{unit}",
                          "device": device, "fstype": kinds[plat], "percent": percent})  # fmt: skip
    if plat != "windows":
        found.append({"free": "438.7 MB", "used": "61.3 MB", "total": "500.0 MB", "device": "/dev/boot1",
                      "fstype": "vfat", "percent": 12})  # fmt: skip
    return found
