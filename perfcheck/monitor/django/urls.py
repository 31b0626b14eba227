"""The monitor's API, at whatever address it is included: ``path("api/performance/", include(...))``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.http import HttpResponse, HttpResponseNotFound
from django.urls import path

from perfcheck.monitor import api, lifecycle
from perfcheck.monitor.django.routes import DjangoRouter
from perfcheck.monitor.registry import default
from perfcheck.monitor.settings import settings


def view_of(name: str) -> Callable[[Any], Any]:
    """The view that serves ``/NAME`` of the API. Access is the API's own matter: no session, no CSRF token."""

    def monitor_api(request: Any) -> Any:
        running = lifecycle.current()
        router = partial(DjangoRouter, monitored=running is not None)
        if running is not None:
            running.cancel()  # neither counted nor in flight
        headers = {key.lower(): value for key, value in request.headers.items()}
        query, peer = request.META.get("QUERY_STRING", ""), request.META.get("REMOTE_ADDR")
        answer = api.answer(
            request.method,
            f"{settings().prefix}/{name}",
            query,
            headers,
            peer,
            router=router,
            routed_as=request.path_info,
        )
        if answer is None:
            return HttpResponseNotFound()
        return HttpResponse(answer.body, status=answer.status, headers=dict(answer.headers))

    monitor_api.csrf_exempt = True  # type: ignore[attr-defined] # what Django's own decorators set
    monitor_api.login_required = False  # type: ignore[attr-defined]
    monitor_api.perfcheck_monitor_api = True  # type: ignore[attr-defined]
    return monitor_api


default.is_served = True  # decorators count without the middleware
app_name = "perfcheck_monitor"
urlpatterns = [path(name, view_of(name), name=name) for name in api.ADDRESSES]
