"""What a Django request is called: its method and the route's template, never its path."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

_GROUP = re.compile(r"\((?:\?P<(\w+)>|\?:)?[^()]*(?:\([^()]*\)[^()]*)*\)")
_ANCHORS = re.compile(r"(?<!\\)(?:\^|\$|\\[AZz])|(?<=[/)>])\?")


def route_of(request: Any) -> str | None:
    """``/api/videos/<int:pk>/``; None where no URL pattern matched."""
    match = getattr(request, "resolver_match", None)
    if match is None:
        return None
    return _template(match.route) if match.route is not None else str(match.view_name)


@lru_cache(maxsize=4096)
def _template(route: str) -> str:
    """Regular expressions of ``re_path`` are shown as ``path`` would have them: ``^a/(?P<x>\\d+)/$`` -> ``/a/<x>/``."""
    if "(" in route or "^" in route:
        route = _ANCHORS.sub("", _GROUP.sub(lambda group: f"<{group.group(1)}>" if group.group(1) else "<>", route))
    return f"/{route.lstrip('/')}"
