"""The result of a lint: plain data for every reporter."""

from __future__ import annotations

from dataclasses import dataclass

from perfcheck.lint.framework_names import Framework


@dataclass(frozen=True, slots=True, order=True)
class SourceLocation:
    """Line and column count from 1, columns in characters."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class RegisteredRoute:
    """One registration of a handler."""

    methods: tuple[str, ...]  # empty: any, or the view decides
    path: str  # as it is written, without what blueprints and routers put before it
    location: SourceLocation

    def __str__(self) -> str:
        path = self.path or "''"
        return f"{', '.join(self.methods)} {path}" if self.methods else path


@dataclass(frozen=True, slots=True)
class UnmonitoredHandler:
    """A handler that nothing monitors."""

    location: SourceLocation
    handler: str
    framework: Framework
    routes: tuple[RegisteredRoute, ...]  # those that are not monitored
    reason: str | None = None  # why a monitor that is there does not cover it

    @property
    def message(self) -> str:
        routes = "; ".join(str(route) for route in self.routes)
        return f"{self.handler} ({routes}) is not monitored" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Remark:
    """On a wrong or needless ignore, or a file that could not be read."""

    location: SourceLocation
    message: str


@dataclass(frozen=True, slots=True)
class LintResult:
    """All of it in order of file, line and column."""

    findings: tuple[UnmonitoredHandler, ...]
    wrong_ignores: tuple[Remark, ...]  # these fail, as findings do
    notes: tuple[Remark, ...]
    problems: tuple[Remark, ...]  # files that could not be read or parsed
    files: int
    handlers: int
    monitored: int
    ignored: int
