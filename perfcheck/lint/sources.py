"""The Python files to read, their text, syntax tree and ``# perfcheck: ignore[reason]`` comments."""

from __future__ import annotations

import ast
import io
import os
import re
import stat
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from perfcheck.errors import UsageError
from perfcheck.lint.vocabulary import SourceLocation

_NEVER_SERVED = {"node_modules", "site-packages", "__pycache__", "migrations"}
_BUILT = {"build", "dist", "_build"}  # copies of other files, unless it is a package of that name
_TEST_FILES = ("test_*.py", "*_test.py", "tests.py", "conftest.py")


def python_files(paths: Sequence[str], exclude: Sequence[str] = (), *, include_tests: bool = False) -> list[str]:
    """The files to read, each once, in order of name. Raises UsageError for a path without any.

    A file that is named is always read. In a folder hidden ones, virtual environments, ``node_modules``, migrations,
    built copies and (unless ``include_tests``) tests are left out, and what ``exclude`` matches: shell patterns for a
    name, or for the path from the folder given. Links to folders are not followed, so there are no loops.
    """
    by_path: dict[str, str] = {}
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"no such file or folder: {path}", "name the folder of your source, such as `src`")
        files = list(_in_folder(path, tuple(exclude), include_tests)) if os.path.isdir(path) else [path]  # noqa: PTH112
        if not files:
            folder = "name the folder that holds your source" + ("" if include_tests else ", or give --include-tests")
            raise UsageError(f"no Python file to read in {path}", "look at --exclude" if exclude else folder)
        for file in files:
            shown = os.path.normpath(file)
            by_path.setdefault(os.path.abspath(shown), shown)  # noqa: PTH100 - links stay as they are
    return sorted(by_path.values())


def _in_folder(root: str, exclude: tuple[str, ...], include_tests: bool) -> Iterator[str]:  # noqa: FBT001
    for folder, folders, names in os.walk(root):
        inside = os.path.relpath(folder, root)
        prefix = "" if inside == os.curdir else inside.replace(os.sep, "/") + "/"
        folders[:] = sorted(
            name
            for name in folders
            if not _left_out(folder, name, include_tests=include_tests) and not _matches(name, prefix, exclude)
        )
        for name in names:
            if not name.endswith(".py") or name.startswith("."):
                continue
            if not include_tests and any(fnmatchcase(name, pattern) for pattern in _TEST_FILES):
                continue
            file = os.path.join(folder, name)  # noqa: PTH118 - many thousands of them
            if not _matches(name, prefix, exclude) and os.path.isfile(file):  # noqa: PTH113 - reading a pipe would block
                yield file


def _left_out(folder: str, name: str, *, include_tests: bool) -> bool:
    path = os.path.join(folder, name)  # noqa: PTH118
    if name.startswith(".") or name in _NEVER_SERVED or (name == "tests" and not include_tests):
        return True
    if name in _BUILT:
        return not os.path.exists(os.path.join(path, "__init__.py"))  # noqa: PTH110, PTH118
    return os.path.exists(os.path.join(path, "pyvenv.cfg"))  # noqa: PTH110, PTH118


def _matches(name: str, prefix: str, exclude: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, glob.rstrip("/")) or fnmatchcase(prefix + name, glob.rstrip("/")) for glob in exclude)


# --- Text and syntax tree --------------------------------------------------------------------------------------------

_LARGEST = 16 * 2**20  # bytes; no source that anyone wrote is larger


class UnreadableSourceError(Exception):
    """A file that is not Python source, with the line of the error."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.message, self.line, self.column = message, line, column


def read_source(file: str) -> str:
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # noqa: PTH116 - reading a pipe would block
            raise UnreadableSourceError("not a file")
        with open(file, "rb") as stream:  # noqa: PTH123
            data = stream.read(_LARGEST + 1)
        if len(data) > _LARGEST:
            raise UnreadableSourceError(f"larger than {_LARGEST >> 20} MiB")
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except OSError as error:
        raise UnreadableSourceError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableSourceError(
            f"not {error.encoding} text: {error.reason}", data.count(b"\n", 0, error.start) + 1
        ) from None
    except (SyntaxError, LookupError) as error:
        raise UnreadableSourceError(f"not Python source: {error}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse(text: str) -> ast.Module:
    if (null := text.find("\0")) >= 0:
        raise UnreadableSourceError("contains a null byte", text.count("\n", 0, null) + 1)
    try:
        return ast.parse(text)
    except SyntaxError as error:
        raise UnreadableSourceError(
            f"does not parse: {error.msg}", error.lineno or 1, max(error.offset or 1, 1)
        ) from error
    except (RecursionError, MemoryError) as error:
        raise UnreadableSourceError("nested too deeply to be parsed") from error
    except ValueError as error:
        raise UnreadableSourceError(f"does not parse: {error}") from error


# --- Comments that give the reason why a handler is not monitored ----------------------------------------------------

_COMMENT = re.compile(r"#\s*perfcheck\s*:\s*ignore\b(?:\s*\[(?P<reason>[^\]]*)\])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ignore:
    """A comment ``# perfcheck: ignore[reason]``; without a reason it ignores nothing."""

    location: SourceLocation
    reason: str | None


def ignores_in(text: str, file: str) -> list[Ignore]:
    """All of them in order, those without a reason too."""
    if not _COMMENT.search(text):
        return []
    ignores: list[Ignore] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT and (match := _COMMENT.search(token.string)):
                reason = (match["reason"] or "").strip()
                location = SourceLocation(file, token.start[0], token.start[1] + match.start() + 1)
                ignores.append(Ignore(location, reason or None))
    except (tokenize.TokenError, SyntaxError):  # it did parse: at worst the later comments are missed
        return ignores
    return ignores
