"""The directory in which the workers of one service leave their counts: one file each, and one for all that ended.

A worker holds a POSIX lock on ``ID.alive`` as long as it lives: the system releases it however the worker ends, and a
forked child does not inherit it. Its counts are in ``ID.jsonl``, replaced atomically. A process that holds ``lock`` may
move the counts of dead workers into ``gone.jsonl``, which names those workers until their files are removed: a crash in
between neither loses nor doubles a count.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from perfcheck.monitor.histogram import Histogram
from perfcheck.monitor.statistics import (
    EndpointStatistics,
    Queries,
    RepeatedStatement,
    Sizes,
    Snapshot,
    StatementTime,
    merge_snapshots,
)

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FORMAT = "perfcheck.monitor/1"
_GONE = "gone"
_LOCK_TIMEOUT_S = 2.0  # while another process holds the lock
_PAUSE_S = 0.01
_Lines = dict[str, tuple[tuple[int, int], str]]  # endpoint -> (total, in flight), its line


def encode_snapshot(snapshot: Snapshot, folded: Iterable[str] = (), known: _Lines | None = None) -> str:
    """``folded`` names the workers whose counts are in here already; ``known`` keeps the line of each endpoint."""
    header = {name: getattr(snapshot, name) for name in ("started_at", "taken_at", "overflow", "defects")}
    lines = [json.dumps({"format": FORMAT, **header, "folded": list(folded)})]
    known = {} if known is None else known
    for endpoint in snapshot.endpoints:
        state = (endpoint.total, endpoint.in_flight)
        if endpoint.name not in known or known[endpoint.name][0] != state:
            known[endpoint.name] = (state, json.dumps(_encoded(endpoint), separators=(",", ":")))
        lines.append(known[endpoint.name][1])
    return "\n".join([*lines, ""])


def decode_snapshot(text: str) -> tuple[Snapshot, frozenset[str]]:
    """The snapshot (which counts no worker as alive), and the workers folded into it. Raises ValueError."""
    try:
        first, *lines = text.splitlines()
        header = json.loads(first)
        if header["format"] != FORMAT:
            raise ValueError(f"not of the format {FORMAT}")
        snapshot = Snapshot(
            endpoints=tuple(_decoded(json.loads(line)) for line in lines),
            started_at=float(header["started_at"]),
            taken_at=float(header["taken_at"]),
            workers=0,
            overflow=int(header["overflow"]),
            defects=int(header["defects"]),
        )
        return snapshot, frozenset(map(str, header["folded"]))
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise ValueError(f"not a file of the monitor: {error!r}") from error


def _encoded(endpoint: EndpointStatistics) -> dict[str, Any]:
    duration = endpoint.duration
    return {
        "name": endpoint.name,
        "errors": endpoint.errors,
        "disconnects": endpoint.disconnects,
        "in_flight": endpoint.in_flight,
        "statuses": {str(status): count for status, count in endpoint.statuses.items()},
        "sums": [duration.total_ns, duration.squares, duration.least_ns, duration.most_ns],
        "buckets": list(duration.sparse().items()),
        "recent": endpoint.recent,
        "sizes": astuple(endpoint.sizes),
        "queries": astuple(endpoint.queries),
        "n_plus_one": [astuple(repeated) for repeated in endpoint.n_plus_one],
        "slow_statements": [astuple(statement) for statement in endpoint.slow_statements],
        "cache": [endpoint.cache_hits, endpoint.cache_misses],
    }


def _decoded(line: dict[str, Any]) -> EndpointStatistics:
    duration = Histogram.restore(line["sums"], dict(line["buckets"]))
    hits, misses = line["cache"]
    return EndpointStatistics(
        name=str(line["name"]),
        total=duration.count,
        errors=line["errors"],
        disconnects=line["disconnects"],
        in_flight=line["in_flight"],
        statuses={int(status): count for status, count in line["statuses"].items()},
        duration=duration,
        recent=tuple((ended, ns) for ended, ns in line["recent"]),
        sizes=Sizes(*line["sizes"]),
        queries=Queries(*line["queries"]),
        n_plus_one=tuple(RepeatedStatement(*repeated) for repeated in line["n_plus_one"]),
        slow_statements=tuple(StatementTime(*statement) for statement in line.get("slow_statements", ())),
        cache_hits=hits,
        cache_misses=misses,
    )


class Membership:
    """One worker's files in the directory. One thread at a time may call it. Raises OSError."""

    def __init__(self, path: str) -> None:
        if fcntl is None:
            raise OSError("this system has no POSIX locks")
        self.path = path
        self._folder = Path(path)
        self.id = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._lines: _Lines = {}
        self._handle = -1
        self._keep_alive()

    def publish(self, snapshot: Snapshot) -> None:
        self._keep_alive()
        self._write(self.id, encode_snapshot(snapshot, known=self._lines))

    def others(self) -> tuple[list[Snapshot], list[str]]:
        """Of each other worker that is alive, and of all dead ones as one; and what could not be read or merged."""
        with self._locked():
            alive: list[Snapshot] = []
            dead: dict[str, Snapshot] = {}
            problems: list[str] = []
            gone, folded = self._read_gone(problems)
            for name in sorted(path.stem for path in self._folder.glob("*-*.jsonl")):
                if name == self.id or name in folded:
                    continue
                try:
                    snapshot, _ = self._read(name)
                except (OSError, ValueError) as error:
                    problems.append(f"the counts of worker {name} cannot be read: {error}")
                    continue
                if self._is_alive(name):
                    alive.append(replace(snapshot, workers=1))
                else:
                    ended = tuple(replace(endpoint, in_flight=0) for endpoint in snapshot.endpoints)
                    dead[name] = replace(snapshot, endpoints=ended)
            if problems:  # leave everything as it is, for a person to look at
                return [*alive, merge_snapshots([gone, *dead.values()])], problems
            if dead or folded:
                gone = self._fold(gone, folded, dead, problems)
        return [*alive, gone], problems

    def withdraw(self) -> None:
        """Take the counts of this worker away: it moves to another directory."""
        self.close()
        for kind in ("jsonl", "alive"):
            self._file(self.id, kind).unlink(missing_ok=True)

    def close(self) -> None:
        """Leave: what was published counts as that of a dead worker from now on."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _fold(self, gone: Snapshot, folded: frozenset[str], dead: dict[str, Snapshot], problems: list[str]) -> Snapshot:
        """All that ended, as one; on disk too, if that can be written."""
        ended = merge_snapshots([gone, *dead.values()])
        left = [name for name in (*folded, *dead) if self._file(name).exists()]
        try:
            if dead:
                self._write(_GONE, encode_snapshot(ended, left))
            for name in left:
                self._file(name).unlink(missing_ok=True)
                for kind in ("alive", f"{name}.tmp"):
                    self._file(name, kind).unlink(missing_ok=True)
                self._file(_GONE, f"{name}.tmp").unlink(missing_ok=True)
            if left:
                self._write(_GONE, encode_snapshot(ended))
        except OSError as error:
            problems.append(f"the counts of workers that ended cannot be merged: {error}")
        return ended

    def _read_gone(self, problems: list[str]) -> tuple[Snapshot, frozenset[str]]:
        try:
            return self._read(_GONE)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            problems.append(f"the counts of workers that ended cannot be read: {error}")
        return Snapshot(workers=0), frozenset()

    def _keep_alive(self) -> None:
        """Hold the lock that marks it as alive; again, if the directory was cleared."""
        alive = self._file(self.id, "alive")
        if self._handle >= 0:
            try:
                if alive.stat().st_ino == os.fstat(self._handle).st_ino:
                    os.utime(self._handle)  # for what removes old files
                    return
            except FileNotFoundError:
                pass
            self.close()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._handle = os.open(alive, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.lockf(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _is_alive(self, name: str) -> bool:
        try:
            handle = os.open(self._file(name, "alive"), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(handle)
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among processes; among the threads of this one, ``workers.Worker`` is. Raises TimeoutError."""
        until = time.monotonic() + _LOCK_TIMEOUT_S
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while not _try_lock(handle):
                if time.monotonic() > until:
                    raise TimeoutError("another process holds its lock")
                time.sleep(_PAUSE_S)
            yield
        finally:
            os.close(handle)

    def _read(self, name: str) -> tuple[Snapshot, frozenset[str]]:
        file = self._file(name)
        if file.exists() and not file.is_file():  # reading a pipe would block
            raise ValueError("not a file")
        return decode_snapshot(file.read_text(encoding="utf-8"))

    def _write(self, name: str, text: str) -> None:
        temporary = self._file(name, f"{self.id}.tmp")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - the mode above is what matters
                file.write(text)
            temporary.replace(self._file(name))
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def _file(self, name: str, kind: str = "jsonl") -> Path:
        return self._folder / f"{name}.{kind}"


def _try_lock(handle: int) -> bool:
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
