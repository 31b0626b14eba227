"""Baselines in any format that a hand may give them: values change where they stand, and come back again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from perfcheck.baseline import BaselineError
from perfcheck.baseline.edit import Edit, edit_baseline
from perfcheck.baseline.load import read_for_editing
from perfcheck.units import format_duration

FILE = Path("baselines.yaml")
TEXTS = [
    file.read_bytes().decode()
    for file in sorted((Path(__file__).parent / "edit").glob("*.yaml"))
    if file.stat().st_size < 5000
]
SEVERAL = settings(max_examples=40)

comments = st.sampled_from(["", "", " # target: 300ms", "   #", "  # ideal: '1s' {é, 🎬}", " # a: &b *c | >"])
lines_between = st.lists(st.sampled_from(["", "   ", "# target: 300ms", "      # deeper", " # 目標"]), max_size=2)
spaces = st.sampled_from(["", " ", "   "])
quotes = st.sampled_from(["", '"', "'"])
new_values = st.sampled_from([0.5, 90, 250, 1250])
durations = st.sampled_from(["300ms", "0.25s", "1.5 s", "90 ms", "2500us"])
names = st.lists(
    st.sampled_from(["videos.list", "a", "it's", "größe", "日本語", "🎬 x", "x-y", "target", "1", "no"]),
    min_size=1,
    max_size=4,
    unique=True,
)


@dataclass(frozen=True)
class Slot:
    """The location of a value."""

    endpoint: str
    key: str
    value: str


Piece = str | Slot


@st.composite
def values(draw: st.DrawFn, endpoint: str, key: str) -> list[Piece]:
    style = draw(st.sampled_from(["plain", "quoted", "anchored", "below", "block"]))
    slot = Slot(endpoint, key, draw(durations))
    if style == "quoted":
        quote = draw(st.sampled_from(['"', "'"]))
        inside = draw(spaces)
        return [" ", quote, inside, slot, inside, quote]
    if style == "anchored":
        return [f" &{endpoint.encode().hex()}", draw(st.sampled_from([" ", "  "])), slot]
    if style == "below":
        return [f"{draw(comments)}\n          ", slot]
    if style == "block":
        return [f" {draw(st.sampled_from(['|', '>-', '|+', '>2']))}{draw(comments)}\n          ", slot]
    return [draw(st.sampled_from([" ", "   "])), slot]


@st.composite
def block_endpoint(draw: st.DrawFn, name: str) -> list[Piece]:
    keys = draw(st.permutations(["path", "query", *draw(st.sampled_from([(), ("target",), ("target", "metric")]))]))
    pieces: list[Piece] = [f"{draw(comments)}\n"]
    for key in keys:
        pieces += [f"{line}\n" for line in draw(lines_between)]
        quote = draw(quotes)
        pieces.append(f"        {quote}{key}{quote}{draw(spaces)}:")
        if key == "target":
            value = draw(values(name, key))
            pieces += value
            pieces.append(
                "\n"
                if any(">" in piece or "|" in piece for piece in value if isinstance(piece, str))
                else f"{draw(comments)}\n"
            )
        else:
            simple = {"path": "/a", "query": "{target: 300ms}", "metric": "p95"}[key]
            pieces.append(f" {simple}{draw(comments)}\n")
    return pieces


@st.composite
def flow_endpoint(draw: st.DrawFn, name: str) -> list[Piece]:
    keys = draw(st.permutations(["path", "query", *draw(st.sampled_from([(), ("target",), ("target", "metric")]))]))
    gap = st.sampled_from(["", " ", "\n         ", " # target: 300ms,\n           "])
    pieces: list[Piece] = [" {", draw(gap)]
    for index, key in enumerate(keys):
        quote = draw(quotes)
        pieces.append(f"{quote}{key}{quote}: ")
        if key == "target":
            of_value = draw(quotes)
            pieces += [of_value, Slot(name, key, draw(durations)), of_value]
        else:
            pieces.append({"path": "/a", "query": "{target: 300ms}", "metric": "p95"}[key])
        pieces += [draw(gap)]
        if index < len(keys) - 1 or draw(st.booleans()):
            pieces += [",", draw(gap)]
    return [*pieces, "}", draw(comments), "\n"]


@st.composite
def baselines(draw: st.DrawFn) -> tuple[list[Piece], list[str]]:
    """The file in pieces, with a slot for each value that can be changed, and its endpoints."""
    found = draw(names)
    pieces: list[Piece] = ["version: 1\nservice: {base_url: http://localhost}\nendpoints:", draw(comments), "\n"]
    for name in found:
        pieces += [f"{line}\n" for line in draw(lines_between)]
        pieces += [f'    "{name}"', draw(spaces), ":"]
        pieces += draw(block_endpoint(name) if draw(st.booleans()) else flow_endpoint(name))
    return pieces, found


def rendered(pieces: list[Piece], new: dict[str, str], line_end: str, mark: str, *, cut: bool) -> bytes:
    text = "".join(new.get(p.endpoint, p.value) if isinstance(p, Slot) else p for p in pieces)
    text = text.removesuffix("\n") if cut else text
    return (mark + text.replace("\n", line_end)).encode()


def slots(pieces: list[Piece]) -> Iterator[Slot]:
    return (piece for piece in pieces if isinstance(piece, Slot))


line_ends = st.sampled_from(["\n", "\r\n", "\r"])
marks = st.sampled_from(["", "\ufeff"])


@SEVERAL
@given(baseline=baselines(), line_end=line_ends, mark=marks, cut=st.booleans(), data=st.data())
def test_a_value_changes_in_its_place(
    *, baseline: tuple[list[Piece], list[str]], line_end: str, mark: str, cut: bool, data: st.DataObject
) -> None:
    pieces, _ = baseline
    chosen = {
        slot.endpoint: data.draw(st.sampled_from([0.5, 90, 250, 1250]))
        for slot in slots(pieces)
        if data.draw(st.booleans())
    }
    written = {slot.endpoint: format_duration(chosen.get(slot.endpoint, 1), slot.value) for slot in slots(pieces)}
    before = rendered(pieces, {}, line_end, mark, cut=cut)
    after = rendered(pieces, {name: written[name] for name in chosen}, line_end, mark, cut=cut)
    found = edit_baseline(before, [Edit(name, "target", value_ms) for name, value_ms in chosen.items()], FILE, {})
    assert (found.content, found.refused) == (after, ())


@SEVERAL
@given(baseline=baselines(), line_end=line_ends, mark=marks, cut=st.booleans())
def test_what_is_added_leaves_the_rest_as_it_was(
    *, baseline: tuple[list[Piece], list[str]], line_end: str, mark: str, cut: bool
) -> None:
    pieces, names = baseline
    has_target = {slot.endpoint for slot in slots(pieces)}
    before = rendered(pieces, {}, line_end, mark, cut=cut)
    edits = [Edit(name, "target", 444) for name in names if name not in has_target]
    edits += [Edit(name, "ideal", 2) for name in names]
    found = edit_baseline(before, edits, FILE, {})
    assert not found.refused
    assert is_part_of(before.decode(), found.content.decode())
    model = {endpoint.name: endpoint for endpoint in read_for_editing(found.content, FILE, {}).endpoints}
    assert all(model[name].ideal_ms == 2 for name in names)
    assert all(model[name].target_ms == 444 for name in names if name not in has_target)


PIECES = st.sampled_from(
    [
        *" \n\t#:,{}[]&*'\"|>-?%~",
        *("\n    ", "\r\n", "&t ", "*t", "<<: *t", "? ", ": ", "300ms", "target: 1s", "${A}", "a: &t", "\u2028", "🎬"),
    ]
)


@SEVERAL
@given(st.data())
def test_whatever_is_in_a_file_it_is_edited_rightly_or_not_at_all(data: st.DataObject) -> None:
    """Files of ``edit`` with a few pieces put in or taken out anywhere."""
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(PIECES) + text[at + data.draw(st.integers(0, 3)) :]
    content = text.encode()
    try:
        baseline = read_for_editing(content, FILE, {})
    except BaselineError:
        return
    edits = [
        Edit(endpoint.name, key, value)
        for endpoint in baseline.endpoints
        for key, value in (("target", 123), ("ideal", 12))
    ]
    found = edit_baseline(content, edits, FILE, {})
    model = {endpoint.name: endpoint for endpoint in read_for_editing(found.content, FILE, {}).endpoints}
    for edit in found.applied:
        is_target = edit.key == "target"
        assert (model[edit.endpoint].target_ms if is_target else model[edit.endpoint].ideal_ms) == (
            123 if is_target else 12
        )
    assert len(found.applied) + len(found.refused) == len(edits)


def is_part_of(short: str, long: str) -> bool:
    """Whether all characters of one are in the other, in their order."""
    rest = iter(long)
    return all(char in rest for char in short)
