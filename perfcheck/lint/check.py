"""The whole lint: files in, findings out."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from perfcheck.lint.cover import Cover
from perfcheck.lint.facts import Ignore, Module
from perfcheck.lint.files import python_files
from perfcheck.lint.model import Finding, Place, Remark, Result
from perfcheck.lint.monitors import Monitors
from perfcheck.lint.project import Project
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.routes import Registration, Routes
from perfcheck.lint.scan import read_module
from perfcheck.lint.source import UnreadableError

_NO_REASON = "an ignore needs its reason in brackets: # perfcheck: ignore[why this handler is not monitored]"


def lint(paths: Sequence[str], exclude: Sequence[str] = (), *, include_tests: bool = False) -> Result:
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
        except UnreadableError as error:
            problems.append(Remark(Place(file, error.line, error.column), error.message))
    return modules, problems


def _judge(modules: list[Module], problems: list[Remark], files: int) -> Result:
    resolver = Resolver(Project(modules))
    cover = Cover(modules, resolver)
    ignores = {(one.place.file, one.place.line): one for module in modules for one in module.ignores}
    used: set[Ignore] = set()
    handlers: dict[Place, _Handler] = {}
    for registration in _in_order(modules, resolver):
        handler = handlers.setdefault(registration.target.place, _Handler(registration))
        if registration.monitored or cover.covers(registration.owner, registration.framework):
            continue
        comments = [one for one in _comments(registration, ignores) if one.reason]
        used.update(comments)
        if comments:
            handler.ignored = True
        else:
            handler.open.append(registration)
    findings = [_finding(handler.open) for handler in handlers.values() if handler.open]
    ignored = sum(handler.ignored and not handler.open for handler in handlers.values())
    return Result(
        findings=tuple(sorted(findings, key=lambda finding: finding.place)),
        wrong_ignores=tuple(Remark(one.place, _NO_REASON) for one in _sorted(ignores.values()) if not one.reason),
        notes=tuple(_notes(ignores.values(), used)),
        problems=tuple(problems),
        files=files,
        handlers=len(handlers),
        monitored=len(handlers) - len(findings) - ignored,
        ignored=ignored,
    )


def _in_order(modules: list[Module], resolver: Resolver) -> list[Registration]:
    routes = Routes(resolver, Monitors(resolver))
    found = (registration for module in modules for registration in routes.of(module))
    return sorted(found, key=lambda one: one.route.place)


def _comments(registration: Registration, ignores: dict[tuple[str, int], Ignore]) -> Iterator[Ignore]:
    if not ignores:
        return
    definition = registration.target.definition
    if definition is not None:
        yield from _on(definition.place.file, definition.header, ignores)
    yield from _on(registration.route.place.file, registration.lines, ignores)


def _on(file: str, lines: range, ignores: dict[tuple[str, int], Ignore]) -> Iterator[Ignore]:
    return (ignores[file, line] for line in lines if (file, line) in ignores)


def _finding(registrations: list[Registration]) -> Finding:
    first = registrations[0]
    return Finding(
        place=first.target.place,
        handler=first.target.name,
        framework=first.framework,
        routes=tuple(dict.fromkeys(registration.route for registration in registrations)),
        reason=next((one.reason for one in registrations if one.reason), None),
    )


def _notes(ignores: Iterable[Ignore], used: set[Ignore]) -> Iterator[Remark]:
    for one in _sorted(ignores):
        if one.reason and one not in used:
            yield Remark(one.place, "this ignore is not needed: no handler without a monitor stands here")


def _sorted(ignores: Iterable[Ignore]) -> list[Ignore]:
    return sorted(ignores, key=lambda one: one.place)


@contextmanager
def _quick_and_quiet() -> Iterator[None]:
    """Syntax trees hold no cycles, and looking for some takes a third of the time; warnings are of no concern here."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()
