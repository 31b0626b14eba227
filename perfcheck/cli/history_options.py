"""What every command that reads or writes the history shares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perfcheck.cli.complete_values import complete_files
from perfcheck.cli.options import option

if TYPE_CHECKING:
    from perfcheck.record.history import History

history_option = option(
    "--history",
    metavar="FILE|URL",
    shell_complete=complete_files,
    help="The history: a file, or postgresql+psycopg://user:password@host/database.  "
    "[default: .perfcheck/history.sqlite at the repository's root]",
)
json_option = option("--json", "in_json", is_flag=True, help="Write JSON to stdout, with fields that stay.")
save_option = option("--save", is_flag=True, help="Keep the run in the history.")


def opened(history: str | None, *, create: bool = False) -> History:
    """The history that was named, or the usual one. Raises UsageError when there is none, but for ``create``."""
    from perfcheck.record.history import open_history

    return open_history(history, Path.cwd(), create=create)
