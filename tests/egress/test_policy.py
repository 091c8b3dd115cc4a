"""Which addresses the door lets out to."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from muster.egress import EgressPolicy
from muster.egress.policy import networks

NEVER = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "224.0.0.1",
    "ff02::1",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "240.0.0.1",
    "255.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("text", NEVER)
@pytest.mark.parametrize("allowed", [(), ("0.0.0.0/0", "::/0")])
def test_metadata_multicast_and_reserved_addresses_are_never_reached(
    text: str, allowed: tuple[str, ...]
) -> None:
    assert EgressPolicy(allowed_networks=networks(allowed)).refusal(ip_address(text)) is not None


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.8",
        "10.1.2.3",
        "192.168.1.10",
        "172.16.0.1",
        "100.64.0.5",
        "127.0.0.1",
        "::1",
        "fd12::1",
        "2606::1",
    ],
)
def test_public_private_and_loopback_are_the_default(text: str) -> None:
    assert EgressPolicy().refusal(ip_address(text)) is None


def test_an_allow_list_narrows_to_its_networks_and_public_addresses() -> None:
    policy = EgressPolicy(allowed_networks=networks(["10.20.0.0/16", "fd00:1::/32"]))
    assert policy.refusal(ip_address("10.20.3.4")) is None
    assert policy.refusal(ip_address("fd00:1::9")) is None
    assert policy.refusal(ip_address("8.8.8.8")) is None
    assert policy.refusal(ip_address("10.21.0.1")) is not None
    assert policy.refusal(ip_address("127.0.0.1")) is not None


def test_an_allow_list_can_leave_public_addresses_out() -> None:
    policy = EgressPolicy(allowed_networks=networks(["10.0.0.0/8"]), allow_public=False)
    assert policy.refusal(ip_address("8.8.8.8")) is not None
    assert policy.refusal(ip_address("10.9.9.9")) is None


def test_networks_are_read_with_host_bits_and_blanks() -> None:
    assert networks([" 10.1.2.3/8 ", ""]) == (ip_network("10.0.0.0/8"),)
    with pytest.raises(ValueError, match="nonsense"):
        networks(["nonsense"])


@given(st.integers(0, 2**32 - 1))
def test_a_mapped_address_is_judged_as_the_ipv4_address_it_leads_to(number: int) -> None:
    four = IPv4Address(number)
    policy = EgressPolicy(allowed_networks=networks(["192.168.0.0/16"]))
    for six in (IPv6Address(f"::ffff:{four}"), IPv6Address((0x64FF9B << 96) | number)):
        assert (policy.refusal(six) is None) == (policy.refusal(four) is None)
