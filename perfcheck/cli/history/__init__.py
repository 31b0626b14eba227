"""``perfcheck history``: saved runs, and each endpoint over time."""

from __future__ import annotations

from perfcheck.cli.ui.commands import LazyGroup

_EXAMPLES = """\b
Examples:
  perfcheck run --save                           keep a run
  perfcheck history list --since 4w              the runs of the last four weeks
  perfcheck history show videos.list             an endpoint over time, and when it changed
  perfcheck history note v1.4 --incident 'search was slow' --fix 'index on title'

The history is .perfcheck/history.sqlite at the root of the repository, or what --history (PERFCHECK_HISTORY) names: a
file, or a PostgreSQL database for a team.
"""

command = LazyGroup(
    "history",
    package=__name__,
    lines={
        "list": "List saved runs, newest first.",
        "show": "Show a saved run, or an endpoint over time.",
        "site": "Write the history as a static site, with a badge.",
        "import": "Import run files into the history.",
        "export": "Export saved runs as run files, byte for byte.",
        "label": "Label a saved run, or remove its label.",
        "note": "Record an incident, its cause and its fix.",
        "prune": "Remove old runs that have neither a label nor a note.",
    },
    locations={
        "import": "contents:import_runs",
        "export": "contents:export",
        "label": "annotate:label",
        "note": "annotate:note",
        "prune": "contents:prune",
    },
    help="Saved runs, and each endpoint over time.",
    epilog=_EXAMPLES,
)
