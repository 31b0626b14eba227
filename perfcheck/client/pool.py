"""The pool of connections: httpcore's over a network of our own, with TLS, directly or through a proxy."""

from __future__ import annotations

import importlib.util
import ipaddress
import ssl
import urllib.request
from typing import Any

import httpcore
import httpx

from perfcheck.client.prepared_request import wire_url
from perfcheck.client.wire import StampedBackend
from perfcheck.errors import UsageError
from perfcheck.model import Service, Tls


def open_pool(service: Service, backend: StampedBackend, proxy: httpx.Proxy | None) -> httpcore.ConnectionPool:
    """Raises UsageError when the baseline or the environment requires what is not available."""
    if service.http2 and importlib.util.find_spec("h2") is None:
        raise UsageError("service.http2 needs the package h2", "pip install 'perfcheck[http2]'")
    context = tls_context(service.tls)
    # Without TLS there is no negotiation, so HTTP/2 is used at once (RFC 9113, section 3.3).
    http1 = not service.http2 or service.base_url.lower().startswith("https:")
    options: dict[str, Any] = {
        "ssl_context": context,
        "http1": http1,
        "http2": service.http2,
        "network_backend": backend,
    }
    if proxy is None:
        return httpcore.ConnectionPool(uds=service.unix_socket, **options)
    url = wire_url(proxy.url)
    if proxy.url.scheme.startswith("socks"):
        return httpcore.SOCKSProxy(url, proxy.raw_auth, **options)
    proxy_context = tls_context(service.tls) if proxy.url.scheme == "https" else None
    return httpcore.HTTPProxy(url, proxy.raw_auth, proxy_ssl_context=proxy_context, **options)


# --- TLS -------------------------------------------------------------------------------------------------------------


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Trusts ``tls.ca`` alone when it is given, else this machine's CAs and httpx's. Raises UsageError."""
    try:
        context = ssl.create_default_context(cafile=tls.ca) if tls.ca else httpx.create_ssl_context()
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"cannot read the CA certificates in {tls.ca}: {_why(error)}", _REMEDY_CA) from None
    if not tls.ca:
        context.load_default_certs()
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.cert:
        try:
            # The password is for OpenSSL, which would prompt on the terminal.
            context.load_cert_chain(tls.cert, tls.key, password=b"")
        except (OSError, ValueError) as error:
            raise UsageError(f"cannot read the client certificate {tls.cert}: {_why(error)}", _REMEDY_CERT) from None
    return context


_REMEDY_CA = "service.tls.ca must be a file of certificates in PEM format"
_REMEDY_CERT = (
    "service.tls.cert and service.tls.key must be PEM files; the key must belong to the certificate, unencrypted"
)


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not in PEM format").replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error)


# --- Proxies ---------------------------------------------------------------------------------------------------------

_SCHEMES = ("http", "https", "socks5", "socks5h")


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
    return _parse(address if "://" in address else f"http://{address}")


def _parse(address: str) -> httpx.Proxy:
    remedy = "correct HTTP_PROXY, HTTPS_PROXY or ALL_PROXY in the environment, or name the service in NO_PROXY"
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise UsageError("the proxy that the environment sets is not a URL", remedy) from None
    if url.scheme not in _SCHEMES or not url.host:
        raise UsageError(f"the environment sets a proxy of an unknown kind: {url.scheme}://{url.host}", remedy)
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
