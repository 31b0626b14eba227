"""Which measurements of an endpoint may be compared: those with the same key are one series."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from perfcheck.model import EndpointResult, Environment, Run

_DIGITS = 16  # of the hash: a store would need billions of series before two are alike


def machine_of(environment: Environment) -> str:
    """As lists show it: ``Linux 6.1.0-13 x86_64, 4 CPUs``."""
    return f"{environment.platform}, {environment.cpus} CPU{'s' * (environment.cpus != 1)}"


def series_of(run: Run, result: EndpointResult) -> str:
    """A short key. Another machine, baseline file, request, metric or way of measuring is another series.

    Not part of it: the port, which is another in every CI job; the release of the kernel, which every update changes;
    and what the baseline says, since a target that moved does not make the service another one.
    """
    environment = run.environment
    words = environment.platform.split()
    system = (words[0], words[-1]) if words else ("", "")  # "Linux 6.1.0-13 x86_64": the system and the architecture
    parts = (
        *system,
        environment.cpus,
        environment.ci or "",
        run.baseline.file,
        result.method,
        _without_port(result.url),
        result.metric,
        result.source,
    )
    return hashlib.sha256("\n".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def _without_port(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return f"{parts.hostname or ''}{parts.path}?{parts.query}"
