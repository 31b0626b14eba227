"""The proxy that the environment sets, and what NO_PROXY excepts: as curl and Go read them."""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from collections.abc import Callable
from contextlib import suppress

import httpx

from perfcheck.client.exchange import RequestFailedError
from perfcheck.client.prepared_request import Origin
from perfcheck.errors import UsageError
from perfcheck.hosts import address_of, is_this_machine
from perfcheck.model import Failure, Service

ProxyOf = Callable[[Origin], httpx.Proxy | None]
_LAST_PORT = 65535


class Proxies:
    """Of one service: a login or a redirect may lead to another origin, which has another proxy, or none."""

    def __init__(self, service: Service, origin: Origin) -> None:
        """``origin`` is that of the service. Raises UsageError for a proxy that cannot be used."""
        self._is_direct = bool(service.unix_socket or service.connect_to)
        self.of_service = None if self._is_direct else proxy_for(origin)
        self._known = {origin: self.of_service}

    def of(self, origin: Origin) -> httpx.Proxy | None:
        """Raises RequestFailedError for one that cannot be used."""
        if self._is_direct:
            return None
        if origin not in self._known:
            try:
                self._known[origin] = proxy_for(origin)
            except UsageError as error:
                raise RequestFailedError(Failure.CONNECT, error.message, error.remedy) from error
        return self._known[origin]


def proxy_for(origin: Origin) -> httpx.Proxy | None:
    """The proxy in force for ``origin``, or None. Raises UsageError for one that cannot be used.

    Requests to this machine never go through a proxy, for which "localhost" is another machine.
    """
    host = origin.host.rstrip(".")
    proxies = urllib.request.getproxies_environment()
    exceptions = proxies.get("no", "").lower().replace(",", " ").split()
    if is_this_machine(host) or any(_excepts(entry, host, origin.port) for entry in exceptions):
        return None
    kind = origin.scheme if proxies.get(origin.scheme) else "all"
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
        network, address = ipaddress.ip_network(bare, strict=False), address_of(host)
        return address is not None and address in network
    rest, colon, digits = entry.rpartition(":")
    if colon and digits.isdigit():
        return int(digits) == port and _excepts(rest, host, port)
    name = entry.removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))
