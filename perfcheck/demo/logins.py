"""The logins of the sample service: a password or OAuth2 client credentials for a token that expires."""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Mapping
from http import HTTPStatus
from threading import Lock
from time import monotonic
from urllib.parse import unquote_plus

from perfcheck.demo.call import ApiRequest, Headers, JsonObject, RefusedError, Reply, fields, json_object

USER = PASSWORD = CLIENT_ID = CLIENT_SECRET = "demo"  # noqa: S105 - one word, so that nobody has to look it up
_COOKIE = "session"
_MOST_TOKENS = 1000
_NO_STORE = (("Cache-Control", "no-store"),)


class AccessTokens:
    """Random, each valid for ``lifetime_s``. Beyond a number of them, the oldest ends first."""

    def __init__(self, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._ends_s: dict[str, float] = {}
        self._changing = Lock()

    def grant(self) -> JsonObject:
        """A new token as RFC 6749, section 5.1, has it: in whole seconds, so that one of less than a second is late."""
        token = secrets.token_urlsafe(24)
        with self._changing:
            self._ends_s[token] = monotonic() + self._lifetime_s
            if len(self._ends_s) > _MOST_TOKENS:
                del self._ends_s[next(iter(self._ends_s))]
        return {"access_token": token, "token_type": "Bearer", "expires_in": max(1, int(self._lifetime_s))}

    def end(self, token: str) -> None:
        with self._changing:
            self._ends_s.pop(token, None)

    def of(self, request: ApiRequest) -> str:
        """The valid token of a request, in its header or its cookie. Raises RefusedError (401, RFC 6750, section 3)."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            token = _cookie(request.headers.get("cookie", ""))
        token = token.strip()
        if monotonic() < self._ends_s.get(token, 0):
            return token
        reason, message = ("", "log in first: POST /api/login")
        if token:
            reason, message = ' error="invalid_token"', "the token has expired or is unknown: POST /api/login"
        raise RefusedError(HTTPStatus.UNAUTHORIZED, message, (("WWW-Authenticate", f"Bearer{reason}"),))


def log_in(tokens: AccessTokens, request: ApiRequest) -> Reply:
    """``{"user": ..., "password": ...}`` for a token, which is a cookie as well."""
    granted, headers = open_session(tokens, json_object(request.body))
    return Reply(HTTPStatus.OK, granted, headers=headers)


def open_session(tokens: AccessTokens, given: Mapping[str, object]) -> tuple[JsonObject, Headers]:
    """A token for ``user`` and ``password``, and the headers that set it as a cookie. Raises RefusedError (401)."""
    if (given.get("user"), given.get("password")) != (USER, PASSWORD):
        raise RefusedError(HTTPStatus.UNAUTHORIZED, "wrong user or password")
    granted = tokens.grant()
    cookie = f"{_COOKIE}={granted['access_token']}; Path=/; Max-Age={granted['expires_in']}; HttpOnly; SameSite=Lax"
    return granted, (("Set-Cookie", cookie), *_NO_STORE)


def log_out(tokens: AccessTokens, request: ApiRequest) -> Reply:
    tokens.end(tokens.of(request))
    return Reply(HTTPStatus.NO_CONTENT, None, headers=(("Set-Cookie", f"{_COOKIE}=; Path=/; Max-Age=0; HttpOnly"),))


def grant_token(tokens: AccessTokens, request: ApiRequest) -> Reply:
    """A token for client credentials (RFC 6749, section 4.4), or an error (section 5.2)."""
    try:
        pairs = fields(request.body, "the form")
    except RefusedError as refused:
        return _oauth_error("invalid_request", str(refused))
    form = dict(pairs)
    by_header = request.headers.get("authorization")
    if len(form) < len(pairs) or "grant_type" not in form or (by_header and "client_secret" in form):
        message = "grant_type is required, no field may be repeated, and the client authenticates in one way only"
        return _oauth_error("invalid_request", message)
    if _client(by_header, form) != (CLIENT_ID, CLIENT_SECRET):
        return _oauth_error("invalid_client", "unknown client, or a wrong secret")
    if form["grant_type"] != "client_credentials":
        return _oauth_error("unsupported_grant_type", "only client_credentials is supported")
    return Reply(HTTPStatus.OK, tokens.grant(), headers=_NO_STORE)


def _client(authorization: str | None, form: Mapping[str, str]) -> tuple[str, str]:
    """Id and secret, by HTTP Basic or in the form (section 2.3.1); empty where they cannot be read."""
    if authorization is None:
        return form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, encoded = authorization.partition(" ")
    try:
        name, _, secret = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    if scheme.lower() != "basic":
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _oauth_error(error: str, description: str) -> Reply:
    body = {"error": error, "error_description": description}
    if error == "invalid_client":
        return Reply(HTTPStatus.UNAUTHORIZED, body, headers=(("WWW-Authenticate", 'Basic realm="demo"'), *_NO_STORE))
    return Reply(HTTPStatus.BAD_REQUEST, body, headers=_NO_STORE)


def _cookie(header: str) -> str:
    pairs = (part.strip().partition("=") for part in header.split(";"))
    return next((value for name, _, value in pairs if name == _COOKIE), "")
