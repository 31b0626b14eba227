"""What members have on top of the catalogue: an account, favourites, POST search, GraphQL, events, a limited route."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from threading import Lock
from time import monotonic, sleep
from typing import Any, TypeGuard
from urllib.parse import urlencode

from perfcheck.demo import Regression
from perfcheck.demo.call import ApiRequest, Call, JsonObject, Parameters, RefusedError, Reply, fields, json_object
from perfcheck.demo.catalogue import VIDEOS
from perfcheck.demo.database import QuerySession, as_set
from perfcheck.demo.demo_graphql import graphql_response
from perfcheck.demo.handlers import search_videos
from perfcheck.demo.logins import USER, AccessTokens, grant_token, log_in, log_out
from perfcheck.monitor.trace import span

MEMBERS_PATH = "/openapi-members.json"  # of their OpenAPI document
FAVOURITES_PATH = "/api/account/favourites/"
_MOST_FAVOURITES = 100
_RANKING_S = 0.020
_FIRST_EVENT_S = 0.015
_EVENT_S = 0.1
_TITLES = "SELECT id, title FROM videos WHERE id IN (SELECT value FROM json_each(?))"


class Members:
    """What the service remembers of its one member, in bounded memory."""

    def __init__(self, token_lifetime_s: float, rate_limit: int) -> None:
        self.tokens = AccessTokens(token_lifetime_s)
        self.favourites: dict[int, int] = {}  # id -> video; beyond a number of them, the oldest goes
        self._ids = count(1)
        self._rate = self._left = float(rate_limit)  # a token bucket that holds the requests of one second
        self._filled_s = monotonic()
        self._changing = Lock()

    def add_favourite(self, video: int) -> int:
        with self._changing:
            number = next(self._ids)
            self.favourites[number] = video
            if len(self.favourites) > _MOST_FAVOURITES:
                del self.favourites[next(iter(self.favourites))]
        return number

    def remove_favourite(self, number: int | None) -> bool:
        with self._changing:
            return number is not None and self.favourites.pop(number, None) is not None

    def within_limit(self) -> bool:
        with self._changing:
            now_s = monotonic()
            self._left = min(self._rate, self._left + self._rate * (now_s - self._filled_s))
            self._filled_s = now_s
            is_within = self._left >= 1
            self._left -= is_within
        return is_within


@dataclass(frozen=True, slots=True)
class MemberCall:
    """One request to one handler of members or of pages."""

    request: ApiRequest
    members: Members
    session: QuerySession
    regressions: frozenset[Regression]
    identifier: int | None = None  # of what the path names

    @property
    def is_wrong(self) -> bool:
        return Regression.WRONG_ANSWER in self.regressions


# --- Account and favourites ------------------------------------------------------------------------------------------


def get_account(call: MemberCall) -> Reply:
    call.members.tokens.of(call.request)
    name = {} if call.is_wrong else {"name": USER}
    return _ok({**name, "favourites": len(call.members.favourites)})


def list_favourites(call: MemberCall) -> Reply:
    shown = favourites_of(call)
    return _ok({"favourites": shown, "total": len(shown)})


def favourites_of(call: MemberCall) -> list[JsonObject]:
    """Each with its id and its video. Raises RefusedError (401) without a valid token."""
    call.members.tokens.of(call.request)
    favourites = call.members.favourites.copy()
    titles = call.session.pairs(_TITLES, as_set(favourites.values()))
    return [{"id": number, "video": {"id": video, "title": titles[video]}} for number, video in favourites.items()]


def add_favourite(call: MemberCall) -> Reply:
    call.members.tokens.of(call.request)
    video = json_object(call.request.body).get("video")
    if not _is_integer(video) or not 1 <= video <= VIDEOS:
        raise _wrong(f"video must be the id of one, from 1 to {VIDEOS}")
    number = call.members.add_favourite(video)
    location = f"{FAVOURITES_PATH}{number}"
    return Reply(HTTPStatus.CREATED, {"id": number, "video": video}, headers=(("Location", location),))


def remove_favourite(call: MemberCall) -> Reply:
    call.members.tokens.of(call.request)
    if not call.members.remove_favourite(call.identifier):
        raise RefusedError(HTTPStatus.NOT_FOUND, f"no favourite has the id {call.identifier}")
    return Reply(HTTPStatus.NO_CONTENT, None)


# --- POST search, GraphQL --------------------------------------------------------------------------------------------


def post_search(call: MemberCall) -> Reply:
    """``{"q": ..., "limit": ...}``: the video search, which only reads."""
    given = json_object(call.request.body)
    if not isinstance(given.get("q", ""), str) or not _is_integer(given.get("limit", 1)):
        raise _wrong("q must be a text, and limit a whole number")
    try:
        parameters = Parameters(urlencode(given), ("q", "limit"))
    except UnicodeEncodeError as error:  # half of a surrogate pair
        raise _wrong("q cannot be read") from error
    if Regression.SLOW_STEP in call.regressions:
        with span("ranking"):
            sleep(_RANKING_S)
    found = search_videos(Call(parameters, call.session, call.regressions))
    return _ok({**found, "videos": [], "total": 0, "statuses": {}} if call.is_wrong else found)


def graphql(call: MemberCall) -> Reply:
    """Always status 200 where there is a query: what is wrong with it stands in the errors."""
    given = json_object(call.request.body) if call.request.method == "POST" else _in_query(call.request.query)
    query, variables = given.get("query"), given.get("variables") or {}
    if not isinstance(query, str) or not isinstance(variables, dict):
        raise _wrong("query must be a text, and variables an object")
    response = graphql_response(call.session, query, variables)
    if call.is_wrong and "data" in response:
        data = dict.fromkeys(response["data"])
        response = {"data": data, "errors": [{"message": "the catalogue did not respond", "path": [*data][:1]}]}
    return _ok(response)


def _in_query(query: str) -> JsonObject:
    given: JsonObject = {name: value for name, value in fields(query) if value}
    return given | ({"variables": json_object(given["variables"], "variables")} if "variables" in given else {})


# --- Events, and a limit ---------------------------------------------------------------------------------------------


def stream_events(call: MemberCall) -> Reply:
    headers = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"))
    return Reply(HTTPStatus.OK, None, headers=headers, events=_events(is_wrong=call.is_wrong))


def _events(*, is_wrong: bool) -> Iterator[tuple[float, bytes]]:
    for number in count(1):
        kind, data = ("error", "the catalogue did not respond") if is_wrong and number == 1 else ("viewed", "a video")
        event = f"id: {number}\nevent: {kind}\ndata: {json.dumps({'message': data, 'number': number})}\n\n"
        yield _FIRST_EVENT_S if number == 1 else _EVENT_S, event.encode()


def get_limited(call: MemberCall) -> Reply:
    if not call.members.within_limit():
        message = "too many requests per second"
        raise RefusedError(HTTPStatus.TOO_MANY_REQUESTS, message, (("Retry-After", "1"),))
    return _ok({"status": "ok"})


def _ok(body: JsonObject) -> Reply:
    return Reply(HTTPStatus.OK, body)


def _is_integer(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _wrong(message: str) -> RefusedError:
    return RefusedError(HTTPStatus.BAD_REQUEST, message)


Routes = dict[str, dict[str, Callable[[MemberCall], Reply]]]  # the handler of each method of each route

MEMBER_ROUTES: Routes = {
    "/api/login": {"POST": lambda call: log_in(call.members.tokens, call.request)},
    "/oauth/token": {"POST": lambda call: grant_token(call.members.tokens, call.request)},
    "/api/logout": {"POST": lambda call: log_out(call.members.tokens, call.request)},
    "/api/account": {"GET": get_account},
    FAVOURITES_PATH: {"GET": list_favourites, "POST": add_favourite},
    f"{FAVOURITES_PATH}{{id}}": {"DELETE": remove_favourite},
    "/api/search": {"POST": post_search},
    "/graphql": {"GET": graphql, "POST": graphql},
    "/api/events": {"GET": stream_events},
    "/api/limited": {"GET": get_limited},
}
