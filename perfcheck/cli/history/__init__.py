"""``perfcheck history``: the runs that were saved, and what became of each endpoint over time."""

from __future__ import annotations

from perfcheck.cli.ui.commands import LazyGroup

_EXAMPLES = """\b
Examples:
  perfcheck run --save                           keep a run
  perfcheck history list --since 4w              what was kept
  perfcheck history show videos.list             an endpoint over time, and when it changed
  perfcheck history note v1.4 --incident 'search was slow' --fix 'index on title'

The history is .perfcheck/history.sqlite at the root of the repository, or what --history (PERFCHECK_HISTORY) names: a
file, or a PostgreSQL for a team.
"""

command = LazyGroup(
    "history",
    package=__name__,
    lines={
        "list": "List the runs that were saved, the newest first.",
        "show": "Show a saved run again, or an endpoint over time.",
        "import": "Put run files into the history.",
        "export": "Write saved runs to run files, byte for byte.",
        "label": "Give a saved run a name, or take it away.",
        "note": "Write down an incident, its cause and its fix.",
        "prune": "Remove old runs that have neither label nor note.",
    },
    help="The runs that were saved, and what became of each endpoint over time.",
    short_help="Past runs: list, show, import, export, label, note.",
    epilog=_EXAMPLES,
)
