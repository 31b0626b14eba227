"""The routes that a service has by its own account: in the monitor's table, or registered in its source."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from perfcheck.discover.path_segments import is_static, path_below, unused_name
from perfcheck.discover.seen_request import below_base_url
from perfcheck.judge.match_variants import route_of
from perfcheck.judge.route_templates import PLACEHOLDER, parse_name
from perfcheck.model import MonitoredRoute, MonitorReading
from perfcheck.model.operation import Basis, Discovered, FoundIn, Operation, Parameter, ParameterLocation
from perfcheck.text import clean
from perfcheck.words import plural

# Handlers that a framework brings along: static files, its documentation, its administration.
_OF_FRAMEWORK = re.compile(
    r"flask\.|fastapi\.|starlette\.|django\.(?:contrib\.(?:admin|staticfiles)|views\.static)|perfcheck\.monitor"
)
_DOCUMENTATION = {"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}  # of FastAPI
_REGEX = re.compile(r"(?<!\w)\(|\^|\$\Z")  # not <any(hd, sd):quality>
_GROUP = re.compile(r"\((?:\?P<(\w+)>|\?:)?((?:[^()]|\([^()]*\))*)\)(\??)")
_ANCHORS = re.compile(r"(?<!\\)(?:\^|\$|\\[AZz])|(?<=/)\?")
_ONLY_DIGITS = re.compile(r"(?:\\d|\[0-9\])(?:\+|\{[0-9,]*\})")
_NOT_TEXT = re.compile(r"[\\|*+?()\[\]{}<>$^'\"\s]")


def monitored_operations(reading: MonitorReading, base_url: str, monitor_path: str) -> Discovered:
    """Every route of the table, whether it was requested or not; without a table, those that were."""
    counted: dict[str, int] = {}
    for endpoint in reading.endpoints:
        name = route_of(endpoint.name)
        counted[name] = counted.get(name, 0) + (endpoint.requests or 0)
    routes = reading.table.routes if reading.table is not None else tuple(_requested(counted))
    own = [route for route in routes if not _is_of_framework(route, monitor_path)]
    return _discovered(own, base_url, FoundIn.MONITOR, counted)


def source_operations(routes: Iterable[tuple[str | None, str]], base_url: str) -> Discovered:
    """``routes`` are method (None: any) and template."""
    known = [MonitoredRoute(method, template, name="") for method, template in routes]
    return _discovered(known, base_url, FoundIn.SOURCE, {})


def _requested(names: Iterable[str]) -> Iterator[MonitoredRoute]:
    for name in names:
        if (route := parse_name(name)) is not None:
            yield MonitoredRoute(route.method, route.path, name)


def _is_of_framework(route: MonitoredRoute, monitor_path: str) -> bool:
    template = f"/{route.template.lstrip('/')}"
    return (
        _OF_FRAMEWORK.match(route.handler or "") is not None
        or template in _DOCUMENTATION
        or path_below(monitor_path, template) is not None
    )


def _discovered(
    routes: Iterable[MonitoredRoute], base_url: str, found_in: FoundIn, counted: Mapping[str, int]
) -> Discovered:
    operations, unread = [], []
    for route in routes:
        if route.template.endswith("*"):  # something mounted that has no routes of its own
            continue
        readable = _readable(route.template)
        if readable is None:
            unread.append(route.template)
        elif not is_static(readable[0]):
            operations.append(_operation(route, *readable, found_in, counted))
    notes = [f"{plural(len(unread), 'route')} left out: no path fits {clean(unread[0])}"] if unread else []
    return Discovered(tuple(below_base_url(operations, base_url)), tuple(notes))


def _operation(
    route: MonitoredRoute,
    template: str,
    parameters: tuple[Parameter, ...],
    found_in: FoundIn,
    counted: Mapping[str, int],
) -> Operation:
    method = route.method or "GET"
    name = f"{method} {route.name}" if route.method is None and route.name.startswith("/") else route.name
    return Operation(
        method=method,
        template=template,
        found_in=(found_in,),
        parameters=parameters,
        requests=counted.get(name),
        monitor_name=name if found_in is FoundIn.MONITOR else None,
    )


def _readable(template: str) -> tuple[str, tuple[Parameter, ...]] | None:
    """With a name in braces for each parameter, and these; None for a pattern that is more than that."""
    text = f"/{template.lstrip('/')}"
    if _REGEX.search(text):
        text = f"/{_ANCHORS.sub('', _GROUP.sub(_placeholder, text)).lstrip('/')}"
    parts: list[str] = []
    parameters: list[Parameter] = []
    end = 0
    for match in PLACEHOLDER.finditer(text):
        converter, options, named, braced, starlette = match.groups()
        name = unused_name(named or braced or "id", [each.name for each in parameters])
        parameters.append(_parameter(name, converter or starlette or "", options or ""))
        parts += [text[end : match.start()], f"{{{name}}}"]
        end = match.end()
    literal = [*parts[::2], text[end:]]
    if any(_NOT_TEXT.search(part) or not part.isprintable() for part in literal):
        return None
    return "".join([*parts, text[end:]]), tuple(parameters)


def _placeholder(group: re.Match[str]) -> str:
    """Of a group in a regular expression, as Django's ``path`` has it; one that is optional is left out."""
    return "" if group[3] else f"<{'int:' if _ONLY_DIGITS.fullmatch(group[2]) else ''}{group[1] or ''}>"


def _parameter(name: str, converter: str, options: str) -> Parameter:
    value, basis = ("1", Basis.GUESS) if converter == "int" else (None, Basis.GUESS)
    if converter == "any":
        value, basis = options.partition(",")[0].strip(" \"'"), Basis.ENUM
    return Parameter(name, ParameterLocation.PATH, value=value, basis=basis)
