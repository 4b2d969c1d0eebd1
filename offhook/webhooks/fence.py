"""Which addresses applications may have: the switch against requests into private networks."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from offhook.frozen import frozen

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")


@frozen
class Fence:
    """`private` lets every address through; else the public ones and those of `allowed`."""

    private: bool = True
    allowed: tuple[Network, ...] = ()

    @classmethod
    def of(cls, private: bool, allow_targets: Iterable[str] = ()) -> Fence:
        """Raises ValueError for what is no network."""
        return cls(private, tuple(ip_network(each, strict=False) for each in allow_targets))

    def permits(self, address: str) -> bool:
        """Whether a resolved address may be connected to."""
        if self.private:
            return True
        literal = ip_address(address.partition("%")[0])
        meant = _inner(literal)
        if any(each in network for network in self.allowed for each in (literal, meant)):
            return True
        return meant.is_global and not meant.is_multicast and not meant.is_reserved


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 form of it reaches (RFC 4291, 3056, 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
