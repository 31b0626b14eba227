"""A baseline without a file: for a service of which only the address is known, or for single URLs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

from perfcheck.baseline.addresses import base_url_option, check_base_url, check_path, passwords_of
from perfcheck.baseline.limits import CRITICAL, WARNING
from perfcheck.errors import UsageError
from perfcheck.model import Baseline, Endpoint, Sampling, Secret, Service
from perfcheck.text import MASK, distinct_names
from perfcheck.units import WrongValueError, format_duration


def baseline_of_service(base_url: str) -> Baseline:
    """For a service without a baseline file: no endpoints. Raises UsageError for a wrong address."""
    return _baseline(base_url_option(base_url))


def baseline_of_urls(urls: Sequence[str], target_ms: float | None = None) -> Baseline:
    """For URLs of one service: an endpoint for each, named by its path, with the default limits of ``target_ms``.

    The values of their queries are secrets: a shell may have expanded variables in them. Raises UsageError.
    """
    try:
        base_urls, endpoints = zip(*map(_split, urls), strict=True)
    except WrongValueError as error:
        raise UsageError(error.message, error.remedy) from None
    if len(set(base_urls)) > 1:
        raise UsageError("the URLs belong to different services", "run perfcheck once for each service")
    names = distinct_names([endpoint.name for endpoint in endpoints])
    named = [replace(endpoint, name=name) for endpoint, name in zip(endpoints, names, strict=True)]
    return _baseline(base_urls[0], [_with_target(endpoint, target_ms) for endpoint in named])


def _split(url: str) -> tuple[str, Endpoint]:
    """The base URL, and the rest as an endpoint. Raises WrongValueError, with a message that quotes nothing of them."""
    if "#" in url:
        raise WrongValueError("the URL has a fragment (#...), which is never sent", "leave it out")
    if any(char.isspace() or not char.isprintable() for char in url):
        raise WrongValueError("the URL contains spaces or control characters", "percent-encode them: a space is %20")
    address, _, query = url.partition("?")
    check_base_url(address)
    parts = urlsplit(address)
    path = check_path(parts.path or "/")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except ValueError:
        raise WrongValueError("the query of the URL is not valid UTF-8", "percent-encode it as UTF-8") from None
    secrets = tuple((name, Secret(value, MASK) if value else "") for name, value in pairs)
    return f"{parts.scheme}://{parts.netloc}", Endpoint(path, path, line=0, query=secrets)


def _with_target(endpoint: Endpoint, target_ms: float | None) -> Endpoint:
    if target_ms is None:
        return endpoint
    timeout_ms = endpoint.timeout_s * 1000
    if not 0 < target_ms < timeout_ms:
        raise UsageError(
            f"--target must be more than 0 and less than {format_duration(timeout_ms)}, the timeout of a request",
            "write, for example, --target 300ms; only a baseline can set another timeout",
        )
    warning_ms, critical_ms = (limit.ms(target_ms) for limit in (WARNING, CRITICAL))
    return replace(endpoint, target_ms=target_ms, warning_ms=warning_ms, critical_ms=critical_ms)


def _baseline(base_url: str, endpoints: Sequence[Endpoint] = ()) -> Baseline:
    values = [value for endpoint in endpoints for _, value in endpoint.query]
    secrets = passwords_of(base_url).union(value.value for value in values if isinstance(value, Secret))
    service = Service(base_url)
    return Baseline("", "", service, Sampling(), groups=(), endpoints=tuple(endpoints), secrets=frozenset(secrets))
