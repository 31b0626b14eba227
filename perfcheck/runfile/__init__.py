"""The run file: one run as JSON, readable forever.

History of the format (a file of each version is in tests/runfile/versions/, and must always be readable):

- perfcheck.run/1 (0.1.0): the first.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from perfcheck.errors import UsageError
from perfcheck.model import PROOF, EndpointResult, Run, Timeline
from perfcheck.text import clean

FORMAT = "perfcheck.run/1"
# Of any figure but 0: a picosecond and some thirty years; of sizes and numbers a terabyte, and less than any can be.
_LEAST, _MOST = 1e-9, 1e12
_MOST_STAGES = 10
_TRACE_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class _Header:
    format: str


def encode_run(run: Run) -> bytes:
    """The run as UTF-8 JSON with a final newline. Infinities cannot occur in a run; absent values are null."""
    import msgspec  # a run that saves nothing starts without it

    return msgspec.json.encode(run) + b"\n"


def read_run(path: Path) -> Run:
    """Read a run file of any version. Raises UsageError with the file and its error."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    return decode_run(content, str(path))


def decode_run(content: bytes, name: str) -> Run:
    """The run in the content of a run file of any version. ``name`` is that of the file. Raises UsageError."""
    import msgspec

    unreadable = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
    try:
        header = msgspec.json.decode(content, type=_Header)
    except unreadable as error:
        raise UsageError(
            f"{name} is not a run file: {clean(str(error))}", "a run file is written by 'perfcheck run -o FILE'"
        ) from error
    if header.format != FORMAT:
        raise UsageError(
            f"{name} has the format '{clean(header.format)}'; this perfcheck reads {FORMAT}",
            "if a newer version wrote it, upgrade perfcheck",
        )
    try:
        run = msgspec.json.decode(content, type=Run)
    except unreadable as error:
        raise UsageError(f"{name} is a damaged run file: {clean(str(error))}") from error
    if value := _implausible(run):
        raise UsageError(f"{name} is a damaged run file: {value}")
    return run


def _implausible(run: Run) -> str | None:
    """A value that perfcheck cannot have written, as ``endpoints[3].target_ms is 0``; None for a sound run.

    So that reports need not check every value.
    """
    if not 0 <= run.duration_ms <= _MOST:
        return f"duration_ms is {run.duration_ms}"
    if not 0 < run.alpha < 1:
        return f"alpha is {run.alpha}"
    for name in ("excluded_failure_rate", "excluded_failure_rate_of_service"):
        if not 0 <= (getattr(run, name) or 0.0) <= 1:
            return f"{name} is {getattr(run, name)}"
    for number, result in enumerate(run.endpoints):
        for error in _errors_in_endpoint(result):
            return f"endpoints[{number}].{error}"
    if run.capacity is not None:
        loads = (run.capacity.value, *run.capacity.interval, run.capacity.at_least)
        return next(_errors_in_figures("capacity", loads), None)
    return None


def _errors_in_endpoint(result: EndpointResult) -> Iterator[str]:
    for name in ("target_ms", "ideal_ms", "warning_ms", "critical_ms", "ceiling_ms"):
        limit = getattr(result, name)
        if limit is not None and not _LEAST <= limit <= _MOST:
            yield f"{name} is {limit}"
    if result.concurrency < 1:
        yield f"concurrency is {result.concurrency}"
    if not 0 <= (result.error_rate or 0.0) <= 1:
        yield f"error_rate is {result.error_rate}"
    if not all(0 <= count <= _MOST for count in astuple(result.requests)):
        yield "requests is out of range"
    if not all(_TRACE_ID.fullmatch(trace.trace_id) for trace in result.traces):
        yield "traces has an id that is none"
    values_by_name = {
        "value_ms": [result.value_ms],
        "interval_ms": result.interval_ms,
        "latency_ms": astuple(result.latency_ms),
        "phases_ms": astuple(result.phases_ms),
        "server_timing": result.server_timing.values(),
        "samples_ms": result.samples_ms,
        "traces": [trace.latency_ms for trace in result.traces],
    }
    for name, values in values_by_name.items():
        yield from _errors_in_figures(name, values)
    yield from _errors_in_timeline(result.timeline)
    if result.page is not None:
        yield from _errors_in_figures("page.figures", result.page.figures.values())
        yield from _errors_in_figures("page.blocking", [resource.ms for resource in result.page.blocking])
    for number, step in enumerate(result.steps):
        yield from (f"steps[{number}].{error}" for error in _errors_in_endpoint(step))


def _errors_in_timeline(timeline: Timeline) -> Iterator[str]:
    lengths = {len(timeline.at_ms), len(timeline.latency_ms), len(timeline.stage), len(timeline.outcome)}
    if len(lengths) > 1:
        yield "timeline has arrays of unequal length"
    if not all(PROOF <= stage <= _MOST_STAGES for stage in timeline.stage):
        yield "timeline.stage is out of range"
    if timeline.at_ms and not (min(timeline.at_ms) >= -_MOST and max(timeline.at_ms) <= _MOST):
        yield "timeline.at_ms is out of range"
    yield from _errors_in_figures("timeline.latency_ms", timeline.latency_ms)


def _errors_in_figures(name: str, values: Iterable[float | None]) -> Iterator[str]:
    known = [value for value in values if value]  # 0 is one as well
    if known and not (min(known) >= _LEAST and max(known) <= _MOST):
        yield f"{name} is out of range"


_DESCRIPTOR = re.compile(r"/(?:dev/fd|proc/self/fd)/(\d+)")


def descriptor_of(path: Path) -> int | None:
    """The number of an open file that ``path`` is a name of: 1 of /dev/stdout, 3 of /dev/fd/3; None for others."""
    named = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}.get(str(path))
    if named is not None:
        return named
    match = _DESCRIPTOR.fullmatch(str(path))
    return int(match.group(1)) if match else None


def write_atomically(path: Path, content: bytes, *, keep_mode: bool = False) -> None:
    """Write to a temporary file next to ``path`` and rename it, so that no reader ever sees half a file.

    An open file (/dev/fd/3), a device and a named pipe are written to as they are, and a link is followed, since a
    rename would replace them. ``keep_mode``: who may read and write the file stays as it is, and whose it is where that
    is allowed. Raises OSError, with nothing left behind; also for a pipe that nobody reads.
    """
    descriptor = descriptor_of(path)
    real = Path(os.path.realpath(path))
    if descriptor is not None:
        _write_to(os.dup(descriptor), content)
    elif real.exists() and not real.is_file():
        handle = os.open(real, os.O_WRONLY | (os.O_NONBLOCK if stat.S_ISFIFO(real.stat().st_mode) else 0))
        os.set_blocking(handle, True)
        _write_to(handle, content)
    else:
        _replace(real, content, real.stat() if keep_mode and real.exists() else None)


def _write_to(handle: int, content: bytes) -> None:
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _replace(path: Path, content: bytes, before: os.stat_result | None) -> None:
    mode = 0o666 & ~_umask() if before is None else stat.S_IMODE(before.st_mode)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".perfcheck-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if before is not None:
            with contextlib.suppress(PermissionError):
                os.chown(temporary, before.st_uid, before.st_gid)
        os.chmod(temporary, mode)  # noqa: PTH101 - mkstemp gives 0600, which hides a report from others
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
