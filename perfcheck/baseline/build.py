"""The keys that were read, to the model: what is inherited is resolved, what contradicts itself is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perfcheck.baseline.addresses import passwords_of
from perfcheck.baseline.context import Context, Entries, Entry
from perfcheck.baseline.keys import CHANGING
from perfcheck.baseline.limits import LimitReader, Limits
from perfcheck.baseline.nodes import Mapping as Tree
from perfcheck.baseline.nodes import Scalar
from perfcheck.baseline.problems import Place, Point, did_you_mean
from perfcheck.baseline.sections import Named
from perfcheck.model import (
    CompareLimits,
    Endpoint,
    Group,
    Metric,
    Sampling,
    Secret,
    Service,
    Tls,
    UndecidedPolicy,
)
from perfcheck.text import clean
from perfcheck.units import format_percentage

_BODIES = {"json": "application/json", "form": "application/x-www-form-urlencoded", "body": None}
_TOP = Point(1, 1)


def layered(base: Entries, own: Entries) -> Entries:
    """``own`` over ``base``; headers and error limits are merged by name."""
    merged = {**base, **own}
    for key in ("headers", "error_rate"):
        if key in base and key in own and base[key].value is not None and own[key].value is not None:
            entry = own[key]
            merged[key] = Entry({**base[key].value, **entry.value}, entry.line, entry.node)
    return merged


def value_of(entries: Entries, key: str, default: Any = None) -> Any:
    entry = entries.get(key)
    return default if entry is None or entry.value is None else entry.value


def known(**arguments: Any) -> dict[str, Any]:
    """Without the arguments that are None, for which the model has its own defaults."""
    return {name: value for name, value in arguments.items() if value is not None}


def build_service(context: Context, entries: Entries, base_url: str) -> Service:
    context.secrets.update(passwords_of(base_url))
    timeout = value_of(entries, "ready_timeout")
    tls = entries.get("tls")
    return Service(
        base_url,
        **known(
            ready=value_of(entries, "ready"),
            ready_timeout_s=None if timeout is None else timeout / 1000,
            headers=_headers(entries),
            monitor=value_of(entries, "monitor"),
            openapi=value_of(entries, "openapi"),
            tls=None if tls is None else _tls(context, tls),
            unix_socket=value_of(entries, "unix_socket"),
            http2=value_of(entries, "http2"),
        ),
    )


def _tls(context: Context, entry: Entry) -> Tls:
    given: Entries = entry.value or {}
    if "key" in given and "cert" not in given:
        context.wrong(given["key"].node, "tls: a key without its certificate", "add 'cert: FILE'")
    return Tls(**known(**{key: value_of(given, key) for key in given}))


def build_sampling(entries: Entries) -> Sampling:
    budget, undecided = value_of(entries, "budget"), value_of(entries, "undecided")
    return Sampling(
        **known(
            budget_s=None if budget is None else budget / 1000,
            confirm=value_of(entries, "confirm"),
            warmup=value_of(entries, "warmup"),
            min_requests=value_of(entries, "min_requests"),
            undecided=None if undecided is None else UndecidedPolicy(undecided),
        )
    )


def build_compare(context: Context, entry: Entry | None) -> CompareLimits:
    """Limits of a comparison; told when they contradict each other."""
    built_in = CompareLimits()
    if entry is None or entry.value is None or any(part.value is None for part in entry.value.values()):
        return built_in
    given: Entries = entry.value
    limits = CompareLimits(
        **known(
            warning=value_of(given, "warning"),
            critical=value_of(given, "critical"),
            min_difference_ms=value_of(given, "min_difference"),
        )
    )
    if limits.critical < limits.warning:
        low, high = format_percentage(limits.critical), format_percentage(limits.warning)
        place = given["critical"].node if "critical" in given else entry.node
        remedy = "write both, as in {warning: 10%, critical: 25%}"
        context.wrong(place, f"critical at {low} slower is below warning at {high}", remedy)
    elif not limits.warning:
        remedy = "no two measurements are quite alike: allow some, as in 'warning: 10%'"
        context.wrong(given["warning"].node, "compare.warning: 0% slower is no limit", remedy)
    return limits


def build_groups(named: Mapping[str, Named]) -> tuple[Group, ...]:
    return tuple(
        Group(name, value_of(group.entries or {}, "title", name), group.name.line) for name, group in named.items()
    )


class EndpointBuilder:
    """Endpoints of one baseline: what the layers above them say is put together once."""

    def __init__(
        self,
        context: Context,
        *,
        service: Entries,
        defaults: Entries,
        groups: Mapping[str, Named] | None,
        requests: int,
    ) -> None:
        common = layered({key: entry for key, entry in service.items() if key == "headers"}, defaults)
        self._context = context
        self._requests = requests  # sampling.min_requests
        self._groups = groups  # None: wrong as a whole, so that no reference can be checked
        self._layers = {name: layered(common, _inheritable(group)) for name, group in (groups or {}).items()}
        self._common = common

    def build(self, named: Named) -> Endpoint | None:
        """None after telling what is wrong with it."""
        context, own, name = self._context, named.entries, named.name
        if own is None:
            return None
        before = len(context.problems)
        group: str | None = value_of(own, "group")
        if group is not None and self._groups is not None and group not in self._groups:
            self._tell_unknown_group(own["group"], group)
        merged = layered(self._layers.get(group or "", self._common), own)
        if "path" not in own:
            context.wrong(name, "the endpoint has no path", "add it below, as in 'path: /api/health'")
        self._check_method(name, own)
        limits = LimitReader(context, name, own, merged).read()
        content = self._content(own, merged)
        if len(context.problems) > before or value_of(own, "path") is None:
            return None
        return self._endpoint(name, merged, limits, content)

    def _endpoint(self, name: Any, merged: Entries, limits: Limits, content: str | Secret | None) -> Endpoint:
        timeout = value_of(merged, "timeout")
        metric = value_of(merged, "metric")
        return Endpoint(
            name=name.text,
            line=name.line,
            content=content,
            target_ms=limits.target_ms,
            ideal_ms=limits.ideal_ms,
            warning_ms=limits.warning_ms,
            critical_ms=limits.critical_ms,
            ceiling_ms=limits.ceiling_ms,
            error_limits=limits.errors,
            headers=_headers(merged),
            min_requests=value_of(merged, "min_requests", self._requests),
            lines={key: entry.line for key, entry in merged.items()},
            **known(
                path=value_of(merged, "path"),
                group=value_of(merged, "group"),
                method=value_of(merged, "method"),
                query=value_of(merged, "query"),
                expect=value_of(merged, "expect"),
                timeout_s=None if timeout is None else timeout / 1000,
                follow_redirects=value_of(merged, "follow_redirects"),
                metric=None if metric is None else Metric(metric),
                slow_ms=value_of(merged, "slow"),
                body_limit=value_of(merged, "body_limit"),
                monitor_name=value_of(merged, "monitor_name"),
                critical_path=value_of(merged, "critical_path"),
            ),
        )

    def _tell_unknown_group(self, entry: Entry, group: str) -> None:
        groups = self._groups or {}
        known_are = (
            f"groups are: {', '.join(list(groups)[:10])}"
            if groups
            else "add 'groups:' at the top level, and the group in it"
        )
        if isinstance(entry.node, Scalar) and "$" in entry.node.text:
            self._context.wrong(entry.node, "the value with its variables is not a group", known_are)
        else:
            message = f"there is no group '{clean(group, 60)}'"
            self._context.wrong(entry.node, message, did_you_mean(group, groups) or known_are)

    def _check_method(self, name: Place, own: Entries) -> None:
        method = value_of(own, "method")
        wrong = "repeatable" in own and own["repeatable"].value is None
        if method in CHANGING and not wrong and not value_of(own, "repeatable"):
            message = f"{method} changes the service, and requests are repeated"
            self._context.wrong(own["method"].node, message, "add 'repeatable: true' if it may be sent many times")
        elif method == "HEAD" and any(body in own for body in _BODIES):
            self._context.wrong(name, "a HEAD request has no body", "remove it, or change the method")

    def _content(self, own: Entries, merged: Entries) -> str | Secret | None:
        """The body; its content type is added to the headers unless they have one."""
        given = [key for key in _BODIES if key in own]
        if not given:
            return None
        for key in given[1:]:
            message = f"'{key}' and '{given[0]}' are both request bodies"
            self._context.wrong(own[key].node, message, "keep one of them")
        content: str | Secret | None = own[given[0]].value
        content_type = _BODIES[given[0]]
        headers = value_of(merged, "headers", {})
        if content_type is not None and "content-type" not in headers:
            entry = own[given[0]]
            added = {**headers, "content-type": ("Content-Type", content_type)}
            merged["headers"] = Entry(added, merged["headers"].line if "headers" in merged else entry.line, entry.node)
        return content


def _inheritable(group: Named) -> Entries:
    return {key: entry for key, entry in (group.entries or {}).items() if key != "title"}


def _headers(entries: Entries) -> tuple[tuple[str, str | Secret], ...]:
    headers: dict[str, tuple[str, str | Secret]] = value_of(entries, "headers", {})
    return tuple(headers.values())


def missing(context: Context, top: Entries) -> None:
    """Tells the sections without which there is nothing to check."""
    if "version" not in top:
        context.wrong(_TOP, "the file does not say its version", "add 'version: 1' as the first line")
    endpoints = top.get("endpoints")
    if endpoints is None or (isinstance(endpoints.node, Tree) and not endpoints.node.pairs):
        place = endpoints.node if endpoints else _TOP
        remedy = "add one, as in 'endpoints: {health: {path: /api/health, target: 50ms}}'"
        context.wrong(place, "there are no endpoints", remedy)
