"""Source trees written for one test, and what the lint lists of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from perfcheck.lint import LintResult, lint


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8", newline="")
    return folder


def lint_sources(folder: Path, files: Mapping[str, str] | str) -> LintResult:
    """The result for some files; for a text alone, it is ``app.py``."""
    return lint([str(write(folder, {"app.py": files} if isinstance(files, str) else files))])


def listed(folder: Path, files: Mapping[str, str] | str) -> list[str]:
    """``app.py:7:1 index (GET /)`` for each finding."""
    found = lint_sources(folder, files).findings
    return [
        f"{_where(folder, at.file)}:{at.line}:{at.column} {_what(finding.message)}"
        for finding in found
        for at in [finding.location]
    ]


def handlers(folder: Path, files: Mapping[str, str] | str) -> list[str]:
    """The names of the handlers that are not monitored."""
    return [finding.handler for finding in lint_sources(folder, files).findings]


def unknown(folder: Path, files: Mapping[str, str] | str) -> list[str]:
    """``index: its app cannot be determined`` for each handler that is not known to be monitored."""
    found = lint_sources(folder, files).unknown
    return [f"{handler.handler}: {handler.reason}".replace(f"{folder}/", "") for handler in found]


def _where(folder: Path, file: str) -> str:
    return Path(file).relative_to(folder).as_posix()


def _what(message: str) -> str:
    return message.replace(" is not monitored", "")
