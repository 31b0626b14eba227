"""The exceptions that end a command, each with its exit code.

PerfcheckError
├── UsageError           2  a wrong option, or a wrong baseline
├── CouldNotMeasureError 3  the service cannot be reached, or nothing was measured
└── (anything else that escapes is a bug: 4)
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_CRITICAL = 1
EXIT_USAGE = 2
EXIT_NOT_MEASURED = 3
EXIT_BUG = 4
EXIT_INTERRUPTED = 130


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
    """``is_down`` tells a service that is not there, or not yet, from one that is there and answers something else."""

    exit_code = EXIT_NOT_MEASURED

    def __init__(self, message: str, remedy: str | None = None, *, is_down: bool = True) -> None:
        super().__init__(message, remedy)
        self.is_down = is_down
