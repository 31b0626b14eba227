"""A small shop in FastAPI: routers, mounts, streams, failures, asynchronous and synchronous handlers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from apps.flask_app import ROWS, make_engine
from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from sqlalchemy import Engine, text
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from perfcheck.monitor import fastapi as monitor_fastapi
from perfcheck.monitor import monitor_performance, span
from perfcheck.monitor.sqlalchemy import instrument


@dataclass
class Seen:
    """Events of the app other than requests."""

    lifespan: list[str] = field(default_factory=list)


def create_app(seen: Seen | None = None) -> FastAPI:
    noted = seen or Seen()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        noted.lifespan.append("began")
        yield
        noted.lifespan.append("ended")

    app = FastAPI(lifespan=lifespan)
    engine = make_engine()
    instrument(engine)
    monitor_fastapi.init_app(app)
    app.include_router(_router(engine), prefix="/api")
    sub = FastAPI()

    @sub.get("/things/{thing}")
    async def thing(thing: str) -> str:
        return thing

    app.mount("/sub/{tenant}", sub)
    app.mount("/starlette", starlette_app())
    return app


def starlette_app() -> Starlette:
    async def page(_: Request) -> PlainTextResponse:
        return PlainTextResponse("page")

    return Starlette(routes=[Route("/pages/{page:int}", page), Mount("/inner", routes=[Route("/{name}", page)])])


def _router(engine: Engine) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.get("/items/{number}")
    def item(number: int) -> dict[str, object]:
        with engine.connect() as connection:
            return {"name": connection.scalar(text("SELECT name FROM item WHERE id = :id"), {"id": number})}

    @router.get("/n-plus-one")
    def n_plus_one() -> dict[str, int]:
        with engine.connect() as connection:
            for number in range(1, ROWS + 1):
                connection.scalar(text("SELECT name FROM item WHERE id = :id"), {"id": number})
        return {"count": ROWS}

    @router.get("/named")
    @monitor_performance("api.shop.named")
    async def named() -> str:
        async with span("fetch"):
            await asyncio.sleep(0.01)
        return "named"

    @router.get("/slow/{ms}")
    async def slow(ms: int) -> str:
        await asyncio.sleep(ms / 1000)
        return "slow"

    @router.get("/blocking/{ms}")
    def blocking(ms: int) -> str:
        time.sleep(ms / 1000)
        return "blocking"

    @router.get("/stream")
    async def stream(pieces: int = 3) -> StreamingResponse:
        async def body() -> AsyncIterator[bytes]:
            for _ in range(pieces):
                await asyncio.sleep(0.02)
                yield b"x" * 1000

        return StreamingResponse(body())

    @router.get("/fails")
    async def fails() -> str:
        raise RuntimeError("the handler is broken")

    @router.get("/gone")
    async def gone() -> str:
        raise HTTPException(410)

    return router
