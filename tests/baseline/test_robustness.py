"""Whatever is in the file: a Baseline or a BaselineError, soon, and nothing else."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcheck.baseline import BaselineError, load_baseline
from perfcheck.baseline import tree as tree_module
from perfcheck.baseline.file_errors import ErrorCollector, StopReading
from perfcheck.baseline.load import MOST_BYTES
from perfcheck.baseline.tree import compose
from perfcheck.model import Baseline

GOOD = (Path(__file__).parents[2] / "baselines.yaml").read_text(encoding="utf-8")
ANY_FOLDER = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def load(folder: Path, content: bytes) -> Baseline | BaselineError:
    file = folder / "baselines.yaml"
    file.write_bytes(content)
    found: Baseline | BaselineError
    try:
        found = load_baseline(file, {"SET": "value-of-a-variable"})
    except BaselineError as error:
        found = error
    if isinstance(found, BaselineError):
        assert found.errors
        assert all(char.isprintable() or char == "\n" for char in found.message)
    return found


def message(folder: Path, content: str) -> str:
    return str(load(folder, content.encode()))


@ANY_FOLDER
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, content: bytes) -> None:
    load(tmp_path, content)


YAML_CHARACTERS = st.sampled_from(
    [*"-:?,[]{}#&*!|>'\"%@` \n\t~<$.0aé\x85\u2028\ufeff", "${SET}", "<<: ", "version: 1\n"]
)


@ANY_FOLDER
@given(st.lists(YAML_CHARACTERS, max_size=60).map("".join))
def test_any_text_of_yaml_characters(tmp_path: Path, text: str) -> None:
    load(tmp_path, text.encode())


WORDS = st.sampled_from(
    [
        "target",
        "300ms",
        "1.5x",
        "5%",
        "",
        "${SET}",
        "${NO}",
        "path",
        "/a",
        "p95",
        "core",
        "2xx",
        "headers",
        "json",
        "\x1b",
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=4), inner, max_size=4)
)
SECTIONS = ["version", "service", "defaults", "sampling", "groups", "endpoints", "x-a"]


@ANY_FOLDER
@given(st.dictionaries(st.sampled_from(SECTIONS), TREES))
def test_any_structure(tmp_path: Path, tree: dict[str, Any]) -> None:
    load(tmp_path, yaml.dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))


def places(tree: Any) -> list[tuple[Any, Any]]:
    """Every mapping in a structure, with each of its keys."""
    if not isinstance(tree, dict):
        return []
    return [(tree, key) for key in tree] + [place for value in tree.values() for place in places(value)]


@ANY_FOLDER
@given(st.data())
def test_a_good_baseline_with_some_values_exchanged(tmp_path: Path, data: st.DataObject) -> None:
    tree = yaml.safe_load(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        mapping, key = data.draw(st.sampled_from(places(tree)))
        mapping[key] = data.draw(TREES)
    load(tmp_path, yaml.dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass"))


@ANY_FOLDER
@given(st.integers(0, len(GOOD)), st.integers(0, 12), st.lists(YAML_CHARACTERS, max_size=4).map("".join))
def test_a_good_baseline_with_a_piece_exchanged(tmp_path: Path, start: int, length: int, piece: str) -> None:
    load(tmp_path, (GOOD[:start] + piece + GOOD[start + length :]).encode())


@pytest.mark.parametrize("parser", [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)])
@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{" * 100_000, "{a: " * 100_000, "- " * 100_000, "\n".join(" " * n + "a:" for n in range(3000))],
    ids=["brackets", "braces", "mappings", "dashes", "indented"],
)
def test_deep_nesting_is_refused(parser: type[Any], text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_module, "_PARSER", parser)
    errors = ErrorCollector(text)
    with pytest.raises(StopReading):
        compose(text, errors)
    assert "nested more than 50 levels deep" in errors.in_order()[0].message


@pytest.mark.parametrize("text", ['a: "\\U99999999"', 'a: "\\ud800"', "a: b: c", "a: 'b", "\ta: 1", "? [a]\n: b", "*a"])
def test_the_parser_without_c_ends_in_an_error_as_well(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_module, "_PARSER", yaml.SafeLoader)
    errors = ErrorCollector(text)
    try:
        tree = compose(text, errors)
    except StopReading:
        tree = None
    assert len(errors) or tree is not None


def test_both_parsers_find_the_same_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    trees = []
    for parser in (yaml.SafeLoader, yaml.CSafeLoader):
        monkeypatch.setattr(tree_module, "_PARSER", parser)
        trees.append(located(compose(GOOD, ErrorCollector(GOOD))))
    assert trees[0] == trees[1]


def located(node: Any) -> Any:
    """The tree as tuples, with where each node begins and ends."""
    if isinstance(node, tuple):
        return tuple(map(located, node))
    value = node.value if isinstance(node, yaml.ScalarNode) else list(map(located, node.value))
    return type(node), value, node.tag, node.start_mark.index, node.end_mark.index


def test_aliases_cannot_nest_deeper_than_text_can(tmp_path: Path) -> None:
    chain = "".join(f"x-{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 60))
    assert "nested more than 50" in message(tmp_path, "version: 1\nx-0: &a0 []\n" + chain)


def test_a_merge_of_merges_cannot_grow_without_bound(tmp_path: Path) -> None:
    keys = ", ".join(f"k{n}: 1" for n in range(50))
    chain = "".join(f"x-{n}: &a{n} {{{keys}, a: *a{n - 1}, <<: *a{n - 1}}}\n" for n in range(1, 30))
    assert "1,000,000 values" in message(tmp_path, f"x-0: &a0 {{{keys}}}\n" + chain)


def test_an_oversized_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "baselines.yaml"
    with file.open("wb") as sparse:
        sparse.truncate(MOST_BYTES + 1)
    with pytest.raises(BaselineError, match="larger than 16 MB"):
        load_baseline(file, {})


def test_an_endless_file_is_read_only_so_far() -> None:
    with pytest.raises(BaselineError, match="larger than 16 MB"):
        load_baseline(Path("/dev/zero"), {})


@pytest.mark.parametrize(
    ("name", "expected"), [("absent.yaml", "file not found"), (".", "this is a folder"), ("a\0b", "cannot be read")]
)
def test_paths_that_are_not_files(tmp_path: Path, name: str, expected: str) -> None:
    with pytest.raises(BaselineError, match=expected) as caught:
        load_baseline(tmp_path / name, {}, shown_as=name)
    assert caught.value.errors[0].location is None


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    with pytest.raises(BaselineError, match="cannot be read"):
        load_baseline(loop, {})


def test_collecting_stops_at_a_hundred_errors(tmp_path: Path) -> None:
    endpoints = "".join(f"  e{n}: {{path: /, target: 300}}\n" for n in range(500))
    error = load(tmp_path, f"version: 1\nservice: {{base_url: http://a}}\nendpoints:\n{endpoints}".encode())
    assert isinstance(error, BaselineError)
    assert len(error.errors) == 100
    assert "and at least 80 more" in error.message


def test_an_error_behind_aliases_is_reported_once(tmp_path: Path) -> None:
    endpoints = "".join(f"  e{n}: {{path: /, <<: *common}}\n" for n in range(50))
    text = f"version: 1\nx-a: &common {{target: 300}}\nservice: {{base_url: http://a}}\nendpoints:\n{endpoints}"
    error = load(tmp_path, text.encode())
    assert isinstance(error, BaselineError)
    assert len(error.errors) == 1


def test_garbage_collection_is_left_as_it_was(tmp_path: Path) -> None:
    gc.enable()  # a command that another test ran in this process may have turned it off
    load(tmp_path, b"[")
    assert gc.isenabled()
    gc.disable()
    try:
        load(tmp_path, GOOD.encode())
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_names_in_messages_cannot_disturb_a_terminal(tmp_path: Path) -> None:
    text = 'version: 1\nservice: {base_url: http://a}\ngroups: {"a\\u00a0b": {}}\nendpoints: {"a\\e[31m": {group: c}}\n'
    load(tmp_path, text.encode())
