"""Names and addresses of machines: which of them are this one, and where load may be pointed."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from perfcheck.errors import UsageError

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_this_machine(host: str) -> bool:
    if is_loopback(host) or host == socket.gethostname().lower():
        return True
    address = address_of(host)
    if address is None or address.is_unspecified:
        return address is not None
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((str(address), 0))  # works for the addresses of this machine alone
        return True
    return False


def is_loopback(host: str) -> bool:
    """Whether it means another machine on each machine."""
    address = address_of(host)
    return host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)


def address_of(host: str) -> _Address | None:
    """What ``host`` means as an address: also one as short as 127.1, and an IPv4 address written as IPv6."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if host[:1].isdigit():
            with suppress(OSError):
                return ipaddress.IPv4Address(socket.inet_aton(host))
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def host_and_port(text: str, port: int) -> tuple[str, int]:
    """``HOST`` or ``HOST:PORT``; ``port`` where there is none. Raises ValueError with a message for the user."""
    message = f"{text!r} is not a host, or a host and a port: write, for example, 10.0.0.5 or 10.0.0.5:{port}"
    try:
        parts = urlsplit(f"//{text}")
        given = parts.port
        (parts.hostname or "").encode("idna")  # raises for a part that no name has, which a connection would
    except ValueError:
        raise ValueError(message) from None
    if not parts.hostname or parts.netloc != text or "@" in text or text.endswith(":"):
        raise ValueError(message)
    return parts.hostname, port if given is None else given


def check_load_target(host: str, *, owns_host: bool) -> None:
    """Raises UsageError where load would go to another machine without the promise that it may."""
    if not owns_host and not is_this_machine(host):
        message = f"a load test is about to be pointed at another machine, {host}"
        raise UsageError(message, "--i-own-this-host, if that is so: what it does to others is an attack")
