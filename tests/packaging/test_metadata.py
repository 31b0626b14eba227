"""What the package's page shows: the README, with links that lead from anywhere to the files of this version."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import html5lib
import pytest
from markdown_it import MarkdownIt

from perfcheck import __version__

ROOT = Path(__file__).parents[2]
HOMEPAGE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Homepage"]
OF_THIS_VERSION = (
    rf"{re.escape(HOMEPAGE)}/blob/v{re.escape(__version__)}/",
    rf"{re.escape(HOMEPAGE.replace('github.com', 'raw.githubusercontent.com'))}/v{re.escape(__version__)}/",
)


@pytest.fixture(scope="module")
def metadata() -> dict[str, object]:
    command = [sys.executable, "-m", "hatchling", "metadata"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    found: dict[str, object] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def addresses(metadata: dict[str, object]) -> list[str]:
    """Of every link and picture, as a reader of the page has them."""
    readme = metadata["readme"]
    assert isinstance(readme, dict)
    return list(targets(str(readme["text"])))


def targets(markdown: str) -> Iterator[str]:
    for element in html5lib.parse(MarkdownIt().render(markdown), namespaceHTMLElements=False).iter():
        yield from (value for name, value in element.items() if name in {"href", "src", "srcset"})


def test_a_relative_link_would_be_found() -> None:
    assert list(targets("[![a](b.png)](c.md) <img src='d'>")) == ["c.md", "b.png", "d"]


def test_every_link_and_picture_is_absolute(addresses: list[str]) -> None:
    assert len(addresses) > 10
    assert [each for each in addresses if not each.startswith(("https://", "#"))] == []


def test_those_into_the_repository_lead_to_files_of_this_version(addresses: list[str]) -> None:
    own = [each for each in addresses if "/perfcheck/" in each]
    assert len(own) > 10
    for address in own:
        match = re.match("|".join(OF_THIS_VERSION), address)
        assert match, address
        assert (ROOT / address[match.end() :].partition("#")[0]).exists(), address


def test_the_urls_of_the_project_are_in_one_repository(metadata: dict[str, object]) -> None:
    urls = metadata["urls"]
    assert isinstance(urls, dict)
    assert {"Homepage", "Documentation", "Changelog", "Issues"} <= urls.keys()
    for url in urls.values():
        assert url.startswith(HOMEPAGE)
        path = url.removeprefix(HOMEPAGE).removeprefix("/blob/main/")
        assert path in {"", "/issues"} or (ROOT / path).exists(), url
