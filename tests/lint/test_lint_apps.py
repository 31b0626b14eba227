"""Which app a route belongs to, through calls, loops and files, and what is reported where that cannot be known."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sources import handlers, lint_sources, listed, unknown

# Two apps, of which one is monitored; APP is either of them.
FLASK = """\
from flask import Blueprint, Flask
from perfcheck.monitor.flask import init_app
public, internal = Flask("public"), Flask("internal")
init_app(public)
"""
FASTAPI = """\
from fastapi import APIRouter, FastAPI
from perfcheck.monitor.fastapi import init_app
public, internal = FastAPI(), FastAPI()
init_app(public)
"""
STARLETTE = "from starlette.applications import Starlette\nfrom starlette.routing import Mount, Route\n" + FASTAPI
REGISTER = "def register_routes(app):\n    @app.get('/')\n    def index(): ...\n"
TWO_BLUEPRINTS = """\
from flask import Blueprint
index, other = Blueprint("index", __name__), Blueprint("other", __name__)
@index.get("/")
def found(): ...
@other.get("/")
def other_view(): ...
"""
OTHER_ON_PUBLIC = "from blueprints import index, other\npublic.register_blueprint(other)\n"
PER_APP = {
    "function": {"app.py": FLASK + REGISTER + "register_routes(APP)\n"},
    "keyword": {"app.py": FLASK + REGISTER + "register_routes(app=APP)\n"},
    "function in another file": {
        "app.py": FLASK + "from routes import register_routes as routes\nroutes(APP)\n",
        "routes.py": REGISTER,
    },
    "function of a function": {
        "app.py": FLASK + "import routes\nroutes.register_all(prefix='/', app=APP)\n",
        "routes.py": f"{REGISTER}def register_all(app, prefix):\n    register_routes(app)\n",
    },
    "function that calls itself": {
        "app.py": f"{FLASK}{REGISTER}    if again:\n        register_routes(app)\nregister_routes(APP)\n",
    },
    "functions in a loop": {
        "app.py": FLASK + "import one, two\nfor register in (one.register_routes, two.register_routes):\n"
        "    register(APP)\n",
        "one.py": REGISTER,
        "two.py": "def register_routes(app): ...\n",
    },
    "apps in a loop": {"app.py": FLASK + REGISTER + "for app in [APP]:\n    register_routes(app)\n"},
    "factory": {
        "app.py": FLASK + "from routes import register_routes\ndef create_app():\n    app = APP\n"
        "    register_routes(app)\n    return app\nserver = create_app()\n",
        "routes.py": REGISTER,
    },
    "import in a factory": {
        "pkg/__init__.py": FLASK
        + "def create_app():\n    from .views import register_routes\n    register_routes(APP)\n",
        "pkg/views.py": REGISTER,
    },
    "what a function returns of what it is given": {
        "app.py": FLASK + "def configured(app):\n    app.config['X'] = 1\n    return app\n"
        "app = configured(APP)\n@app.get('/')\ndef index(): ...\n",
    },
    "default of a parameter": {
        "app.py": FLASK + "def create(*, app=APP):\n    @app.get('/')\n    def index(): ...\nserver = create()\n",
    },
    "global": {
        "app.py": FLASK + "app = None\ndef create():\n    global app\n    app = APP\n@app.get('/')\ndef index(): ...\n",
    },
    "class that is given the app": {
        "app.py": FLASK + "class Views:\n    def __init__(self, app, prefix=''):\n        self.app = app\n"
        "        app.add_url_rule('/', view_func=self.index)\n    def index(self): ...\nViews(APP)\n",
    },
    "method, base class and attribute": {
        "app.py": FLASK + "class Base:\n    def __init__(self, app):\n        self.app = app\n"
        "class Views(Base):\n    def __init__(self, app):\n        super().__init__(app)\n"
        "    def register(self):\n        @self.app.get('/')\n        def index(): ...\nViews(APP).register()\n",
    },
    "extension": {
        "app.py": FLASK + "from ext import extension\nextension.init_app(APP)\n",
        "ext.py": "class Extension:\n    def init_app(self, app):\n        app.add_url_rule('/', view_func=index)\n"
        "def index(): ...\nextension = Extension()\n",
    },
    "handler that is passed": {
        "app.py": FLASK
        + "def add(view, path='/'):\n    APP.add_url_rule(path, view_func=view)\ndef index(): ...\nadd(index)\n",
    },
    "handlers in a loop": {
        "app.py": FLASK + "from flask.views import View\nclass index(View): ...\n"
        "for path, view in [('/', index.as_view('index'))]:\n    APP.add_url_rule(path, view_func=view)\n",
    },
    "handlers of a dictionary": {
        "app.py": FLASK + "from routes import ROUTES\nfor path, view in ROUTES.items():\n"
        "    APP.add_url_rule(path, view_func=view)\n",
        "routes.py": "def index(): ...\nROUTES = {'/': index}\n",
    },
    "blueprint": {
        "app.py": FLASK
        + "index = Blueprint('i', 'i')\n@index.get('/')\ndef found(): ...\nAPP.register_blueprint(index)\n",
    },
    "blueprints in a loop": {
        "app.py": FLASK + OTHER_ON_PUBLIC + "for blueprint in (index,):\n    APP.register_blueprint(blueprint)\n",
        "blueprints.py": TWO_BLUEPRINTS,
    },
    "blueprints of a list in another file": {
        "app.py": FLASK + "from lists import ALL\nfor number, (blueprint) in enumerate(ALL):\n"
        "    APP.register_blueprint(blueprint)\n",
        "lists.py": "from blueprints import index\nALL = [index]\n",
        "blueprints.py": TWO_BLUEPRINTS.replace("@other.get", "@index.get"),
    },
    "blueprints and prefixes": {
        "app.py": FLASK + OTHER_ON_PUBLIC + "BLUEPRINTS = [('/a', index)] + []\nfor prefix, blueprint in BLUEPRINTS:\n"
        "    APP.register_blueprint(blueprint, url_prefix=prefix)\n",
        "blueprints.py": TWO_BLUEPRINTS,
    },
    "two loops with one variable": {
        "app.py": FLASK
        + "from blueprints import index, other\nfor each in (other,):\n    public.register_blueprint(each)\n"
        "for each in (index,):\n    APP.register_blueprint(each)\n",
        "blueprints.py": TWO_BLUEPRINTS,
    },
    "blueprints in a comprehension": {
        "app.py": FLASK + OTHER_ON_PUBLIC + "[APP.register_blueprint(each) for each in (index,)]\n",
        "blueprints.py": TWO_BLUEPRINTS,
    },
    "blueprints that a function returns": {
        "app.py": FLASK + "from blueprints import index, other\ndef blueprints():\n    return [index]\n"
        "for each in blueprints():\n    APP.register_blueprint(each)\npublic.register_blueprint(other)\n",
        "blueprints.py": TWO_BLUEPRINTS,
    },
    "api of Flask-RESTful": {
        "app.py": FLASK + "from api import api\ndef create():\n    api.init_app(APP)\n",
        "api.py": "from flask_restful import Api, Resource\napi = Api()\nclass index(Resource): ...\n"
        "api.add_resource(index, '/')\n",
    },
    "namespace of Flask-RESTX": {
        "app.py": FLASK + "from flask_restx import Api, Resource\napi = Api(APP)\nspace = api.namespace('x')\n"
        "@space.route('/')\nclass index(Resource): ...\n",
    },
    "subclass that registers on itself": {
        "app.py": FLASK.replace('Flask("public"), Flask("internal")', "Own(Flask), Other(Flask)").replace(
            "public, internal = Own(Flask), Other(Flask)\ninit_app(public)\n",
            "class public(Flask):\n    def __init__(self):\n        init_app(self)\nclass internal(Flask): ...\n",
        )
        + "app = APP()\n@app.get('/')\ndef index(): ...\n",
    },
    "class of apps that registers on itself": {
        "app.py": FLASK.replace(
            "init_app(public)",
            "class Own(Flask):\n    def __init__(self):\n        self.add_url_rule('/', view_func=self.index)\n"
            "    def index(self): ...\nclass Sub(Own): ...\nAPP = Sub()\ninit_app(public)",
        ),
    },
    "behind a dispatcher": {
        "app.py": FLASK.replace("init_app(public)\n", "")
        + "from werkzeug.middleware.dispatcher import DispatcherMiddleware\nAPP.get('/')(index)\ndef index(): ...\n"
        "shop = Flask('shop')\npublic.wsgi_app = DispatcherMiddleware(public.wsgi_app, {'/shop': shop})\n"
        "init_app(public)\n"
        "@shop.get('/')\ndef in_shop(): ...\n",
    },
    "monitor around other middleware": {
        "app.py": FLASK.replace("init_app(public)", "public.wsgi_app = Monitor(ProxyFix(public.wsgi_app))")
        + "from perfcheck.monitor.wsgi import Monitor\nfrom werkzeug.middleware.proxy_fix import ProxyFix\n"
        "@APP.get('/')\ndef index(): ...\n",
    },
    "monitor in a function": {
        "app.py": FLASK.replace("init_app(public)", "from ext import extend\nextend(public)")
        + "@APP.get('/')\ndef index(): ...\n",
        "ext.py": "from perfcheck.monitor.flask import init_app\ndef extend(app):\n    init_app(app)\n",
    },
    "routers of modules in a loop": {
        "app.py": FASTAPI
        + "from api import one, two\nfor module in [one, two]:\n    APP.include_router(module.router)\n",
        "api/__init__.py": "",
        "api/one.py": "from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/')\ndef index(): ...\n",
        "api/two.py": "from fastapi import APIRouter\nrouter = APIRouter()\n",
    },
    "router in a router in another file": {
        "main.py": FASTAPI + "from api import setup\nsetup(APP)\n",
        "api.py": "from fastapi import FastAPI\nfrom routers import inner, outer\ndef setup(app: FastAPI) -> None:\n"
        "    outer.include_router(inner)\n    app.include_router(outer, prefix='/api')\n",
        "routers.py": "from fastapi import APIRouter\nouter, inner = APIRouter(), APIRouter()\n"
        "@inner.get('/')\ndef index(): ...\n",
    },
    "app whose routes are read elsewhere": {
        "app.py": FASTAPI + "index = FastAPI()\nAPP.mount('/x', index)\nschema = get_openapi(routes=index.routes)\n"
        "@index.get('/')\ndef found(): ...\n",
    },
    "list of routes": {
        "app.py": STARLETTE
        + "def index(request): ...\nroutes = [Route('/', index)]\nAPP.mount('/x', Starlette(routes=routes))\n",
    },
    "routes within mounts and middleware": {
        "app.py": STARLETTE + "def index(request): ...\ndef deep():\n    return [Route('/', index)]\n"
        "APP.mount('/x', Other(Starlette(routes=[Mount('/deep', routes=deep())])))\n",
    },
    "routes that are added to an app": {
        "app.py": STARLETTE + "def index(request): ...\nAPP.router.routes.append(Route('/', index))\n",
    },
    "list of middleware": {
        "app.py": "from fastapi import FastAPI\nfrom starlette.middleware import Middleware\n"
        "from perfcheck.monitor.asgi import Monitor\nwatched = [Middleware(Monitor)]\n"
        "public, internal = FastAPI(middleware=watched), FastAPI()\n@APP.get('/')\ndef index(): ...\n",
    },
}


@pytest.mark.parametrize("files", PER_APP.values(), ids=PER_APP)
def test_a_route_is_followed_to_its_app(tmp_path: Path, files: dict[str, str]) -> None:
    public = lint_sources(tmp_path / "public", {name: text.replace("APP", "public") for name, text in files.items()})
    assert (public.findings, public.unknown, public.apps) == ((), (), ())
    assert public.handlers == public.monitored > 0
    internal = lint_sources(tmp_path / "int", {name: text.replace("APP", "internal") for name, text in files.items()})
    assert {finding.handler.rpartition(".")[2] for finding in internal.findings} <= {"index", "found", "other_view"}
    assert (len(internal.findings) > 0, internal.unknown) == (True, ())
    assert [app.message for app in internal.apps] in (["internal"], ["app"], ["Sub()"])


def test_the_app_without_a_monitor_is_named(tmp_path: Path) -> None:
    files = PER_APP["function in another file"]
    found = listed(tmp_path, {name: text.replace("APP", "internal") for name, text in files.items()})
    assert found == [f"routes.py:3:5 index (GET /): its app, internal ({tmp_path}/app.py:3), has no monitor"]


def test_a_factory_with_a_monitor_may_be_called_twice(tmp_path: Path) -> None:
    files = {
        "extend.py": "from perfcheck.monitor.flask import init_app\ndef extend(app):\n    init_app(app)\n",
        "factory.py": "from flask import Flask\nfrom extend import extend\ndef create_app(name='x'):\n"
        "    app = Flask(name)\n    extend(app)\n    app.get('/')(index)\n    return app\ndef index(): ...\n",
        "wsgi.py": "from factory import create_app\napp, other = create_app(), create_app('y')\n",
    }
    result = lint_sources(tmp_path, files)
    assert (result.monitored, result.findings, result.unknown) == (1, (), ())


APP_UNKNOWN = "its app cannot be determined"
UNKNOWN = {
    "function that nothing calls": ({"app.py": FLASK, "routes.py": REGISTER}, [f"index: {APP_UNKNOWN}"]),
    "app of a package that is not read": (
        {"app.py": f"{FLASK}{REGISTER}from elsewhere import make\nregister_routes(make('x'))\n"},
        [f"index: {APP_UNKNOWN}"],
    ),
    "one call of two": (
        {"app.py": f"{FLASK}{REGISTER}register_routes(public)\nregister_routes(apps['x'])\n"},
        [f"index: {APP_UNKNOWN}"],
    ),
    "arguments that cannot be read": (
        {"app.py": f"{FLASK}{REGISTER}register_routes(*apps)\n"},
        [f"index: {APP_UNKNOWN}"],
    ),
    "blueprint that is registered by name": (
        {
            "app.py": FLASK + "import importlib\nfor name in ('blueprints',):\n"
            "    public.register_blueprint(importlib.import_module(name).index)\n",
            "blueprints.py": TWO_BLUEPRINTS.replace("@other.get", "@index.get"),
        },
        [
            "found: no app is known that index (blueprints.py:2) is registered with",
            "other_view: no app is known that index (blueprints.py:2) is registered with",
        ],
    ),
    "router that is collected somewhere": (
        {
            "app.py": FASTAPI
            + "from collected import ROUTERS\nfor each in ROUTERS:\n    public.include_router(each)\n",
            "collected.py": "ROUTERS = []\ndef add(router):\n    ROUTERS.append(router)\n",
            "routes.py": "from fastapi import APIRouter\nfrom collected import add\nrouter = APIRouter()\nadd(router)\n"
            "@router.get('/')\ndef index(): ...\n",
        },
        ["index: no app is known that router (routes.py:3) is registered with"],
    ),
    "monitor of an app that is not known": (
        {
            "app.py": "from flask import Flask\napp = Flask('x')\n@app.get('/')\ndef index(): ...\n",
            "ext.py": "from perfcheck.monitor.flask import init_app\ndef extend(app):\n    init_app(app)\n",
        },
        ["index: the monitor at ext.py:3 is set up for an app that cannot be determined"],
    ),
    "handler by name on an app without a monitor": (
        {"app.py": FLASK + "import views\ninternal.add_url_rule('/', view_func=views.VIEWS['index'])\n"},
        ["views.VIEWS['index']: which handler this registers cannot be determined"],
    ),
    "handler of a function that nothing calls": (
        {"app.py": FLASK + "def add(view):\n    internal.add_url_rule('/', view_func=view)\n"},
        ["view: which handler this registers cannot be determined"],
    ),
    "factory that is called twice": (
        {
            "factory.py": "from flask import Flask\ndef create_app(name):\n    app = Flask(name)\n"
            "    app.add_url_rule('/', view_func=index)\n    return app\ndef index(): ...\n",
            "wsgi.py": "from factory import create_app\nfrom perfcheck.monitor.flask import init_app\n"
            "app = create_app('public')\ninit_app(app)\n",
            "internal.py": "import factory\napp = factory.create_app('internal')\n",
        },
        ["index: create_app makes several apps (factory.py:3), and not each has a monitor"],
    ),
    "dispatcher outside the monitor": (
        {
            "app.py": FLASK + "from werkzeug.middleware.dispatcher import DispatcherMiddleware\nshop = Flask('shop')\n"
            "public.wsgi_app = DispatcherMiddleware(public.wsgi_app, {'/shop': shop})\n"
            "@shop.get('/')\ndef index(): ...\n",
        },
        [f"index: {APP_UNKNOWN}"],
    ),
}


@pytest.mark.parametrize(("files", "expected"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_cannot_be_known_is_not_monitored_and_has_a_count_of_its_own(
    tmp_path: Path, files: dict[str, str], expected: list[str]
) -> None:
    result = lint_sources(tmp_path, files)
    assert unknown(tmp_path, files) == expected
    assert (result.findings, result.monitored, result.handlers) == ((), 0, len(expected))


@pytest.mark.parametrize("name", ["function that nothing calls", "router that is collected somewhere"])
def test_nothing_is_in_doubt_where_nothing_is_monitored(tmp_path: Path, name: str) -> None:
    files, _ = UNKNOWN[name]
    without = {file: text.replace("perfcheck.monitor", "otherwise") for file, text in files.items()}
    assert (handlers(tmp_path, without), unknown(tmp_path, without)) == (["index"], [])
