"""A service and what was found of it -> a new baseline file, whose endpoints all pass."""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from perfcheck import __version__
from perfcheck.baseline.file_errors import BaselineError
from perfcheck.baseline.load import parse_baseline
from perfcheck.baseline.writer import NewBaseline, baseline_text, quoted, scalar
from perfcheck.client.prepared_request import without_password
from perfcheck.discover.endpoint_names import groups_of, in_order_of_groups, named
from perfcheck.discover.left_out import by_reason
from perfcheck.engine.discover import Discovery
from perfcheck.engine.first_look import ROUND_REQUESTS, ROUNDS, Look, check_until_green, look
from perfcheck.engine.selection import override
from perfcheck.errors import UsageError
from perfcheck.history.propose import FIRST_MARGIN
from perfcheck.model import Baseline, Endpoint, EndpointResult
from perfcheck.model.operation import Candidate, FoundIn, LeftOut, Operation
from perfcheck.times import rfc3339
from perfcheck.units import format_percentage
from perfcheck.words import day, plural

_READY = ("readyz", "ready", "readiness", "healthz", "health", "healthcheck", "livez", "live", "liveness", "ping")
_USUAL_URL = "http://localhost:8000"
_WIDTH = 116
_MOST_NAMED = 50  # of the operations that are left out for one reason

if TYPE_CHECKING:
    from perfcheck.service_process import ServiceProcess

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NewService:
    """The section ``service`` of the new file."""

    base_url: str
    headers: tuple[tuple[str, str], ...] = ()  # as they are written, with ${VARIABLES}
    monitor: str | None = None
    openapi: str | None = None
    start: str | None = None  # the command; "" for none of its own
    has_own_port: bool = False  # one that is free, as long as the command runs

    @property
    def written_url(self) -> str:
        return _USUAL_URL if self.has_own_port else without_password(self.base_url)

    def lines(self) -> dict[str, str]:
        """Key -> value, in YAML."""
        known = {"monitor": self.monitor, "openapi": self.openapi}
        lines = {"base_url": _base_url(self.written_url)}
        if self.headers:
            lines["headers"] = f"{{{', '.join(f'{name}: {quoted(value)}' for name, value in self.headers)}}}"
        lines |= {key: scalar(value) for key, value in known.items() if value is not None}
        return lines | ({"start": quoted(self.start)} if self.start else {})  # its variables are the shell's


def _base_url(url: str) -> str:
    """Overridden by the variable; a URL with a password comes from there alone."""
    is_plain = not set('$}"\\') & set(url) and "@" not in url
    return (
        f"${{PERFCHECK_BASE_URL:-{url}}}"
        if is_plain
        else "${PERFCHECK_BASE_URL:?the address of the service, with its password}"
    )


def service_baseline(service: NewService, file: Path, *, insecure: bool = False) -> Baseline:
    """With the service and no endpoint worth a name, to find some. Raises UsageError for a wrong header."""
    text = baseline_text(NewBaseline((), service.lines(), (), [Endpoint("root", "/", 0)], {}))
    try:
        baseline = parse_baseline(text.encode(), file, os.environ, base_url=service.base_url)
        return override(replace(baseline, endpoints=()), insecure=insecure)
    except BaselineError as error:
        first = error.errors[0]
        raise UsageError(f"the service cannot be written to a baseline: {first.message}", first.remedy) from None


# --- The draft -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Draft:
    """The new file, as far as it is known. ``results`` are those of its check."""

    service: NewService
    baseline: Baseline
    file: Path
    discovery: Discovery
    candidates: list[Candidate]
    looks: list[Look]
    results: Mapping[str, EndpointResult]
    created_at: datetime

    @property
    def kept(self) -> list[Look]:
        return [each for each in self.looks if each.reason is None]

    @property
    def left_out(self) -> list[LeftOut]:
        by_name = {each.endpoint.name: each.operation for each in self.candidates}
        failed = [LeftOut(by_name[each.endpoint.name], each.reason) for each in self.looks if each.reason is not None]
        return [*self.discovery.survey.left_out, *failed]

    def text(self) -> str:
        kept = self.kept
        names = {each.endpoint.name for each in kept}
        return baseline_text(
            NewBaseline(
                head=list(self._head()),
                service=self._service_lines(),
                groups=groups_of(each for each in self.candidates if each.endpoint.name in names),
                endpoints=[each.with_target() for each in kept],
                notes={each.endpoint.name: each.note for each in kept},
                tail=list(_tail(self.left_out)),
                common=self.baseline.service.headers,
            )
        )

    def load(self) -> Baseline:
        baseline = parse_baseline(self.text().encode(), self.file, os.environ, base_url=self.service.base_url)
        return override(baseline, insecure=not self.baseline.service.tls.verify)

    def leave_out_what_cannot_be_written(self) -> None:
        """A document may have paths that are none, such as one with a query in it."""
        try:
            self.load()
        except BaselineError:
            for each in self.looks:
                try:
                    replace(self, looks=[each]).load()
                except BaselineError as error:
                    each.reason = error.errors[0].message

    def _service_lines(self) -> dict[str, str]:
        lines = self.service.lines()
        ready = _ready(each.endpoint for each in self.kept)
        first = {"base_url": lines["base_url"]} | ({"ready": ready} if ready else {})
        return first | lines

    def _head(self) -> Iterator[str]:
        found = self.discovery.operations
        date = day(rfc3339(self.created_at))
        rest = "those that are not are listed at its end" if self.left_out else "none is left out"
        yield from _wrapped(
            f"Latency targets of {self.service.written_url}, written by perfcheck init {__version__} on "
            f"{date}. {plural(len(found), 'operation')} found ({sources(found)}): {len(self.kept)} measured by this "
            f"file, {rest}."
        )
        yield ""
        yield from _wrapped(
            f"The targets are a first proposal, from {ROUNDS} rounds of {ROUND_REQUESTS} requests on one occasion: the "
            f"slowest median plus {format_percentage(FIRST_MARGIN)}, at least 5 ms above it, rounded up. Keep "
            "runs with `perfcheck run --save`; after five occasions `perfcheck baseline update` tightens them. A "
            "target changes here, in a reviewed diff."
        )
        yield ""
        yield "Completion and help in editors: `perfcheck schema > baselines.schema.json`, and this first line:"
        yield "  # yaml-language-server: $schema=./baselines.schema.json"


def make_draft(
    service: NewService,
    baseline: Baseline,
    discovery: Discovery,
    file: Path,
    *,
    process: ServiceProcess | None = None,
    progress: Progress = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Draft:
    """Measure the candidates of ``discovery``, and check the file with them: every endpoint left in it passes.

    ``baseline`` has the service. Raises CouldNotMeasureError where it stops responding, and KeyboardInterrupt.
    """
    order = {each.request_line: index for index, each in enumerate(discovery.operations)}
    in_order = sorted(discovery.survey.candidates, key=lambda each: order[each.operation.request_line])
    candidates = in_order_of_groups(named(in_order))
    looks = [Look(each.endpoint, each.latency_ms) for each in candidates]
    draft = Draft(service, baseline, file, discovery, candidates, looks, {}, now())
    draft.leave_out_what_cannot_be_written()
    if draft.kept:
        look(baseline, draft.kept, process=process, progress=progress)
        draft.results = check_until_green(draft.load, looks, process=process, progress=progress)
    return draft


def _ready(endpoints: Iterable[Endpoint]) -> str | None:
    """A path that is made to be polled."""
    plain = [each.path for each in endpoints if each.method == "GET" and not each.query]
    by_last = {path.rstrip("/").rpartition("/")[2].lower(): path for path in reversed(plain)}
    return next((by_last[name] for name in _READY if name in by_last), None)


def sources(operations: Iterable[Operation]) -> str:
    """``monitor 11, OpenAPI 12``: how many each source knows."""
    counts = Counter(found_in for operation in operations for found_in in operation.found_in)
    return ", ".join(f"{found_in} {counts[found_in]}" for found_in in FoundIn if counts[found_in])


def _tail(left_out: Sequence[LeftOut]) -> Iterator[str]:
    if not left_out:
        return
    yield f"Not covered: {plural(len(left_out), 'operation')}."
    for group in by_reason(left_out):
        names = group.names
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        yield ""
        yield f"{group.reason}{f' ({group.remedy})' if group.remedy else ''}:"
        yield from (f"  {name}" for name in names[:_MOST_NAMED])
        if more:
            yield f" {more}"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
