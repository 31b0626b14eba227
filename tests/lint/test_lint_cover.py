"""What counts as monitored: decorators, wrappers and set-up calls, and how far each of them reaches."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sources import handlers, lint_sources, listed, unknown

FLASK = "from flask import Blueprint, Flask\napp = Flask(__name__)\n"
FASTAPI = "from fastapi import APIRouter, FastAPI\napp = FastAPI()\n"
INDEX = "\n@app.get('/')\ndef index(): ...\n"
VIEWS = "def index(request): ...\n"
URLS = "from django.urls import path\nfrom views import index\nurlpatterns = [path('', index)]\n"


# --- One handler -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "monitor",
    [
        "from perfcheck.monitor import monitor_performance\n{}@monitor_performance('api.index')\n",
        "from perfcheck.monitor import monitor_performance\n{}@monitor_performance\n",
        "from perfcheck.monitor import monitor_performance as watched\n{}@watched('x')\n",
        "from perfcheck import monitor\n{}@monitor.monitor_performance()\n",
        "import perfcheck.monitor\n{}@perfcheck.monitor.monitor_performance()\n",
        "from src.utils.performance_monitor import monitor_performance\n{}@login_required\n@monitor_performance('x')\n",
        "from own.monitoring import monitor_performance as mp\n{}@mp\n",
        "from perfcheck.monitor import monitor_performance\nwatched = monitor_performance('x')\n{}@watched\n",
        (
            "from perfcheck.monitor import monitor_performance\n"
            "def watched(view):\n    return monitor_performance(view.__name__)(view)\n{}@watched\n"
        ),
    ],
)
def test_a_decorator_under_the_route_by_any_name(tmp_path: Path, monitor: str) -> None:
    result = lint_sources(tmp_path, FLASK + monitor.format("@app.route('/')\n") + "def index(): ...\n")
    assert (result.handlers, result.monitored, result.findings) == (1, 1, ())


def test_a_decorator_above_the_route_monitors_nothing(tmp_path: Path) -> None:
    source = FLASK + "\n@monitor_performance('x')\n@app.route('/')\ndef index(): ...\n"
    assert listed(tmp_path, source) == [
        (
            "app.py:6:1 index (GET /): monitor_performance is above the route, which registers the function "
            "without it: move it below the route"
        )
    ]


def test_a_decorator_between_two_routes_monitors_the_upper_one(tmp_path: Path) -> None:
    source = FLASK + "\n@app.route('/a')\n@monitor_performance\n@app.route('/b')\ndef index(): ...\n"
    assert [finding.routes[0].path for finding in lint_sources(tmp_path, source).findings] == ["/b"]


def test_a_decorator_on_either_side_of_expose(tmp_path: Path) -> None:
    source = """\
        from flask_appbuilder import BaseView, expose

        class Reports(BaseView):
            @monitor_performance
            @expose("/a")
            def a(self): ...

            @expose("/b")
            @monitor_performance
            def b(self): ...

            @expose("/c")
            def c(self): ...
        """
    assert handlers(tmp_path, source) == ["Reports.c"]


@pytest.mark.parametrize(
    "registration",
    [
        "app.add_url_rule('/', view_func=monitor_performance('x')(index))",
        "app.add_url_rule('/', view_func=login_required(monitor_performance('x')(index)))",
        "watched = monitor_performance('x')(index)\napp.add_url_rule('/', view_func=watched)",
        "app.route('/')(monitor_performance('x')(index))",
    ],
)
def test_a_handler_wrapped_where_it_is_registered(tmp_path: Path, registration: str) -> None:
    result = lint_sources(tmp_path, FLASK + "def index(): ...\n" + registration)
    assert (result.handlers, result.monitored) == (1, 1)


@pytest.mark.parametrize(
    ("view", "found"),
    [
        ("@monitor_performance\nclass V(MethodView):\n    def get(self): ...", []),
        ("class V(MethodView):\n    decorators = [monitor_performance('x')]\n    def get(self): ...", []),
        ("class V(MethodView):\n    @monitor_performance\n    def get(self): ...", []),
        ("class V(MethodView):\n    @monitor_performance\n    def get(self): ...\n    def post(self): ...", ["V"]),
        ("class V(MethodView):\n    def get(self): ...\n    @monitor_performance\n    def helper(self): ...", ["V"]),
        ("class V(View):\n    @monitor_performance\n    def dispatch_request(self): ...", []),
        ("@monitor_performance\nclass B(MethodView):\n    def get(self): ...\nclass V(B): ...", []),
        (
            "@monitor_performance\nclass B(MethodView):\n    def get(self): ...\nclass V(B):\n    def get(self): ...",
            ["V"],
        ),
        ("class B(MethodView):\n    @monitor_performance\n    def get(self): ...\nclass V(B): ...", []),
    ],
)
def test_classes_of_views(tmp_path: Path, view: str, found: list[str]) -> None:
    source = (
        f"{FLASK}from flask.views import MethodView, View\n{view}\napp.add_url_rule('/v', view_func=V.as_view('v'))\n"
    )
    assert handlers(tmp_path, source) == found


@pytest.mark.parametrize(
    "view",
    [
        "@method_decorator(monitor_performance('x'), name='dispatch')\nclass V(View): ...",
        "class V(View):\n    @method_decorator(monitor_performance('x'))\n    def dispatch(self): ...",
        (
            "class V(ViewSet):\n    @monitor_performance\n    def list(self): ...\n"
            "    @action(detail=True)\n    @monitor_performance\n    def publish(self): ..."
        ),
    ],
)
def test_classes_of_django(tmp_path: Path, view: str) -> None:
    source = f"from django.urls import path\n{view}\nurlpatterns = [path('v/', V.as_view())]\n"
    assert lint_sources(tmp_path, source).monitored == 1
    assert lint_sources(tmp_path, source.replace("monitor_performance", "something_else")).monitored == 0


def test_an_action_of_a_view_set_that_is_not_monitored(tmp_path: Path) -> None:
    source = (
        "from django.urls import path\nclass V(ViewSet):\n    @monitor_performance\n    def list(self): ...\n"
        "    @action(detail=True)\n    def publish(self): ...\nurlpatterns = [path('v/', V.as_view())]\n"
    )
    assert handlers(tmp_path, source) == ["V"]


# --- A whole app -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cover",
    [
        "from perfcheck.monitor.flask import init_app\ninit_app(app)",
        "from perfcheck.monitor.flask import init_app as watch\nwatch(app)",
        "def create():\n    from perfcheck.monitor.flask import init_app as watch\n    watch(app)",
        "import perfcheck.monitor.flask\nperfcheck.monitor.flask.init_app(app=app)",
        "from perfcheck.monitor import flask as monitor\nmonitor.init_app(app)",
        "from perfcheck.monitor.wsgi import Monitor\napp.wsgi_app = Monitor(app.wsgi_app)",
        "from perfcheck.monitor.wsgi import Monitor as M\napplication = M(app)",
        "from perfcheck.monitor.wsgi import Monitor\napp = Monitor(app)",
    ],
)
def test_flask_is_monitored_as_a_whole(tmp_path: Path, cover: str) -> None:
    assert handlers(tmp_path, FLASK + INDEX + cover) == []
    assert handlers(tmp_path, FLASK + INDEX + cover.replace("perfcheck", "otherwise")) == ["index"]


@pytest.mark.parametrize(
    "source",
    [
        FASTAPI + INDEX + "from perfcheck.monitor.fastapi import init_app\ninit_app(app)",
        FASTAPI + INDEX + "from perfcheck.monitor.asgi import Monitor\napp.add_middleware(Monitor)",
        FASTAPI + INDEX + "from perfcheck.monitor.asgi import Monitor\napp = Monitor(app)",
        "from fastapi import FastAPI\nfrom starlette.middleware import Middleware\n"
        "from perfcheck.monitor.asgi import Monitor\napp = FastAPI(middleware=[Middleware(Monitor)])\n" + INDEX,
        (
            "from starlette.applications import Starlette\nfrom perfcheck.monitor.fastapi import init_app\n"
            "app = Starlette()\ninit_app(app)\n@app.route('/')\ndef index(request): ...\n"
        ),
    ],
)
def test_fastapi_and_starlette_are_monitored_as_a_whole(tmp_path: Path, source: str) -> None:
    assert handlers(tmp_path, source) == []
    assert handlers(tmp_path, source.replace("perfcheck", "otherwise")) == ["index"]


@pytest.mark.parametrize(
    "settings",
    [
        "MIDDLEWARE = ['perfcheck.monitor.django.middleware.MonitorMiddleware', 'other.Middleware']",
        "MIDDLEWARE = []\nMIDDLEWARE += ['perfcheck.monitor.django.middleware.MonitorMiddleware']",
        "MIDDLEWARE.insert(0, 'perfcheck.monitor.django.middleware.MonitorMiddleware')",
        "class Base(Configuration):\n    MIDDLEWARE = ('perfcheck.monitor.django.middleware.MonitorMiddleware',)",
        (
            "from django.core.wsgi import get_wsgi_application\nfrom perfcheck.monitor.wsgi import Monitor\n"
            "application = Monitor(get_wsgi_application())"
        ),
        (
            "from django.core.asgi import get_asgi_application\nfrom perfcheck.monitor.asgi import Monitor\n"
            "application = get_asgi_application()\napplication = Monitor(application)"
        ),
    ],
)
def test_django_is_monitored_as_a_whole(tmp_path: Path, settings: str) -> None:
    files = {"views.py": VIEWS, "urls.py": URLS, "settings.py": settings}
    assert handlers(tmp_path, files) == []
    assert handlers(tmp_path, {"settings.py": settings.replace("perfcheck", "otherwise")}) == ["index"]


@pytest.mark.parametrize(
    "no_cover",
    [
        "urlpatterns += [path('api/performance/', include('perfcheck.monitor.django.urls'))]",
        "INSTALLED_APPS = ['perfcheck.monitor.django']",
        "# MIDDLEWARE = ['perfcheck.monitor.django.middleware.MonitorMiddleware']",
        "'''MIDDLEWARE = ['perfcheck.monitor.django.middleware.MonitorMiddleware']'''",
    ],
)
def test_django_is_not_monitored_by_the_addresses_of_the_api_alone(tmp_path: Path, no_cover: str) -> None:
    assert handlers(tmp_path, {"views.py": VIEWS, "urls.py": f"{URLS}{no_cover}\n"}) == ["index"]


def test_django_settings_without_the_monitor_next_to_some_with_it(tmp_path: Path) -> None:
    production = "MIDDLEWARE = ['perfcheck.monitor.django.middleware.MonitorMiddleware']\n"
    files = {"views.py": VIEWS, "urls.py": URLS, "production.py": production, "other.py": "MIDDLEWARE = ['x.Y']\n"}
    assert (handlers(tmp_path, files), unknown(tmp_path, files)) == (
        [],
        ["index: MIDDLEWARE (other.py:1) has no monitor, that of other settings has"],
    )
    for other in (
        "from production import MIDDLEWARE\nMIDDLEWARE = [*MIDDLEWARE, 'x.Y']\n",
        "from production import *\nMIDDLEWARE += ['x.Y']\n",
        "MIDDLEWARE = ['x.Y']  # perfcheck: ignore[only for development]\n",
    ):
        assert unknown(tmp_path, {**files, "other.py": other}) == []


# --- How far it reaches ----------------------------------------------------------------------------------------------


def test_a_monitor_covers_its_own_app_only(tmp_path: Path) -> None:
    source = """\
        from flask import Blueprint, Flask
        from perfcheck.monitor.flask import init_app

        public, internal = Flask("public"), Flask("internal")
        shared, inner, other = Blueprint("s", "s"), Blueprint("i", "i"), Blueprint("o", "o")
        init_app(public)
        shared.register_blueprint(inner)
        public.register_blueprint(shared)
        internal.register_blueprint(other)

        @public.get("/")
        def in_public(): ...
        @internal.get("/")
        def in_internal(): ...
        @inner.get("/")
        def in_inner(): ...
        @other.get("/")
        def in_other(): ...
        """
    assert handlers(tmp_path, source) == ["in_internal", "in_other"]


def test_a_blueprint_of_two_apps_needs_both(tmp_path: Path) -> None:
    source = """\
        from flask import Blueprint, Flask
        from perfcheck.monitor.flask import init_app

        one, two = Flask("1"), Flask("2")
        both = Blueprint("b", "b")
        one.register_blueprint(both)
        two.register_blueprint(both)
        init_app(one)

        @both.get("/")
        def index(): ...
        """
    assert handlers(tmp_path, source) == ["index"]
    assert handlers(tmp_path, source.replace("init_app(one)", "init_app(one); init_app(two)")) == []


def test_routers_and_mounted_apps_across_files(tmp_path: Path) -> None:
    files = {
        "pkg/__init__.py": "",
        "pkg/main.py": "from fastapi import FastAPI\nfrom pkg import videos\n"
        "from pkg.artists import router as artists\n"
        "from perfcheck.monitor.fastapi import init_app\n"
        "def create_app():\n    app = FastAPI()\n    init_app(app)\n    app.include_router(videos.router)\n"
        "    app.mount('/artists', artists)\n    return app\n"
        "app = create_app()\n",
        "pkg/videos.py": "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/')\ndef videos(): ...\n",
        "pkg/artists.py": "from fastapi import FastAPI\nrouter = FastAPI()\n@router.get('/')\ndef artists(): ...\n",
        "pkg/admin.py": "from fastapi import FastAPI\nadmin = FastAPI()\n@admin.get('/')\ndef administrate(): ...\n",
        "pkg/late.py": "from pkg.main import app\n@app.get('/late')\ndef late(): ...\n",
    }
    assert handlers(tmp_path, files) == ["administrate"]


def test_what_flask_restful_adds_belongs_to_the_app_of_its_api(tmp_path: Path) -> None:
    source = """\
        from flask import Flask
        from flask_restful import Api, Resource
        from perfcheck.monitor.flask import init_app

        one, two = Flask("1"), Flask("2")
        first, second = Api(one), Api()
        second.init_app(two)
        init_app(one)

        class A(Resource): ...
        class B(Resource): ...

        first.add_resource(A, "/a")
        second.add_resource(B, "/b")
        """
    assert handlers(tmp_path, source) == ["B"]


def test_an_app_that_cannot_be_identified_may_be_any_of_its_framework(tmp_path: Path) -> None:
    files = {
        "extensions.py": "from perfcheck.monitor.flask import init_app\ndef extend(app):\n    init_app(app)\n",
        "flask_app.py": FLASK + INDEX,
        "fastapi_app.py": FASTAPI + INDEX.replace("index", "other"),
    }
    assert handlers(tmp_path, files) == ["other"]
    (index,) = unknown(tmp_path, files)
    assert index == "index: the monitor at extensions.py:3 is set up for an app that cannot be determined"


def test_a_route_whose_app_cannot_be_identified_is_not_covered_by_another_app(tmp_path: Path) -> None:
    files = {
        "app.py": FLASK + "from perfcheck.monitor.flask import init_app\ninit_app(app)\n",
        "views.py": "import flask\ndef register(app):\n    @app.get('/')\n    def index(): ...\n",
    }
    assert (handlers(tmp_path, files), unknown(tmp_path, files)) == ([], ["index: its app cannot be determined"])
    assert handlers(tmp_path, {"app.py": FLASK}) == ["index"]
