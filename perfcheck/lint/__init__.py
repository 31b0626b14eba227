"""Route handlers that no monitor covers, found in Python source without importing it."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from perfcheck.lint.module_facts import Module, Project
from perfcheck.lint.monitors import AppMonitors, HandlerMonitors
from perfcheck.lint.registrations import Registration, RegistrationFinder
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.scan import read_module
from perfcheck.lint.sources import Ignore, UnreadableSourceError, python_files
from perfcheck.lint.vocabulary import Framework, LintResult, RegisteredRoute, Remark, SourceLocation, UnmonitoredHandler

__all__ = ["Framework", "LintResult", "RegisteredRoute", "Remark", "SourceLocation", "UnmonitoredHandler", "lint"]


_NO_REASON = "an ignore needs a reason in brackets: # perfcheck: ignore[why this handler is not monitored]"


def lint(paths: Sequence[str], exclude: Sequence[str] = (), *, include_tests: bool = False) -> LintResult:
    """Read the source and list the route handlers that no monitor covers. Raises UsageError for a path without any."""
    files = python_files(paths, exclude, include_tests=include_tests)
    with _quick_and_quiet():
        modules, problems = _read(files)
        return _judge(modules, problems, len(files))


@dataclass(slots=True)
class _Handler:
    """All registrations of one handler, and those of them that nothing monitors."""

    first: Registration
    open: list[Registration] = field(default_factory=list)
    ignored: bool = False


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
    cover = AppMonitors(modules, resolver)
    ignores = {(each.location.file, each.location.line): each for module in modules for each in module.ignores}
    used: set[Ignore] = set()
    handlers: dict[SourceLocation, _Handler] = {}
    for registration in _in_order(modules, resolver):
        handler = handlers.setdefault(registration.target.location, _Handler(registration))
        if registration.monitored or cover.covers(registration.owner, registration.framework):
            continue
        comments = [comment for comment in _comments(registration, ignores) if comment.reason]
        used.update(comments)
        if comments:
            handler.ignored = True
        else:
            handler.open.append(registration)
    findings = [_finding(handler.open) for handler in handlers.values() if handler.open]
    ignored = sum(handler.ignored and not handler.open for handler in handlers.values())
    return LintResult(
        findings=tuple(sorted(findings, key=lambda finding: finding.location)),
        wrong_ignores=tuple(
            Remark(ignore.location, _NO_REASON) for ignore in _sorted(ignores.values()) if not ignore.reason
        ),
        notes=tuple(_notes(ignores.values(), used)),
        problems=tuple(problems),
        files=files,
        handlers=len(handlers),
        monitored=len(handlers) - len(findings) - ignored,
        ignored=ignored,
    )


def _in_order(modules: list[Module], resolver: Resolver) -> list[Registration]:
    finder = RegistrationFinder(resolver, HandlerMonitors(resolver))
    registrations = (registration for module in modules for registration in finder.of(module))
    return sorted(registrations, key=lambda registration: registration.route.location)


def _comments(registration: Registration, ignores: dict[tuple[str, int], Ignore]) -> Iterator[Ignore]:
    if not ignores:
        return
    definition = registration.target.definition
    if definition is not None:
        yield from _on(definition.location.file, definition.header, ignores)
    yield from _on(registration.route.location.file, registration.lines, ignores)


def _on(file: str, lines: range, ignores: dict[tuple[str, int], Ignore]) -> Iterator[Ignore]:
    return (ignores[file, line] for line in lines if (file, line) in ignores)


def _finding(registrations: list[Registration]) -> UnmonitoredHandler:
    first = registrations[0]
    return UnmonitoredHandler(
        location=first.target.location,
        handler=first.target.name,
        framework=first.framework,
        routes=tuple(dict.fromkeys(registration.route for registration in registrations)),
        reason=next((registration.reason for registration in registrations if registration.reason), None),
    )


def _notes(ignores: Iterable[Ignore], used: set[Ignore]) -> Iterator[Remark]:
    for ignore in _sorted(ignores):
        if ignore.reason and ignore not in used:
            yield Remark(ignore.location, "this ignore is not needed: no unmonitored handler is on this line")


def _sorted(ignores: Iterable[Ignore]) -> list[Ignore]:
    return sorted(ignores, key=lambda ignore: ignore.location)


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
