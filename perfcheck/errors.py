"""The exceptions that end a command, each with its exit code.

PerfcheckError
├── UsageError               2  a wrong option or file
│   ├── BaselineError           a baseline with errors, each with its location (baseline/file_errors.py)
│   └── NoSuchRunError          a run that is not, or not yet, in the history (history/model.py)
├── CouldNotMeasureError     3  the service cannot be reached, or nothing was measured
└── MachineError             3  the system refused something, such as one more open file
    └── OutOfMemoryError        it, or a limit on the process, gives no more

Any other exception that ends a command is a bug: 4.
"""

from __future__ import annotations

import errno
import os

EXIT_OK = 0
EXIT_CRITICAL = 1
EXIT_USAGE = 2
EXIT_NOT_MEASURED = 3
EXIT_BUG = 4
EXIT_INTERRUPTED = 130

# The remedy where a package is missing: after `pip install --no-deps perfcheck`.
WITHOUT_DEPENDENCIES = "run `pip install perfcheck`; without its dependencies only perfcheck.monitor works"


class PerfcheckError(Exception):
    """An error with a message for the user: what is wrong, and what to do about it."""

    exit_code = EXIT_BUG

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class UsageError(PerfcheckError):
    exit_code = EXIT_USAGE


class CouldNotMeasureError(PerfcheckError):
    """``is_down``: the service does not accept connections, or not yet; otherwise it is up and responds with errors.

    ``output``: the last lines that the command wrote that was to start it.
    """

    exit_code = EXIT_NOT_MEASURED

    def __init__(
        self, message: str, remedy: str | None = None, *, is_down: bool = True, output: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, remedy)
        self.is_down = is_down
        self.output = output


class MachineError(PerfcheckError):
    exit_code = EXIT_NOT_MEASURED


class OutOfMemoryError(MachineError):
    def __init__(self) -> None:
        super().__init__(
            "out of memory", "free some, raise the limit on this process, or take less at once: fewer endpoints or runs"
        )


def caused_by_the_machine(error: BaseException) -> PerfcheckError | None:
    """What is reported in place of ``error`` where that is no bug: the system refused something, or has no more."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return OutOfMemoryError()
    if not isinstance(error, OSError):
        return None
    try:
        os.getcwd()  # noqa: PTH109
    except OSError:
        return UsageError("the current folder does not exist any more", "cd to a folder that exists")
    message = ": ".join(str(part) for part in (error.filename, error.strerror or error) if part is not None)
    return MachineError(message, "this is an error of the system; PERFCHECK_DEBUG=1 shows where it occurred")
