"""Python packages that are installed from a working tree: a checkout of another commit imports them all the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from perfcheck.git import repository_root
from perfcheck.model import Finding, Rule
from perfcheck.text import clean


def editable_installs(folder: Path) -> Iterator[Finding]:
    """A note for each package of the repository that the Python on PATH has installed in editable form."""
    python, root = shutil.which("python") or shutil.which("python3"), repository_root(folder)
    if python is None or root is None:
        return
    for file in Path(python).parent.parent.glob("lib/python*/site-packages/*.dist-info/direct_url.json"):
        source = _source(file)
        if source and source.resolve().is_relative_to(root.resolve()):
            name = clean(file.parent.name.partition("-")[0])
            message = f"both sides may have run the working tree: {name} is installed from it (pip install -e)"
            remedy = "install it in --setup, into an environment of the checkout: --setup 'python -m venv .venv && ...'"
            yield Finding.note(Rule.COMMIT, message, remedy=remedy)


def _source(direct_url: Path) -> Path | None:
    """The folder of an editable install, as PEP 610 has it."""
    with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
        facts = json.loads(direct_url.read_bytes())
        if facts["dir_info"]["editable"] is True:
            return Path(unquote(urlsplit(facts["url"]).path))
    return None
