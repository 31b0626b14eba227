"""Services with a statistics API that was written by hand, and readings of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apps.service import Handler, ok, service

from perfcheck.model import MonitoredEndpoint, MonitorReading, MonitorStatus

API = "/api/performance"

# What only the router of a service can tell: whether "2026" is a year.
YEARS = {
    "routes": [
        {"method": "GET", "template": "/years/<year:year>", "name": "GET /years/<year:year>"},
        {"method": "GET", "template": "/years/<name>", "name": "GET /years/<name>"},
    ],
    "resolved": {"GET /years/2026": "GET /years/<year:year>"},
}


def answer(value: Any) -> Handler:
    return ok(json.dumps(value).encode(), Content_Type="application/json")


def stats(*endpoints: dict[str, Any]) -> dict[str, Any]:
    """``GET /stats`` with the fields that the document names, and nothing else."""
    return {
        "summary": {"total_endpoints_monitored": len(endpoints), "total_requests_processed": 100},
        "slow_endpoints": [],
        "all_endpoints": list(endpoints),
        "generated_at": "2026-11-23T07:00:00",
    }


def plain(name: str, mean_s: Any, *, total: Any = 100) -> dict[str, Any]:
    return {
        "endpoint": name,
        "total_requests": total,
        "recent_samples": 50,
        "avg_response_time": mean_s,
        "min_response_time": 0.01,
        "max_response_time": 2,
        "latest_response_time": 0.1,
    }


def health(status: str = "healthy", **more: Any) -> dict[str, Any]:
    return {"status": status, "monitored_endpoints": 1, "slow_endpoints": 0, "issues": [], "message": "", **more}


@contextmanager
def monitored(*endpoints: dict[str, Any], status: str = "healthy", **more: Handler) -> Iterator[str]:
    """A service with this monitor; ``more`` are other paths, ``stats`` and ``health`` in place of these two."""
    paths = {f"{API}/stats": answer(stats(*endpoints)), f"{API}/health": answer(health(status))}
    with service({**paths, **{f"{API}/{name}": handler for name, handler in more.items()}}) as url:
        yield url


def reading(
    *endpoints: MonitoredEndpoint, status: MonitorStatus = MonitorStatus.HEALTHY, **more: Any
) -> MonitorReading:
    return MonitorReading(alive=True, status=status, endpoints=endpoints, **more)


def baseline(folder: Path, url: str, endpoints: str, extra: str = "") -> Path:
    file = folder / "baselines.yaml"
    text = f"version: 1\nservice:\n  base_url: {url}\n  monitor: {API}\n{extra}endpoints:\n{endpoints}"
    file.write_text(text, encoding="utf-8")
    return file
