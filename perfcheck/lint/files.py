"""Which files are read: those that are named, and the Python files in the folders that are named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from perfcheck.errors import UsageError

_NEVER_SERVED = {"node_modules", "site-packages", "__pycache__", "migrations"}
_BUILT = {"build", "dist", "_build"}  # copies of what stands elsewhere, unless it is a package of that name
_TEST_FILES = ("test_*.py", "*_test.py", "tests.py", "conftest.py")


def python_files(paths: Sequence[str], exclude: Sequence[str] = (), *, include_tests: bool = False) -> list[str]:
    """The files to read, each once, in order of name. Raises UsageError for a path without any.

    A file that is named is always read. In a folder hidden ones, virtual environments, ``node_modules``, migrations,
    built copies and (unless ``include_tests``) tests are left out, and what ``exclude`` matches: patterns as of the
    shell for a name, or for the path from the folder given. Links to folders are not followed, so there are no loops.
    """
    found: dict[str, str] = {}
    for path in paths:
        if not os.path.lexists(path):
            raise UsageError(f"no such file or folder: {path}", "name the folder of your source, such as `src`")
        files = list(_in_folder(path, tuple(exclude), include_tests)) if os.path.isdir(path) else [path]  # noqa: PTH112
        if not files:
            raise UsageError(f"no Python file to read in {path}", _remedy(exclude, include_tests=include_tests))
        for file in files:
            shown = os.path.normpath(file)
            found.setdefault(os.path.abspath(shown), shown)  # noqa: PTH100 - links stay as they are
    return sorted(found.values())


def _remedy(exclude: Sequence[str], *, include_tests: bool) -> str:
    if exclude:
        return "look at --exclude"
    return "name the folder that holds your source" + ("" if include_tests else ", or give --include-tests")


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
            if not _matches(name, prefix, exclude) and os.path.isfile(file):  # noqa: PTH113 - a pipe would wait for ever
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
