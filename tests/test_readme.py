"""The commands in the documentation are accepted, and its baselines are valid."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from perfcheck.baseline import load_baseline
from perfcheck.cli.app import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(language: str) -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in re.findall(
            rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
        ):
            yield page.name, block


def commands() -> list[tuple[str, str]]:
    """Every perfcheck command of every console block, without the file that its output is written to."""
    found = []
    for page, block in blocks("console"):
        for line in block.replace("\\\n", "").splitlines():
            parts = [part.strip().partition(" > ")[0] for part in re.split("&& *(?=perfcheck )", line)]
            found += [(page, part) for part in parts if part.startswith("perfcheck ")]
    return found


@pytest.mark.parametrize(("page", "command"), commands())
def test_commands_are_accepted(page: str, command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    context = click.Context(cli, info_name="perfcheck", **cli.context_settings)
    _, subcommand, rest = cli.resolve_command(context, words)
    assert subcommand is not None, page
    subcommand.make_context(subcommand.name, rest, parent=context)


@pytest.mark.parametrize(("page", "text"), [one for one in blocks("yaml") if "version: 1" in one[1]])
def test_whole_baselines_are_valid(page: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / "baselines.yaml"
    file.write_text(text, encoding="utf-8")
    for name in re.findall(r"data: (\w+\.csv)", text):
        (tmp_path / name).write_text(",".join(re.findall(r"\$\{data\.(\w+)", text)) + "\nx\n", encoding="utf-8")
    variables = dict.fromkeys(re.findall(r"\$\{([A-Z_]+)\}", text), "x")
    assert load_baseline(file, variables).endpoints, page


def test_the_readme_begins_with_the_two_commands() -> None:
    consoles = [block.strip() for page, block in blocks("console") if page == "README.md"]
    assert consoles[0] == "pip install . && perfcheck run --demo"
    assert "pip install -e '.[dev]' && pytest" in consoles


def test_the_readme_is_short_and_has_one_picture() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 130
    assert re.findall(r"!\[[^]]*\]\(([^)]*)\)", text) == ["docs/run.svg"]


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
