"""What docs/how-to/baseline-update.md says of the rule is what the rule is."""

from __future__ import annotations

import re
from pathlib import Path

from perfcheck.history.propose import MIN_OCCASIONS, PREFERRED_NUMBERS, ProposalRule

DOCUMENT = (Path(__file__).parents[2] / "docs" / "how-to" / "baseline-update.md").read_text(encoding="utf-8")
GOLDEN = (Path(__file__).parent / "golden" / "baseline-update.txt").read_text(encoding="utf-8")


def test_the_figures_of_the_rule() -> None:
    rule = ProposalRule()
    assert f"The last {rule.runs} *good* runs (`--runs`; on at least {MIN_OCCASIONS} occasions)" in DOCUMENT
    assert f"plus a\nmargin of {rule.margin:.0%}" in DOCUMENT
    assert f"only by {rule.min_change:.0%} or more" in DOCUMENT
    assert " ".join(f"{step:g}" for step in PREFERRED_NUMBERS[:-1]) in DOCUMENT


def test_the_example_is_what_the_command_prints() -> None:
    text, diff = re.findall(r"```(?:text|diff)\n(.*?)```", DOCUMENT, re.DOTALL)[:2]
    for block in re.split(r"\n(?=\S)", text.rstrip("\n")):
        assert block in GOLDEN
    assert diff in GOLDEN
