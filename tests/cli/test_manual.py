"""The manual page is the one that the commands make."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from manual import manual
from markdown_it import MarkdownIt
from support.commands import commands

from perfcheck.cli.ui.commands import variables
from perfcheck.cli.ui.help_page import visible_options

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "cli.md"
REGENERATE = "python tools/manual.py > docs/reference/cli.md"


def test_the_page_has_not_drifted() -> None:
    assert PAGE.read_text(encoding="utf-8") == manual(), (
        f"docs/reference/cli.md is not what the commands say now; run: {REGENERATE}"
    )


def test_the_module_prints_the_page(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "manual.py")], cwd=tmp_path, capture_output=True, check=True, timeout=60
    )
    assert done.stdout.decode("utf-8") == manual()
    assert done.stderr == b""


def test_the_page_does_not_depend_on_the_terminal_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = manual()
    for name, value in {"COLUMNS": "40", "LANG": "C", "PERFCHECK_BUDGET": "5s", "SHELL": "/bin/fish"}.items():
        monkeypatch.setenv(name, value)
    assert manual() == before


@pytest.mark.parametrize("title", ["NAME", "SYNOPSIS", "COMMANDS", "EXIT CODES", "ENVIRONMENT", "FILES", "SEE ALSO"])
def test_the_page_has_the_sections_of_a_manual(title: str) -> None:
    assert f"\n## {title}\n\n" in manual()


def test_every_command_and_option_is_in_it() -> None:
    page = manual()
    for name, command in commands():
        section = page.split(f"\n## perfcheck {name}\n")[1].split("\n## ")[0]
        for option in visible_options(command):
            assert re.search(rf"^- \*\*`[^`]*{re.escape(option.opts[-1])}\b", section, re.MULTILINE)
            assert all(f"`{name}`" in section for name in variables(option))


def test_it_is_good_markdown() -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(manual())
    tables = [token for token in tokens if token.type == "table_open"]
    assert len(tables) >= 4
    headings = {
        after.content.lower().replace(" ", "-") for token, after in pairwise(tokens) if token.type == "heading_open"
    }
    links = re.findall(r"\]\(#([^)]+)\)", manual())
    assert links
    assert set(links) <= headings
    assert all(len(line) <= 120 or line.startswith("|") for line in manual().splitlines())
