"""``perfcheck report``: a saved run, rendered again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from perfcheck.cli.complete_values import complete_files
from perfcheck.cli.formatting import Command
from perfcheck.cli.options import option
from perfcheck.cli.report_options import compare_to_option, report_option
from perfcheck.errors import EXIT_OK, EXIT_USAGE

_EXAMPLES = """\b
Examples:
  perfcheck run -o results.json              save a run, with every sample
  perfcheck report --from results.json       see it again
  perfcheck report --from results.json --report html=report.html --report junit=junit.xml
  perfcheck report --from results.json --compare-to previous.json --report markdown

\b
Exit codes:
  0  rendered, whatever the verdict says     2  no such run, a wrong option, or not written
"""


@click.command(
    "report", cls=Command, epilog=_EXAMPLES, short_help="Render a saved run again: HTML, Markdown, JUnit, ..."
)
@option(
    "--from",
    "source",
    metavar="FILE",
    required=True,
    shell_complete=complete_files,
    help="The run, saved with -o; '-' reads it from stdin.",
)
@report_option
@compare_to_option
@option("--github/--no-github", default=False, help="Tell GitHub Actions again: annotations, summary, outputs.")
@option("-q", "--quiet", is_flag=True, help="On the console, only what needs attention, and the closing line.")
@option("-v", "--verbose", is_flag=True, help="On the console, every endpoint and note, and the environment.")
def command(source: str, report: tuple[str, ...], **options: Any) -> int:
    """Render a saved run again, in any format. Measures nothing and judges nothing: the verdict is in the file."""
    from perfcheck.cli.reporting import Reporting
    from perfcheck.record.run_file import read_run

    run = read_run(Path("/dev/stdin" if source == "-" else source))
    written = Reporting.prepare(report, None, **options).write(run)
    return EXIT_OK if written else EXIT_USAGE
