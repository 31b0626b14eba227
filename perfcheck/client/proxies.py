"""The proxy that the environment sets."""

from __future__ import annotations

import ipaddress
import urllib.request

import httpx

from perfcheck.errors import UsageError


def proxy_for(url: httpx.URL) -> httpx.Proxy | None:
    """The proxy in force for ``url``, or None. Raises UsageError for one that cannot be used.

    Requests to this machine never go through a proxy, for which "localhost" is another machine.
    """
    if _is_this_machine(url.host) or urllib.request.proxy_bypass(url.netloc.decode("ascii")):
        return None
    proxies = urllib.request.getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address:
        return None
    remedy = "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY in the environment, or name the service in NO_PROXY"
    try:
        proxy = httpx.URL(address if "://" in address else f"http://{address}")
    except httpx.InvalidURL:
        raise UsageError("the proxy that the environment sets is not a URL", remedy) from None
    if proxy.scheme.startswith("socks"):
        message = f"the environment sets a SOCKS proxy, which is not supported: {proxy.scheme}://{proxy.host}"
        raise UsageError(message, f"unset ALL_PROXY, or set NO_PROXY={url.host} to bypass it")
    if proxy.scheme not in {"http", "https"} or not proxy.host:
        raise UsageError(f"the environment sets a proxy of an unknown kind: {proxy.scheme}://{proxy.host}", remedy)
    return httpx.Proxy(proxy)


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
