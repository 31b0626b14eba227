"""What every command that reads or writes the history shares."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from perfcheck.cli.ui.complete_values import complete_files
from perfcheck.cli.ui.options import option
from perfcheck.times import typed_time

if TYPE_CHECKING:
    from perfcheck.history.store import History


class DateOrAge(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """``2026-11-01`` or ``7d``: given to the command as RFC 3339 in UTC."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return typed_time(str(value), datetime.now(UTC))
        except ValueError as error:
            return self.fail(str(error), param, ctx)


history_option = option(
    "--history",
    metavar="FILE|URL",
    shell_complete=complete_files,
    help="The history: a file, or postgresql+psycopg://user:password@host/database.  "
    "[default: .perfcheck/history.sqlite at the repository's root]",
)
json_option = option("--json", "in_json", is_flag=True, help="Write JSON to stdout, with fields that stay.")
since_option = option("--since", type=DateOrAge(), help="Only runs from then on: 2026-11-01, or 7d or 4w ago.")
until_option = option("--until", type=DateOrAge(), help="Only runs before then: 2026-11-01, or 7d or 4w ago.")
save_option = option("--save", is_flag=True, help="Keep the run in the history.")


def opened(history: str | None, *, create: bool = False) -> History:
    """The history that was named, or the usual one. Raises UsageError when there is none, but for ``create``."""
    from perfcheck.history.store import open_history

    return open_history(history, Path.cwd(), create=create)
