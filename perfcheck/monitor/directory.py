"""The directory in which the workers of one service leave their counts: one file each, and one for all that are gone.

A worker holds a POSIX lock on ``ID.alive`` as long as it lives: the system drops it however the worker ends, and a
forked child does not inherit it. Its counts are in ``ID.jsonl``, replaced whole. Whoever holds ``lock`` may move the
counts of the dead into ``gone.jsonl``, which names whom it holds until their files are removed: a crash in between
neither loses nor doubles a count.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from perfcheck.monitor import exchange
from perfcheck.monitor.settings import settings
from perfcheck.monitor.statistics import Snapshot, merge_snapshots

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_GONE = "gone"
_PATIENCE_S = 2.0  # with another process that holds the lock
_PAUSE_S = 0.01
_in_process = Lock()  # POSIX locks keep processes apart, not threads


@dataclass(frozen=True, slots=True)
class Others:
    """What the directory says about all other workers."""

    alive: tuple[Snapshot, ...] = ()
    gone: Snapshot | None = None
    problems: tuple[str, ...] = ()


class Membership:
    """One worker's place in the directory. One thread at a time may call it. Raises OSError."""

    def __init__(self, path: str) -> None:
        if fcntl is None:
            raise OSError("this system has no POSIX locks")
        self._folder = Path(path)
        self.id = f"{os.getpid()}-{secrets.token_hex(6)}"
        self._writer = exchange.Writer()
        self._handle = -1
        self._hold()

    def publish(self, snapshot: Snapshot) -> None:
        """Replace this worker's file."""
        self._hold()
        self._write(self.id, self._writer.text(snapshot))

    def others(self) -> Others:
        """Everything but this worker's own; the counts of the dead are put together on the way."""
        with self._locked():
            alive: list[Snapshot] = []
            dead: dict[str, Snapshot] = {}
            problems: list[str] = []
            gone, folded = self._read_gone(problems)
            for name in sorted(path.stem for path in self._folder.glob("*-*.jsonl")):
                if name == self.id or name in folded:
                    continue
                try:
                    read, _ = self._read(name)
                except (OSError, ValueError) as error:
                    problems.append(f"the counts of worker {name} cannot be read: {error}")
                    continue
                if self._is_alive(name):
                    alive.append(replace(read, workers=1))
                else:
                    dead[name] = replace(read, endpoints=tuple(replace(one, in_flight=0) for one in read.endpoints))
            if problems:  # leave everything as it is, for somebody to look at
                given = [one for one in (gone, *dead.values()) if one is not None]
                return Others(tuple(alive), _together(given), tuple(problems))
            if dead or folded:
                gone = self._fold(gone, folded, dead, problems)
        return Others(tuple(alive), gone, tuple(problems))

    def withdraw(self) -> None:
        """Take the counts of this worker away: they go elsewhere with it."""
        self.close()
        for kind in ("jsonl", "alive"):
            self._file(self.id, kind).unlink(missing_ok=True)

    def close(self) -> None:
        """Leave: what was published counts as that of a dead worker from now on."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _fold(
        self, gone: Snapshot | None, folded: frozenset[str], dead: dict[str, Snapshot], problems: list[str]
    ) -> Snapshot:
        """All that are gone, as one; on disk too, if that can be written."""
        merged = _together([one for one in (gone, *dead.values()) if one is not None])
        left = [name for name in (*folded, *dead) if self._file(name).exists()]
        try:
            if dead:
                self._write(_GONE, exchange.Writer().text(merged, left))
            for name in left:
                self._file(name).unlink(missing_ok=True)
                for kind in ("alive", f"{name}.tmp"):
                    self._file(name, kind).unlink(missing_ok=True)
                self._file(_GONE, f"{name}.tmp").unlink(missing_ok=True)
            if left:
                self._write(_GONE, exchange.Writer().text(merged))
        except OSError as error:
            problems.append(f"the counts of workers that ended cannot be put together: {error}")
        return merged

    def _read_gone(self, problems: list[str]) -> tuple[Snapshot | None, frozenset[str]]:
        try:
            return self._read(_GONE)
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            problems.append(f"the counts of workers that ended cannot be read: {error}")
        return None, frozenset()

    def _hold(self) -> None:
        """Hold the lock that says alive; again, if somebody cleared the directory."""
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
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among processes and threads. Raises TimeoutError."""
        until = time.monotonic() + _PATIENCE_S
        if not _in_process.acquire(timeout=_PATIENCE_S):
            raise TimeoutError("another thread holds it")
        try:
            handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                while not _taken(handle):
                    if time.monotonic() > until:
                        raise TimeoutError("another process holds its lock")
                    time.sleep(_PAUSE_S)
                yield
            finally:
                os.close(handle)
        finally:
            _in_process.release()

    def _read(self, name: str) -> tuple[Snapshot, frozenset[str]]:
        file = self._file(name)
        if file.exists() and not file.is_file():  # a pipe would be waited for
            raise ValueError("not a file")
        return exchange.read(file.read_text(encoding="utf-8"))

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


def _together(given: list[Snapshot]) -> Snapshot:
    now = settings()
    return merge_snapshots(given, window=now.window, max_endpoints=now.max_endpoints)


def forget_locks() -> None:
    """In a forked child, where the thread that held it does not exist."""
    global _in_process  # noqa: PLW0603
    _in_process = Lock()


def _taken(handle: int) -> bool:
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
