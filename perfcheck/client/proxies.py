"""Which proxy the environment names for an address. The standard library reads it: HTTP_PROXY, NO_PROXY, and so on."""

from __future__ import annotations

import importlib.util
import ipaddress
import urllib.request

import httpx

from perfcheck.errors import UsageError

_SCHEMES = ("http", "https", "socks5", "socks5h")


def proxy_for(url: httpx.URL) -> httpx.Proxy | None:
    """The proxy in force for ``url``, or None. Raises UsageError for one that cannot be used.

    A service on this machine is never asked through a proxy, which would look for it on its own.
    """
    if _is_this_machine(url.host) or urllib.request.proxy_bypass(url.netloc.decode("ascii")):
        return None
    proxies = urllib.request.getproxies()
    address = proxies.get(url.scheme) or proxies.get("all")
    if not address:
        return None
    return _parse(address if "://" in address else f"http://{address}")


def _parse(address: str) -> httpx.Proxy:
    remedy = "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY in the environment, or name the service in NO_PROXY"
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise UsageError("the environment names a proxy whose address is not a URL", remedy) from None
    if url.scheme not in _SCHEMES or not url.host:
        raise UsageError(
            f"the environment names a proxy of a kind that is not known: {url.scheme}://{url.host}", remedy
        )
    if url.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise UsageError("a SOCKS proxy needs the package socksio", "pip install 'httpx[socks]', or unset ALL_PROXY")
    return httpx.Proxy(url)


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
