"""The endpoint's name, the status and the size of a response, from what the frameworks leave or return.

A name is never the raw path: a client chooses it, and a name for each would never end. Methods that HTTP does not name
are OTHER for the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from perfcheck.monitor.lifecycle import UNNAMED

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "QUERY")


def wsgi_template(environ: Mapping[str, Any]) -> str | None:
    """``/videos/<int:id>``: Werkzeug leaves its request in the environ, and Flask, until it has answered, the rule."""
    return _text(getattr(getattr(environ.get("werkzeug.request"), "url_rule", None), "rule", None))


def endpoint_name(method: object, template: str | None) -> str:
    """``GET /videos/{id}``; ``GET (unmatched)`` without a template; ``OTHER ...`` for a method unknown to HTTP."""
    return f"{method if isinstance(method, str) and method in METHODS else 'OTHER'} {template or UNNAMED}"


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


# --- Status and size from what a handler returns or raises, where no middleware sees the response itself -------------
# Only of types that are known: reading an attribute of the application's objects may run its code.

FRAMEWORKS = frozenset({"django", "fastapi", "flask", "quart", "starlette", "werkzeug"})
PLAIN = frozenset({type(None), dict, list, int, float, bool})  # serialised later: nothing is known yet
_NOT_AN_ERROR = {"Http404": 404, "PermissionDenied": 403, "SuspiciousOperation": 400, "BadRequest": 400}  # of Django
_STOPPED = frozenset({"Cancelled", "CancelledError", "GreenletExit"})  # by name: importing asyncio takes 40 ms

StatusAndSize = tuple[int | None, int | None]  # status, bytes of the body


def of_result(result: object) -> StatusAndSize:
    """Of a return value. May raise what a broken response raises."""
    if isinstance(result, bytes):
        return None, len(result)
    if isinstance(result, str):
        return None, len(result) if result.isascii() else len(result.encode("utf-8", "surrogatepass"))
    if isinstance(result, tuple):
        return _of_tuple(result)
    kind: Any = type(result)
    return _of_response(result) if _comes_from_framework(kind) else (None, None)


def _of_tuple(result: tuple[Any, ...]) -> StatusAndSize:
    """Flask's (body, status) and (body, status, headers). Pairs of other things are left alone."""
    if len(result) not in {2, 3} or isinstance(result[0], int | float | tuple | None):
        return None, None
    status, size = of_result(result[0])
    code = result[1]
    if isinstance(code, str) and code[:3].isdigit():
        code = int(code[:3])
    return (int(code) if isinstance(code, int) and 100 <= code < 600 else status), size  # noqa: PLR2004


def _of_response(response: Any) -> StatusAndSize:
    status = getattr(response, "status_code", None)
    size: object = None
    if not getattr(response, "streaming", False) and not getattr(response, "is_streamed", False):
        for name in ("body", "content"):  # of Starlette, of Django
            content = getattr(response, name, None)
            if isinstance(content, bytes):
                return _as_int(status), len(content)
        size = getattr(response, "content_length", None)  # of Werkzeug
    return _as_int(status), _as_int(size)


def _as_int(value: object) -> int | None:
    return int(value) if isinstance(value, int) else None


@lru_cache(maxsize=256)
def _comes_from_framework(kind: type) -> bool:
    return any(base.__module__.split(".")[0] in FRAMEWORKS for base in kind.__mro__)


def is_cancellation(error: BaseException) -> bool:
    """Whether a handler was stopped from outside, as when its client leaves: by asyncio, trio, gevent, eventlet."""
    if isinstance(error, Exception):  # concurrent.futures.CancelledError is one: the handler's own, and an error
        return False
    return isinstance(error, GeneratorExit) or any(base.__name__ in _STOPPED for base in type(error).__mro__)


def of_exception(error: BaseException) -> int | None:
    """The status that a framework will make of an exception: 404 of ``abort(404)``. None: an error of the handler."""
    kind: Any = type(error)
    if not _comes_from_framework(kind):
        return None
    for base in kind.__mro__:
        if base.__name__ in _NOT_AN_ERROR and base.__module__.startswith("django."):
            return _NOT_AN_ERROR[base.__name__]
    status = getattr(error, "status_code", None)  # Starlette, Django REST framework's own aside
    return _as_int(status if status is not None else getattr(error, "code", None))  # Werkzeug
