"""The messages that the documentation quotes are those of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "docs" / page for page in ("troubleshooting.md", "how-to/noisy-runners.md", "how-to/init.md")]
FEWEST_WORDS = 3  # of a phrase between two figures; fewer say nothing
# What lies between two phrases of a message: labels, URLs, names, what is counted, units, figures and signs.
_NAMES = r"^(?:note|warning|error|why|help) |https?://\S+|'\w+_\w+'|\w+\.\w+|\b(?:requests?|pairs?|ms|s)\b"
BETWEEN = rf"\n\n|{_NAMES}|[^A-Za-z' \n-]+"


def source() -> str:
    """All text of the package, as one line, without what only a string of several pieces has."""
    code = " ".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "perfcheck").rglob("*.py")))
    return " ".join(re.sub(r'"\s*\n\s*f?"', "", code).split())


def phrases() -> list[str]:
    """What is quoted, in blocks of output or in italics, without figures, units and names."""
    quoted: list[str] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        quoted += re.findall(r"^```text\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        quoted += re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)
    parts = [part.split() for quote in quoted for part in re.split(BETWEEN, quote, flags=re.MULTILINE)]
    return sorted({" ".join(part) for part in parts if len(part) >= FEWEST_WORDS})


def test_there_are_quotations() -> None:
    assert len(phrases()) >= 10


@pytest.mark.parametrize("phrase", phrases())
def test_every_quotation_is_a_message(phrase: str) -> None:
    assert phrase in source()
