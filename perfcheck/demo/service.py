"""The service without HTTP: a request in, a status and a JSON object or a page out; with its faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from http import HTTPStatus
from random import Random
from threading import Lock
from time import perf_counter, sleep

from perfcheck.demo import (
    DEFAULT_RATE_LIMIT,
    DEFAULT_ROUND_TRIP_MS,
    DEFAULT_SEED,
    DEFAULT_TOKEN_LIFETIME_S,
    Regression,
    handlers,
    lookups,
)
from perfcheck.demo.call import MOST_DIGITS, ApiRequest, Call, Headers, JsonObject, Parameters, RefusedError, Reply
from perfcheck.demo.database import Database
from perfcheck.demo.members import MEMBER_ROUTES, MEMBERS_PATH, MemberCall, Members
from perfcheck.demo.pages import ACCOUNT_ROUTES, PAGE_ROUTES

_LONGEST_ECHO = 80
_SEARCH = "/api/videos/search"
_UNIVERSAL_SEARCH = "/api/videos/universal-search"
_SETTINGS = "/api/settings/"
_HEALTH = "/api/health"

_RouteHandler = Callable[[Call], JsonObject]

# The handler of each route of the catalogue, and the parameters that it takes in the query.
ROUTES: dict[str, tuple[_RouteHandler, tuple[str, ...]]] = {
    "/api/videos/": (handlers.list_videos, ("sort", "order", "limit", "offset")),
    _SEARCH: (handlers.search_videos, ("q", "status", "sort", "order", "limit", "offset")),
    _UNIVERSAL_SEARCH: (handlers.search_everything, ("q", "limit")),
    _SETTINGS: (handlers.settings, ()),
    "/api/artists/": (handlers.list_artists, ("limit", "offset")),
    _HEALTH: (handlers.health, ()),
    "/api/videos/{id}": (lookups.get_video, ()),
    "/api/artists/{id}": (lookups.get_artist, ()),
    "/api/labels/": (lookups.list_labels, ()),
    "/api/labels/{id}": (lookups.get_label, ()),
    "/api/tags/": (lookups.list_tags, ()),
}
_OTHER_ROUTES = MEMBER_ROUTES | PAGE_ROUTES | ACCOUNT_ROUTES


def route_of(path: str) -> tuple[str | None, int | None]:
    """The route that a path reaches, and the id in it; None for neither."""
    folder, _, last = path.rpartition("/")
    route = f"{folder}/{{id}}"
    if _is_route(route) and last.isascii() and last.isdigit() and len(last) <= MOST_DIGITS:
        return route, int(last)
    return (path, None) if _is_route(path) and path != route else (None, None)


def methods_of(route: str | None) -> tuple[str, ...]:
    methods = ("GET",) if route in ROUTES else tuple(_OTHER_ROUTES.get(route or "", ()))
    return (*methods, "HEAD") if "GET" in methods else methods


def _is_route(text: str) -> bool:
    return text in ROUTES or text in _OTHER_ROUTES


# Regressions that are not in a query wait or fail. Settings take about 13 ms by themselves. With this they lie between
# 1.5x and 2x of a target of 100 ms, far enough from both that the jitter of three queries crosses neither.
_CONFIGURATION_SERVICE_S = 0.160
_LOCK_S = 0.150
_SLOWER_BY = 0.15
_SHARE_WAITING_FOR_LOCK = 1 / 8
_FAILS_EVERY = 5  # counted, not drawn: exactly one in five, in every run


class SampleService:
    """The routes over one database, with the regressions that were chosen. Raises ValueError for an unknown one."""

    def __init__(
        self,
        *,
        regressions: Iterable[str] = (),
        round_trip_ms: float = DEFAULT_ROUND_TRIP_MS,
        seed: int = DEFAULT_SEED,
        token_lifetime_s: float = DEFAULT_TOKEN_LIFETIME_S,
        rate_limit: int = DEFAULT_RATE_LIMIT,
    ) -> None:
        self._regressions = frozenset(Regression(name) for name in regressions)
        self._database = Database(seed, round_trip_ms, tag_index=Regression.MISSING_INDEX not in self._regressions)
        self._members = Members(token_lifetime_s, rate_limit)
        self._random = Random(seed)  # noqa: S311 - jitter, not secrets
        self._searches = 0
        self._counting = Lock()

    def prepare(self) -> None:
        """Build the database now instead of at the first request."""
        self._database.prepare()

    def close(self) -> None:
        self._database.close()

    def hangs(self, path: str) -> bool:
        """Whether a request for this path never gets a response."""
        return path == _UNIVERSAL_SEARCH and Regression.HANG in self._regressions

    def answer(self, request: ApiRequest) -> Reply:
        """The reply to any request. Never raises because of what a client sent."""
        route, identifier = route_of(request.path)
        methods = methods_of(route)
        if route is not None and request.method not in methods:
            allowed = ", ".join(methods)
            message = f"{request.method} is not allowed here, only {allowed}"
            return refusal(HTTPStatus.METHOD_NOT_ALLOWED, message, (("Allow", allowed),))
        if route not in _OTHER_ROUTES:
            return self.get(request.path, request.query)
        try:
            with self._database.session() as session:
                handler = _OTHER_ROUTES[route]["GET" if request.method == "HEAD" else request.method]
                reply = handler(MemberCall(request, self._members, session, self._regressions, identifier))
                return replace(reply, queries=session.queries)
        except RefusedError as refused:
            return refused.reply

    def get(self, path: str, query: str) -> Reply:
        """The reply to a GET request for the catalogue. Never raises because of what a client sent."""
        try:
            route, identifier = route_of(path)
            if route is None:
                message = (
                    f"nothing at {path[:_LONGEST_ECHO]}; known paths: {', '.join(ROUTES)}; with a login: {MEMBERS_PATH}"
                )
                return refusal(HTTPStatus.NOT_FOUND, message)
            handler, known = ROUTES[route]
            parameters = Parameters(query, known)
            self._inject_before(path)
            started_s = perf_counter()
            with self._database.session() as session:
                body = handler(Call(parameters, session, self._regressions, identifier))
                if path == _SEARCH and Regression.SLOWER_SEARCH in self._regressions:
                    sleep(_SLOWER_BY * (perf_counter() - started_s))
                return Reply(HTTPStatus.OK, body, session.queries)
        except RefusedError as refused:
            return refused.reply

    def _inject_before(self, path: str) -> None:
        """Wait, or raise RefusedError (500), as the regressions have it before the handler runs."""
        if path == _SETTINGS and Regression.SLOW_SETTINGS in self._regressions:
            sleep(_CONFIGURATION_SERVICE_S)
        waits = path == _HEALTH and Regression.SLOW_TAIL in self._regressions
        if waits and self._random.random() < _SHARE_WAITING_FOR_LOCK:
            sleep(_LOCK_S)
        if path == _SEARCH and Regression.ERRORS in self._regressions:
            with self._counting:
                self._searches += 1
                fails = self._searches % _FAILS_EVERY == 0
            if fails:
                raise RefusedError(HTTPStatus.INTERNAL_SERVER_ERROR, "the search index did not respond")


def refusal(status: HTTPStatus, message: str, headers: Headers = ()) -> Reply:
    """The reply that explains to a client what is wrong."""
    return RefusedError(status, message, headers).reply
