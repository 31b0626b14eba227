"""The pages of the sample service: newest videos, a search, a video, a login, an account; and the files they load."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from http import HTTPStatus
from pathlib import Path
from time import sleep
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from perfcheck.demo import Regression
from perfcheck.demo.call import Call, Headers, Parameters, RefusedError, Reply, fields
from perfcheck.demo.catalogue import VIDEOS
from perfcheck.demo.handlers import list_videos, search_videos
from perfcheck.demo.logins import PASSWORD, USER, open_session
from perfcheck.demo.lookups import get_video
from perfcheck.demo.members import MemberCall, Routes, favourites_of
from perfcheck.demo.posters import draw_poster

if TYPE_CHECKING:
    from jinja2 import Environment

_ACCOUNT_PATH = "/account"
_LOGIN_PATH = "/login"
_VIDEOS_A_PAGE = 24
_TAG_MANAGER_S = 0.8
_TEMPLATES = Path(__file__).parent / "templates"
_TYPES = {".css": "text/css", ".js": "text/javascript"}
_CACHED = ("Cache-Control", "public, max-age=3600")


# --- Pages -----------------------------------------------------------------------------------------------------------


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - the API does without it

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _render(
    call: MemberCall, template: str, *, status: HTTPStatus = HTTPStatus.OK, headers: Headers = (), **context: object
) -> Reply:
    context |= {"blocks_rendering": Regression.RENDER_BLOCKING in call.regressions}
    text = _environment().get_template(template).render(context)
    return _reply(text.encode(), "text/html; charset=utf-8", *headers, status=status)


def _reply(page: bytes, content_type: str, *headers: tuple[str, str], status: HTTPStatus = HTTPStatus.OK) -> Reply:
    return Reply(status, None, headers=(("Content-Type", content_type), *headers), page=page)


def _redirect(path: str, headers: Headers = ()) -> Reply:
    return Reply(HTTPStatus.SEE_OTHER, None, headers=(("Location", path), *headers), page=b"")


def _with_error_page(handler: Callable[[MemberCall], Reply]) -> Callable[[MemberCall], Reply]:
    """A refusal is a page, too."""

    @wraps(handler)
    def page(call: MemberCall) -> Reply:
        try:
            return handler(call)
        except RefusedError as refused:
            status = refused.reply.status
            return _render(call, "error.html.j2", status=status, phrase=status.phrase, message=str(refused))

    return page


def _catalogue_call(call: MemberCall, **parameters: object) -> Call:
    """For a handler of the API, where a page has its data from. Regressions of the API stay there."""
    return Call(Parameters(urlencode(parameters), parameters), call.session, frozenset(), call.identifier)


def newest_videos(call: MemberCall) -> Reply:
    newest = list_videos(_catalogue_call(call, sort="created_at", order="desc", limit=_VIDEOS_A_PAGE))
    return _render(call, "videos.html.j2", title="Newest videos", videos=newest["videos"], total=newest["total"])


@_with_error_page
def search_page(call: MemberCall) -> Reply:
    text = dict(fields(call.request.query)).get("q", "")
    found = search_videos(_catalogue_call(call, q=text, limit=_VIDEOS_A_PAGE))
    title = f"Videos for \N{LEFT DOUBLE QUOTATION MARK}{found['query']}\N{RIGHT DOUBLE QUOTATION MARK}"
    return _render(
        call, "videos.html.j2", title=title, query=found["query"], videos=found["videos"], total=found["total"]
    )


@_with_error_page
def video_page(call: MemberCall) -> Reply:
    return _render(call, "video.html.j2", **get_video(_catalogue_call(call)))


def login_form(call: MemberCall) -> Reply:
    return _render(call, "login.html.j2", user=USER, password=PASSWORD, is_wrong=False)


@_with_error_page
def send_login(call: MemberCall) -> Reply:
    """Sets the cookie of the session, and redirects to the account."""
    given = dict(fields(call.request.body, "the form"))
    try:
        _, headers = open_session(call.members.tokens, given)
    except RefusedError as refused:
        status = refused.reply.status
        return _render(call, "login.html.j2", status=status, user=USER, password=PASSWORD, is_wrong=True)
    return _redirect(_ACCOUNT_PATH, headers)


def account_page(call: MemberCall) -> Reply:
    """Redirects to the login without a session."""
    try:
        favourites = favourites_of(call)
    except RefusedError:
        return _redirect(_LOGIN_PATH)
    videos = [favourite["video"] for favourite in favourites]
    return _render(call, "account.html.j2", headers=(("Cache-Control", "no-store"),), user=USER, videos=videos)


# --- What pages load -------------------------------------------------------------------------------------------------


def static_file(call: MemberCall) -> Reply:
    return _file(call.request.path, _CACHED)


def consent_script(call: MemberCall) -> Reply:
    """As a tag manager would serve it: slowly with the regression, and never from a cache."""
    if Regression.RENDER_BLOCKING in call.regressions:
        sleep(_TAG_MANAGER_S)
    return _file(call.request.path, ("Cache-Control", "no-store"))


def _file(path: str, caching: tuple[str, str]) -> Reply:
    """``path`` is that of a route, and so of a file that exists."""
    file = _TEMPLATES / path.rpartition("/")[2]
    return _reply(file.read_bytes(), _TYPES[file.suffix], caching)


@_with_error_page
def poster(call: MemberCall) -> Reply:
    number = call.identifier or 0
    if not 1 <= number <= VIDEOS:
        raise RefusedError(HTTPStatus.NOT_FOUND, f"no video has the id {number}")
    return _reply(draw_poster(number), "image/svg+xml", _CACHED)


PAGE_ROUTES: Routes = {  # for everyone
    "/": {"GET": newest_videos},
    "/search": {"GET": search_page},
    "/watch/{id}": {"GET": video_page},
    "/static/posters/{id}": {"GET": poster},
    "/static/catalogue.css": {"GET": static_file},
    "/static/catalogue.js": {"GET": static_file},
    "/static/consent.js": {"GET": consent_script},
}
ACCOUNT_ROUTES: Routes = {_LOGIN_PATH: {"GET": login_form, "POST": send_login}, _ACCOUNT_PATH: {"GET": account_page}}
