"""The line of the application that is running: the innermost frame that belongs to no library.

Looked for only when something is worth reporting, since walking the stack takes some ten microseconds.
"""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it takes longer to import than all of the monitor
    import asyncio

_DEEPEST = 500  # frames
_INSTALLED = ("/site-packages/", "/dist-packages/")
_OWN = f"{Path(__file__).parent.as_posix()}/"
_STANDARD = tuple(f"{Path(sysconfig.get_path(name)).as_posix()}/" for name in ("stdlib", "platstdlib"))
# The layers between an application and its database. Any other installed package may be the application.
_LAYERS = """
aiomysql aiosqlite anyio asgiref asyncpg django fastapi flask flask_sqlalchemy greenlet gunicorn MySQLdb oracledb
psycopg psycopg2 pymysql sqlalchemy sqlmodel starlette uvicorn werkzeug
"""
_DATA_LAYERS = frozenset(_LAYERS.split())
_Location = tuple[str, int]  # file and line


def call_site(task: asyncio.Task[Any] | None = None, layer: str | None = None) -> str | None:
    """``shop/views.py:42``, or None where no line of the application is to be seen. Raises nothing.

    Where this thread's stack has no such line, the coroutines that ``task`` waits for are searched. The lines of the
    file ``layer`` are passed over: it sends the statements of others.
    """
    try:
        location = _best(_stack(), layer) or (_best(_awaited(task), layer) if task is not None else None)
    except (AttributeError, ValueError, RuntimeError):  # a stack that cannot be walked is no reason to fail a request
        return None
    return None if location is None else f"{_shown(location[0])}:{location[1]}"


def _best(locations: Iterable[_Location], layer: str | None) -> _Location | None:
    """The innermost line of the application; else that of an installed package which is no known library."""
    installed = None
    for location in locations:
        kind = "library" if location[0] == layer else _kind(location[0])
        if kind == "application":
            return location
        if kind == "installed" and installed is None:
            installed = location
    return installed


def _awaited(task: asyncio.Task[Any]) -> list[_Location]:
    """The coroutines that wait for one another below a task, the innermost first."""
    locations: list[_Location] = []
    waiting: Any = task.get_coro()
    while waiting is not None and len(locations) < _DEEPEST:
        frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
        if frame is not None:
            locations.append((frame.f_code.co_filename, frame.f_lineno))
        waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)
    return locations[::-1]


def _stack() -> Iterator[_Location]:
    """This thread's frames from the inside out; behind a greenlet, those of the one that waits for it.

    SQLAlchemy runs its synchronous core in a greenlet of its own below asyncio, whose stack ends where it began.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - there is no public way that does not build every frame
    greenlets: Any = sys.modules.get("greenlet")
    waiting = greenlets.getcurrent().parent if greenlets is not None else None
    for _ in range(_DEEPEST):
        if frame is None:
            frame, waiting = getattr(waiting, "gr_frame", None), getattr(waiting, "parent", None)
            if frame is None:
                return
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


@lru_cache(maxsize=2048)
def _kind(file: str) -> str:
    path = file.replace("\\", "/")
    if path.startswith(_OWN):
        return "library"
    inside = _inside_packages(path)
    if inside is not None:
        return "library" if inside.split("/")[0].removesuffix(".py") in _DATA_LAYERS else "installed"
    return "library" if path.startswith(("<", *_STANDARD)) else "application"


@lru_cache(maxsize=256)
def _shown(file: str) -> str:
    """From the folder that the process runs in, or from the folder of packages; else as it is."""
    path = file.replace("\\", "/")
    return _inside_packages(path) or path.removeprefix(f"{Path.cwd().as_posix()}/")


def _inside_packages(path: str) -> str | None:
    return next((path.rpartition(folder)[2] for folder in _INSTALLED if folder in path), None)
