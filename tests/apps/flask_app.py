"""A small shop in Flask: blueprints, an app factory, SQLAlchemy on SQLite, streams and failures."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flask import Blueprint, Flask, Response, abort, request, url_for
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import StaticPool

from perfcheck.monitor import flask as monitor_flask
from perfcheck.monitor import monitor_performance, span
from perfcheck.monitor.sqlalchemy import instrument

ROWS = 25
COUNTING = "SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000"


class ShopError(Exception):
    """What the shop's own error handler answers."""


def make_engine() -> Engine:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT)"))
        for number in range(1, ROWS + 1):
            connection.execute(text("INSERT INTO item VALUES (:id, :name)"), {"id": number, "name": f"item {number}"})
    return engine


def create_app() -> Flask:
    app = Flask("shop")
    engine = make_engine()
    instrument(engine)
    monitor_flask.init_app(app)
    api = Blueprint("api", "shop")

    @api.get("/items/<int:number>")
    def item(number: int) -> dict[str, object]:
        with engine.connect() as connection:
            name = connection.scalar(text("SELECT name FROM item WHERE id = :id"), {"id": number})
        return {"name": name, "url": url_for("api.item", number=number)}

    @api.get("/n-plus-one")
    def n_plus_one() -> dict[str, int]:
        with engine.connect() as connection:
            names = [
                connection.scalar(text(f"SELECT name FROM item WHERE id = {number}"))  # here: see the tests
                for number in range(1, ROWS + 1)
            ]
        return {"count": len(names)}

    @api.get("/n-plus-one-slow")
    def n_plus_one_slow() -> dict[str, int]:
        with engine.connect() as connection:
            for number in range(1, ROWS + 1):  # a recursion takes a database its time
                connection.scalar(text(f"WITH RECURSIVE n(i) AS ({COUNTING}) SELECT max(i) + {number} FROM n"))
        return {"count": ROWS}

    @api.get("/named")
    @monitor_performance("api.shop.named")
    def named() -> str:
        with span("render"):
            return "named"

    @api.get("/slow/<int:ms>")
    def slow(ms: int) -> str:
        time.sleep(ms / 1000)
        return "slow"

    @api.get("/videos/")
    def videos() -> str:
        time.sleep(0.4 if request.args.get("sort") == "artist_name" else 0)
        return "videos"

    @api.get("/stream")
    def stream() -> Response:
        count = int(request.args.get("pieces", "3"))

        def pieces() -> Iterator[bytes]:
            for _ in range(count):
                time.sleep(0.02)
                yield b"x" * 1000

        return Response(pieces())

    @api.route("/fails", methods=["GET", "POST"])
    def fails() -> str:
        raise RuntimeError("the handler is broken")

    @api.get("/handled")
    def handled() -> str:
        raise ShopError

    @api.get("/gone")
    def gone() -> str:
        abort(410)

    @app.errorhandler(ShopError)
    def refused(_: ShopError) -> tuple[str, int]:
        return "refused", 418

    app.register_blueprint(api, url_prefix="/api")
    return app
