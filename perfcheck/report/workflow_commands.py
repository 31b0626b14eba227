"""Lines that a GitHub Actions runner takes out of a job's log and shows next to the code."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Literal

Level = Literal["error", "warning", "notice"]

_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)
_COMMAND_OF_OLD = re.compile(r"##(?=\w*\[)")
# '%' comes first: the others bring it in.
_IN_DATA = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_IN_PROPERTIES = (*_IN_DATA, (":", "%3A"), (",", "%2C"))


def workflow_command(
    level: Level,
    message: str,
    *,
    title: str | None = None,
    file: str | None = None,
    line: int | None = None,
    col: int | None = None,
) -> str:
    """One line, without its end: ``::error file=baselines.yaml,line=41,col=5,title=Slow::what is wrong``.

    ``line`` and ``col`` count from 1. Whatever the texts hold, the runner reads back exactly them, and no second
    command: they are escaped as ``escapeData`` and ``escapeProperty`` of actions/toolkit do (``core/src/command.ts``).
    """
    given = {"file": file, "line": line, "col": col, "title": title}
    pairs = [
        f"{name}={_escaped(str(value), _IN_PROPERTIES)}" for name, value in given.items() if value not in {None, ""}
    ]
    properties = " " + ",".join(pairs) if pairs else ""
    return f"::{level}{properties}::{_escaped(message, _IN_DATA)}"


def inert(text: str) -> str:
    """The lines of a log with nothing in them that the runner would obey.

    It takes a line that begins with ``::`` for a command, after blanks, and the older ``##[command]`` anywhere in one,
    as the agent of Azure Pipelines takes ``##vso[command]``.
    """
    return _COMMAND_OF_OLD.sub("# #", _COMMAND.sub(r"\1: :", text))


def file_in(workspace: Path | None, file: str) -> str | None:
    """``file`` as an annotation has to name it, from the folder of the checkout (GITHUB_WORKSPACE), with ``/``.

    None for one elsewhere, and without a workspace. Links to the file itself are not followed: it is the link that is
    in the repository.
    """
    if workspace is None:
        return None
    folder, name = os.path.split(file)
    path = Path(os.path.realpath(folder), name)  # unlike Path.resolve, takes a loop of links as it is
    root = os.path.realpath(workspace)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None


def _escaped(text: str, replacements: tuple[tuple[str, str], ...]) -> str:
    for char, replacement in replacements:
        text = text.replace(char, replacement)
    return text
