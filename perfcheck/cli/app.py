"""The command group, and the one place where an exception becomes a message and an exit code."""

from __future__ import annotations

import errno
import os
import platform
import sys
import traceback
from collections.abc import Sequence

import click

from perfcheck import __version__
from perfcheck.cli.ui.commands import LazyGroup, exit_codes
from perfcheck.cli.ui.terminal import color_by_environment, show_error, show_warning, silence_stdout
from perfcheck.cli.ui.usage_errors import explain, misspelt_variables
from perfcheck.errors import (
    EXIT_BUG,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_USAGE,
    WITHOUT_DEPENDENCIES,
    CouldNotMeasureError,
    PerfcheckError,
    caused_by_the_machine,
)
from perfcheck.text import Redactor

# Name -> one line for the list of commands.
_COMMANDS = {
    "init": "Write a baseline for a service that has none.",
    "coverage": "List operations that the baseline does not measure.",
    "run": "Check a running service against its baseline.",
    "capacity": "Find the largest load that the targets hold for.",
    "compare": "Compare two versions: commits, running services or saved runs.",
    "report": "Report on a week, a month or a release; or render a saved run.",
    "validate": "Check the baseline file, offline.",
    "schema": "Print the JSON Schema of the baseline, for editors.",
    "health": "Check the figures of the monitor inside the service.",
    "history": "Past runs: list, show, import, export, label, note, prune.",
    "baseline": "Update the targets from past runs.",
    "lint": "List route handlers that are not monitored.",
    "demo": "Serve a sample service to try perfcheck with.",
    "completion": "Print the completion script of a shell.",
    "help": "Show the help of a command.",
}
_EXAMPLES = """\b
Examples:
  perfcheck run --demo                  try it now, with a sample service
  perfcheck run -u http://localhost:8000
  perfcheck help run                    the options of a command
"""
_WITHOUT_WARNINGS = {"-h", "--help", "help", "-V", "--version", "completion"}
_STREAM_ERRORS = {errno.ENOSPC, errno.EIO, errno.EPIPE, errno.EFBIG}


@click.group(
    cls=LazyGroup,
    package="perfcheck.cli",
    lines=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EXAMPLES + exit_codes(),
)
@click.version_option(__version__, "-V", "--version", prog_name="perfcheck", message="%(prog)s %(version)s")
def cli() -> None:
    """Did your HTTP service get slower? A regression check with a stated error probability."""


class Session:
    """What the error handler needs from a command that failed: the secrets it had loaded."""

    def __init__(self) -> None:
        self.redact = Redactor()


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Lets no exception out, and no traceback without PERFCHECK_DEBUG=1."""
    if instruction := os.environ.get("_PERFCHECK_COMPLETE"):  # the Tab key was pressed in a shell
        from perfcheck.cli.completion import answer

        return answer(cli, instruction)
    if arguments and not _WITHOUT_WARNINGS.intersection(arguments):
        for warning in misspelt_variables(cli, os.environ):
            show_warning(warning)
    session = Session()
    try:
        code = cli.main(
            args=list(arguments),
            prog_name="perfcheck",
            standalone_mode=False,
            obj=session,
            color=color_by_environment(),
        )
        sys.stdout.flush()
    except PerfcheckError as error:
        return _report_error(error, session)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return EXIT_USAGE
    except click.ClickException as error:
        show_error(*explain(error))
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except SystemExit:  # click's answer to a reader that went away (``| head``)
        silence_stdout()
        return EXIT_OK
    except Exception as error:  # noqa: BLE001 - the last resort, reported as a bug
        if _was_interrupted(error):
            return EXIT_INTERRUPTED
        if isinstance(error, OSError) and error.errno in _STREAM_ERRORS and error.filename is None:
            silence_stdout()
            show_error(f"cannot write to stdout: {error.strerror}")
            return EXIT_USAGE
        if of_machine := caused_by_the_machine(error):
            return _report_error(of_machine, session)
        if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("perfcheck"):
            show_error(f"the package '{error.name}' is not installed", WITHOUT_DEPENDENCIES)
            return EXIT_USAGE
        return _report_bug(error, session)
    return code if isinstance(code, int) else EXIT_OK


def _was_interrupted(error: BaseException) -> bool:
    """Whether Ctrl-C caused it: in the middle of an import it surfaces as an ImportError."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, KeyboardInterrupt):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _report_error(error: PerfcheckError, session: Session) -> int:
    output = map(session.redact, error.output) if isinstance(error, CouldNotMeasureError) else ()
    show_error(session.redact(error.message), session.redact(error.remedy) if error.remedy else None, tuple(output))
    _show_traceback(session)
    return error.exit_code


def _report_bug(error: Exception, session: Session) -> int:
    """The message of an unknown exception is not shown: it may hold anything."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "perfcheck" in frame.filename] or frames
    location = f"{os.path.basename(own[-1].filename)}:{own[-1].lineno}" if own else "an unknown location"  # noqa: PTH119
    show_error(
        f"this is a bug in perfcheck: {type(error).__name__} at {location}",
        f"please report it with this line (perfcheck {__version__}, Python {platform.python_version()}, "
        f"{platform.system()}) and the traceback that PERFCHECK_DEBUG=1 shows",
    )
    _show_traceback(session)
    return EXIT_BUG


def _show_traceback(session: Session) -> None:
    if os.environ.get("PERFCHECK_DEBUG") == "1":
        click.echo(session.redact(traceback.format_exc()), err=True)
