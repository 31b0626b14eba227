"""A Flask application with routes that are easily mistaken for one another, and which route each request reaches."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Flask
from flask.views import MethodView, View
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.routing import BaseConverter

from perfcheck.monitor import flask as monitor
from perfcheck.monitor import monitor_performance

COMMENT = "6f1f0a52-5b67-4b6e-9a37-2f8e7e9d2f10"
# Request -> the name under which it is counted; None: no route, or not for this method.
REQUESTS: dict[str, str | None] = {
    "GET /": "GET /",
    "GET /api/videos/": "GET /api/videos/",
    "GET /api/videos": "GET /api/videos/",  # by way of a redirect
    "POST /api/videos/": "POST /api/videos/",
    "GET /api/videos/search": "GET /api/videos/search",
    "GET /api/videos/latest": "videos.latest",
    "GET /api/videos/7": "GET /api/videos/<int:video_id>",
    "HEAD /api/videos/7": "HEAD /api/videos/<int:video_id>",
    "PUT /api/videos/7": "PUT /api/videos/<int:video_id>",
    "DELETE /api/videos/7": "DELETE /api/videos/<int:video_id>",
    "PATCH /api/videos/7": None,
    "GET /api/videos/-7": "GET /api/videos/<slug>",
    "GET /api/videos/seven": "GET /api/videos/<slug>",
    "GET /api/videos/de-7": "GET /api/videos/<lang>-<int:number>",
    "GET /api/videos/7/comments/": "GET /api/videos/<int:video_id>/comments/",
    "POST /api/videos/7/comments/": "POST /api/videos/<int:video_id>/comments/",
    f"GET /api/videos/7/comments/{COMMENT}": "GET /api/videos/<int:video_id>/comments/<uuid:comment_id>",
    "GET /api/videos/7/comments/first": None,
    "GET /api/videos/hd/preview": "GET /api/videos/<any(hd, sd):quality>/preview",
    "GET /api/videos/4k/preview": None,
    "GET /api/videos/0.5/near": "GET /api/videos/<float:score>/near",
    "GET /api/artists/": "GET /api/artists/",
    "POST /api/artists/": "POST /api/artists/",
    "GET /api/artists/7": "GET /api/artists/<int:artist_id>",
    "PUT /api/artists/7": "PUT /api/artists/<int:artist_id>",
    "GET /api/artists/top": "artists.top.get",
    "GET /api/health": "GET /api/health",
    "GET /files/a/b/c.txt": "GET /files/<path:name>",
    "GET /files/søk og finn": "GET /files/<path:name>",
    "GET /files/a/b/c.txt/raw": "GET /files/<path:name>/raw",
    "GET /files/index.html": "GET /files/index.html",
    "HEAD /files/probe": "HEAD /files/probe",
    "GET /files/probe": "GET /files/<path:name>",
    "GET /form": "GET /form",
    "POST /form": "POST /form",
    "OPTIONS /cors": "OPTIONS /cors",
    "GET /admin/users/me": "GET /admin/users/me",
    "GET /admin/users/melanie": "GET /admin/users/<username>",
    "GET /pages/": "GET /pages/",
    "GET /pages/2": "GET /pages/<int:page>",
    "GET /reports/2026": "GET /reports/<year:year>",
    "GET /reports/latest": "GET /reports/<name>",
    "GET /loose/": "GET /loose",
    "GET /shop/": "GET /shop/",
    "GET /shop/items/7": "GET /shop/items/<int:item_id>",
    "GET /shop/items/sale": "GET /shop/items/sale",
    "GET /missing": None,
}


class YearConverter(BaseConverter):
    regex = r"\d{4}"
    weight = 50  # before any text


def create_app() -> Flask:
    app = Flask("routed")
    app.url_map.converters["year"] = YearConverter
    app.register_blueprint(_videos(), url_prefix="/api/videos")
    app.register_blueprint(_files(), url_prefix="/files")
    app.register_blueprint(_admin(), url_prefix="/admin")
    app.add_url_rule("/api/artists/", view_func=Artists.as_view("artists"))
    app.add_url_rule("/api/artists/<int:artist_id>", view_func=Artist.as_view("artist"))
    app.add_url_rule("/api/artists/top", view_func=TopArtists.as_view("top"))
    app.add_url_rule("/api/health", view_func=Health.as_view("health"))

    @app.get("/")
    def start() -> str:
        return "start"

    @app.route("/form", methods=["GET", "POST"])
    def form() -> str:
        return "form"

    @app.route("/cors", methods=["OPTIONS"], provide_automatic_options=False)
    def cors() -> str:
        return ""

    @app.get("/pages/", defaults={"page": 1})
    @app.get("/pages/<int:page>")
    def page(page: int) -> str:
        return f"page {page}"

    @app.get("/reports/<name>")
    def report(name: str) -> str:
        return name

    @app.get("/reports/<year:year>")
    def report_of_year(year: str) -> str:
        return year

    @app.get("/loose", strict_slashes=False)
    def loose() -> str:
        return "loose"

    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/shop": _shop()})  # type: ignore[method-assign]
    monitor.init_app(app)  # around the shop, too
    return app


def _videos() -> Blueprint:
    videos = Blueprint("videos", __name__)

    @videos.get("/<slug>")
    def by_slug(slug: str) -> str:
        return slug

    @videos.get("/<lang>-<int:number>")
    def translated(lang: str, number: int) -> str:
        return f"{lang} {number}"

    @videos.get("/<int:video_id>")
    def video(video_id: int) -> str:
        return f"{video_id}"

    @videos.put("/<int:video_id>")
    def replace(video_id: int) -> str:
        return f"{video_id}"

    @videos.delete("/<int:video_id>")
    def delete(video_id: int) -> str:
        return f"{video_id}"

    @videos.get("/search")
    def search() -> str:
        return "search"

    @videos.get("/latest")
    @monitor_performance("videos.latest")
    def latest() -> str:
        return "latest"

    @videos.get("/")
    def list_all() -> str:
        return "all"

    @videos.post("/")
    def create() -> str:
        return "created"

    @videos.route("/<int:video_id>/comments/", methods=["GET", "POST"])
    def comments(video_id: int) -> str:
        return f"{video_id}"

    @videos.get("/<int:video_id>/comments/<uuid:comment_id>")
    def comment(video_id: int, comment_id: UUID) -> str:
        return f"{video_id} {comment_id}"

    @videos.get("/<any(hd, sd):quality>/preview")
    def preview(quality: str) -> str:
        return quality

    @videos.get("/<float:score>/near")
    def near(score: float) -> str:
        return f"{score}"

    return videos


def _files() -> Blueprint:
    files = Blueprint("files", __name__)

    @files.get("/<path:name>")
    def file(name: str) -> str:
        return name

    @files.get("/<path:name>/raw")
    def raw(name: str) -> str:
        return name

    @files.get("/index.html")
    def index() -> str:
        return "index"

    @files.route("/probe", methods=["HEAD"])
    def probe() -> str:
        return ""

    return files


def _admin() -> Blueprint:
    """A blueprint within a blueprint."""
    admin, users = Blueprint("admin", __name__), Blueprint("users", __name__)

    @users.get("/<username>")
    def user(username: str) -> str:
        return username

    @users.get("/me")
    def me() -> str:
        return "me"

    admin.register_blueprint(users, url_prefix="/users")
    return admin


def _shop() -> Flask:
    """An application of its own, mounted."""
    shop = Flask("mounted", static_folder=None)

    @shop.get("/")
    def shop_start() -> str:
        return "shop"

    @shop.get("/items/<int:item_id>")
    def item(item_id: int) -> str:
        return f"{item_id}"

    @shop.get("/items/sale")
    def sale() -> str:
        return "sale"

    return shop


class Artists(MethodView):
    def get(self) -> str:
        return "all"

    def post(self) -> str:
        return "created"


class Artist(MethodView):
    def get(self, artist_id: int) -> str:
        return f"{artist_id}"

    def put(self, artist_id: int) -> str:
        return f"{artist_id}"

    def delete(self, artist_id: int) -> str:
        return f"{artist_id}"


@monitor_performance("artists.top")
class TopArtists(MethodView):
    def get(self) -> str:
        return "top"


class Health(View):
    def dispatch_request(self) -> str:
        return "healthy"
