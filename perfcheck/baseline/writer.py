"""A new baseline file, or one endpoint of it, as YAML that reads back as what was written.

Values are written plain where they are plain in any YAML, and otherwise in double quotes, with every character that
cannot be shown as an escape. A ``$`` becomes ``$$``, since values are interpolated when they are read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfcheck.baseline.keys import CHANGING, INHERITED
from perfcheck.model import Content, Endpoint, Group, Multipart, RequestText, Template, displayed
from perfcheck.units import format_duration

_IN_FLOW = re.compile(r"[A-Za-z0-9_/][A-Za-z0-9_./+@-]*")
_IN_BLOCK = re.compile(r"[A-Za-z0-9_/](?:[A-Za-z0-9_./+@%=~*<>{}-]|:(?=[^\s])| (?=[^\s#]))*")
_NULLS = {"null", "Null", "NULL"}
_NAME = re.compile(r"[A-Za-z_/][A-Za-z0-9_./+@-]*")
_NO_NAMES = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}  # in some tools that read YAML
_JSON = "application/json"
_JSON_HEADER = ("Content-Type", _JSON)
_LONGEST_LINE = 100
_DEFAULT = Endpoint(name="", path="", line=0)
_SHOWN_DEFAULTS = ("metric", "warning", "critical", "error_rate", "body_limit", "slow", "timeout")

Pairs = Iterable[tuple[str, RequestText]]


@dataclass(frozen=True, slots=True)
class NewBaseline:
    """What is written. ``service`` and ``notes`` are text of the file as it is; each line of ``head`` and ``tail`` a
    comment.
    """

    head: Sequence[str]
    service: Mapping[str, str]  # key -> value, in YAML
    groups: Sequence[Group]
    endpoints: Sequence[Endpoint]  # in the order of the groups
    notes: Mapping[str, str]  # endpoint -> comment behind its target
    tail: Sequence[str] = ()
    common: Pairs = ()  # headers that the service itself has


def baseline_text(new: NewBaseline) -> str:
    """The whole file. Ends with a line break."""
    lines = [*map(_comment, new.head), "version: 1", "", "service:"]
    lines += [f"  {key}: {value}" for key, value in new.service.items()]
    lines += ["", *_defaults()]
    if new.groups:
        lines += ["", "groups:"]
        lines += [f"  {_key(group.name)}: {{title: {_flow(group.title)}}}" for group in new.groups]
    lines += ["", "endpoints:"]
    common = tuple(new.common)
    group = new.endpoints[0].group if new.endpoints else None
    for endpoint in new.endpoints:
        lines += [""] if endpoint.group != group else []
        group = endpoint.group
        lines += stanza(endpoint, common=common, note=new.notes.get(endpoint.name))
    lines += ["", *map(_comment, new.tail)] if new.tail else []
    return "\n".join(lines) + "\n"


def stanza(endpoint: Endpoint, *, common: Pairs = (), note: str | None = None) -> list[str]:
    """The lines of ``endpoint``, indented to stand below ``endpoints:``. ``common`` are headers that it inherits."""
    values = [f"    {key}: {value}" for key, value in _values(endpoint, list(common))]
    if note:
        values = [f"{line} # {note}" if line.startswith("    target:") else line for line in values]
    return [f"  {_key(endpoint.name)}:", *values]


def _defaults() -> Iterator[str]:
    yield "# What holds for every endpoint that has no value of its own or of its group, unless it is changed here:"
    yield "# defaults:"
    for name in _SHOWN_DEFAULTS:
        key = INHERITED[name]
        default = key.default or "{warning: 1%, critical: 5%}"
        yield f"#   {name}: {default} # {key.description}"


def _comment(line: str) -> str:
    return f"# {line}".rstrip()


# --- One endpoint ----------------------------------------------------------------------------------------------------


def _values(endpoint: Endpoint, common: list[tuple[str, RequestText]]) -> Iterator[tuple[str, str]]:
    if endpoint.group is not None:
        yield "group", scalar(endpoint.group)
    if endpoint.method != _DEFAULT.method:
        yield "method", endpoint.method
    if endpoint.method in CHANGING:
        yield "repeatable", "true # it is sent many times"
    yield "path", scalar(endpoint.path)
    if endpoint.query:
        yield "query", _mapping(endpoint.query)
    headers = [pair for pair in endpoint.headers if pair not in common]
    body = _body(endpoint.content, headers)
    if headers:
        yield "headers", _mapping(headers)
    if body is not None:
        yield body
    if endpoint.expect != _DEFAULT.expect:
        yield "expect", f"[{', '.join(f'{low}-{high}' if low < high else str(low) for low, high in endpoint.expect)}]"
    if endpoint.follow_redirects:
        yield "follow_redirects", "true"
    if endpoint.timeout_s != _DEFAULT.timeout_s:
        yield "timeout", format_duration(1000 * endpoint.timeout_s)
    if endpoint.body_limit != _DEFAULT.body_limit:
        yield "body_limit", _size(endpoint.body_limit)
    if endpoint.monitor_name is not None:
        yield "monitor_name", scalar(endpoint.monitor_name)
    if endpoint.metric_of != _DEFAULT.metric_of:
        yield "metric_of", endpoint.metric_of
    if endpoint.target_ms is not None:
        yield "target", format_duration(endpoint.target_ms)
    if endpoint.ideal_ms is not None:
        yield "ideal", format_duration(endpoint.ideal_ms)


def _mapping(pairs: Pairs) -> str:
    """In braces; a name that occurs several times has a list."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(_flow(value))
    items = [f"{_key(name)}: {each[0] if len(each) == 1 else _list(each)}" for name, each in values.items()]
    in_braces = f"{{{', '.join(items)}}}"
    return in_braces if len(in_braces) <= _LONGEST_LINE else "".join(f"\n      {item}" for item in items)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(values)}]"


def _body(content: Content | None, headers: list[tuple[str, RequestText]]) -> tuple[str, str] | None:
    """As ``json`` where that sends the same bytes. Its content type is then taken out of ``headers``."""
    if content is None or isinstance(content, (bytes, Multipart)):  # files, which only people name
        return None
    types = {value for name, value in headers if name.lower() == "content-type"}
    if types == {_JSON} and isinstance(content, str) and (text := _as_yaml(content)) is not None:
        if headers[-1] == _JSON_HEADER:
            headers.pop()
        return "json", text
    return "body", quoted(_interpolated(content))


def _as_yaml(content: str) -> str | None:
    """JSON in flow style; None where the reader would make other text of it."""
    try:
        tree = json.loads(content)
        return _json(tree) if json.dumps(tree, ensure_ascii=False) == content else None
    except (ValueError, RecursionError):
        return None


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{quoted(key)}: {_json(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return _list([_json(item) for item in value])
    return quoted(_interpolated(value)) if isinstance(value, str) else json.dumps(value)


def _size(value: int) -> str:
    """``2.5MB``: in the largest unit that needs one decimal at most."""
    for factor, unit in ((10**6, "MB"), (10**3, "kB")):
        if value >= factor and value % (factor // 10) == 0:
            return f"{value / factor:.1f}".removesuffix(".0") + unit
    return f"{value}B"


# --- Scalars ---------------------------------------------------------------------------------------------------------


def _key(name: str) -> str:
    """Names are not interpolated."""
    return name if _NAME.fullmatch(name) and name.lower() not in _NO_NAMES else quoted(name)


def _flow(value: RequestText) -> str:
    text = _interpolated(value)
    return text if _IN_FLOW.fullmatch(text) and text not in _NULLS else quoted(text)


def scalar(value: str) -> str:
    """A value as it is written on a line of its own."""
    text = _interpolated(value)
    return text if _IN_BLOCK.fullmatch(text) and text not in _NULLS else quoted(text)


def _interpolated(value: RequestText) -> str:
    """What is read as ``value``. A secret is shown as it may be, so that none comes into a file."""
    text = displayed(value)
    return text if isinstance(value, Template) else text.replace("$", "$$")


def quoted(text: str) -> str:
    """In double quotes, whatever it contains; variables in it stay variables."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char.isprintable() and char not in '"\\':
        return char
    return json.dumps(char)[1:-1] if char <= "\uffff" else f"\\U{ord(char):08x}"
