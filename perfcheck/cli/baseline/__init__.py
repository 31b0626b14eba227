"""``perfcheck baseline``: what the service promises, moved by what it does."""

from __future__ import annotations

from perfcheck.cli.ui.commands import LazyGroup

_EXAMPLES = """\b
Examples:
  perfcheck run --save                           keep runs, in CI or by hand
  perfcheck baseline update                      what they say the targets should be, as a diff
  perfcheck baseline update --write              put it into the baseline
"""

command = LazyGroup(
    "baseline",
    package=__name__,
    lines={"update": "Propose targets from past runs, as a diff."},
    help="The targets and ideals of the baseline, moved by what past runs measured.",
    short_help="Move the targets: update.",
    epilog=_EXAMPLES,
)
