"""The runs of a period, counted in one pass: what they were, where they were made, and which came last."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from perfcheck.history.model import Note, PastRun
from perfcheck.model import Source, Verdict
from perfcheck.periods.model import MachineRuns, Moment, Period

CONTEXT_RUNS = 120  # before the period: so that a change at its first run is found, and what was known is known
MOST_COMPARED = 400  # points of one series that are searched for changes; more are taken together in blocks
_CONTEXT_BLOCKS = 40  # the same, where runs are taken together
_MOST_PLACES = 10
_MOST_TIMES = 2000  # of the newest runs of one machine, to tell what they no longer measured
_MOST_LABELS = 40
_MOST_SHOWN = 20

Place = tuple[str, Source]  # a kind of machine, and where the figures come from


@dataclass(slots=True)
class Tally:
    """Made by ``tally_runs``; its size does not grow with the number of runs."""

    period: Period
    notes: tuple[Note, ...] = ()
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    places: Counter[Place] = field(default_factory=Counter)
    branches: Counter[str] = field(default_factory=Counter)
    services: Counter[str] = field(default_factory=Counter)
    commits: set[str] = field(default_factory=set)
    labels: dict[str, Moment] = field(default_factory=dict)
    incomplete: int = 0
    earlier: int = 0
    first: Moment | None = None
    last: Moment | None = None
    first_of: dict[Source, str] = field(default_factory=dict)  # when the first run was, earlier ones included
    machine_names: dict[Place, str] = field(default_factory=dict)
    times: dict[Place, deque[str]] = field(default_factory=dict)  # of the newest whole runs, in their order
    largest: dict[Place, int] = field(default_factory=dict)  # how many endpoints a run there has, at the most
    note_times: dict[int, str] = field(default_factory=dict)  # note -> time of its run, or its commit's first run

    @property
    def runs(self) -> int:
        return self.verdicts.total()

    @property
    def block(self) -> int:
        """How many neighbouring runs are taken together when a series is searched for changes."""
        return -(-max(self.places.values(), default=0) // MOST_COMPARED) or 1

    @property
    def context_runs(self) -> int:
        """How many runs before the period are worth reading, all machines together."""
        return context_of(self.block) * min(max(len(self.places), 1), _MOST_PLACES)

    @property
    def machines(self) -> tuple[MachineRuns, ...]:
        counts: Counter[str] = Counter()
        for place, runs in self.places.items():
            counts[self.machine_names[place]] += runs
        return tuple(MachineRuns(machine, runs) for machine, runs in counts.most_common(_MOST_SHOWN))

    @property
    def most_common_services(self) -> tuple[str, ...]:
        return tuple(address for address, _ in self.services.most_common(_MOST_SHOWN))

    @property
    def most_common_branches(self) -> tuple[str, ...]:
        return tuple(branch for branch, _ in self.branches.most_common(_MOST_SHOWN))

    def add(self, run: PastRun) -> None:
        """A run of the period; in the order of time."""
        moment = Moment(run.id, run.started_at, run.label, run.commit)
        self.first, self.last = self.first or moment, moment
        self.verdicts[run.verdict] += 1
        self.places[place_of(run.machine, run.source)] += 1
        self.machine_names.setdefault(place_of(run.machine, run.source), run.machine)
        self.services[run.base_url] += 1
        self.incomplete += not run.complete
        if run.branch:
            self.branches[run.branch] += 1
        if run.commit:
            self.commits.add(run.commit)
        if run.label and len(self.labels) < _MOST_LABELS:
            self.labels.setdefault(run.label, moment)
        if self._is_whole(run):
            self._times(run).append(run.started_at)
        self._note_time(run)

    def add_earlier(self, run: PastRun) -> None:
        """A run before the period; once all of the period are counted, and the newest first."""
        self.earlier += 1
        times = self._times(run)
        if len(times) < _MOST_TIMES and self._is_whole(run):
            times.appendleft(run.started_at)
        self._note_time(run)

    def _is_whole(self, run: PastRun) -> bool:
        """Whether it asked for most endpoints: a run of some that were chosen does not make the others gone."""
        counts, place = run.counts, place_of(run.machine, run.source)
        asked = counts.ok + counts.warning + counts.critical + counts.not_measured
        self.largest[place] = max(self.largest.get(place, 0), asked)
        return 2 * asked >= self.largest[place]

    def _times(self, run: PastRun) -> deque[str]:
        known = self.first_of.get(run.source, run.started_at)
        self.first_of[run.source] = min(known, run.started_at)
        return self.times.setdefault(place_of(run.machine, run.source), deque(maxlen=_MOST_TIMES))

    def _note_time(self, run: PastRun) -> None:
        for note in self.notes:
            if note.run_id == run.id or (note.run_id is None and is_same_commit(note.commit, run.commit)):
                self.note_times[note.id] = min(self.note_times.get(note.id, run.started_at), run.started_at)


def tally_runs(period: Period, notes: Iterable[Note], runs: Iterable[PastRun]) -> Tally:
    """Of the runs of the period, in the order of time; those before it are added one by one."""
    tally = Tally(period, tuple(notes))
    for run in runs:
        tally.add(run)
    return tally


def context_of(block: int) -> int:
    """How many runs before the period one series is given, when so many are taken together."""
    return max(CONTEXT_RUNS, _CONTEXT_BLOCKS * block)


def place_of(machine: str, source: Source) -> Place:
    """Without the release of the kernel, ``Linux 6.1.0-13 x86_64, 2 CPUs``: every update changes it."""
    words = machine.split(" ")
    return (" ".join([words[0], *words[2:]]) if len(words) > 3 else machine), source  # noqa: PLR2004


def is_same_commit(one: str | None, other: str | None) -> bool:
    """Also where one of them is written short."""
    if not one or not other:
        return False
    short, long = sorted((one.lower(), other.lower()), key=len)
    return len(short) >= 7 and long.startswith(short)  # noqa: PLR2004 - as git shortens it
