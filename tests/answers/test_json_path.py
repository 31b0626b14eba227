from __future__ import annotations

import subprocess
import sys
from typing import Any

import jsonpath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcheck.answers.json_path import compile_json_path
from perfcheck.units import WrongValueError

DOCUMENT = {"total": 2, "items": [{"id": 1, "a b": "x"}, {"id": 2, "tags": ["new", "old"]}], "none": None}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$", [DOCUMENT]),
        ("$.total", [2]),
        ("$.none", [None]),
        ("$.items[0]['a b']", ["x"]),
        ('$["items"][-1].id', [2]),
        ("$.items[*].id", [1, 2]),
        ("$.items.*.tags[*]", ["new", "old"]),
        ("$..id", [1, 2]),
        ("$.items[?@.id > 1].tags[0]", ["new"]),
        ("$.items[1:].id", [2]),
        ("$.items[2]", []),
        ("$.total.x[0]", []),
    ],
)
def test_finds(path: str, values: list[Any]) -> None:
    assert compile_json_path(path).find(DOCUMENT) == values


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "[1]", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c d"]), inner, max_size=3),
    max_leaves=12,
)
PLAIN_STEPS = [".a", ".b", "['c d']", '["a"]', "[0]", "[1]", "[-1]", "[-2]", "[*]", ".*"]
STEPS = st.sampled_from([*PLAIN_STEPS, "..a", "..*", "..[0]", "..['b']", "..[*]"])


@given(st.lists(STEPS, max_size=4), JSON)
def test_what_is_walked_here_finds_what_python_jsonpath_finds(steps: list[str], document: Any) -> None:
    path = "$" + "".join(steps)
    if isinstance(document, str):  # which it would parse as JSON
        document = [document]
    assert compile_json_path(path).find(document) == jsonpath.findall(path, document, strict=True)


@given(st.sampled_from(["$..[1:]", "$[?@.a > 1]", "$[?@.a < 'x']", "$..[?length(@) == 1]", "$[?match(@, '(')]"]), JSON)
def test_any_document_has_a_result(path: str, document: Any) -> None:
    assert isinstance(compile_json_path(path).find(document), list)


@given(st.text(alphabet="$.[]'\"a*0-1?@() \\é\n", max_size=12).map("$".__add__))
def test_accepts_what_python_jsonpath_accepts(text: str) -> None:
    try:
        jsonpath.compile(text, strict=True)
    except jsonpath.JSONPathError:
        with pytest.raises(WrongValueError):
            compile_json_path(text)
    else:
        compile_json_path(text)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", "'' is not a JSONPath: it does not begin with '$'"),
        ("items[0]", "'items[0]' is not a JSONPath: it does not begin with '$'"),
        ("$.a b", "'$.a b' is not a JSONPath: unexpected token 'b' at character 5"),
        ("$.items[", "'$.items[' is not a JSONPath: unexpected end of query at its end"),
        ("$.a.", "'$.a.' is not a JSONPath: a name is missing at its end"),
        ("$.a[01]", "'$.a[01]' is not a JSONPath: leading zero in index selector at character 5"),
        ("$[?nosuch(@)]", "'$[?nosuch(@)]' is not a JSONPath: function 'nosuch' is not defined at character 4"),
        ("$[?" * 3000, f"'{'$[?' * 19}...' is not a JSONPath: nested too deep"),
    ],
)
def test_shows_where_a_path_is_wrong(path: str, message: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        compile_json_path(path)
    assert caught.value.message == message
    assert caught.value.remedy == "write, for example, $.items[0].id"


def test_a_document_that_is_nested_too_deep_is_an_error() -> None:
    document: Any = []
    for _ in range(500):
        document = [document]
    with pytest.raises(WrongValueError, match=r"nested too deep for \$\.\.\[\?@\.a\]"):
        compile_json_path("$..[?@.a]").find(document)


@pytest.mark.parametrize(("path", "imported"), [("$.items[*].id", "False"), ("$.items[?@.x].id", "True")])
def test_a_plain_path_imports_nothing(path: str, imported: str) -> None:
    code = (
        "import sys; from perfcheck.answers.json_path import compile_json_path; "
        f"compile_json_path({path!r}); print('jsonpath' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == imported
