"""The bytes of a baseline and their text: bounded, and with a sentence for each way in which there are none."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

MOST_BYTES = 16_000_000
_UTF16_OR_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


class UnreadableError(Exception):
    def __init__(
        self, message: str, remedy: str, line: int | None = None, column: int | None = None, source: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.line = line
        self.column = column
        self.source = source


def read_bytes(path: Path) -> bytes:
    """All of the file. Raises UnreadableError, also for one over 16 MB, of which no more is read than that."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size <= MOST_BYTES:
                content = file.read(MOST_BYTES + 1)
                if len(content) <= MOST_BYTES:
                    return content
    except FileNotFoundError:
        remedy = "check its name, or write one: version, service and endpoints are all it needs"
        raise UnreadableError("there is no such file", remedy) from None
    except IsADirectoryError:
        raise UnreadableError("this is a folder", "name the file in it, such as baselines.yaml") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableError(f"it cannot be read: {reason}", "check its name and who may read it") from None
    raise UnreadableError("over 16 MB", "split it, and run perfcheck once for each part")


def decode(content: bytes) -> str:
    """As UTF-8; a byte order mark is left out. Raises UnreadableError with the line and column of a wrong byte."""
    if content.startswith(_UTF16_OR_32):
        raise UnreadableError("it is in UTF-16 or UTF-32", "save it as UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        message = f"the byte 0x{content[error.start]:02x} is not UTF-8"
        source = content.split(b"\n")[line - 1].decode(errors="replace")
        raise UnreadableError(message, "save the file as UTF-8", line, column, source) from None
