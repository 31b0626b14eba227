"""Route handlers that no monitor covers, found in Python source without importing it."""

from __future__ import annotations

import gc
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from perfcheck.lint.app_monitors import AppMonitors, Cover, State
from perfcheck.lint.module_facts import Module, Project
from perfcheck.lint.monitors import HandlerMonitors
from perfcheck.lint.registrations import Registration, RegistrationFinder
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.scan import read_module
from perfcheck.lint.sources import Ignore, UnreadableSourceError, python_files
from perfcheck.lint.vocabulary import Framework, LintResult, RegisteredRoute, Remark, SourceLocation, UnmonitoredHandler

__all__ = ["Framework", "LintResult", "RegisteredRoute", "Remark", "SourceLocation", "UnmonitoredHandler", "lint"]

_NO_REASON = "an ignore needs a reason in brackets: # perfcheck: ignore[why this handler is not monitored]"
_NOT_NEEDED = "this ignore is not needed: no unmonitored handler is on this line"


def lint(paths: Sequence[str], exclude: Sequence[str] = (), *, include_tests: bool = False) -> LintResult:
    """Read the source and list the route handlers that no monitor covers. Raises UsageError for a path without any."""
    files = python_files(paths, exclude, include_tests=include_tests)
    with _quick_and_quiet():
        modules, problems = _read(files)
        return _judge(modules, problems, len(files))


def _read(files: Iterable[str]) -> tuple[list[Module], list[Remark]]:
    modules: list[Module] = []
    problems: list[Remark] = []
    for file in files:
        try:
            modules.append(read_module(file))
        except UnreadableSourceError as error:
            problems.append(Remark(SourceLocation(file, error.line, error.column), error.message))
    return modules, problems


def _judge(modules: list[Module], problems: list[Remark], files: int) -> LintResult:
    resolver = Resolver(Project(modules))
    monitors = AppMonitors(modules, resolver)
    in_order = sorted((each for module in modules for each in module.ignores), key=lambda ignore: ignore.location)
    ignores = {(ignore.location.file, ignore.location.line): ignore for ignore in in_order}
    used: set[Ignore] = set()
    handlers: set[SourceLocation] = set()
    ignored: set[SourceLocation] = set()
    apps: set[Remark] = set()
    open_routes: dict[State, defaultdict[SourceLocation, list[Registration]]]
    open_routes = {state: defaultdict(list) for state in (State.NOT_MONITORED, State.UNKNOWN)}
    for registration in _in_order(modules, resolver):
        handler = registration.target.location
        handlers.add(handler)
        cover = _cover(registration, monitors)
        if cover.state is State.MONITORED:
            continue
        comments = [comment for comment in _comments(registration, cover, ignores) if comment.reason]
        used.update(comments)
        if comments:
            ignored.add(handler)
            continue
        if cover.owner is not None and cover.state is State.NOT_MONITORED:
            apps.add(cover.owner)
        open_routes[cover.state][handler].append(replace(registration, reason=registration.reason or cover.reason))
    findings, unknown = open_routes[State.NOT_MONITORED], open_routes[State.UNKNOWN]
    for handler in findings:
        unknown.pop(handler, None)
    ignored -= findings.keys() | unknown.keys()
    return LintResult(
        findings=_findings(findings, is_certain=True),
        unknown=_findings(unknown, is_certain=False),
        apps=tuple(sorted(apps, key=lambda app: app.location)),
        wrong_ignores=tuple(Remark(ignore.location, _NO_REASON) for ignore in ignores.values() if not ignore.reason),
        notes=tuple(
            Remark(ignore.location, _NOT_NEEDED) for ignore in ignores.values() if ignore.reason and ignore not in used
        ),
        problems=tuple(problems),
        files=files,
        handlers=len(handlers),
        monitored=len(handlers) - len(findings) - len(unknown) - len(ignored),
        ignored=len(ignored),
    )


def _cover(registration: Registration, monitors: AppMonitors) -> Cover:
    """By its own monitor, else by that of its app. A handler that is unknown may have a monitor of its own."""
    if registration.monitored:
        return Cover(State.MONITORED)
    cover = monitors.cover(registration.owner, registration.framework)
    if cover.state is State.NOT_MONITORED and registration.monitored is None:
        return Cover(State.UNKNOWN, "which handler this registers cannot be determined")
    return cover


def _in_order(modules: list[Module], resolver: Resolver) -> list[Registration]:
    finder = RegistrationFinder(resolver, HandlerMonitors(resolver))
    registrations = (registration for module in modules for registration in finder.of(module))
    return sorted(registrations, key=lambda registration: registration.route.location)


def _comments(registration: Registration, cover: Cover, ignores: dict[tuple[str, int], Ignore]) -> Iterator[Ignore]:
    """Those of the route, of its handler, and of the app or router that is to blame."""
    ranges = [(registration.route.location.file, registration.lines)]
    if owner := cover.owner:
        ranges.append((owner.location.file, range(owner.location.line, owner.location.line + 1)))
    if definition := registration.target.definition:
        ranges.append((definition.location.file, definition.header))
    return (ignores[file, line] for file, lines in ranges for line in lines if (file, line) in ignores)


def _findings(
    registrations: dict[SourceLocation, list[Registration]], *, is_certain: bool
) -> tuple[UnmonitoredHandler, ...]:
    return tuple(
        UnmonitoredHandler(
            location=location,
            handler=routes[0].target.name,
            framework=routes[0].framework,
            routes=tuple(dict.fromkeys(registration.route for registration in routes)),
            reason=next((registration.reason for registration in routes if registration.reason), None),
            is_certain=is_certain,
        )
        for location, routes in sorted(registrations.items())
    )


@contextmanager
def _quick_and_quiet() -> Iterator[None]:
    """Syntax trees have no cycles, and collecting garbage takes a third of the time; warnings are of no use here."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()
