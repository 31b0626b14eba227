"""The folder of a site: only what changed is written, and only what the site's own manifest names is removed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perfcheck.errors import UsageError
from perfcheck.runfile import write_atomically

MANIFEST = "perfcheck-site.json"
_FORMAT = "perfcheck.site/1"
_OWN = re.compile(r"(?:(?:endpoints|periods|runs)/)?[a-z0-9][a-z0-9-]*\.(?:css|html|json|svg)", re.ASCII)
_ANOTHER = "name another folder"


@dataclass(frozen=True, slots=True)
class SiteChanges:
    """Numbers of files."""

    written: int
    unchanged: int
    removed: int


def write_site(folder: Path, pages: Mapping[str, bytes]) -> SiteChanges:
    """Bring the folder up to date; ``pages`` by their paths in it.

    Raises UsageError where it cannot be written, or holds a file of somebody else under the name of a page: then
    nothing has been written.
    """
    own = _read_manifest(folder)
    if foreign := sorted(name for name in pages if name not in own and os.path.lexists(folder / name)):
        remedy = f"move it away, or {_ANOTHER}: only files that {MANIFEST} lists are written over"
        raise UsageError(f"{folder / foreign[0]} is not from perfcheck", remedy)
    for path in (folder, *sorted({(folder / name).parent for name in pages})):
        with _reported("make the folder", path):
            path.mkdir(parents=True, exist_ok=True)
    changed = [name for name, content in pages.items() if _content(folder / name) != content]
    gone = own - pages.keys()
    if not pages.keys() <= own:
        _write_manifest(folder, own | pages.keys())  # first: what is cut short is known as its own by the next one
    for name in changed:
        _write(folder / name, pages[name])
    for name in gone:
        with _reported("remove", folder / name):
            (folder / name).unlink(missing_ok=True)
    if gone:
        _write_manifest(folder, pages.keys())
    return SiteChanges(len(changed), len(pages) - len(changed), len(gone))


def _read_manifest(folder: Path) -> set[str]:
    """The files of the site that is there. A name that no site has is not believed."""
    path = folder / MANIFEST
    try:
        with _reported("read", path):
            names = [str(name) for name in json.loads(path.read_bytes())["files"]] if path.exists() else []
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is damaged", f"empty the folder, or {_ANOTHER}") from error
    return {name for name in names if _OWN.fullmatch(name)} - {MANIFEST}


def _write_manifest(folder: Path, names: Collection[str]) -> None:
    content = json.dumps({"format": _FORMAT, "files": sorted(names)}, indent=1)
    _write(folder / MANIFEST, f"{content}\n".encode())


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(path: Path, content: bytes) -> None:
    with _reported("write", path):
        write_atomically(path, content)


@contextmanager
def _reported(action: str, path: Path) -> Iterator[None]:
    """An error of the system as one of the usage."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot {action} {path}: {error.strerror}", _ANOTHER) from error
