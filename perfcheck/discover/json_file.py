"""A JSON file that a user names, with an error for everything that it may be instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from perfcheck.errors import UsageError
from perfcheck.units import format_size

_LARGEST = 200_000_000  # bytes


def read_json(file: str, kind: str, how: str) -> Any:
    """The JSON of a file that should be ``kind``. Raises UsageError, with ``how`` to make one."""
    path = Path(file)
    try:
        if (size := path.stat().st_size) > _LARGEST:
            message = f"{file} has {format_size(size)}, and {kind} may have {format_size(_LARGEST)}"
            raise UsageError(message, "record less at once, or without the bodies of the responses")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", how) from None
    except RecursionError:
        raise UsageError(f"{file}: expected {kind}, not JSON nested so deeply", how) from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}:{error.lineno}:{error.colno}: expected {kind}, in JSON: {error.msg}", how) from None
    except ValueError:
        raise UsageError(f"{file}: expected {kind}, in JSON", how) from None
