"""What a list of assets filters, searches and sorts by: worked out of an asset's content when that is written
and kept in its own row, so that a list of a hundred thousand reads one table.
"""

from __future__ import annotations

from typing import Any

from muster.assets.types import AssetContent
from muster.naming import name_key, spellings

# The columns of an asset that hold it, as `indexed` gives them.
INDEX_FIELDS = (
    "name_key",
    "search_text",
    "os_type",
    "system_key",
    "user_key",
    "lan_ip_number",
    "needs_reboot",
    "maintenance_mode",
)


def indexed(content: AssetContent) -> tuple[Any, ...]:
    """The values of INDEX_FIELDS for this content."""
    looked_at = (
        content.name,
        content.serial_number,
        *(content.lan_ips or ()),
        content.wan_ip,
        content.current_user,
        content.last_user,
    )
    words = dict.fromkeys(way for text in looked_at if text for way in _ways(text))
    return (
        _key(content.name),
        "\n".join(words),
        content.os_type,
        _key(content.os_version) if content.os_version else None,
        _key(content.current_user) if content.current_user else None,
        address_number(content.lan_ip),
        content.needs_reboot,
        content.maintenance_mode,
    )


def search_keys(text: str) -> tuple[str, ...]:
    """What to look for in `search_text`; an asset that has any of it is found. Nothing for nothing."""
    return tuple(sorted({" ".join(way.split()) for way in spellings(text)} - {""}))


def address_number(address: str | None) -> int | None:
    """An IPv4 address as a number, so that .9 comes before .10; None for anything else."""
    parts = (address or "").split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        return None
    first, second, third, fourth = map(int, parts)
    return first << 24 | second << 16 | third << 8 | fourth


def _key(text: str) -> str:
    # Most names are plain, and a sync has thousands of them.
    return " ".join(text.lower().split()) if text.isascii() else name_key(text)


def _ways(text: str) -> list[str]:
    if text.isascii():
        return [" ".join(text.lower().split())]
    return sorted(" ".join(way.split()) for way in spellings(text))
