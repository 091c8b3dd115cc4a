"""Which addresses may be reached, with which patience and how often."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Instance metadata services that answer outside the link-local ranges (Alibaba, Azure, AWS, Google).
_METADATA = frozenset(
    ip_address(text) for text in ("100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254")
)
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_NAT64 = IPv6Network("64:ff9b::/96")
MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """An operator's rules for outgoing requests. Times in seconds, sizes in bytes.

    With no `allowed_networks`, public, private and loopback addresses may be reached. With some, or without
    `allow_private`, only those, and public ones too where `allow_public` says so. Link-local (cloud
    metadata), multicast, unspecified and reserved addresses are never reached.

    In `spool_folder` (None: the system's folder for temporary files) answers lie that are too large for the
    memory, while they are read.
    """

    allowed_networks: tuple[Network, ...] = ()
    allow_public: bool = True
    allow_private: bool = True
    ca_file: Path | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    call_timeout: float = 600.0
    max_body_bytes: int = 64 * MEBIBYTE
    per_server: int = 2
    retries: int = 3
    backoff_base: float = 0.5
    backoff_cap: float = 20.0
    retry_after_cap: float = 60.0
    spool_folder: Path | None = None

    def refusal(self, address: Address) -> str | None:
        """Why this address may not be reached; None when it may."""
        address = _unwrapped(address)
        never = _never(address)
        if never is not None:
            return never
        # 6to4 and Teredo addresses carry an IPv4 address that the packet finally reaches.
        for inner in _embedded(address):
            if (reason := self.refusal(inner)) is not None:
                return f"it leads to {inner}: {reason}"
        if not self.allowed_networks and self.allow_private:
            return None
        if any(address in network for network in self.allowed_networks):
            return None
        if self.allow_public and address.is_global:
            return None
        return "it is in none of the allowed networks"


def networks(texts: list[str] | tuple[str, ...]) -> tuple[Network, ...]:
    """Networks from CIDR texts (host bits are ignored); ValueError names the one that is malformed."""
    return tuple(ip_network(text.strip(), strict=False) for text in texts if text.strip())


def _never(address: Address) -> str | None:
    if address in _METADATA:
        return "it is a cloud metadata address"
    if address.is_loopback:
        return None
    if address.is_link_local:
        return "it is a link-local address (cloud metadata lives there)"
    if address.is_unspecified or (address.version == 4 and address in _THIS_NETWORK):
        return "it is not the address of a host"
    if address.is_multicast:
        return "it is a multicast address"
    if address.is_reserved:
        return "it is a reserved address"
    return None


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv4-mapped or NAT64 one: that is where the connection ends."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    if isinstance(address, IPv4Address):
        return ()
    found = [address.sixtofour] if address.sixtofour is not None else []
    if address.teredo is not None:
        found += address.teredo
    return tuple(found)
