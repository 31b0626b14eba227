"""Which handlers of Django the lint lists, and where."""

from __future__ import annotations

from pathlib import Path

from support.sources import handlers, listed

VIEWS = """\
from django.views import View


def index(request): ...


@login_required
def search(request): ...


class Videos(View):
    def get(self, request): ...


class Feed:
    def __call__(self, request): ...
"""


def test_url_patterns(tmp_path: Path) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/views.py": VIEWS,
        "shop/urls.py": """\
            from django.contrib import admin
            from django.contrib.auth import views as auth
            from django.urls import include, path, re_path
            from django.views.decorators.cache import cache_page
            from . import views
            from .views import Feed, search

            urlpatterns = [
                path("", views.index, name="index"),
                re_path(r"^search/(?P<q>.+)$", search),
                path("videos/", cache_page(60)(views.Videos.as_view())),
                path("feed/", Feed()),
                path("admin/", admin.site.urls),
                path("api/", include("shop.api.urls")),
                path("more/", include([path("again/", views.index)])),
                path("login/", auth.LoginView.as_view()),
                path("lambda/", lambda request: None),
            ]
            """,
    }
    assert listed(tmp_path, files) == [
        "shop/urls.py:16:20 auth.LoginView (login/)",
        "shop/urls.py:17:21 lambda (lambda/)",
        "shop/views.py:4:1 index (''; again/)",
        "shop/views.py:8:1 search (^search/(?P<q>.+)$)",
        "shop/views.py:11:1 Videos (videos/)",
        "shop/views.py:15:1 Feed (feed/)",
    ]


def test_patterns_wherever_they_are_written(tmp_path: Path) -> None:
    files = {
        "views.py": "def one(request): ...\ndef two(request): ...\ndef three(request): ...\ndef four(request): ...\n",
        "urls.py": """\
            from django.conf.urls.i18n import i18n_patterns
            from django.urls import path as p
            from django.utils.translation import gettext_lazy as _
            from django.urls import *
            import views

            urlpatterns = i18n_patterns(p(_("one/"), views.one))
            urlpatterns += [path("two/", views.two)]
            if DEBUG:
                urlpatterns.append(path("three/", view=views.three))

            def get_urls():
                return [path(f"{PREFIX}/four/", views.four)]
            """,
    }
    assert listed(tmp_path, files) == [
        "views.py:1:1 one (one/)",
        "views.py:2:1 two (two/)",
        "views.py:3:1 three (three/)",
        "views.py:4:1 four (f'{PREFIX}/four/')",
    ]


def test_other_functions_named_path_are_none(tmp_path: Path) -> None:
    source = """\
        from pathlib import Path as path
        from elsewhere import url

        def view(request): ...

        path("x/", view)
        url("x/", view)
        """
    assert handlers(tmp_path, source) == []


def test_view_sets_of_rest_framework(tmp_path: Path) -> None:
    files = {
        "api/__init__.py": "",
        "api/views.py": "from rest_framework import viewsets\n\nclass Videos(viewsets.ModelViewSet): ...\n"
        "class Artists(viewsets.ModelViewSet): ...\nclass Labels(viewsets.ModelViewSet): ...\n",
        "api/urls.py": """\
            from django.contrib import admin
            from django.urls import include, path
            from rest_framework.routers import DefaultRouter
            from api.views import Artists, Labels, Videos

            router = DefaultRouter()
            router.register(r"videos", Videos)
            router.register("artists", viewset=Artists)
            admin.site.register(Model, Labels)
            urlpatterns = [path("", include(router.urls)), path("labels/", Labels.as_view({"get": "list"}))]
            """,
    }
    assert listed(tmp_path, files) == [
        "api/views.py:3:1 Videos (videos)",
        "api/views.py:4:1 Artists (artists)",
        "api/views.py:5:1 Labels (labels/)",
    ]


def test_operations_of_django_ninja(tmp_path: Path) -> None:
    source = "from ninja import NinjaAPI\napi = NinjaAPI()\n@api.get('/add')\ndef add(request): ...\n"
    assert listed(tmp_path, source) == ["app.py:4:1 add (GET /add)"]


def test_views_that_an_attribute_holds_are_shown_at_their_route(tmp_path: Path) -> None:
    source = """\
        from django.urls import path

        class Config:
            def ready(self):
                self.index_view = get_class("views", "Index")

            def get_urls(self):
                return [path("", self.index_view.as_view()), path("own/", self.own)]

            def own(self, request): ...
        """
    assert listed(tmp_path, source) == [
        "app.py:8:26 self.index_view ('')",
        "app.py:10:5 Config.own (own/)",
    ]
