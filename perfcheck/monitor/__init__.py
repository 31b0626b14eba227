"""The monitor that lives inside a service: what every handler takes, counted and timed. Needs no other package.

    from perfcheck.monitor import monitor_performance

    @monitor_performance("api.videos.list")
    def list_videos(): ...

Middleware for whole applications: ``perfcheck.monitor.wsgi``, ``.asgi``, ``.flask``, ``.fastapi``, ``.django``.
"""

from __future__ import annotations

from perfcheck.monitor import queries, registry, workers
from perfcheck.monitor.decorator import monitor_performance
from perfcheck.monitor.settings import configure, restore_defaults
from perfcheck.monitor.statistics import Snapshot
from perfcheck.monitor.trace import cached, span

__all__ = ["cached", "configure", "monitor_performance", "reset", "span", "statistics"]


def statistics() -> Snapshot:
    """Everything that was counted up to now, of all workers where a directory is set."""
    return workers.this.snapshot()


def reset() -> None:
    """Forget counts and settings, as if the process had just begun. For tests."""
    workers.restart()
    registry.default.reset()
    queries.forget()
    restore_defaults()
