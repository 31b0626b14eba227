"""The routes of an application as its own router has them: listed, and resolved, when a client requests it.

Each framework's part walks its router and knows how that one decides; nothing here runs while requests are served.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from perfcheck.monitor.decorator import DISPATCHERS, qualified_name
from perfcheck.monitor.frameworks import FRAMEWORKS, METHODS, endpoint_name

_IMPLIED = ("HEAD", "OPTIONS")  # a framework adds them by itself


@dataclass(frozen=True, slots=True)
class PublishedRoute:
    """One method of one route."""

    method: str | None  # None: the handler takes any, as far as the router knows
    template: str  # with converters: /videos/<int:id>
    handler: str  # module and qualified name
    name: str  # in the statistics; without its method where that is None
    monitored: bool


class Router(Protocol):
    def routes(self) -> Iterable[PublishedRoute]:
        """In the order in which the router tries them."""

    def resolve(self, method: str, path: str) -> str | None:
        """The name under which this request would be counted; None where it reaches no route."""


def document(router: Router, requests: Iterable[str], removed: str = "") -> dict[str, Any]:
    """``GET /routes``; each request is ``GET /videos/7``. ``removed`` is the prefix that a proxy takes off its path."""
    response: dict[str, Any] = {"routes": [asdict(route) for route in router.routes()]}
    resolved = {request: _resolved(router, request, removed) for request in requests}
    return {**response, "resolved": resolved} if resolved else response


def _resolved(router: Router, request: str, removed: str) -> str | None:
    method, _, path = request.partition(" ")
    if not path.startswith(f"{removed}/"):
        return None
    try:
        return router.resolve(method, path[len(removed) :])
    except Exception:  # noqa: BLE001 - a converter of the application that fails: it would fail in a request, too
        return None


def published(
    template: str, handler: Any, methods: Collection[str] | None, *, monitored: bool, counted: str | None = None
) -> Iterator[PublishedRoute]:
    """One for each method; without ``methods``, for each that a class of views has. ``counted``: the statistics'
    template, where that is another one.
    """
    view = _view_class(handler)
    if methods is None and view is not None:
        methods = [method for method in METHODS if hasattr(view, method.lower()) and _is_explicit(view, method)]
    in_order: list[str | None] = [method for method in METHODS if method in (methods or ())]
    for method in in_order or [None]:
        function = _function_of(view, method) or view or handler
        decorated = _decorated(handler, method)
        path = template if counted is None else counted
        name = decorated or (endpoint_name(method, path) if method else path)
        yield PublishedRoute(method, template, qualified_name(function), name, monitored or decorated is not None)


def explicit_methods(methods: Iterable[str], handler: Any, implied: Collection[str]) -> list[str]:
    """Without those of ``implied`` that the view itself does not have."""
    view = _view_class(handler)
    known = [method for method in methods if method in METHODS]
    return [method for method in known if method not in implied or (view is not None and _is_explicit(view, method))]


def counted_as(handler: Any, method: str, template: str) -> str:
    """The name of a request that reaches ``handler``."""
    return _decorated(handler, method) or endpoint_name(method, template)


def _is_explicit(view: type, method: str) -> bool:
    """Whether the application wrote this handler: base classes of frameworks bring HEAD and OPTIONS along."""
    module = getattr(getattr(view, method.lower(), None), "__module__", None) or ""
    return method not in _IMPLIED or module.partition(".")[0] not in {"", "rest_framework", *FRAMEWORKS}


def _decorated(handler: Any, method: str | None) -> str | None:
    """The name that ``monitor_performance`` gave the handler of ``method``."""
    view = _view_class(handler)
    if view is None:
        return _decorator_name(handler)
    functions = [_function_of(view, method), *(getattr(view, each, None) for each in DISPATCHERS)]
    return next((name for function in functions if (name := _decorator_name(function))), None)


def _decorator_name(function: Any) -> str | None:
    name = getattr(function, "perfcheck_endpoint", None)
    return name if isinstance(name, str) else None


def _function_of(view: type | None, method: str | None) -> Any:
    if view is None or method is None:
        return None
    own = getattr(view, method.lower(), None)
    return getattr(view, "get", None) if own is None and method == "HEAD" else own


def _view_class(handler: Any) -> type | None:
    """Flask's and Django's ``as_view()`` leave the class in the function; Starlette takes the class itself."""
    view = handler if inspect.isclass(handler) else getattr(handler, "view_class", None)
    return view if inspect.isclass(view) else None
