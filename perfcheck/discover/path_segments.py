"""The segments of a path: which are words of a route, and which are values, such as ids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote, unquote_to_bytes

from perfcheck.discover.harvest import singular
from perfcheck.discover.recorded_secrets import is_secret

_ID = re.compile(
    r"-?[0-9]+"
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?=[a-f]*[0-9])[0-9a-f]{8,}"
    r"|[0-9]{4}-[0-9]{2}(?:-[0-9]{2}(?:T[0-9:.+Z-]*)?)?"  # dates
    r"|-?[0-9.]+,-?[0-9.]+"  # coordinates
    r"|(?!v[0-9])[a-z]{1,12}[-_:][0-9]+"  # video-7
    r"|[^/@\s]+@[^/@\s]+\.[^/@\s]+",
    re.IGNORECASE | re.ASCII,
)
_WITH_SUFFIX = re.compile(r"(.+)\.(?:json|xml|html|csv|pdf)")
_OPAQUE = re.compile(r"[A-Za-z0-9_~=-]{16,}", re.ASCII)
_OPAQUE_DIGITS = 3
_SLUG = re.compile(r"[^/]*[-0-9.%@ ][^/]*")

_VARIABLE = re.compile(r"\$\{?[A-Za-z_]\w*\}?|\{\{.*\}\}|\{\w+\}|<[\w -]+>")

_STATIC = re.compile(
    r"\.(?:css|js|mjs|map|png|jpe?g|gif|svg|ico|webp|avif|bmp|woff2?|ttf|eot|otf|mp[34]|webm|ogg|wasm|zip|gz)\Z"
    r"|(?:\A|/)(?:static|assets|node_modules|_next|__webpack_hmr|favicon|robots\.txt|sitemap)(?:\Z|/)",
    re.IGNORECASE,
)

_SESSION = re.compile(r";\w*sess(?:ion)?_?id=[^/;]*", re.IGNORECASE)  # as Java's servlets put it behind a path
_LONGEST_PATH = 1000
_DEEPEST = 30
_SAFE_IN_PATH = "!$&'()*+,;=:@~"


def is_static(path: str) -> bool:
    """Whether a path looks like a file that a page includes: style sheets, scripts, images, fonts."""
    return _STATIC.search(path) is not None


def is_id(segment: str) -> bool:
    """Whether a decoded segment is a value by itself, not a word of the route."""
    if (named := _WITH_SUFFIX.fullmatch(segment)) is not None:
        segment = named[1]
    if _ID.fullmatch(segment) or is_secret("", segment):
        return True
    return bool(_OPAQUE.fullmatch(segment)) and sum(char.isdigit() for char in segment) >= _OPAQUE_DIGITS


def is_slug(segment: str) -> bool:
    """Whether a decoded segment may be the title or the name of something."""
    return _SLUG.fullmatch(segment) is not None


def is_variable(text: str) -> bool:
    """Whether a decoded segment or value stands for one: ``$ID``, ``${ID}``, ``{{id}}``, ``{id}``, ``<id>``."""
    return _VARIABLE.fullmatch(text) is not None


def split_path(path: str) -> list[str] | None:
    """The segments, each in one spelling; None for what is no path of a service."""
    if not path.startswith("/") or "//" in path or len(path) > _LONGEST_PATH:
        return None
    encoded = _SESSION.sub("", path[1:]).encode(errors="replace").split(b"/")
    segments = [quote(unquote_to_bytes(segment), safe=_SAFE_IN_PATH) for segment in encoded]
    return None if len(segments) > _DEEPEST or {".", ".."}.intersection(segments) else segments


def path_below(prefix: str, path: str) -> str | None:
    """``path`` without the ``prefix`` that the URL of the service has; None where it is not below that."""
    prefix = prefix.rstrip("/")
    if not f"{path or '/'}/".startswith(f"{prefix}/"):
        return None
    return path[len(prefix) :] or "/"


def template_of(segments: Sequence[str | None], own_names: Mapping[int, str] | None = None) -> tuple[str, list[str]]:
    """A template with a name for each value (None), and these names: ``id``, of several each after its collection.

    ``own_names`` are those of values that have one, by index.
    """
    names: list[str] = []
    parts: list[str] = []
    usual = "id" if sum(segment is None for segment in segments) == 1 else None
    for index, segment in enumerate(segments):
        if segment is None:
            name = (own_names or {}).get(index) or usual or _after(segments[index - 1] if index else None)
            names.append(unused_name(name, names))
        parts.append(segment if segment is not None else f"{{{names[-1]}}}")
    return "/" + "/".join(parts), names


def unused_name(name: str, taken: Sequence[str]) -> str:
    """``name``, or ``name2``."""
    numbered = (f"{name}{number}" for number in range(2, len(taken) + 2))
    return next(each for each in (name, *numbered) if each not in taken)


def _after(collection: str | None) -> str:
    word = re.sub(r"\W", "_", unquote(collection or "")).strip("_").lower()
    return f"{singular(word)}_id" if word.isascii() and word[:1].isalpha() else "id"
