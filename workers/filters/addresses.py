"""Which address a post goes to: one that was looked up, judged, and is the one connected to.

A name may lead to an inner network, today or at the next look; so what was judged is what is used.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""Addresses of IPv4 as gateways between the two write them (RFC 6052)."""


class RefusedAddressError(OSError):
    """A name that leads nowhere but to inner networks."""


def judged_address(host: str, port: int, networks: Sequence[str]) -> str:
    """Return the first address of a host that a post may go to.

    Parameters
    ----------
    host, port
        Where the settings want it.
    networks
        Inner networks that are allowed.

    Raises
    ------
    RefusedAddressError
        Where it has none: all are private, of this machine, of its link, shared or reserved.
    OSError
        Where the name is not known.
    """
    allowed = [ipaddress.ip_network(network) for network in networks]
    found = [info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for text in found:
        address = ipaddress.ip_address(str(text).partition("%")[0])
        if is_public(address) or any(address in network for network in allowed):
            return str(address)
    raise RefusedAddressError(
        f"{host} is {', '.join(map(str, found))}: no public address, and in none of filters.webhook_networks"
    )


def is_public(address: Address) -> bool:
    """Return whether an address is of the internet, and hides none that is not."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in TRANSLATED:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        hidden = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if any(inner is not None and not is_public(inner) for inner in hidden):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved
