"""The pool of connections: httpcore's, directly or through a proxy, over a network of our own."""

from __future__ import annotations

import importlib.util
import ssl

import httpcore
import httpx

from perfcheck.client.tls import tls_context
from perfcheck.client.wire import StampedBackend
from perfcheck.errors import UsageError
from perfcheck.model import Service


def open_pool(service: Service, backend: StampedBackend, proxy: httpx.Proxy | None) -> httpcore.ConnectionPool:
    """Raises UsageError when the baseline or the environment asks for what cannot be had."""
    if service.http2 and importlib.util.find_spec("h2") is None:
        raise UsageError("service.http2 needs the package h2", "pip install 'perfcheck[http2]'")
    context = tls_context(service.tls)
    # Without TLS there is nothing that could negotiate, so HTTP/2 is spoken at once (RFC 9113, section 3.3).
    http1 = not service.http2 or service.base_url.lower().startswith("https:")
    if proxy is None:
        return httpcore.ConnectionPool(
            ssl_context=context,
            http1=http1,
            http2=service.http2,
            uds=service.unix_socket,
            network_backend=backend,
        )
    return _proxy_pool(service, backend, proxy, context, http1=http1)


def _proxy_pool(
    service: Service, backend: StampedBackend, proxy: httpx.Proxy, context: ssl.SSLContext, *, http1: bool
) -> httpcore.ConnectionPool:
    url = httpcore.URL(
        scheme=proxy.url.raw_scheme, host=proxy.url.raw_host, port=proxy.url.port, target=proxy.url.raw_path
    )
    if proxy.url.scheme.startswith("socks"):
        return httpcore.SOCKSProxy(
            proxy_url=url,
            proxy_auth=proxy.raw_auth,
            ssl_context=context,
            http1=http1,
            http2=service.http2,
            network_backend=backend,
        )
    return httpcore.HTTPProxy(
        proxy_url=url,
        proxy_auth=proxy.raw_auth,
        ssl_context=context,
        proxy_ssl_context=tls_context(service.tls) if proxy.url.scheme == "https" else None,
        http1=http1,
        http2=service.http2,
        network_backend=backend,
    )
