"""What every command that measures does around its sampler: waits, watches the machine, and keeps what there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from perfcheck.client.client import Client
from perfcheck.errors import EXIT_BUG, EXIT_INTERRUPTED, CouldNotMeasureError, PerfcheckError
from perfcheck.model import EndpointResult, Finding, Rule, RunnerHealth, Sample
from perfcheck.sampling.runner_health import RunnerMonitor


@dataclass(frozen=True, slots=True)
class Course:
    """How the measuring went."""

    started_at: datetime
    started_s: float  # the sampler's clock then
    duration_ms: float
    runner: RunnerHealth
    interrupted: bool  # by the user
    defect: Exception | None  # what ended it early, or kept it from starting: to be raised after the reports

    @property
    def is_whole(self) -> bool:
        return not self.interrupted and self.defect is None

    def exit_code(self, judged: int) -> int:
        """``judged`` by the verdicts, unless the measuring did not come to its end."""
        if self.interrupted:
            return EXIT_INTERRUPTED
        if self.defect is not None:
            return self.defect.exit_code if isinstance(self.defect, PerfcheckError) else EXIT_BUG
        return judged

    def findings(self, notices: Sequence[str]) -> Iterator[Finding]:
        """On the run as a whole; ``notices`` are the client's."""
        if self.interrupted:
            yield Finding.warning(Rule.INTERRUPTED, "interrupted: this is what was measured until then")
        if isinstance(self.defect, CouldNotMeasureError):
            yield Finding.warning(Rule.SERVICE, self.defect.message)
        elif self.defect is not None:
            yield Finding.warning(Rule.BUG, "a bug in perfcheck ended the run: this is what was measured until then")
        for notice in notices:
            yield Finding.warning(Rule.CONNECTION, notice)
        if self.runner.message:
            yield Finding.warning(Rule.RUNNER, self.runner.message)

    def unless_unreached(self, results: tuple[EndpointResult, ...]) -> tuple[EndpointResult, ...]:
        """The results; where the service did not answer, each not measured for that reason."""
        if not isinstance(self.defect, CouldNotMeasureError):
            return results
        reason = self.defect
        return tuple(unreached(result, reason) for result in results)


def measure(
    run: Callable[[], None],
    samples: Callable[[], Sequence[Sample]],
    *,
    defect: Exception | None,
    measured: Callable[[], None],
) -> Course:
    """Call ``run`` unless there is a ``defect`` already; what was measured stays, whatever happens in it.

    ``samples`` tells what there is at the end, ``measured`` is called when there are no more to come.
    """
    runner = RunnerMonitor()
    runner.start()
    started_at, started_s = datetime.now(UTC), time.perf_counter()
    interrupted = False
    if defect is None:
        interrupted, defect = _until_done(run, measured)
    duration_ms = (time.perf_counter() - started_s) * 1000
    return Course(started_at, started_s, duration_ms, runner.finish(samples()), interrupted, defect)


def wait_for(client: Client, waiting: Callable[[], AbstractContextManager[None]]) -> CouldNotMeasureError | None:
    """Until the service answers; the reason when it does not, which every report is to tell."""
    try:
        with waiting():
            client.wait_until_ready()
    except CouldNotMeasureError as error:
        return error
    return None


def unreached(result: EndpointResult, reason: CouldNotMeasureError) -> EndpointResult:
    """Not measured, for this reason."""
    finding = Finding.note(Rule.NOT_MEASURED, reason.message, remedy=reason.remedy, line=result.line)
    return replace(result, findings=(finding,))


def _until_done(run: Callable[[], None], measured: Callable[[], None]) -> tuple[bool, Exception | None]:
    """Whether the user interrupted it, and the defect of ours that ended it."""
    try:
        try:
            run()
        finally:
            measured()
    except KeyboardInterrupt:
        measured()  # in case the interruption came in the line before it
        return True, None
    except Exception as error:  # noqa: BLE001 - raised again once the reports are written
        return False, error
    return False, None
