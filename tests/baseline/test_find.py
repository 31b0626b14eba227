"""Which file is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from perfcheck.baseline import find_baseline
from perfcheck.errors import UsageError


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    folder = tmp_path / "repository" / "service" / "src"
    folder.mkdir(parents=True)
    (tmp_path / "baselines.yaml").touch()
    return folder


def test_a_named_file_comes_first(deep: Path) -> None:
    assert find_baseline("mine.yaml", {"PERFCHECK_BASELINE": "other.yaml"}, deep) == Path("mine.yaml")
    assert find_baseline(None, {"PERFCHECK_BASELINE": "other.yaml"}, deep) == Path("other.yaml")


def test_the_nearest_file_up_to_the_root_of_the_repository(deep: Path) -> None:
    root = deep.parents[1]
    (root / ".git").mkdir()
    (root / "baselines.yaml").touch()
    assert find_baseline(None, {}, deep) == root / "baselines.yaml"
    (deep.parent / "baselines.yaml").touch()
    assert find_baseline(None, {}, deep) == deep.parent / "baselines.yaml"


def test_nothing_above_the_repository_is_looked_at(deep: Path) -> None:
    (deep.parents[1] / ".git").touch()  # a file, in a worktree
    with pytest.raises(UsageError, match=r"baselines\.yaml not found") as caught:
        find_baseline(None, {}, deep)
    assert "-f FILE" in (caught.value.remedy or "")


def test_without_a_repository_only_the_folder_itself_is_looked_at(deep: Path) -> None:
    with pytest.raises(UsageError):
        find_baseline(None, {}, deep)
    (deep / "baselines.yaml").touch()
    assert find_baseline(None, {}, deep) == deep / "baselines.yaml"


def test_another_spelling_is_pointed_out(deep: Path) -> None:
    (deep / "baselines.yml").touch()
    with pytest.raises(UsageError) as caught:
        find_baseline(None, {}, deep)
    assert "baselines.yml" in (caught.value.remedy or "")


def test_a_found_file_is_named_as_a_user_would(deep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = deep.parents[1]
    (root / ".git").mkdir()
    (root / "baselines.yaml").touch()
    monkeypatch.chdir(root)
    assert str(find_baseline(None, {}, root)) == "baselines.yaml"
    monkeypatch.chdir(deep)
    assert str(find_baseline(None, {}, deep)) == "../../baselines.yaml"
