"""The monitor's API, at whatever address it is included: ``path("api/performance/", include(...))``."""

from __future__ import annotations

from django.urls import path

from perfcheck.monitor.django.views import view_of

app_name = "perfcheck_monitor"
urlpatterns = [
    path(name, view_of(name), name=name) for name in ("stats", "slow", "summary", "health", "log-summary", "metrics")
]
