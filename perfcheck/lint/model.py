"""What a lint comes to: plain data that every reporter reads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Framework(StrEnum):
    FLASK = "flask"
    FASTAPI = "fastapi"
    STARLETTE = "starlette"
    DJANGO = "django"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a source file; line and column count from 1, columns in characters."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Route:
    """One registration of a handler."""

    methods: tuple[str, ...]  # empty: any, or the view decides
    path: str  # as it is written, without what blueprints and routers put before it
    place: Place

    def __str__(self) -> str:
        path = self.path or "''"
        return f"{', '.join(self.methods)} {path}" if self.methods else path


@dataclass(frozen=True, slots=True)
class Finding:
    """A handler that nothing monitors."""

    place: Place
    handler: str
    framework: Framework
    routes: tuple[Route, ...]  # those that are not monitored
    reason: str | None = None  # why a monitor that stands there does not cover it

    @property
    def message(self) -> str:
        shown = "; ".join(str(route) for route in self.routes)
        return f"{self.handler} ({shown}) is not monitored" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to say about one place: a wrong or needless ignore, or a file that could not be read."""

    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """All of it in order of file, line and column."""

    findings: tuple[Finding, ...]
    wrong_ignores: tuple[Remark, ...]  # these fail, as findings do
    notes: tuple[Remark, ...]
    problems: tuple[Remark, ...]  # files that could not be read or parsed
    files: int
    handlers: int
    monitored: int
    ignored: int
