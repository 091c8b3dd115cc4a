"""Hardware as every source can say it.

The light and single answers carry lines that the server computed; the beta list carries the raw
`wmi_detail` behind them. `from_lines` and `from_detail` bring both to one `Hardware`, so that both
sources give the same asset (CONTRACT 2 and 3; the rules are those of the server's agent model).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from muster.providers.tacticalrmm import cleaning, payloads
from muster.providers.tacticalrmm.payloads import ComputedRow

T = TypeVar("T")
S = TypeVar("S")
P = TypeVar("P", bound=msgspec.Struct)

_CORES = re.compile(r",\s*([0-9]{1,4})C/[0-9]{1,5}T\s*$")
_POSIX = frozenset({"linux", "darwin"})
_REMOTE_DISPLAY = "microsoft remote display adapter"
_GIB = 1_073_741_824


class Hardware(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a machine's parts. `cpu_cores` is the sum over all processors."""

    make: str | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    cpu_model: str | UnsetType | None = UNSET
    cpu_cores: int | UnsetType | None = UNSET
    gpu_model: str | UnsetType | None = UNSET
    lan_ips: tuple[str, ...] | UnsetType | None = UNSET
    physical_disks: tuple[str, ...] | UnsetType | None = UNSET
    serial_number: str | UnsetType | None = UNSET


def from_lines(row: ComputedRow) -> Hardware:
    """From the server's own lines; a line that the answer does not carry stays absent."""
    made = known(row.make_model, split_make_model)
    make, model = made if isinstance(made, tuple) else (made, made)
    processors = known(row.cpu_model, _processors)
    cpu, cores = processors if isinstance(processors, tuple) else (processors, processors)
    return Hardware(
        make=make,
        model=model,
        cpu_model=cpu,
        cpu_cores=cores,
        gpu_model=known(row.graphics, cleaning.line),
        lan_ips=known(row.local_ips, lambda text: _lan_ips(text[:4_000])),
        physical_disks=known(row.physical_disks, cleaning.lines),
    )


def from_detail(platform: str, raw: msgspec.Raw | UnsetType) -> Hardware:
    """From `wmi_detail`; null or without a class means known to be unknown, as the server's lines do."""
    if raw is UNSET:
        return Hardware()
    if platform in _POSIX:
        return _posix(raw)
    return _windows(raw)


def known(value: T | UnsetType | None, clean: Callable[[T], S | None]) -> S | UnsetType | None:
    """`clean(value)`; what is absent stays absent, null stays null."""
    return value if value is None or isinstance(value, UnsetType) else clean(value)


# --- lines -----------------------------------------------------------------------------------------------


@lru_cache(maxsize=2048)
def _lan_ips(text: str) -> tuple[str, ...] | None:
    return cleaning.addresses(text.split(","))


def _processors(lines: Sequence[str]) -> tuple[str | None, int | UnsetType | None]:
    # More sockets than any board has; what is cached must be bounded.
    return _cpu(tuple(line[: cleaning.SHORT] for line in lines[:64]))


@lru_cache(maxsize=2048)
def _cpu(lines: tuple[str, ...]) -> tuple[str | None, int | UnsetType | None]:
    """The first processor's name and the cores of all; cores absent unless every line states them."""
    found = [_CORES.search(line[-40:]) for line in lines]
    names = cleaning.lines(_CORES.sub("", line) for line in lines)
    if names is None:
        return None, None
    cores = sum(int(match[1]) for match in found if match) if all(found) else 0
    return names[0], cores or UNSET


# Makers of more than one word without a company suffix.
_LONG_MAKERS = (
    "hewlett packard enterprise",
    "hewlett packard",
    "intel(r) client systems",
    "raspberry pi",
)
_UNKNOWN_MAKERS = (
    "to be filled by o.e.m.",
    "system manufacturer",
    "default string",
    "not specified",
    "not applicable",
    "unknown",
    "invalid",
    "o.e.m.",
    "none",
    "n/a",
)
_COMPANY = frozenset(
    {"inc", "incorporated", "ltd", "limited", "corp", "corporation", "company", "gmbh", "llc", "plc", "srl"}
)
_DOTTED_COMPANY = frozenset({"co", "s.a", "b.v", "s.p.a", "n.v", "a.s"})
_MAKER_WORDS = 7


def split_make_model(text: str) -> tuple[str | None, str | None]:
    """Maker and model of the server's one line, which joins them by a blank.

    The maker ends with its company suffix ("Dell Inc.", "Gigabyte Technology Co., Ltd."), else it is
    the first word; a single word is a model ("MacBookAir10,1"). Joined again they give the line, but
    for parts that stand for "unknown".
    """
    return _split(text[: 2 * cleaning.SHORT])


@lru_cache(maxsize=2048)
def _split(text: str) -> tuple[str | None, str | None]:
    cleaned = cleaning.label(text) or ""
    lowered = cleaned.lower()
    if lowered in cleaning.STAND_INS:
        return None, None
    for stand_in in _UNKNOWN_MAKERS:
        if lowered == stand_in or lowered.startswith(f"{stand_in} "):
            rest = cleaned[len(stand_in) :].strip()
            return None, cleaning.line(rest)
    if cleaning.is_stand_in(cleaned):
        return None, None
    words = cleaned.split(" ")
    at = _maker_words(words, lowered)
    return " ".join(words[:at]) or None, cleaning.line(" ".join(words[at:]))


def _maker_words(words: Sequence[str], lowered: str) -> int:
    for maker in _LONG_MAKERS:
        if lowered == maker or lowered.startswith(f"{maker} "):
            return maker.count(" ") + 1
    for position, word in enumerate(words[1:_MAKER_WORDS], start=1):
        if _is_company(word):
            end = position + 1
            while end < len(words) and _is_company(words[end]):
                end += 1
            return end
    return 1 if len(words) > 1 else 0


def _is_company(word: str) -> bool:
    bare = word.lower().strip(".,()")
    return bare in _COMPANY or (bare in _DOTTED_COMPANY and "." in word)


# --- wmi_detail ------------------------------------------------------------------------------------------


def _posix(raw: msgspec.Raw) -> Hardware:
    detail = _decode(raw, payloads.PosixDetail) or payloads.PosixDetail()
    cpu, cores = _processors(_texts(detail.cpus))
    make, model = split_make_model(detail.make_model) if isinstance(detail.make_model, str) else (None, None)
    return Hardware(
        make=make,
        model=model,
        cpu_model=cpu,
        cpu_cores=cores,
        gpu_model=cleaning.line(", ".join(_texts(detail.gpus))),
        lan_ips=cleaning.addresses(_texts(detail.local_ips)),
        physical_disks=cleaning.lines(_texts(detail.disks)),
        serial_number=cleaning.line(detail.serialnumber),
    )


def _windows(raw: msgspec.Raw) -> Hardware:
    detail = _decode(raw, payloads.WindowsDetail) or payloads.WindowsDetail()
    line = _windows_make_model(detail)
    make, model = split_make_model(line) if line is not None else (None, None)
    cpu, cores = _windows_cpu(detail.cpu)
    return Hardware(
        make=make,
        model=model,
        cpu_model=cpu,
        cpu_cores=cores,
        gpu_model=_windows_graphics(detail.graphics),
        lan_ips=_windows_addresses(detail.network_config),
        physical_disks=_windows_disks(detail.disk),
        serial_number=_windows_serial(detail.bios),
    )


def _windows_cpu(raw: msgspec.Raw | UnsetType) -> tuple[str | None, int | UnsetType | None]:
    processors = _instances(raw, payloads.Cpu)
    names = [_first(processor, "name") for processor in processors]
    if not names or not all(isinstance(name, str) for name in names):
        return None, None
    cores = [_whole(_first(processor, "number_of_cores")) or 0 for processor in processors]
    name, _ = _processors(names[:1])
    if name is None:
        return None, None
    return name, sum(cores) if all(cores) else UNSET


def _windows_graphics(raw: msgspec.Raw | UnsetType) -> str | None:
    captions = [_first(card, "caption") for card in _instances(raw, payloads.Graphics)]
    if not all(isinstance(caption, str) for caption in captions):
        return None
    # The remote display adapter counts only where it is the only one.
    real = [caption for caption in captions if _REMOTE_DISPLAY not in caption.lower()]
    if not real and captions:
        return "Microsoft Remote Display Adapter"
    return cleaning.line(", ".join(real))


def _windows_addresses(raw: msgspec.Raw | UnsetType) -> tuple[str, ...] | None:
    found: list[object] = []
    for adapter in _instances(raw, payloads.NetworkConfig):
        given = _first(adapter, "ip_address")
        # The server's own line leaves IPv6 out for Windows; both sources must agree.
        found += [text for text in _texts(given) if ":" not in text]
    return cleaning.addresses(found)


def _windows_make_model(detail: payloads.WindowsDetail) -> str | None:
    system = next(iter(_instances(detail.comp_sys, payloads.ComputerSystem)), [])
    product = next(iter(_instances(detail.comp_sys_prod, payloads.Product)), [])
    make, model = _first(product, "vendor"), _first(system, "model")
    if isinstance(model, str) and "to be filled" in model.lower():
        board = next(iter(_instances(detail.base_board, payloads.BaseBoard)), [])
        make, model = _first(board, "manufacturer"), _first(board, "product")
    if isinstance(make, str) and make.lower() == "lenovo":
        # Lenovo's model is a part number; the family is what people call the machine.
        family = _first(system, "system_family")
        if not isinstance(family, str):
            model = None
        elif "to be filled" not in family.lower():
            model = family
    if isinstance(make, str) and isinstance(model, str):
        return f"{make} {model}"
    version = _first(product, "version")
    return version if isinstance(version, str) else None


def _windows_disks(raw: msgspec.Raw | UnsetType) -> tuple[str, ...] | None:
    lines: list[str] = []
    for drive in _instances(raw, payloads.DiskDrive):
        interface = _first(drive, "interface_type")
        if interface == "USB":
            continue
        caption, size = _first(drive, "caption"), _whole(_first(drive, "size"))
        if interface is UNSET or caption is UNSET or size is None:
            return None
        lines.append(f"{caption} {round(size / _GIB):,}GB {interface}")
    return cleaning.lines(lines)


def _windows_serial(raw: msgspec.Raw | UnsetType) -> str | None:
    instances = _instances(raw, payloads.Bios)
    # Only the very first property set is asked, as the server does.
    return cleaning.line(instances[0][0].serial_number) if instances and instances[0] else None


def _decode(raw: msgspec.Raw, kind: type[P]) -> P | None:
    try:
        return _decoder(kind).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


# Building a decoder takes longer than decoding a machine with it.
@lru_cache(maxsize=32)
def _decoder(kind: type[P]) -> msgspec.json.Decoder[P | None]:
    return msgspec.json.Decoder(kind | None)


@lru_cache(maxsize=32)
def _instances_decoder(kind: type[P]) -> msgspec.json.Decoder[list[list[P]]]:
    return msgspec.json.Decoder(list[list[kind]])  # type: ignore[valid-type]


def _instances(raw: msgspec.Raw | UnsetType, kind: type[P]) -> list[list[P]]:
    """A WMI class as instances of property sets; a class of another shape says nothing."""
    if raw is UNSET:
        return []
    try:
        return _instances_decoder(kind).decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return []


def _first(properties: Iterable[object], name: str) -> Any:
    """The first property set that has this property; a set may hold one property or all of them."""
    for one in properties:
        value = getattr(one, name)
        if value is not UNSET:
            return value
    return UNSET


def _texts(value: object) -> list[str]:
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _whole(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
