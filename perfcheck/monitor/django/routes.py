"""The routes of Django's URL configuration, and the name of a request: method and template, never its path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.urls import Resolver404, get_resolver, get_urlconf, resolve
from django.utils.translation import get_language, get_language_from_path, override

from perfcheck.monitor.frameworks import endpoint_name
from perfcheck.monitor.routes import PublishedRoute, counted_as, published

_GROUP = re.compile(r"\((?:\?P<(\w+)>|\?:)?[^()]*(?:\([^()]*\)[^()]*)*\)")
_ANCHORS = re.compile(r"(?<!\\)(?:\^|\$|\\[AZz])|(?<=[/)>])\?")


def name_of(request: Any) -> str:
    match = getattr(request, "resolver_match", None)
    return endpoint_name(request.method, None if match is None else _template_of(match))


class DjangoRouter:
    """``monitored``: whether the middleware is there."""

    def __init__(self, *, monitored: bool) -> None:
        self._monitored = monitored

    def routes(self) -> Iterator[PublishedRoute]:
        return self._below(get_resolver(get_urlconf()).url_patterns, "")

    def _below(self, patterns: Iterable[Any], prefix: str) -> Iterator[PublishedRoute]:
        for pattern in patterns:
            route = _joined(prefix, str(pattern.pattern))
            if hasattr(pattern, "url_patterns"):
                yield from self._below(pattern.url_patterns, route)
            elif not hasattr(pattern.callback, "perfcheck_monitor_api"):
                yield from published(_template(route), pattern.callback, None, monitored=self._monitored)

    def resolve(self, method: str, path: str) -> str | None:
        match = _resolved(path)
        if match is None and settings.APPEND_SLASH and not path.endswith("/"):
            match = _resolved(f"{path}/")
        return None if match is None else counted_as(match.func, method, _template_of(match))


def _resolved(path: str) -> Any:
    """In the language that the path names, where the patterns have languages."""
    try:
        with override(get_language_from_path(path) or get_language()):
            return resolve(path)
    except Resolver404:
        return None


def _template_of(match: Any) -> str:
    return _template(match.route) if match.route is not None else str(match.view_name)


def _joined(prefix: str, route: str) -> str:
    """As Django joins the routes of includes."""
    return prefix + route.removeprefix("^") if prefix else route


@lru_cache(maxsize=4096)
def _template(route: str) -> str:
    """Regular expressions of ``re_path`` are shown as ``path`` would have them: ``^a/(?P<x>\\d+)/$`` -> ``/a/<x>/``."""
    if "(" in route or "^" in route:
        route = _ANCHORS.sub("", _GROUP.sub(lambda group: f"<{group.group(1)}>" if group.group(1) else "<>", route))
    return f"/{route.lstrip('/')}"
