"""JSON of others, where any value may be another than it should; and a file with it that a user names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from perfcheck.errors import UsageError
from perfcheck.units import format_size

_LARGEST = 200_000_000  # bytes
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


Object = dict[str, Any]


def as_object(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def read_json(file: str, kind: str, how: str) -> Any:
    """The JSON of a file that should be ``kind``. Raises UsageError, with ``how`` to make one."""
    path = Path(file)
    try:
        if (size := path.stat().st_size) > _LARGEST:
            message = f"{file} has {format_size(size)}, and {kind} may have {format_size(_LARGEST)}"
            raise UsageError(message, "record less at once, or without the bodies of the responses")
        content = path.read_bytes()
        if _SURROGATE.search(content):  # half of a character cannot be sent
            text = json.dumps(json.loads(content), ensure_ascii=False)
            content = text.encode(errors="surrogatepass").decode(errors="replace").encode()
        return json.loads(content)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", how) from None
    except RecursionError:
        raise UsageError(f"{file}: expected {kind}, not JSON nested so deeply", how) from None
    except json.JSONDecodeError as error:
        raise UsageError(f"{file}:{error.lineno}:{error.colno}: expected {kind}, in JSON: {error.msg}", how) from None
    except ValueError:
        raise UsageError(f"{file}: expected {kind}, in JSON", how) from None
