"""``perfcheck baseline``: the targets, updated from past runs."""

from __future__ import annotations

from perfcheck.cli.ui.commands import LazyGroup

_EXAMPLES = """\b
Examples:
  perfcheck run --save                           keep runs, in CI or by hand
  perfcheck baseline update                      the targets they suggest, as a diff
  perfcheck baseline update --write              write them to the baseline
"""

command = LazyGroup(
    "baseline",
    package=__name__,
    lines={"update": "Propose targets from past runs, as a diff."},
    help="Update the targets and ideals of the baseline from past runs.",
    epilog=_EXAMPLES,
)
