"""Targets from past runs by function call."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.histories import fill, past_runs

from perfcheck.engine.update_targets import Update, propose_update, write_update
from perfcheck.errors import UsageError
from perfcheck.history.propose import ProposalRule
from perfcheck.history.store import open_history

BASELINE = "version: 1\nservice: {base_url: http://localhost}\nendpoints:\n  a: {path: /a, target: 300ms}\n"


@pytest.fixture(autouse=True)
def _outside_of_any_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose default branch would select the runs."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def proposed(tmp_path: Path) -> Update:
    """What 20 runs at 100 ms propose."""
    file = tmp_path / "baselines.yaml"
    file.write_text(BASELINE, encoding="utf-8")
    fill(tmp_path / "history.sqlite", past_runs({"a": [100.0] * 20}))
    with open_history(str(tmp_path / "history.sqlite"), tmp_path) as store:
        with pytest.raises(UsageError, match="has no endpoint 'b'"):
            propose_update(file, ["b"], store, ProposalRule())
        return propose_update(file, [], store, ProposalRule())


def test_nothing_is_written_before_it_is_requested(proposed: Update) -> None:
    assert [line for line in proposed.diff if line[0] in "+-"][2:] == [
        "-  a: {path: /a, target: 300ms}",
        "+  a: {path: /a, target: 120ms}",
    ]
    assert proposed.file.read_text(encoding="utf-8") == BASELINE
    write_update(proposed)
    assert proposed.file.read_text(encoding="utf-8") == BASELINE.replace("300ms", "120ms")


def test_a_file_that_has_changed_since_is_left_alone(proposed: Update) -> None:
    proposed.file.write_text(BASELINE + "# changed\n", encoding="utf-8")
    with pytest.raises(UsageError, match="has changed since it was read"):
        write_update(proposed)
    assert proposed.file.read_text(encoding="utf-8") == BASELINE + "# changed\n"


def test_levels_before_and_after_a_change_are_not_mixed(tmp_path: Path) -> None:
    """Seven quick runs, and then sixteen at three times as long: the target is that of the sixteen."""
    quick, slow = [18.4, 20.6, 17.2, 19.9, 22.3, 18.1, 20.5], [61.0, 52.3, 77.1, 68.8] * 4
    file = tmp_path / "baselines.yaml"
    file.write_text(BASELINE, encoding="utf-8")
    targets = []
    for name, values in (("changed", [*quick, *slow]), ("slow", slow), ("forming", [*quick, *slow[:2]])):
        fill(tmp_path / f"{name}.sqlite", past_runs({"a": values}))
        with open_history(str(tmp_path / f"{name}.sqlite"), tmp_path) as store:
            (proposal,) = propose_update(file, [], store, ProposalRule(runs=30)).proposals
        targets.append((proposal.target.after_ms if proposal.target else None, proposal.runs, proposal.why))
    assert targets[0][:2] == targets[1][:2] == (100, 16)
    assert targets[2] == (None, 9, "its newest runs differ from those before: cannot tell yet: 1 more run")
