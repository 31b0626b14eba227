"""The monitor inside a service: counts and times every handler. Needs no other package.

    from perfcheck.monitor import monitor_performance

    @monitor_performance("api.videos.list")
    def list_videos(): ...

Middleware for whole applications: ``perfcheck.monitor.wsgi``, ``.asgi``, ``.flask``, ``.fastapi``, ``.django``.
"""

from __future__ import annotations

from perfcheck.monitor import registry, request_trace, variants, workers
from perfcheck.monitor.decorator import monitor_performance
from perfcheck.monitor.settings import configure, restore_defaults
from perfcheck.monitor.statistics import Snapshot
from perfcheck.monitor.trace import cached, span

__all__ = ["cached", "configure", "monitor_performance", "reset", "span", "statistics"]


def statistics() -> Snapshot:
    """Everything counted up to now, of all workers where a directory is set."""
    return workers.this.snapshot()


def reset() -> None:
    """Forget counts and settings, as in a new process. For tests."""
    workers.restart()
    registry.default.reset()
    request_trace.forget_statements()
    variants.forget_variants()
    restore_defaults()
