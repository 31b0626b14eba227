"""The templates of routes, as Flask, Django and Starlette write them, and the paths that fit them.

Pure. ``/videos/<int:id>``, ``/videos/{id:int}``, ``videos/(?P<id>[0-9]+)/$``, ``/static/*``. They come from a service:
one that might take long to match fits nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_LONGEST_TEMPLATE = 500
_LONGEST_PATH = 1000
_MOST_REPEATS = 4  # in one regular expression
_MOSTPLACEHOLDERS = 3  # in one segment
_UUID = "[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}"
_ONE_SEGMENT = "[^/]+"
# What a segment leaves open, from nothing to everything.
_TEXT, _MIXED, _TYPED, _SLUG, _ANY, _REST = range(6)
_CONVERTERS = {
    "int": (_TYPED, "[0-9]+"),
    "float": (_TYPED, r"[0-9]+(?:\.[0-9]+)?"),
    "uuid": (_TYPED, _UUID),
    "slug": (_SLUG, "[-a-zA-Z0-9_]+"),
    "path": (_REST, ".+"),
    **dict.fromkeys(("", "str", "string", "default"), (_ANY, _ONE_SEGMENT)),
}
# Converter, its options and name of Flask's and Django's; name and converter of Starlette's.
PLACEHOLDER = re.compile(r"<(?:(\w+)(?:\(([^()<>]*)\))?:)?(\w*)>|\{([\w.-]*)(?::(\w+))?\}|(?<=/)\*\Z")
_REGEX = re.compile(r"\(\?P<|(?:\A|/)\^|\$\Z")
_ANCHORS = re.compile(r"(?:\A|(?<=/))\^|(?:\$|\\Z)\Z")
_HARMFUL = re.compile(r"\(\?(?!P<|:)|\\[0-9]|\)[*+{]")  # look-arounds, references, groups that repeat
_REPEATS = re.compile(r"[*+]|\{[0-9]*,")
_FREE_GROUP = re.compile(r"\(\?P<(\w+)>(?:\.|\[\^/\]|\\w|\[[-_\\w]+\])[*+]\)")
_CONVERTED = re.compile(r"(?<!\(\?P)<(?:(\w+):)?\w+>")  # of the prefix that includes a regular expression
_WORDS = re.compile(r"[a-z_-]+(?:/[a-z_-]+)*/?")


@dataclass(frozen=True, slots=True)
class RouteTemplate:
    name: str  # in the statistics
    method: str | None  # None: any
    path: str
    pattern: re.Pattern[str] | None = None  # None: text only
    ranks: tuple[int, ...] = (_TEXT,)  # by segment
    free: tuple[str, ...] = ()  # groups that take any text
    is_known: bool = True  # false where a converter is the application's own

    def fits(self, method: str, path: str) -> bool:
        if self.method not in {None, method} or len(path) > _LONGEST_PATH:
            return False
        return path == self.path if self.pattern is None else self.pattern.fullmatch(path) is not None

    def is_guess(self, path: str) -> bool:
        """Whether ``path`` may as well be a route of its own: ``/videos/search`` fits ``/videos/<name>``."""
        match = self.pattern.fullmatch(path) if self.pattern is not None else None
        return match is not None and any(_WORDS.fullmatch(match[group] or "") for group in self.free)

    def is_narrower_than(self, other: RouteTemplate) -> bool:
        """In some segment, and in none wider: a router that reaches both tries this one first."""
        length = max(len(self.ranks), len(other.ranks))
        own, theirs = (each.ranks + each.ranks[-1:] * (length - len(each.ranks)) for each in (self, other))
        return own != theirs and all(mine <= yours for mine, yours in zip(own, theirs, strict=True))


def parse_name(name: str) -> RouteTemplate | None:
    """``GET /api/videos/<int:id>``, or without the method; None for a name that is no route."""
    first, _, rest = name.strip().partition(" ")
    method = first.upper() if first.upper() in _METHODS else None
    path = rest.strip() if method else name.strip()
    return parse_template(name, method, path) if "/" in path else None


@lru_cache(maxsize=20_000)
def parse_template(name: str, method: str | None, path: str) -> RouteTemplate | None:
    """None for one that is not read: too long, or a regular expression that is not harmless."""
    if len(path) > _LONGEST_TEMPLATE:
        return None
    if _REGEX.search(path):
        return _of_regex(name, method, path)
    path = f"/{path.lstrip('/')}"
    if PLACEHOLDER.search(path):
        return _of_placeholders(name, method, path)
    return RouteTemplate(name, method, path, ranks=(_TEXT,) * path.count("/"))


def _of_placeholders(name: str, method: str | None, path: str) -> RouteTemplate | None:
    pattern, end, ranks, free, is_known = "", 0, [], [], True
    for number, placeholder in enumerate(PLACEHOLDER.finditer(path)):
        converter = placeholder[1] or placeholder[5] or ("path" if placeholder[0] == "*" else "")
        rank, accepted = _accepted(converter, placeholder[2] or "")
        is_known = is_known and accepted is not None
        ranks.append(rank)
        alone = path[placeholder.start() - 1] == "/" and path[placeholder.end() : placeholder.end() + 1] in {"", "/"}
        free += [f"g{number}"] if alone and rank >= _SLUG else []
        pattern += re.escape(path[end : placeholder.start()]) + f"(?P<g{number}>{accepted or _ONE_SEGMENT})"
        end = placeholder.end()
    by_segment = list(_ranks_by_segment(path, ranks))
    if max(count for _, count in by_segment) > _MOSTPLACEHOLDERS or ranks.count(_REST) > _MOSTPLACEHOLDERS - 1:
        return None
    compiled = re.compile(pattern + re.escape(path[end:]))
    return RouteTemplate(name, method, path, compiled, tuple(rank for rank, _ in by_segment), tuple(free), is_known)


def _accepted(converter: str, options: str) -> tuple[int, str | None]:
    """How much a converter leaves open, and what it takes; None where only the application knows."""
    if converter == "any":
        return _TYPED, "|".join(re.escape(option.strip(" \"'")) for option in options.split(","))
    if converter == "int" and re.search(r"signed\s*=\s*True", options):
        return _TYPED, "-?[0-9]+"
    if length := re.search(r"\blength\s*=\s*([0-9]{1,3})\b", options):
        return _ANY, f"[^/]{{{length[1]}}}"
    return _CONVERTERS.get(converter, (_ANY, None))


def _ranks_by_segment(path: str, ranks: list[int]) -> Iterator[tuple[int, int]]:
    """Each with its number of placeholders."""
    left = iter(ranks)
    marked = PLACEHOLDER.sub("\0", path)
    for segment in marked.split("/")[1:]:
        own = [next(left) for _ in range(segment.count("\0"))]
        alone = own[0] if segment == "\0" else _MIXED
        yield (max(own) if _REST in own else alone) if own else _TEXT, len(own)


def _of_regex(name: str, method: str | None, path: str) -> RouteTemplate | None:
    """As Django joins those of ``re_path`` with what includes them: ``api/^videos/(?P<id>[0-9]+)/$``."""
    bare = _CONVERTED.sub(lambda match: f"(?:{_CONVERTERS.get(match[1] or '', (_ANY, _ONE_SEGMENT))[1]})", path)
    bare = _ANCHORS.sub("", bare).lstrip("/")
    if _HARMFUL.search(bare) or len(_REPEATS.findall(bare)) > _MOST_REPEATS:
        return None
    try:
        compiled = re.compile(f"/{bare}")
    except (re.error, OverflowError):
        return None
    ranks = tuple(_TEXT if re.fullmatch(r"[\w.~-]*", segment) else _TYPED for segment in bare.split("/"))
    return RouteTemplate(name, method, path, compiled, ranks, tuple(_FREE_GROUP.findall(bare)))
