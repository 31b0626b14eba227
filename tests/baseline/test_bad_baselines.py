"""Each file in ``bad`` and the exact message it gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.golden import check_golden

from perfcheck.baseline import BaselineError, load_baseline

BAD = Path(__file__).parent / "bad"
ENVIRONMENT = {"PASSWORD": "hunter2-hunter2"}


def message(file: Path) -> str:
    with pytest.raises(BaselineError) as caught:
        load_baseline(file, ENVIRONMENT, shown_as="baselines.yaml")
    return caught.value.message.partition("\n\n")[2] + "\n"


@pytest.mark.parametrize("file", sorted(BAD.glob("*.yaml")), ids=lambda file: file.stem)
def test_the_message(file: Path) -> None:
    check_golden(file.with_suffix(".txt"), message(file))


@pytest.mark.parametrize("file", sorted(BAD.glob("*.yaml")), ids=lambda file: file.stem)
def test_every_error_has_a_remedy_and_no_secret(file: Path) -> None:
    with pytest.raises(BaselineError) as caught:
        load_baseline(file, ENVIRONMENT)
    assert all(error.remedy and error.message for error in caught.value.errors)
    assert ENVIRONMENT["PASSWORD"] not in f"{caught.value} {caught.value.errors}"


def test_every_golden_message_has_its_file() -> None:
    assert {file.stem for file in BAD.glob("*.txt")} == {file.stem for file in BAD.glob("*.yaml")}
