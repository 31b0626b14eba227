"""Which handlers of Flask the lint lists, and where."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sources import handlers, listed


def test_routes_of_an_app(tmp_path: Path) -> None:
    source = """\
        from flask import Flask

        app = Flask(__name__)


        @app.route("/")
        @app.route("/start", methods=["GET", "POST"])
        def index():
            return ""


        @app.get("/videos")
        async def videos():
            return ""


        def plain():
            return ""


        app.add_url_rule("/plain", view_func=plain)
        app.add_url_rule("/twice", "twice", plain)
        """
    assert listed(tmp_path, source) == [
        "app.py:8:1 index (GET /; GET, POST /start)",
        "app.py:13:1 videos (GET /videos)",
        "app.py:17:1 plain (GET /plain; GET /twice)",
    ]


def test_columns_count_characters(tmp_path: Path) -> None:
    source = """\
        from flask import Flask
        app = Flask("ä")
        app.add_url_rule("/ä", view_func=monitored("ß", lambda: ""))
        """
    assert listed(tmp_path, source) == ["app.py:3:49 lambda (GET /ä)"]


@pytest.mark.parametrize(
    "made",
    [
        "from flask import Flask as F\napp = F(__name__)",
        "import flask\napp = flask.Flask(__name__)",
        "import flask.app as f\napp = f.Flask(__name__)",
        "from flask import Flask\nclass Own(Flask): pass\nclass Other(Own): pass\napp = Other(__name__)",
        "from flask import Flask\ndef create():\n    made = Flask(__name__)\n    return made\napp = create()",
        "from flask import Flask\ndef create() -> 'Flask': ...\napp = create()",
        "from flask import Flask\nfirst = Flask(__name__)\napp = first",
        "from flask import Flask\ntry:\n    app = Flask(__name__)\nexcept Exception:\n    app = None",
        "from somewhere import OwnFlask\napp = OwnFlask(__name__)",
        "from flask import Blueprint\napp = Blueprint('b', __name__)",
        "from flask_restx import Namespace\napp = Namespace('n')",
    ],
)
def test_an_app_is_known_however_it_is_made(tmp_path: Path, made: str) -> None:
    assert handlers(tmp_path, f"{made}\nPATH = '/'\n\n@app.route(PATH)\ndef index(): ...\n") == ["index"]


@pytest.mark.parametrize(
    "source",
    [
        "import requests\n@requests.get('/')\ndef f(): ...",
        "from bottle import Bottle\napp = Bottle()\n@app.route('/')\ndef f(): ...",
        "from sanic import Blueprint\nbp = Blueprint('x')\n@bp.get('/')\ndef f(): ...",
        "@client.get('/videos')\ndef f(): ...",
        "@mock.route('/videos')\ndef f(): ...",
        "@cache.get('videos')\ndef f(): ...",
        "@registry.route(key)\ndef f(): ...",
        "@registry.register('/videos')\ndef f(): ...",
        "@property\ndef get(self): ...",
        "def f():\n    '''\n    @app.route('/')\n    def g(): ...\n    '''",
        "from flask import Flask\napp = Flask('x')\n@app.errorhandler(404)\ndef f(error): ...",
        "from flask import Flask\napp = Flask('x')\n@app.before_request\ndef f(): ...",
        "from flask import Flask\napp = Flask('x')\n@app.cli.command('x')\ndef f(): ...",
        "from flask import Flask\napp = Flask('x')\napp.add_url_rule('/s/<path:p>', 'static', build_only=True)",
        "from flask import Flask\napp = Flask('x')\ndef register(view): app.add_url_rule('/x', view_func=view)",
        "class Own(Base):\n    def add_url_rule(self, rule, view): super().add_url_rule(rule, view_func=view)",
    ],
)
def test_what_only_looks_like_a_handler_is_not_listed(tmp_path: Path, source: str) -> None:
    assert handlers(tmp_path, source) == []


@pytest.mark.parametrize(
    "source",
    [
        "def register(app):\n    @app.route('/x')\n    def f(): ...",
        "def register(bp):\n    @bp.route('', methods=['POST'])\n    def f(): ...",
        "from elsewhere import api\n@api.get('/x')\ndef f(): ...",
    ],
)
def test_a_receiver_that_cannot_be_identified_counts_by_the_shape_of_its_decorator(tmp_path: Path, source: str) -> None:
    assert handlers(tmp_path, source) == ["f"]


def test_a_local_name_hides_the_app_of_the_module(tmp_path: Path) -> None:
    source = """\
        from bottle import Bottle
        from flask import Flask
        app = Flask(__name__)

        def other():
            app = Bottle()
            @app.route("/")
            def hidden(): ...
        """
    assert handlers(tmp_path, source) == []


def test_classes_of_views(tmp_path: Path) -> None:
    source = """\
        from flask import Blueprint, Flask
        from flask.views import MethodView, View
        from flask_restful import Api, Resource

        app = Flask(__name__)
        api = Api(app)


        class Videos(MethodView):
            def get(self): ...
            def post(self): ...


        class Page(View):
            def dispatch_request(self): ...


        class Artist(Resource):
            def delete(self, pk): ...


        class Own(Videos):
            pass


        app.add_url_rule("/videos", view_func=Videos.as_view("videos"))
        page = Page.as_view("page")
        app.add_url_rule("/page", view_func=page)
        api.add_resource(Artist, "/artists/<pk>", "/a/<pk>")
        app.add_url_rule("/own", view_func=login_required(Own.as_view("own")))
        """
    assert listed(tmp_path, source) == [
        "app.py:9:1 Videos (GET, POST /videos)",
        "app.py:14:1 Page (/page)",
        "app.py:18:1 Artist (DELETE /artists/<pk>; DELETE /a/<pk>)",
        "app.py:22:1 Own (GET, POST /own)",
    ]


def test_views_of_flask_appbuilder_and_flask_admin(tmp_path: Path) -> None:
    source = """\
        from flask_appbuilder import BaseView, expose

        class Reports(BaseView):
            @expose("/weekly", methods=["POST"])
            @has_access
            def weekly(self): ...

            @expose()
            def index(self): ...
        """
    assert listed(tmp_path, source) == [
        "app.py:6:5 Reports.weekly (POST /weekly)",
        "app.py:9:5 Reports.index (GET '')",
    ]


def test_a_handler_in_another_file_is_shown_where_it_is_defined(tmp_path: Path) -> None:
    files = {
        "shop/__init__.py": "",
        "shop/app.py": "from flask import Flask\nfrom . import views\nfrom .api import search, Videos\n"
        "app = Flask(__name__)\n"
        "app.add_url_rule('/', view_func=views.index)\n"
        "app.add_url_rule('/search', view_func=search)\n"
        "app.add_url_rule('/videos', view_func=Videos.as_view('v'))\n",
        "shop/views.py": "def index():\n    return ''\n",
        "shop/api/__init__.py": "from .searching import search\nfrom shop.api.videos import *\n",
        "shop/api/searching.py": "\n\ndef search(): ...\n",
        "shop/api/videos.py": "class Videos:\n    def get(self): ...\n",
    }
    assert listed(tmp_path, files) == [
        "shop/api/searching.py:3:1 search (GET /search)",
        "shop/api/videos.py:1:1 Videos (GET /videos)",
        "shop/views.py:1:1 index (GET /)",
    ]


def test_an_app_of_another_file(tmp_path: Path) -> None:
    files = {
        "src/web.py": "from flask import Flask\napp = Flask(__name__)\n",
        "src/views.py": "from web import app\nimport web\n"
        "@app.route(PATH)\ndef one(): ...\n@web.app.route(PATH)\ndef two(): ...\n",
        "tools/views.py": "from bottles import app\n@app.route(PATH)\ndef three(): ...\n",
    }
    assert handlers(tmp_path, files) == ["one", "two"]


def test_a_file_named_like_a_framework_is_not_taken_for_it(tmp_path: Path) -> None:
    files = {
        "web/flask.py": "class Flask: ...\n",
        "web/app.py": "from flask import Flask\napp = Flask(__name__)\n@app.route(PATH)\ndef index(): ...\n",
    }
    assert handlers(tmp_path, files) == ["index"]


def test_an_app_that_an_object_holds(tmp_path: Path) -> None:
    source = """\
        from flask import Flask

        class Server:
            def __init__(self):
                self.app = Flask(__name__)
                self.app.add_url_rule("/x", view_func=self.answer)

            def answer(self): ...

        server = Server()

        @server.app.route(PATH)
        def index(): ...
        """
    assert handlers(tmp_path, source) == ["Server.answer", "index"]


def test_handlers_through_wrappers_and_factories(tmp_path: Path) -> None:
    source = """\
        from flask import Flask
        from functools import partial

        app = Flask(__name__)

        def wrapped(): ...
        def wrapped_twice(): ...
        def bound(kind): ...

        def make(kind):
            def made(): ...
            return made

        app.add_url_rule("/1", view_func=login_required(wrapped))
        app.add_url_rule("/2", view_func=cached(60)(login_required(wrapped_twice)))
        app.add_url_rule("/3", view_func=partial(bound, "x"))
        app.add_url_rule("/4", view_func=make(5))
        app.route("/5")(wrapped)
        """
    assert listed(tmp_path, source) == [
        "app.py:6:1 wrapped (GET /1; GET /5)",
        "app.py:7:1 wrapped_twice (GET /2)",
        "app.py:8:1 bound (GET /3)",
        "app.py:11:5 made (GET /4)",
    ]
