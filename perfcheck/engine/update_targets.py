"""The work of ``perfcheck baseline update``: the history read, proposals made, and the file edited in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from perfcheck.baseline.edit import Edit, edit_baseline, values_in_force
from perfcheck.baseline.files import decode, read_bytes
from perfcheck.baseline.load import read_for_editing
from perfcheck.engine.diff import unified_diff
from perfcheck.engine.select import select_endpoints
from perfcheck.errors import UsageError
from perfcheck.history.model import Proposal
from perfcheck.history.propose import MIN_RUNS, ProposalRule, propose
from perfcheck.history.series import LatestSeries, LatestSeriesReader
from perfcheck.runfile.atomic import write_atomically
from perfcheck.units import format_duration

if TYPE_CHECKING:
    from perfcheck.history.store import History
    from perfcheck.model import Endpoint


@dataclass(frozen=True, slots=True)
class Update:
    """What is proposed for a baseline file, and the file as it would be."""

    file: Path
    before: bytes
    after: bytes
    proposals: tuple[Proposal, ...]
    made: int  # values that differ between the two
    by_hand: dict[str, list[str]]  # endpoint -> sentences about values that the file does not let us change

    @property
    def diff(self) -> list[str]:
        return unified_diff(decode(self.before, str(self.file)), decode(self.after, str(self.file)), str(self.file))


def propose_update(file: Path, names: Sequence[str], store: History, rule: ProposalRule) -> Update:
    """For the endpoints of the baseline in ``file`` that have these names, or all. Writes nothing.

    Raises UsageError for a wrong baseline, an unknown name, and trouble with the history.
    """
    content = read_bytes(file)
    baseline = read_for_editing(content, file, os.environ)
    endpoints, reader = select_endpoints(baseline, names, ()), LatestSeriesReader(store, baseline.file, rule.runs)
    proposals = tuple(_proposal(one, reader.read(one.name), rule) for one in endpoints)
    edits = list(_edits(proposals, values_in_force(content, file, os.environ)))
    edited = edit_baseline(content, edits, file, os.environ)
    by_hand: dict[str, list[str]] = {}
    for refused in edited.refused:
        where = f"{file}:{refused.line}" if refused.line else str(file)
        sentence = f"{where}: change {refused.edit.key} to {refused.edit.text} by hand: {refused.reason}"
        by_hand.setdefault(refused.edit.endpoint, []).append(sentence)
    return Update(file, content, edited.content, proposals, len(edited.applied), by_hand)


def _proposal(endpoint: Endpoint, series: LatestSeries, rule: ProposalRule) -> Proposal:
    proposal = propose(endpoint, series.points, rule, since=series.since)
    if proposal.runs >= MIN_RUNS or not series.in_other_series:
        return proposal
    others = series.in_other_series
    apart = f"{others} run{'s' * (others != 1)} of another machine, request or metric {'do' if others != 1 else 'does'}"
    return replace(proposal, why=f"{proposal.why}; {apart} not count beside the newest")


def _edits(proposals: Sequence[Proposal], written: dict[tuple[str, str], str]) -> Iterator[Edit]:
    """In the unit that the file has for the value."""
    for one in proposals:
        for key, move in (("target", one.target), ("ideal", one.ideal)):
            if move is not None:
                text = format_duration(move.after_ms, written.get((one.endpoint, key)))
                yield Edit(one.endpoint, key, text)


def write_update(update: Update) -> None:
    """Put it into the file, whole or not at all. Raises UsageError when it cannot be, or is no longer what was read."""
    if read_bytes(update.file) != update.before:
        raise UsageError(f"{update.file} was changed in the meantime, and is left as it is", "run the command again")
    try:
        write_atomically(update.file, update.after, keep_mode=True)
    except OSError as error:
        remedy = "without --write, the diff shows what to change"
        raise UsageError(f"cannot write {update.file}: {error.strerror}", remedy) from error
