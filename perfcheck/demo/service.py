"""The service without HTTP: a path and a query string in, a status and an answer out."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from time import perf_counter
from typing import TYPE_CHECKING

from perfcheck.demo import core, universal, videos
from perfcheck.demo.api import Answer, Call, Parameters, RefusedError
from perfcheck.demo.database import Database
from perfcheck.demo.faults import Faults
from perfcheck.demo.regressions import Regression

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_ECHO = 80


@dataclass(frozen=True, slots=True)
class Route:
    handler: Callable[[Call], Answer]
    parameters: tuple[str, ...] = ()


ROUTES = {
    "/api/videos/": Route(videos.list_videos, ("sort", "order", "limit", "offset")),
    "/api/videos/search": Route(videos.search_videos, ("q", "status", "sort", "order", "limit", "offset")),
    "/api/videos/universal-search": Route(universal.search_everything, ("q", "limit")),
    "/api/settings/": Route(core.settings),
    "/api/artists/": Route(core.list_artists, ("limit", "offset")),
    "/api/health": Route(core.health),
}


@dataclass(frozen=True, slots=True)
class Reply:
    status: HTTPStatus
    answer: Answer
    queries: int = 0


class Service:
    """The routes over one database, with what goes wrong in them."""

    def __init__(self, *, regressions: frozenset[Regression], round_trip_ms: float, seed: int) -> None:
        self._regressions = regressions
        self._database = Database(seed, round_trip_ms, tag_index=Regression.MISSING_INDEX not in regressions)
        self._faults = Faults(regressions, seed)

    def prepare(self) -> None:
        """Do now what would otherwise be done at the first request."""
        self._database.prepare()

    def close(self) -> None:
        self._database.close()

    def hangs(self, path: str) -> bool:
        """Whether a request for this path is never to be answered."""
        return self._faults.hangs(path)

    def get(self, path: str, query: str) -> Reply:
        """What a GET request is answered. Never raises for what a client sent."""
        try:
            route = _route(path)
            parameters = Parameters(query, route.parameters)
            self._faults.before(path)
            started_s = perf_counter()
            with self._database.session() as session:
                answer = route.handler(Call(parameters, session, self._regressions))
                self._faults.after(path, perf_counter() - started_s)
                return Reply(HTTPStatus.OK, answer, session.queries)
        except RefusedError as refused:
            return refusal(refused.status, refused.message)


def refusal(status: HTTPStatus, message: str) -> Reply:
    """The answer that tells a client what is wrong."""
    return Reply(status, {"error": status.phrase, "message": message})


def _route(path: str) -> Route:
    try:
        return ROUTES[path]
    except KeyError:
        message = f"nothing at {path[:_LONGEST_ECHO]}: there are {', '.join(ROUTES)}"
        raise RefusedError(HTTPStatus.NOT_FOUND, message) from None
