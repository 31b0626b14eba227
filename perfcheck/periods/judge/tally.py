"""The runs of a period, counted in one pass: verdicts, machines, commits, labels, and the times of the newest."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from perfcheck.history.model import BranchRuns, Note, PastRun
from perfcheck.model import Source, Verdict
from perfcheck.periods.model import MachineRuns, Period, RunReference

_CONTEXT_RUNS = 120  # before the period: so that a change at its first run is found
MAX_COMPARED = 400  # points of one series that are searched for changes; more are combined in blocks
_CONTEXT_BLOCKS = 40  # before the period, where runs are combined
_MAX_MACHINES = 10
_MAX_TIMES = 2000  # of the newest runs of one machine, to know what they no longer measured
_MAX_LABELS = 40
_MAX_SHOWN = 20
_MIN_COMMIT_DIGITS = 7  # as git abbreviates it
_PORT = re.compile(r"(?<=[^/:]):\d+(?=/|$)")

MachineKey = tuple[str, Source]  # a kind of machine, and whether the monitor or a check measured


@dataclass(slots=True)
class PeriodTally:
    """Made by ``tally_runs``; its size does not grow with the number of runs."""

    period: Period
    notes: tuple[Note, ...] = ()
    branch: str | None = None  # of its runs; None: the runs without one
    other_branches: tuple[BranchRuns, ...] = ()
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    machine_runs: Counter[MachineKey] = field(default_factory=Counter)
    service_runs: Counter[str] = field(default_factory=Counter)  # by their addresses without the port
    service_urls: dict[str, str] = field(default_factory=dict)  # the same -> the only URL, or the same again
    commits: set[str] = field(default_factory=set)
    labels: dict[str, RunReference] = field(default_factory=dict)
    incomplete: int = 0
    earlier: int = 0
    since: str = field(init=False)  # of the period or, once there are any, the time of the first run before it
    first: RunReference | None = None
    last: RunReference | None = None
    first_of: dict[Source, str] = field(default_factory=dict)  # when the first run was, earlier ones included
    machine_names: dict[MachineKey, str] = field(default_factory=dict)
    times: dict[MachineKey, deque[str]] = field(default_factory=dict)  # of the newest whole runs, in their order
    largest: dict[MachineKey, int] = field(default_factory=dict)  # the most endpoints of a run there
    note_times: dict[int, str] = field(default_factory=dict)  # note -> time of its run, or its commit's first run

    def __post_init__(self) -> None:
        self.since = self.period.since

    @property
    def runs(self) -> int:
        return self.verdicts.total()

    @property
    def block(self) -> int:
        """How many neighbouring runs are combined when a series is searched for changes."""
        return -(-max(self.machine_runs.values(), default=0) // MAX_COMPARED) or 1

    @property
    def context_runs(self) -> int:
        """How many runs before the period are worth reading, all machines together."""
        return context_runs(self.block) * min(max(len(self.machine_runs), 1), _MAX_MACHINES)

    @property
    def machines(self) -> tuple[MachineRuns, ...]:
        counts: Counter[str] = Counter()
        for key, runs in self.machine_runs.items():
            counts[self.machine_names[key]] += runs
        return tuple(MachineRuns(machine, runs) for machine, runs in counts.most_common(_MAX_SHOWN))

    @property
    def services(self) -> tuple[str, ...]:
        return tuple(self.service_urls[address] for address, _ in self.service_runs.most_common(_MAX_SHOWN))

    def add(self, run: PastRun) -> None:
        """Runs of the period, in the order of time."""
        reference = RunReference(run.id, run.started_at, run.label, run.commit)
        self.first, self.last = self.first or reference, reference
        self.verdicts[run.verdict] += 1
        key = machine_key(run.machine, run.source)
        self.machine_runs[key] += 1
        self.machine_names.setdefault(key, run.machine)
        address = _PORT.sub("", run.base_url)  # a service that was started for each run has another one each time
        self.service_runs[address] += 1
        if self.service_urls.setdefault(address, run.base_url) != run.base_url:
            self.service_urls[address] = address
        self.incomplete += not run.complete
        if run.commit:
            self.commits.add(run.commit)
        if run.label and len(self.labels) < _MAX_LABELS:
            self.labels.setdefault(run.label, reference)
        if self._is_whole(run):
            self._times(run).append(run.started_at)
        self._note_time(run)

    def add_earlier(self, run: PastRun) -> None:
        """Runs before the period, the newest first, after all runs of the period."""
        self.earlier += 1
        self.since = run.started_at
        times = self._times(run)
        if len(times) < _MAX_TIMES and self._is_whole(run):
            times.appendleft(run.started_at)
        self._note_time(run)

    def _is_whole(self, run: PastRun) -> bool:
        """Whether it covered most endpoints: a run of a few selected ones does not make the others gone."""
        counts = run.counts
        endpoints = counts.ok + counts.warning + counts.critical + counts.not_measured
        key = machine_key(run.machine, run.source)
        self.largest[key] = max(self.largest.get(key, 0), endpoints)
        return 2 * endpoints >= self.largest[key]

    def _times(self, run: PastRun) -> deque[str]:
        known = self.first_of.get(run.source, run.started_at)
        self.first_of[run.source] = min(known, run.started_at)
        return self.times.setdefault(machine_key(run.machine, run.source), deque(maxlen=_MAX_TIMES))

    def _note_time(self, run: PastRun) -> None:
        for note in self.notes:
            if note.run_id == run.id or (note.run_id is None and is_same_commit(note.commit, run.commit)):
                self.note_times[note.id] = min(self.note_times.get(note.id, run.started_at), run.started_at)


def tally_runs(period: Period, notes: Iterable[Note], runs: Iterable[PastRun]) -> PeriodTally:
    """Of the runs of the period, in the order of time; those before it are added one by one."""
    tally = PeriodTally(period, tuple(notes))
    for run in runs:
        tally.add(run)
    return tally


def context_runs(block: int) -> int:
    """How many runs before the period one series gets, when so many are combined."""
    return max(_CONTEXT_RUNS, _CONTEXT_BLOCKS * block)


def machine_key(machine: str, source: Source) -> MachineKey:
    """Without the release of the kernel, ``Linux 6.1.0-13 x86_64, 2 CPUs``: every update changes it."""
    words = machine.split(" ")
    return (" ".join([words[0], *words[2:]]) if len(words) > 3 else machine), source  # noqa: PLR2004


def is_same_commit(commit: str | None, other: str | None) -> bool:
    """Also where one of them is abbreviated."""
    if not commit or not other:
        return False
    short, long = sorted((commit.lower(), other.lower()), key=len)
    return len(short) >= _MIN_COMMIT_DIGITS and long.startswith(short)
