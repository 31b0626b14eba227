"""A source file as text and as a syntax tree, or why it is none."""

from __future__ import annotations

import ast
import io
import os
import stat
import tokenize

_LARGEST = 16 * 2**20  # bytes; no source that anyone wrote is larger


class UnreadableError(Exception):
    """A file that is no Python source, with the line that says so."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


def read_source(file: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # noqa: PTH116 - a pipe would be waited for
            raise UnreadableError("not a file")
        with open(file, "rb") as stream:  # noqa: PTH123
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise UnreadableError(f"larger than {_LARGEST >> 20} MiB")
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"not {error.encoding} text: {error.reason}", data.count(b"\n", 0, error.start) + 1
        ) from None
    except (SyntaxError, LookupError) as error:
        raise UnreadableError(f"not Python source: {error}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse(text: str) -> ast.Module:
    if (null := text.find("\0")) >= 0:
        raise UnreadableError("holds a null byte", text.count("\n", 0, null) + 1)
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise UnreadableError(f"does not parse: {error.msg}", error.lineno or 1, max(error.offset or 1, 1)) from error
    except (RecursionError, MemoryError) as error:
        raise UnreadableError("nested too deeply to be parsed") from error
    except ValueError as error:
        raise UnreadableError(f"does not parse: {error}") from error
