"""Values changed in hand-formatted baselines: only the bytes that are meant become different.

Each file in ``edit`` has what becomes of it beside it, in ``*.after.yaml``; the table below says which characters may
differ between the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from support.golden import check_golden_bytes

from perfcheck.baseline import BaselineError
from perfcheck.baseline import tree as tree_module
from perfcheck.baseline.edit import Change, Edited, edit_baseline

EDIT = Path(__file__).parent / "edit"
LINE = "\n    "


@dataclass(frozen=True)
class Case:
    """``changes`` as ``endpoint.key=text``; ``spans`` the characters that differ, in the order of the file."""

    changes: str
    spans: Sequence[tuple[str, str]] = ()
    refused: Sequence[tuple[str, str]] = ()


CASES = {
    "comments": Case(
        "videos.list.target=250ms videos.list.ideal=150ms videos.page.target=120ms videos.page.ideal=90ms",
        [
            ("target: 300ms           # target", "target: 250ms           # target"),
            ("ideal: 200ms   #not", "ideal: 150ms   #not"),
            ("target:   300ms", "target:   120ms"),
            ("", f"{LINE}ideal: 90ms"),
        ],
    ),
    "tab-before-comment": Case(
        "videos.list.target=250ms videos.list.ideal=150ms", [("300ms", "250ms"), ("", f"{LINE}ideal: 150ms")]
    ),
    "columns": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=9.5ms",
        [("300ms", "250ms"), ("200ms", "150ms"), ("100ms", "90ms"), ("50ms", "9.5ms")],
    ),
    "no-final-newline": Case("videos.list.target=1.2s", [("300ms", "1.2s")]),
    "no-final-newline-added": Case("videos.list.target=250ms", [("", f"{LINE}target: 250ms")]),
    "crlf": Case(
        "videos.list.target=250ms videos.list.ideal=150ms new.one.target=80ms",
        [("300ms", "250ms"), ("", "\r\n    ideal: 150ms"), ("", "\r\n    target: 80ms")],
    ),
    "mixed-line-ends": Case(
        "videos.list.target=250ms settings.get.target=80ms artists.list.target=90ms artists.list.ideal=60ms",
        [("", f"{LINE}target: 250ms"), ("", "\r    target: 80ms"), ("", f"{LINE}target: 90ms{LINE}ideal: 60ms")],
    ),
    "bom": Case("videos.list.target=250ms videos.list.ideal=150ms", [("300ms", "250ms"), ("", ", ideal: 150ms")]),
    "bom-crlf-no-end": Case(
        "videos.list.target=250ms videos.list.ideal=150ms", [("300ms", "250ms"), ("", "\r\n    ideal: 150ms")]
    ),
    "document-markers": Case(
        "videos.list.target=250ms videos.list.ideal=150ms",
        [("    target: 300ms", "    target: 250ms"), ("", f"{LINE}ideal: 150ms")],
    ),
    "flow-one-line": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=60ms "
        "health.target=30ms health.ideal=20ms",
        [
            ("300ms", "250ms"),
            ("200ms", "150ms"),
            ("100ms", "90ms, ideal: 60ms"),
            ("", ", target: 30ms, ideal: 20ms"),
        ],
    ),
    "flow-lines": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=60ms "
        "health.target=30ms artists.list.target=250ms",
        [
            ("target: 300ms, ", "target: 250ms, "),
            ("200ms", "150ms"),
            ("100ms", "90ms, ideal: 60ms"),
            ("", ", target: 250ms"),
            ("", ", target: 30ms"),
        ],
    ),
    "quotes": Case(
        "videos.list.target=250ms videos.list.ideal=150ms it's.target=250ms it's.ideal=150ms settings.get.target=90ms "
        "settings.get.ideal=40ms artists.list.ideal=300ms search.target=800ms search.ideal=600ms",
        [
            ("300ms", "250ms"),
            ("200ms", "150ms"),
            ("300ms", "250ms"),
            (r"\x32\x30\x30ms", "150ms"),
            ("100ms", "90ms"),
            ("50ms", "40ms"),
            ("", f'{LINE}ideal: "300ms"'),
            ("", f"{LINE}'target': '800ms'{LINE}'ideal': '600ms'"),
        ],
    ),
    "json": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.ideal=50ms artists.list.target=300ms",
        [("300ms", "250ms"), ("200ms", "150ms"), ("", ', "ideal": "50ms"'), ("", ', "target": "300ms"')],
    ),
    "block-scalars": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=200ms settings.get.ideal=100ms "
        "search.target=300ms",
        [
            ("      300ms", "      250ms"),
            ("200ms", "150ms"),
            ("", f"{LINE}ideal: 100ms"),
            ("300\n        ms", "200ms"),
            ("", f"{LINE}target: 300ms"),
        ],
    ),
    "several-lines": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=60ms",
        [("300ms", "250ms"), ("200\n\n      ms", "150ms"), ("", f"{LINE}ideal: 60ms"), ("      100ms ", "      90ms ")],
    ),
    "anchors": Case(
        "videos.list.target=250ms videos.page.target=90ms artists.list.target=300ms artists.page.target=300ms "
        "settings.get.ideal=40ms",
        [("300ms", "250ms"), ("400ms", "300ms"), ("50ms", "40ms")],
        [("videos.page.target", "the value on line 4 is the target of settings.get too, by an alias")],
    ),
    "anchored": Case(
        "videos.list.target=250ms videos.list.ideal=150ms videos.page.target=200ms videos.again.target=200ms",
        [("300ms", "250ms"), ("'200ms'", "'150ms'")],
        [
            ("videos.page.target", "the value on line 11 is the ideal of videos.page too, by an alias"),
            ("videos.again.target", "the value on line 15 is 'query' of videos.again too, by an alias"),
        ],
    ),
    "merge-keys": Case(
        "videos.list.target=250ms videos.page.target=200ms videos.page.ideal=150ms settings.get.target=90ms "
        "artists.list.target=300ms artists.page.target=350ms search.target=800ms",
        [
            ("", f"{LINE}target: 250ms"),
            ("", f"{LINE}target: 200ms{LINE}ideal: 150ms"),
            ("400ms", "300ms"),
            ("", f"{LINE}target: 350ms"),
            ("", f"{LINE}target: 800ms"),
        ],
        [("settings.get.target", "the ideal of 200 ms is over the target of 90 ms")],
    ),
    "aliases-of-endpoints": Case(
        "videos.list.target=250ms settings.get.target=90ms settings.twin.target=90ms artists.list.target=300ms "
        "search.target=500ms search.page.target=600ms",
        [("", f"{LINE}target: 90ms"), ("", ", target: 500ms"), ("", ", target: 600ms")],
        [
            ("videos.list.target", "the value on line 6 is the target of videos.twin too, by an alias"),
            ("artists.list.target", "artists.page would get it too, by an alias"),
        ],
    ),
    "inherited": Case(
        "videos.list.target=250ms settings.get.target=200ms settings.get.ideal=90ms artists.list.target=450ms "
        "health.target=50ms health.ideal=30ms",
        [
            ("", f"{LINE}target: 250ms"),
            ("", ", target: 200ms, ideal: 90ms"),
            ("", f"{LINE}target: 450ms"),
            ("", ", target: 50ms, ideal: 30ms"),
        ],
    ),
    "variables": Case(
        "videos.list.target=250ms videos.page.target=200ms videos.page.ideal=150ms settings.get.target=90ms",
        [("target: 300ms", "target: 200ms")],
        [
            ("videos.list.target", "a variable on line 8 has the say: ${TARGET:-300ms}"),
            ("videos.page.ideal", "a variable on line 3 has the say: ${IDEAL:-200ms}"),
            ("settings.get.target", "a variable on line 4 has the say: ${CORE_TARGET:-300ms}"),
        ],
    ),
    "wide": Case(
        "日本語.一覧.target=250ms 日本語.一覧.ideal=150ms vidéos.größe.target=90ms vidéos.größe.ideal=60ms "
        "e\u0301.combining.target=40ms",
        [("300ms", "250ms"), ("200ms", "150ms"), ("'100ms'", "'90ms', ideal: '60ms'"), ("50ms", "40ms")],
    ),
    "long-lines": Case(
        "videos.list.target=250ms videos.list.ideal=150ms", [("target: 300ms", "target: 250ms, ideal: 150ms")]
    ),
    "explicit-keys": Case(
        "videos.list.target=250ms videos.list.ideal=200ms settings.get.target=90ms search.target=300ms",
        [("300ms", "250ms"), ("", f"{LINE}target: 90ms")],
        [
            ("videos.list.ideal", "there is no line of its own to put it below"),
            ("search.target", "there is no line of its own to put it below"),
        ],
    ),
    "several-line-values-only": Case(
        "search.target=300ms search.ideal=200ms", [("", f"target: 300ms{LINE}ideal: 200ms{LINE}")]
    ),
    "other-line-breaks": Case(
        "videos.list.target=250ms videos.list.ideal=200ms settings.get.target=90ms health.target=30ms",
        [("300ms", "250ms"), ("", f"{LINE}ideal: 200ms"), ("", f"{LINE}target: 90ms"), ("", ", target: 30ms")],
    ),
    "units": Case(
        "videos.list.target=1.2s videos.list.ideal=0.6s settings.get.target=90_ms settings.get.ideal=40000us "
        "health.target=5s",
        [("1.5s", "1.2s"), (".8s", "0.6s"), ("100 ms", "90 ms"), ("50000us", "40000us"), ("0.1m", "5s")],
    ),
    "contradictions": Case(
        "videos.list.target=380ms settings.get.target=150ms artists.list.target=250ms settings.get.ideal=120ms",
        [("200ms", "120ms"), ("target: 300ms\n", "target: 250ms\n")],
        [
            ("videos.list.target", "the ceiling of 350 ms is below the target of 380 ms"),
            ("settings.get.target", "critical at 300 ms is not above warning at 400 ms"),
        ],
    ),
    "merged-endpoints": Case(
        "videos.list.target=250ms videos.page.target=200ms settings.get.target=90ms",
        [("300ms", "250ms"), ("", ", target: 200ms"), ("100ms", "90ms")],
    ),
    "anchored-keys": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms settings.get.ideal=50ms "
        "artists.list.target=300ms artists.page.target=300ms",
        [
            ("300ms", "250ms"),
            ("200ms", "150ms"),
            ("100ms", "90ms, ideal: 50ms"),
            ("", ", target: 300ms"),
            ("", f"{LINE}target: 300ms"),
        ],
    ),
    "unused-in-extensions": Case(
        "videos.list.target=250ms videos.list.ideal=150ms videos.page.target=200ms",
        [
            (
                "endpoints:\n  videos.list: {path: /api/videos/, target: 300ms, ideal: 200ms}",
                "endpoints:\n  videos.list: {path: /api/videos/, target: 250ms, ideal: 150ms}",
            ),
            ("300ms", "200ms"),
        ],
    ),
    "keys-without-values": Case(
        "videos.list.target=250ms settings.get.target=90ms settings.get.ideal=50ms artists.list.target=300ms",
        [("", ", target: 250ms"), ("", f"{LINE}target: 90ms{LINE}ideal: 50ms"), ("", ", target: 300ms")],
    ),
    "target-first": Case(
        "videos.list.target=250ms videos.list.ideal=150ms settings.get.target=90ms",
        [("300ms", "250ms"), ("200ms", "150ms"), ("", f"{LINE}target: 90ms")],
    ),
}


ONLY_FOR_THE_PARSER_IN_C = {"tab-before-comment"}  # the other refuses it


def changes_of(case: Case) -> list[Change]:
    found = []
    for word in case.changes.split():
        use, _, text = word.rpartition("=")
        endpoint, _, key = use.rpartition(".")
        found.append(Change(endpoint, key, text.replace("_", " ")))
    return found


def edited(name: str) -> tuple[bytes, Edited]:
    file = EDIT / f"{name}.yaml"
    content = file.read_bytes()
    return content, edit_baseline(content, changes_of(CASES[name]), file, {})


def differs_only_by(before: str, after: str, spans: Sequence[tuple[str, str]]) -> bool:
    """Whether ``after`` is ``before`` with these replacements, in this order, and the same in between."""
    if not spans:
        return before == after
    (old, new), *rest = spans
    for at in range(len(before) + 1):
        is_here = before.startswith(old, at) and after.startswith(new, at)
        if is_here and differs_only_by(before[at + len(old) :], after[at + len(new) :], rest):
            return True
        if before[at : at + 1] != after[at : at + 1]:
            return False
    return False


@pytest.mark.parametrize("name", CASES)
def test_the_result(name: str) -> None:
    check_golden_bytes(EDIT / f"{name}.after.yaml", edited(name)[1].content)


@pytest.mark.parametrize("name", CASES)
def test_only_the_intended_characters_differ(name: str) -> None:
    before, found = edited(name)
    assert differs_only_by(before.decode(), found.content.decode(), CASES[name].spans)


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_and_why(name: str) -> None:
    changes, (_, found) = changes_of(CASES[name]), edited(name)
    refused = [(f"{one.change.endpoint}.{one.change.key}", one.reason) for one in found.refused]
    assert refused == list(CASES[name].refused)
    assert [*found.made, *(one.change for one in found.refused)] == sorted(
        changes, key=lambda change: change not in found.made
    )


@pytest.mark.parametrize("name", sorted(set(CASES) - ONLY_FOR_THE_PARSER_IN_C))
def test_the_parser_without_c_gives_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = edited(name)
    monkeypatch.setattr(tree_module, "_parser", lambda: yaml.SafeLoader)
    assert edited(name) == expected


def test_an_edited_file_can_be_edited_back() -> None:
    file = EDIT / "columns.yaml"
    there = edited("columns")[1].content
    back = [
        Change(endpoint, key, text)
        for endpoint, key, text in [
            ("videos.list", "target", "300ms"),
            ("videos.list", "ideal", "200ms"),
            ("settings.get", "target", "100ms"),
            ("settings.get", "ideal", "50ms"),
        ]
    ]
    assert edit_baseline(there, back, file, {}).content == file.read_bytes()


def test_values_are_held_against_the_environment_of_the_day() -> None:
    file = EDIT / "variables.yaml"
    change = Change("videos.page", "target", "150ms")
    refused = edit_baseline(file.read_bytes(), [change], file, {"IDEAL": "180ms"}).refused
    assert [one.reason for one in refused] == ["the ideal of 180 ms is over the target of 150 ms"]
    assert edit_baseline(file.read_bytes(), [change], file, {"IDEAL": "120ms"}).made == (change,)


def test_a_few_contradictions_among_many_changes_leave_the_others_alone() -> None:
    endpoints = "".join(f"  e{i}: {{path: /{i}, target: 300ms, ceiling: 500ms}}\n" for i in range(100))
    content = f"version: 1\nservice: {{base_url: http://localhost}}\nendpoints:\n{endpoints}".encode()
    changes = [Change(f"e{i}", "target", "600ms" if i in {7, 8, 61} else "250ms") for i in range(100)]
    found = edit_baseline(content, changes, Path("baselines.yaml"), {})
    assert [one.change.endpoint for one in found.refused] == ["e7", "e8", "e61"]
    assert (len(found.made), found.content.count(b"250ms"), found.content.count(b"300ms")) == (97, 97, 3)


def test_a_value_that_is_a_key_elsewhere_is_shared() -> None:
    content = (
        b"version: 1\nservice: {base_url: http://localhost}\nendpoints:\n"
        b"  a: {path: /a, target: &t 300ms}\n  b: {path: /b, query: {*t : x}}\n"
    )
    found = edit_baseline(content, [Change("a", "target", "250ms")], Path("baselines.yaml"), {})
    assert [one.reason for one in found.refused] == ["the value on line 4 is 'query' of b too, by an alias"]


def test_endpoints_that_are_not_there_are_refused() -> None:
    file = EDIT / "bom.yaml"
    found = edit_baseline(file.read_bytes(), [Change("videos.lost", "target", "1s")], file, {})
    assert found.content == file.read_bytes()
    assert [one.reason for one in found.refused] == ["the baseline has no such endpoint"]


def test_a_wrong_baseline_is_not_edited() -> None:
    file = Path(__file__).parent / "bad" / "utf-16.yaml"
    with pytest.raises(BaselineError, match="UTF-16"):
        edit_baseline(file.read_bytes(), [], file, {})


def test_one_value_is_changed_once() -> None:
    file = EDIT / "bom.yaml"
    twice = [Change("videos.list", "target", "1s"), Change("videos.list", "target", "2s")]
    with pytest.raises(ValueError, match="two changes"):
        edit_baseline(file.read_bytes(), twice, file, {})


@pytest.mark.parametrize(("key", "text"), [("metric", "1s"), ("target", "300"), ("target", "1\ns"), ("ideal", "fast")])
def test_a_change_is_a_duration_of_a_target_or_an_ideal(key: str, text: str) -> None:
    with pytest.raises(ValueError):
        Change("videos.list", key, text)


def test_every_file_is_used() -> None:
    files = {file.name.split(".")[0] for file in EDIT.glob("*.yaml")}
    assert files == set(CASES)
