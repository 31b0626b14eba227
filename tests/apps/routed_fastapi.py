"""A FastAPI application with routes that are easily mistaken for one another, and which route each request reaches.

Unlike Flask's, this router takes the first route that fits.
"""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from perfcheck.monitor import fastapi as monitor
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
    "GET /api/videos/7": "GET /api/videos/{video_id:int}",
    "HEAD /api/videos/7": "HEAD /api/videos/{video_id:int}",
    "PUT /api/videos/7": "PUT /api/videos/{video_id}",
    "DELETE /api/videos/7": "DELETE /api/videos/{video_id}",
    "PATCH /api/videos/7": "PATCH /api/videos/{video_id:int}",  # 405, by the first route that fits
    "GET /api/videos/seven": "GET /api/videos/{slug}",
    "GET /api/videos/de-7": "GET /api/videos/{slug}",  # registered before {lang}-{number}
    "GET /api/videos/7/comments": "GET /api/videos/{video_id}/comments",
    "POST /api/videos/7/comments": "POST /api/videos/{video_id}/comments",
    f"GET /api/videos/7/comments/{COMMENT}": "GET /api/videos/{video_id}/comments/{comment_id:uuid}",
    "GET /api/videos/7/comments/first": None,
    "GET /api/scores/0.5": "GET /api/scores/{score:float}",
    "GET /api/v2/artists/": "GET /api/v2/artists/",
    "GET /api/v2/artists/7": "GET /api/v2/artists/{artist_id}",
    "GET /api/v2/artists/top": "GET /api/v2/artists/{artist_id}",  # registered before top
    "GET /api/v2/artists/7/albums/first": "GET /api/v2/artists/{artist_id}/albums/first",
    "GET /api/v2/artists/7/albums/9": "GET /api/v2/artists/{artist_id}/albums/{album_id}",
    "GET /form": "GET /form",
    "POST /form": "POST /form",
    "GET /files/a/b/c.txt": "GET /files/{name:path}",
    "GET /files/søk og finn": "GET /files/{name:path}",
    "GET /files/index.html": "GET /files/index.html",
    "GET /files/probe": "GET /files/{name:path}",
    "HEAD /files/probe": "HEAD /files/probe",
    "GET /plain/7": "GET /plain/{number:int}",
    "GET /plain/pages": "GET /plain/pages",
    "GET /endpoint": "GET /endpoint",
    "POST /endpoint": "POST /endpoint",
    "GET /included/plain/7": "GET /included/plain/{number}",
    "GET /static/routed_fastapi.py": "GET /static/*",
    "GET /raw/anything": "GET /raw/*",
    "GET /sub/inner/7": "GET /sub/inner/{z}",
    "GET /sub/deep/er/7": "GET /sub/deep/er/{z:int}",
    "GET /shop/acme/items/7": "GET /shop/{tenant}/items/{item_id}",
    "GET /shop/acme/items/sale": "GET /shop/{tenant}/items/sale",
    "GET /shop/acme/plain": "GET /shop/{tenant}/plain",
    "GET /wrapped/inner/7": "GET /wrapped/inner/{z}",
    "GET /openapi.json": "GET /openapi.json",
    "GET /missing": None,
}


async def plain(_: Request) -> PlainTextResponse:
    return PlainTextResponse("plain")


class Endpoint(HTTPEndpoint):
    async def get(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse("got")

    async def post(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse("posted")


class Passing(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


def create_app() -> FastAPI:
    app = FastAPI()
    monitor.init_app(app)
    app.include_router(_videos(), prefix="/api")
    app.include_router(_artists(), prefix="/api/v2")
    app.include_router(_plain(), prefix="/included")
    app.add_middleware(Passing)

    @app.get("/")
    async def start() -> str:
        return "start"

    @app.api_route("/form", methods=["GET", "POST"], include_in_schema=False)
    async def form() -> str:
        return "form"

    @app.get("/files/index.html")
    async def index() -> str:
        return "index"

    @app.head("/files/probe")
    async def probe() -> None:
        pass

    @app.get("/files/{name:path}")
    async def file(name: str) -> str:
        return name

    app.add_route("/plain/{number:int}", plain)
    app.add_route("/plain/pages", plain)
    app.add_route("/endpoint", Endpoint)  # type: ignore[arg-type] # classes are taken, too
    app.mount("/static", StaticFiles(directory=Path(__file__).parent))
    app.mount("/raw", PlainTextResponse("raw"))
    app.mount("/sub", Starlette(routes=[Route("/inner/{z}", plain), Mount("/deep", routes=_deep())]))
    app.mount("/shop/{tenant}", _shop())
    app.mount("/wrapped", Passing(Starlette(routes=[Route("/inner/{z}", plain)])))
    return app


def _deep() -> list[Route]:
    return [Route("/er/{z:int}", plain)]


def _videos() -> APIRouter:
    """With a router inside that has a prefix of its own."""
    videos = APIRouter(prefix="/videos")

    @videos.get("/")
    async def list_all() -> str:
        return "all"

    @videos.post("/")
    async def create() -> str:
        return "created"

    @videos.get("/search")
    async def search() -> str:
        return "search"

    @videos.get("/latest")
    @monitor_performance("videos.latest")
    async def latest() -> str:
        return "latest"

    @videos.api_route("/{video_id:int}", methods=["GET", "HEAD"], include_in_schema=False)
    async def video(video_id: int) -> str:
        return f"{video_id}"

    @videos.get("/{slug}")
    async def by_slug(slug: str) -> str:
        return slug

    @videos.get("/{lang}-{number:int}")
    async def translated(lang: str, number: int) -> str:
        return f"{lang} {number}"

    @videos.put("/{video_id}")
    async def replace(video_id: int) -> str:
        return f"{video_id}"

    @videos.delete("/{video_id}")
    async def delete(video_id: int) -> str:
        return f"{video_id}"

    outer = APIRouter()
    outer.include_router(videos)
    outer.include_router(_comments(), prefix="/videos/{video_id}/comments")

    @outer.get("/scores/{score:float}")
    async def score(score: float) -> str:
        return f"{score}"

    return outer


def _comments() -> APIRouter:
    comments = APIRouter()

    @comments.get("")
    async def comments_of(video_id: int) -> str:
        return f"{video_id}"

    @comments.post("")
    async def add_comment(video_id: int) -> str:
        return f"{video_id}"

    @comments.get("/{comment_id:uuid}")
    async def comment(video_id: int, comment_id: UUID) -> str:
        return f"{video_id} {comment_id}"

    return comments


def _artists() -> APIRouter:
    artists = APIRouter(prefix="/artists")

    @artists.get("/")
    def all_artists() -> str:
        return "all"

    @artists.get("/{artist_id}")
    def artist(artist_id: str) -> str:
        return artist_id

    @artists.get("/top")
    def top() -> str:
        return "never reached"

    @artists.get("/{artist_id}/albums/first")
    def first_album(artist_id: str) -> str:
        return artist_id

    @artists.get("/{artist_id}/albums/{album_id}")
    def album(artist_id: str, album_id: int) -> str:
        return f"{artist_id} {album_id}"

    return artists


def _plain() -> APIRouter:
    """A route of Starlette's own in a router that is included."""
    router = APIRouter()
    router.add_route("/plain/{number}", plain)
    return router


def _shop() -> FastAPI:
    """An application of its own, mounted."""
    shop = FastAPI(openapi_url=None)

    @shop.get("/items/sale")
    async def sale(tenant: str) -> str:
        return tenant

    @shop.get("/items/{item_id}")
    async def item(tenant: str, item_id: int) -> str:
        return f"{tenant} {item_id}"

    shop.add_route("/plain", plain)
    return shop
