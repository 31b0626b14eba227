"""Route handlers that no monitor covers, found in Python source without importing it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from perfcheck.lint.app_monitors import AppMonitors, Cover, State
from perfcheck.lint.module_facts import Module
from perfcheck.lint.monitors import HandlerMonitors
from perfcheck.lint.project import Project
from perfcheck.lint.registrations import Registration, RegistrationFinder
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.scan import quick_and_quiet, read_modules
from perfcheck.lint.sources import Ignore, python_files
from perfcheck.lint.vocabulary import Framework, LintResult, RegisteredRoute, Remark, SourceLocation, UnmonitoredHandler

__all__ = ["Framework", "LintResult", "RegisteredRoute", "Remark", "SourceLocation", "UnmonitoredHandler", "lint"]

_NO_REASON = "an ignore needs a reason in brackets: # perfcheck: ignore[why this handler is not monitored]"
_NOT_NEEDED = "this ignore is not needed: no unmonitored handler is on this line"


def lint(paths: Sequence[str], exclude: Sequence[str] = (), *, include_tests: bool = False) -> LintResult:
    """Read the source and list the route handlers that no monitor covers. Raises UsageError for a path without any."""
    files = python_files(paths, exclude, include_tests=include_tests)
    with quick_and_quiet():
        modules, problems = read_modules(files)
        return _judge(modules, problems, len(files))


def _judge(modules: list[Module], problems: list[Remark], files: int) -> LintResult:
    resolver = Resolver(Project(modules))
    monitors, ignores = AppMonitors(modules, resolver), _Ignores(modules)
    judged = [_Judged(registration, _cover(registration, monitors)) for registration in _in_order(modules, resolver)]
    uncovered = [each for each in judged if each.cover.state is not State.MONITORED]
    remaining = [each for each in uncovered if not ignores.apply(each)]
    handlers, left = _locations(judged), _locations(remaining)
    ignored = _locations(uncovered) - left
    certain = [each for each in remaining if each.cover.state is State.NOT_MONITORED]
    apps = {each.cover.owner for each in certain if each.cover.owner is not None}
    in_doubt = _locations(remaining) - _locations(certain)
    return LintResult(
        findings=_findings(certain),
        unknown=_findings(each for each in remaining if each.handler in in_doubt),
        apps=tuple(sorted(apps, key=lambda app: app.location)),
        wrong_ignores=tuple(ignores.without_reason()),
        notes=tuple(ignores.not_needed()),
        problems=tuple(problems),
        files=files,
        handlers=len(handlers),
        monitored=len(handlers) - len(left) - len(ignored),
        ignored=len(ignored),
    )


@dataclass(frozen=True, slots=True)
class _Judged:
    registration: Registration
    cover: Cover

    @property
    def handler(self) -> SourceLocation:
        return self.registration.target.location


def _locations(judged: Iterable[_Judged]) -> set[SourceLocation]:
    return {each.handler for each in judged}


def _cover(registration: Registration, monitors: AppMonitors) -> Cover:
    """By its own monitor, else by that of its app. A handler that is unknown may have a monitor of its own."""
    if registration.target.monitored:
        return Cover(State.MONITORED)
    cover = monitors.cover(registration.owner, registration.framework)
    if cover.state is State.NOT_MONITORED and registration.target.monitored is None:
        return Cover(State.UNKNOWN, "which handler this registers cannot be determined")
    return cover


def _in_order(modules: list[Module], resolver: Resolver) -> list[Registration]:
    finder = RegistrationFinder(resolver, HandlerMonitors(resolver))
    registrations = (registration for module in modules for registration in finder.of(module))
    return sorted(registrations, key=lambda registration: registration.route.location)


class _Ignores:
    def __init__(self, modules: list[Module]) -> None:
        in_order = sorted((each for module in modules for each in module.ignores), key=lambda ignore: ignore.location)
        self._by_line = {(ignore.location.file, ignore.location.line): ignore for ignore in in_order}
        self._used: set[Ignore] = set()

    def apply(self, judged: _Judged) -> bool:
        """Whether one has a reason: of the route, of its handler, or of the app or router that is to blame."""
        route, definition = judged.registration.route, judged.registration.target.definition
        ranges = [(route.location.file, judged.registration.lines)]
        if definition is not None:
            ranges.append((definition.location.file, definition.header))
        if owner := judged.cover.owner:
            ranges.append((owner.location.file, range(owner.location.line, owner.location.line + 1)))
        found = {self._by_line.get((file, line)) for file, lines in ranges for line in lines}
        applied = {ignore for ignore in found if ignore is not None and ignore.reason}
        self._used |= applied
        return bool(applied)

    def without_reason(self) -> Iterator[Remark]:
        return (Remark(ignore.location, _NO_REASON) for ignore in self._by_line.values() if not ignore.reason)

    def not_needed(self) -> Iterator[Remark]:
        unused = (ignore for ignore in self._by_line.values() if ignore.reason and ignore not in self._used)
        return (Remark(ignore.location, _NOT_NEEDED) for ignore in unused)


def _findings(judged: Iterable[_Judged]) -> tuple[UnmonitoredHandler, ...]:
    by_handler: defaultdict[SourceLocation, list[_Judged]] = defaultdict(list)
    for each in judged:
        by_handler[each.handler].append(each)
    return tuple(_finding(by_handler[handler]) for handler in sorted(by_handler))


def _finding(judged: list[_Judged]) -> UnmonitoredHandler:
    first = judged[0].registration
    reasons = (each.registration.reason or each.cover.reason for each in judged)
    return UnmonitoredHandler(
        location=first.target.location,
        handler=first.target.name,
        framework=first.framework,
        routes=tuple(dict.fromkeys(each.registration.route for each in judged)),
        reason=next((reason for reason in reasons if reason), None),
        is_certain=judged[0].cover.state is State.NOT_MONITORED,
    )
