"""The proxy that the environment sets, and what NO_PROXY excepts: as curl and Go read them."""

from __future__ import annotations

import ipaddress
import os
import socket
import urllib.request
from contextlib import suppress

import httpx

from perfcheck.errors import UsageError

_LAST_PORT = 65535
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_for(url: httpx.URL) -> httpx.Proxy | None:
    """The proxy in force for ``url``, or None. Raises UsageError for one that cannot be used.

    Requests to this machine never go through a proxy, for which "localhost" is another machine.
    """
    host = url.raw_host.decode("ascii").rstrip(".")
    port = url.port or (443 if url.scheme == "https" else 80)
    proxies = urllib.request.getproxies_environment()
    exceptions = proxies.get("no", "").lower().replace(",", " ").split()
    if is_this_machine(host) or any(_excepts(entry, host, port) for entry in exceptions):
        return None
    kind = url.scheme if proxies.get(url.scheme) else "all"
    address = proxies.get(kind, "").strip()
    if not address:
        return None
    variable = f"{kind}_proxy" if f"{kind}_proxy" in os.environ else f"{kind}_proxy".upper()
    remedy = f"correct {variable} in the environment, or set NO_PROXY={host} to bypass it"
    invalid = UsageError(f"{variable} is not the URL of an HTTP proxy", remedy)
    try:
        proxy = httpx.URL(address if "://" in address else f"http://{address}")
        name = proxy.host  # raises for one that is no name
    except (httpx.InvalidURL, UnicodeError):
        raise invalid from None
    if proxy.scheme.startswith("socks"):
        message = f"{variable} is a SOCKS proxy, which is not supported: {proxy.scheme}://{name}"
        raise UsageError(message, f"unset {variable}, or set NO_PROXY={host} to bypass it")
    if proxy.scheme not in {"http", "https"} or not name or (proxy.port or 0) > _LAST_PORT:
        raise invalid
    return httpx.Proxy(proxy)


def _excepts(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY is about this service.

    An entry is ``*``, a name, which stands for its subdomains too, an address or a network; each perhaps with a port.
    """
    if entry == "*":
        return True
    with suppress(ValueError):
        bare = entry if "]:" in entry else entry.replace("[", "").replace("]", "")
        network, address = ipaddress.ip_network(bare, strict=False), _address(host)
        return address is not None and address in network
    rest, colon, digits = entry.rpartition(":")
    if colon and digits.isdigit():
        return int(digits) == port and _excepts(rest, host, port)
    name = entry.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost") or host == socket.gethostname().lower():
        return True
    address = _address(host)
    if address is None or address.is_loopback or address.is_unspecified:
        return address is not None
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((str(address), 0))  # works for the addresses of this machine alone
        return True
    return False


def _address(host: str) -> _Address | None:
    """What ``host`` means as an address: also one as short as 127.1, and an IPv4 address written as IPv6."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        if host[:1].isdigit():
            with suppress(OSError):
                return ipaddress.IPv4Address(socket.inet_aton(host))
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
