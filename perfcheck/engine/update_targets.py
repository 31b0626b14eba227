"""Targets from past runs: the history is read, values are proposed, and the baseline file is edited in memory."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from perfcheck.baseline.edit import Edit, edit_baseline
from perfcheck.baseline.load import decode, read_bytes, read_for_editing
from perfcheck.engine.default_branch import branch_of_series
from perfcheck.engine.selection import select_endpoints
from perfcheck.errors import UsageError
from perfcheck.history.branches import other_branches
from perfcheck.history.model import BranchRuns, Proposal
from perfcheck.history.propose import MIN_OCCASIONS, ProposalRule, propose
from perfcheck.history.series import LatestSeries, LatestSeriesReader
from perfcheck.model import Source
from perfcheck.runfile import write_atomically
from perfcheck.units import format_limit
from perfcheck.words import plural

if TYPE_CHECKING:
    from perfcheck.history.store import History
    from perfcheck.model import Endpoint

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")  # as YAML counts lines


@dataclass(frozen=True, slots=True)
class Update:
    """What is proposed for a baseline file, and the file as it would be."""

    file: Path
    before: bytes
    after: bytes
    proposals: tuple[Proposal, ...]
    made: int  # values that differ between the two
    by_hand: dict[str, list[str]]  # endpoint -> sentences about values that the file does not let us change
    branch: str | None  # of the runs; None: the runs without one
    other_branches: tuple[BranchRuns, ...]  # whose runs were not used

    @property
    def diff(self) -> list[str]:
        """Unified, as lines without their ends, so that a change of those does not show; empty for no change."""
        name = str(self.file)
        before, after = (_lines(decode(content, name)) for content in (self.before, self.after))
        return list(difflib.unified_diff(before, after, name, name, lineterm=""))


def _lines(text: str) -> list[str]:
    lines = _LINE_BREAK.split(text)
    return lines if lines[-1] else lines[:-1]


def propose_update(
    file: Path, names: Sequence[str], store: History, rule: ProposalRule, *, branch: str | None = None
) -> Update:
    """For the endpoints of the baseline in ``file`` that have these names, or all. Writes nothing.

    ``branch`` is the one whose runs are used, "" for those without one; None: the repository's default branch. Raises
    UsageError for a wrong baseline, an unknown name, and a history that cannot be read.
    """
    content = read_bytes(file)
    baseline = read_for_editing(content, file, os.environ)
    endpoints = select_endpoints(baseline, names, ())
    branch = branch_of_series(store, branch)
    reader = LatestSeriesReader(store, baseline.file, rule.runs, branch=branch)
    proposals = tuple(_proposal(endpoint, reader.read(endpoint.name), rule) for endpoint in endpoints)
    edited = edit_baseline(content, list(_edits(proposals)), file, os.environ)
    by_hand: dict[str, list[str]] = {}
    for refused in edited.refused:
        where = f"{file}:{refused.line}" if refused.line else str(file)
        edit = refused.edit
        sentence = f"{where}: change {edit.key} to {format_limit(edit.value_ms, edit.unit)} by hand: {refused.reason}"
        by_hand.setdefault(edit.endpoint, []).append(sentence)
    others = other_branches(store.branches(source=Source.MEASURED), branch)
    return Update(file, content, edited.content, proposals, len(edited.applied), by_hand, branch or None, others)


def _proposal(endpoint: Endpoint, series: LatestSeries, rule: ProposalRule) -> Proposal:
    proposal = propose(endpoint, series.points, rule, since=series.since, runs_needed=series.runs_needed)
    if proposal.runs >= MIN_OCCASIONS or not series.in_other_series:
        return proposal
    others = f"{plural(series.in_other_series, 'run')} of another machine, request or metric"
    return replace(proposal, why=f"{proposal.why}; not counted: {others} than the newest")


def _edits(proposals: Sequence[Proposal]) -> Iterator[Edit]:
    for proposal in proposals:
        for key, move in (("target", proposal.target), ("ideal", proposal.ideal)):
            if move is not None:
                yield Edit(proposal.endpoint, key, move.after_ms, proposal.unit)


def write_update(update: Update) -> None:
    """Write the file, atomically. Raises UsageError when that fails, or when it has changed since it was read."""
    if read_bytes(update.file) != update.before:
        raise UsageError(f"{update.file} has changed since it was read; it was not written", "run the command again")
    try:
        write_atomically(update.file, update.after, keep_mode=True)
    except OSError as error:
        remedy = "without --write, the diff shows what to change"
        raise UsageError(f"cannot write {update.file}: {error.strerror}", remedy) from error
