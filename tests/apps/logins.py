"""A service that wants to know who sends a request, in each of the ways that perfcheck knows."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import Counter
from dataclasses import dataclass, field
from urllib.request import parse_http_list, parse_keqv_list

import flask

USER, PASSWORD = "ci user", "p@ss:word/ü"


@dataclass
class Logins:
    """``uses``: so many requests, and a token, a session or a nonce has expired."""

    uses: int = 10_000
    expires_in: object = 3600
    cookie: str = "session"
    broken_after: int = 10_000  # logins
    count: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    nonces: dict[str, int] = field(default_factory=dict)  # -> the nonce count that was used last
    forms: list[dict[str, str]] = field(default_factory=list)
    says_stale: bool = True
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_valid(self, token: str | None) -> bool:
        with self.lock:
            self.left[token or ""] -= 1
            return self.left[token or ""] >= 0

    def new(self, kind: str) -> str:
        with self.lock:
            self.count[kind] += 1
            token = f"secret/{kind}+{self.count[kind]}=="
            self.left[token] = self.uses
            return token

    def app(self) -> flask.Flask:
        app = flask.Flask("logins")
        numbers = itertools.count(1)

        @app.get("/basic")
        def basic() -> tuple[str, int]:
            login = flask.request.authorization
            is_right = login is not None and (login.username, login.password) == (USER, PASSWORD)
            return ("in", 200) if is_right else ("who are you?", 401)

        @app.get("/bearer")
        def bearer() -> tuple[str, int]:
            token = flask.request.headers.get("Authorization", "").removeprefix("Bearer ")
            return ("in", 200) if self.is_valid(token) else (f"the token {token} has expired", 401)

        @app.get("/open")
        def open_() -> tuple[str, int]:
            has_any = "Authorization" in flask.request.headers or flask.request.cookies
            return ("a login that nobody wants", 400) if has_any else ("open", 200)

        @app.post("/token")
        def token() -> tuple[flask.Response, int]:
            form, login = flask.request.form.to_dict(), flask.request.authorization
            self.forms.append(form)
            name = form.get("client_id") or (login.username if login else None)
            if self.count["token"] >= self.broken_after or name not in {"the%26client", "the&client"}:
                self.count["failed"] += 1
                return flask.jsonify(error="invalid_client"), 401
            return flask.jsonify(access_token=self.new("token"), token_type="Bearer", expires_in=self.expires_in), 200

        @app.get("/digest")
        def digest() -> flask.Response:
            scheme, _, text = flask.request.headers.get("Authorization", "").partition(" ")
            given = parse_keqv_list(parse_http_list(text)) if scheme == "Digest" else {}
            nonce, is_known = given.get("nonce", ""), False
            with self.lock:
                if nonce in self.nonces and int(given["nc"], 16) == self.nonces[nonce] + 1:
                    self.nonces[nonce] += 1
                    is_known = self.nonces[nonce] <= self.uses
            if is_known and given["response"] == _response(given):
                return flask.Response("in")
            fresh = f"nonce{next(numbers)}"
            self.nonces[fresh] = 0
            self.count["challenges"] += 1
            stale = ", stale=true" if given and self.says_stale and not is_known else ""
            challenge = f'Digest realm="r", nonce="{fresh}", qop="auth", algorithm=SHA-256{stale}'
            return flask.Response("who?", 401, {"WWW-Authenticate": challenge})

        @app.post("/login")
        def login() -> flask.Response:
            if self.count["session"] >= self.broken_after:
                return flask.Response("closed", 403)
            response = flask.make_response(flask.redirect("/welcome", 303))
            session = self.new("session")
            soup = "Path=/; HttpOnly; SameSite=Lax; Partitioned; Priority=High; Max-Age=1000"
            response.headers.add("Set-Cookie", f"{self.cookie}={session}; {soup}")
            response.headers.add("Set-Cookie", "elsewhere=1234; Path=/elsewhere")
            return response

        @app.get("/welcome")
        def welcome() -> tuple[str, int]:
            return ("welcome", 200) if self.cookie in flask.request.cookies else ("no cookie", 401)

        @app.get("/session")
        def session() -> tuple[str, int]:
            cookies = flask.request.cookies
            assert "elsewhere" not in cookies
            return ("in", 200) if self.is_valid(cookies.get(self.cookie)) else ("log in", 401)

        @app.post("/logout")
        def logout() -> str:
            self.count["logout"] += 1
            return "bye"

        return app


def _response(given: dict[str, str]) -> str:
    def digest(*parts: str) -> str:
        return hashlib.sha256(":".join(parts).encode()).hexdigest()

    secret = digest(USER, given["realm"], PASSWORD)
    request = digest(flask.request.method, flask.request.full_path.rstrip("?"))
    return digest(secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], request)
