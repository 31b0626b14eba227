"""Which certificates are trusted, and which is shown."""

from __future__ import annotations

import ssl

import httpx

from perfcheck.errors import UsageError
from perfcheck.model import Tls


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
