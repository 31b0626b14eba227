"""The routes of Flask applications behind a WSGI application: through its middleware, and what that dispatches to.

By what these have, not by their types: nothing is imported for a service that does not use it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from perfcheck.monitor.routes import PublishedRoute, Router, counted_as, explicit_methods, published

_DEEPEST = 20  # middleware around middleware, redirects after redirects
_REDIRECTS = 3
_INNER = ("wsgi_app", "app", "application", "_app")  # what middleware calls the application behind it


def router_of(app: Any, environ: Mapping[str, Any], monitor: type) -> Router | None:
    """None where no framework is found. ``monitor``: the class behind which requests are counted."""
    if type(app).__module__.startswith("django.core.handlers"):
        from perfcheck.monitor.django.routes import DjangoRouter  # noqa: PLC0415 - Django is there

        return DjangoRouter(monitored=True)
    mounted = list(mounted_apps(app, monitor))
    if not mounted and hasattr(app, "url_map"):  # its middleware does not show what is behind it
        mounted = [MountedApp(app, prefix="", counted="")]
    return _FlaskRouter(mounted, dict(environ)) if mounted else None


@dataclass(frozen=True, slots=True)
class MountedApp:
    app: Any  # a Flask application
    prefix: str  # where it is
    counted: str  # the part of the prefix that its names have in the statistics
    monitored: bool = True


def mounted_apps(
    app: Any, monitor: type, prefix: str = "", outside: str | None = None, depth: int = 0
) -> Iterator[MountedApp]:
    """In the order in which they are tried. ``outside``: the prefix before the monitor, once it is passed."""
    for _ in range(_DEEPEST):
        if isinstance(app, monitor) and outside is None:
            outside = prefix
        owner = getattr(app, "__self__", None)  # of the method wsgi_app
        if hasattr(owner, "url_map"):
            yield MountedApp(owner, prefix, prefix[len(outside or "") :], monitored=outside is not None)
            return
        mounts = getattr(app, "mounts", None)  # Werkzeug's DispatcherMiddleware
        if isinstance(mounts, Mapping) and depth < _DEEPEST:
            for path in sorted(mounts, key=len, reverse=True):
                yield from mounted_apps(mounts[path], monitor, prefix + path, outside, depth + 1)
        app = next((inner for name in _INNER if (inner := getattr(app, name, None)) is not None), None)


class _FlaskRouter:
    def __init__(self, mounted: list[MountedApp], environ: dict[str, Any]) -> None:
        self._mounted = mounted
        self._environ = environ

    def routes(self) -> Iterator[PublishedRoute]:
        for place in self._mounted:
            for rule in _in_order(place.app.url_map):
                handler = place.app.view_functions.get(rule.endpoint, rule.endpoint)
                yield from published(
                    place.prefix + rule.rule,
                    handler,
                    _methods(rule, handler),
                    monitored=place.monitored,
                    counted=place.counted + rule.rule,
                )

    def resolve(self, method: str, path: str) -> str | None:
        for place in self._mounted:
            if f"{path}/".startswith(f"{place.prefix}/"):
                return self._resolve_within(place, method, path[len(place.prefix) :])
        return None

    def _resolve_within(self, place: MountedApp, method: str, path: str) -> str | None:
        """As Flask does for a request; a redirect to the same path with a slash is followed, as a client does."""
        for _ in range(_REDIRECTS):
            as_bytes = path.encode().decode("latin-1")  # PEP 3333
            environ = {**self._environ, "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": as_bytes}
            adapter = place.app.create_url_adapter(place.app.request_class(environ))
            try:
                rule, _ = adapter.match(return_rule=True)
            except Exception as error:  # noqa: BLE001 - Werkzeug's: no route, not for this method, or a redirect
                path = unquote(urlsplit(getattr(error, "new_url", "")).path)
                if not path:
                    return None
                continue
            handler = place.app.view_functions.get(rule.endpoint)
            return counted_as(handler, method, place.counted + rule.rule)
        return None


def _in_order(url_map: Any) -> list[Any]:
    """As the router tries them, part by part: text first, then by weight."""
    rules = [rule for rule in url_map.iter_rules() if not (rule.websocket or rule.build_only)]
    return sorted(rules, key=_order)


def _order(rule: Any) -> list[tuple[Any, ...]]:
    return [(0,) if part.static else (1, part.weight) for part in getattr(rule, "_parts", ())]


def _methods(rule: Any, handler: Any) -> list[str] | None:
    """HEAD comes with GET, and OPTIONS by itself."""
    if rule.methods is None:
        return None
    automatic = getattr(rule, "provide_automatic_options", True)
    implied = {"HEAD"} if "GET" in rule.methods else set()
    return explicit_methods(rule.methods, handler, implied | ({"OPTIONS"} if automatic else set()))
