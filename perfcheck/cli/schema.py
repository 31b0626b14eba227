"""``perfcheck schema``: the baseline file as JSON Schema."""

from __future__ import annotations

import json

import click

from perfcheck.baseline.keys import json_schema
from perfcheck.cli.ui.commands import Command
from perfcheck.errors import EXIT_OK

_EXAMPLES = """\b
Examples:
  perfcheck schema > baselines.schema.json

\b
First line of the baseline:
  # yaml-language-server: $schema=./baselines.schema.json  for editors
"""


@click.command("schema", cls=Command, epilog=_EXAMPLES)
def command() -> int:
    """Print the JSON Schema of the baseline file, with which editors complete and explain its keys.

    Save it next to the baseline, and name it in the baseline's first line.
    """
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return EXIT_OK
