"""A small shop in Django, configured when this module is loaded: views of both kinds, models, streams and failures.

``application`` is for WSGI servers and ``asgi_application`` for ASGI servers.
"""

from __future__ import annotations

import atexit
import io
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import connection, models
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path, re_path
from django.views import View
from django.views.decorators.cache import cache_page

ROWS = 25


def _database() -> str:
    """One for this process and those that it forks."""
    folder = tempfile.mkdtemp(prefix="perfcheck-django-")
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    return str(Path(folder) / "shop.db")


settings.configure(
    ALLOWED_HOSTS=["*"],
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _database()}},
    LOGGING_CONFIG=None,
    MIDDLEWARE=["perfcheck.monitor.django.middleware.MonitorMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of this test alone",
    USE_TZ=True,
)
django.setup()

from perfcheck.monitor import monitor_performance, span  # noqa: E402


class Artist(models.Model):  # type: ignore[misc] # noqa: DJ008 - Django has no types of its own
    name = models.CharField(max_length=50)

    class Meta:
        app_label = "shop"


class Video(models.Model):  # type: ignore[misc] # noqa: DJ008
    artist = models.ForeignKey(Artist, on_delete=models.CASCADE)

    class Meta:
        app_label = "shop"


def prepare() -> None:
    """Make the tables and their rows, once."""
    with connection.schema_editor() as editor:
        editor.create_model(Artist)
        editor.create_model(Video)
    Artist.objects.bulk_create(Artist(pk=number, name=f"artist {number}") for number in range(1, ROWS + 1))
    Video.objects.bulk_create(Video(pk=number, artist_id=number) for number in range(1, ROWS + 1))
    connection.close()


def video(_: HttpRequest, pk: int) -> JsonResponse:
    return JsonResponse({"artist": Video.objects.select_related("artist").get(pk=pk).artist.name})


def n_plus_one(_: HttpRequest) -> JsonResponse:
    names = []
    for one in Video.objects.all():
        names.append(one.artist.name)  # noqa: PERF401 - here: see the tests
    return JsonResponse({"names": names})


async def n_plus_one_async(_: HttpRequest) -> JsonResponse:
    names = []
    for number in range(1, ROWS + 1):
        names.append((await Artist.objects.aget(pk=number)).name)  # noqa: PERF401 - awaited here
    return JsonResponse({"names": names})


@monitor_performance("api.shop.named")
def named(_: HttpRequest) -> HttpResponse:
    with span("render"):
        return HttpResponse("named")


class Page(View):  # type: ignore[misc]
    async def get(self, _: HttpRequest, year: str) -> HttpResponse:
        return HttpResponse(f"page of {year}")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[bytes]:
        for number in range(int(request.GET.get("pieces", "3"))):
            time.sleep(0.02)
            Artist.objects.get(pk=number % ROWS + 1)
            yield b"x" * 1000

    return StreamingHttpResponse(pieces())


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(int(request.GET.get("pieces", "3"))):
            await sync_to_async(time.sleep)(0.02)
            yield b"x" * 1000

    return StreamingHttpResponse(pieces())


def broken_stream(_: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[bytes]:
        yield b"x" * 1000
        raise RuntimeError("in the middle")

    return StreamingHttpResponse(pieces())


def file(_: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"x" * 5000), filename="x.bin")


def fails(_: HttpRequest) -> HttpResponse:
    raise RuntimeError("the view is broken")


def gone(_: HttpRequest) -> HttpResponse:
    raise Http404


def forbidden(_: HttpRequest) -> HttpResponse:
    raise PermissionDenied


@cache_page(60)  # type: ignore[untyped-decorator]
def cached(_: HttpRequest) -> HttpResponse:
    return HttpResponse(str(Artist.objects.count()))


_api: list[Any] = [
    path("videos/<int:pk>/", video),
    path("n-plus-one/", n_plus_one),
    path("n-plus-one-async/", n_plus_one_async),
    path("named/", named),
    re_path(r"^pages/(?P<year>[0-9]{4})/$", Page.as_view()),
    path("stream/", stream),
    path("stream-async/", stream_async),
    path("broken-stream/", broken_stream),
    path("file/", file),
    path("fails/", fails),
    path("gone/", gone),
    path("forbidden/", forbidden),
    path("cached/", cached),
]
urlpatterns = [
    path("api/performance/", include("perfcheck.monitor.django.urls")),
    path("api/", include(_api)),
]

from django.core.asgi import get_asgi_application  # noqa: E402 - both load the middleware
from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()
asgi_application = get_asgi_application()
