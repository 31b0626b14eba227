"""The lines are checked by a reader that works like the runner (actions/runner, ActionCommand.TryParseV2)."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.report.workflow_commands import file_in, inert, workflow_command

DATA = {"%0D": "\r", "%0A": "\n"}
PROPERTY = {**DATA, "%3A": ":", "%2C": ","}


def read_back(line: str) -> tuple[str, dict[str, str], str]:
    """The command, its properties and its message, as the runner understands them."""
    assert line.startswith("::")
    info, _, data = line[2:].partition("::")
    name, _, rest = info.partition(" ")
    pairs = (pair.partition("=") for pair in rest.strip().split(",") if pair)
    return name, {key: unescaped(value, PROPERTY) for key, _, value in pairs}, unescaped(data, DATA)


def unescaped(text: str, meaning: dict[str, str]) -> str:
    for escape, char in meaning.items():
        text = text.replace(escape, char)
    return text.replace("%25", "%")


def test_a_whole_command() -> None:
    found = workflow_command("error", "640 ms, 1.5x: slow", title="videos.list", file="baselines.yaml", line=41, col=3)
    assert found == "::error file=baselines.yaml,line=41,col=3,title=videos.list::640 ms, 1.5x: slow"


def test_a_message_alone() -> None:
    assert workflow_command("notice", "skipped") == "::notice::skipped"


@pytest.mark.parametrize("kind", ["error", "warning", "notice"])
@pytest.mark.parametrize(
    ("text", "in_message", "in_title"),
    [
        ("100%", "100%25", "100%25"),
        ("%0A", "%250A", "%250A"),
        ("a\nb\r\nc", "a%0Ab%0D%0Ac", "a%0Ab%0D%0Ac"),
        ("a,b:c", "a,b:c", "a%2Cb%3Ac"),
        ("::error::no", "::error::no", "%3A%3Aerror%3A%3Ano"),
        ("\n::add-mask::x", "%0A::add-mask::x", "%0A%3A%3Aadd-mask%3A%3Ax"),
    ],
)
def test_escapes(kind: str, text: str, in_message: str, in_title: str) -> None:
    found = workflow_command(kind, text, title=text)  # type: ignore[arg-type]
    assert found == f"::{kind} title={in_title}::{in_message}"


@given(st.text(), st.text(min_size=1), st.text(min_size=1), st.integers(1), st.integers(1))
def test_the_runner_reads_back_what_was_meant(message: str, title: str, file: str, line: int, col: int) -> None:
    command = workflow_command("warning", message, title=title, file=file, line=line, col=col)
    assert not {"\r", "\n"} & set(command)
    # Only the end of the whole list of properties is trimmed by the runner, and the title is there.
    properties = {"file": file, "line": str(line), "col": str(col), "title": title.rstrip()}
    name, found, data = read_back(command)
    assert (name, {**found, "title": found.get("title", "").rstrip()}, data) == ("warning", properties, message)


def test_an_empty_property_is_left_out() -> None:
    assert workflow_command("error", "x", title="", file="") == "::error::x"


def test_a_file_is_named_from_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    for folder in (checkout / "deep", elsewhere):
        folder.mkdir(parents=True)
    monkeypatch.chdir(checkout / "deep")
    (tmp_path / "way").symlink_to(checkout)
    (checkout / "link.yaml").symlink_to(elsewhere / "baselines.yaml")
    (checkout / "loop.yaml").symlink_to(checkout / "loop.yaml")
    assert file_in(checkout, "baselines.yaml") == "deep/baselines.yaml"
    assert file_in(checkout, "../baselines.yaml") == "baselines.yaml"
    assert file_in(tmp_path / "way", "baselines.yaml") == "deep/baselines.yaml"
    assert file_in(checkout, str(tmp_path / "way" / "link.yaml")) == "link.yaml"
    assert file_in(checkout, "../loop.yaml") == "loop.yaml"
    assert file_in(checkout, "../../elsewhere/baselines.yaml") is None
    assert file_in(None, "baselines.yaml") is None


def test_a_log_is_made_inert() -> None:
    log = "CRITICAL a\n  ::error::x\n::add-mask::y\nsaid ##[error]z ##vso[task]\n1 :: 2 ::\n"
    assert inert(log) == "CRITICAL a\n  : :error::x\n: :add-mask::y\nsaid # #[error]z # #vso[task]\n1 :: 2 ::\n"
