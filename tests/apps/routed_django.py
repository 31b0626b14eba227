"""A URL configuration of Django with routes that are easily mistaken for one another, and which each request reaches.

Loaded with the settings of ``apps.django_app``, with ``ROOT_URLCONF="apps.routed_django"``.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path, register_converter
from django.views import View
from django.views.decorators.http import require_POST
from django.views.generic import RedirectView

from perfcheck.monitor import monitor_performance

COMMENT = "6f1f0a52-5b67-4b6e-9a37-2f8e7e9d2f10"
# Request -> the name under which it is counted; None: no route.
REQUESTS: dict[str, str | None] = {
    "GET /": "GET /",
    "GET /api/videos/": "GET /api/videos/",
    "GET /api/videos": "GET /api/videos/",  # by way of a redirect
    "POST /api/videos/": "POST /api/videos/",
    "GET /api/videos/search/": "GET /api/videos/search/",
    "GET /api/videos/latest/": "videos.latest",
    "GET /api/videos/7/": "GET /api/videos/<int:video_id>/",
    "HEAD /api/videos/7/": "HEAD /api/videos/<int:video_id>/",
    "PUT /api/videos/7/": "PUT /api/videos/<int:video_id>/",
    "GET /api/videos/-7/": "GET /api/videos/<slug:slug>/",
    "GET /api/videos/seven/": "GET /api/videos/<slug:slug>/",
    "GET /api/videos/seven!/": "GET /api/videos/<title>/",
    "GET /api/videos/7/comments/": "GET /api/videos/<int:video_id>/comments/",
    "POST /api/videos/7/comments/add/": "POST /api/videos/<int:video_id>/comments/add/",
    f"GET /api/videos/7/comments/{COMMENT}/": "GET /api/videos/<int:video_id>/comments/<uuid:comment_id>/",
    "GET /api/videos/7/comments/first/": None,
    "GET /api/artists/": "GET /api/artists/",
    "POST /api/artists/": "POST /api/artists/",
    "GET /api/artists/7/": "GET /api/artists/<int:artist_id>/",
    "GET /api/artists/top/": "artists.top.get",
    "GET /files/index.html": "GET /files/index.html",
    "GET /files/a/b/c.txt": "GET /files/<path:name>",
    "GET /files/søk og finn": "GET /files/<path:name>",
    "GET /reports/2026/": "GET /reports/<year:year>/",
    "GET /reports/latest/": "GET /reports/<str:name>/",
    "GET /archive/2026/": "GET /archive/<year>/",
    "GET /archive/2026/11/": "GET /archive/<year>/<month>/",
    "GET /archive/26/": None,
    "GET /pages/": "GET /pages/<>",
    "GET /pages/page-2/": "GET /pages/<>",
    "GET /pages/two/": None,
    "GET /legacy/7": "GET /legacy/<>/",
    "GET /legacy/7/": "GET /legacy/<>/",
    "GET /legacy/list": "GET /legacy/list",
    "GET /tenants/acme/": "GET /tenants/<tenant>/",
    "GET /tenants/acme/items/7/": "GET /tenants/<tenant>/items/<int:item_id>/",
    "GET /tenants/acme/items/sale/": "GET /tenants/<tenant>/items/sale/",
    "GET /staff/users/me/": "GET /staff/users/me/",
    "GET /staff/users/melanie/": "GET /staff/users/<username>/",
    "GET /staff/reset/": "GET /staff/reset/",
    "GET /old/": "GET /old/",
    "GET /missing/": None,
}


class YearConverter:
    regex = "[0-9]{4}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return f"{value}"


register_converter(YearConverter, "year")


def view(_: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
    return HttpResponse(f"{args} {kwargs}")


def search(_: HttpRequest) -> HttpResponse:
    return HttpResponse("search")


@monitor_performance("videos.latest")
def latest(_: HttpRequest) -> HttpResponse:
    return HttpResponse("latest")


@require_POST  # type: ignore[untyped-decorator]
def add_comment(_: HttpRequest, video_id: int) -> HttpResponse:
    return HttpResponse(f"{video_id}")


class Videos(View):  # type: ignore[misc]
    def get(self, _: HttpRequest) -> HttpResponse:
        return HttpResponse("all")

    def post(self, _: HttpRequest) -> HttpResponse:
        return HttpResponse("created")


class Video(View):  # type: ignore[misc]
    def get(self, _: HttpRequest, video_id: int) -> HttpResponse:
        return HttpResponse(f"{video_id}")

    def put(self, _: HttpRequest, video_id: int) -> HttpResponse:
        return HttpResponse(f"{video_id}")


class Artists(View):  # type: ignore[misc]
    async def get(self, _: HttpRequest) -> HttpResponse:
        return HttpResponse("all")

    async def post(self, _: HttpRequest) -> HttpResponse:
        return HttpResponse("created")


@monitor_performance("artists.top")
class TopArtists(View):  # type: ignore[misc]
    def get(self, _: HttpRequest) -> HttpResponse:
        return HttpResponse("top")


_comments: list[Any] = [
    path("", view),
    path("add/", add_comment),
    path("<uuid:comment_id>/", view),
]
_videos: list[Any] = [
    path("", Videos.as_view(), name="all"),
    path("search/", search),
    path("latest/", latest),
    path("<int:video_id>/", Video.as_view()),
    path("<slug:slug>/", view),
    path("<title>/", view),
    path("<int:video_id>/comments/", include(_comments)),
]
_api: list[Any] = [
    path("videos/", include((_videos, "videos"), namespace="videos")),
    path("artists/", Artists.as_view()),
    path("artists/top/", TopArtists.as_view()),
    path("artists/<int:artist_id>/", view),
]
_tenant: list[Any] = [
    path("", view),
    re_path(r"^items/", include([path("sale/", view), path("<int:item_id>/", view)])),
]
urlpatterns = [
    path("", view),
    path("api/performance/", include("perfcheck.monitor.django.urls")),
    path("api/", include(_api)),
    path("files/index.html", view),
    path("files/<path:name>", view),
    path("reports/<year:year>/", view),
    path("reports/<str:name>/", view),
    re_path(r"^archive/(?P<year>[0-9]{4})/$", view),
    re_path(r"^archive/(?P<year>[0-9]{4})/(?P<month>[0-9]{2})/$", view),
    re_path(r"^pages/(?:page-(?P<number>\d+)/)?$", view),
    re_path(r"^legacy/(\d+)/?$", view),
    re_path(r"^legacy/list$", view),
    re_path(r"^tenants/(?P<tenant>[a-z]+)/", include(_tenant)),
    path("staff/", include("apps.routed_django_staff")),
    path("old/", RedirectView.as_view(url="/")),
]
