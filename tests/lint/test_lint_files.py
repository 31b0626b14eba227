"""Which files are read, and what becomes of those that are no Python source."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import pytest
from support.sources import handlers, lint_sources, write

from perfcheck.errors import UsageError
from perfcheck.lint import lint
from perfcheck.lint.sources import python_files

HANDLER = "from flask import Flask\napp = Flask(__name__)\n@app.get('/')\ndef {}(): ...\n"


def found(folder: Path, *exclude: str, include_tests: bool = False) -> list[str]:
    files = python_files([str(folder)], exclude, include_tests=include_tests)
    return [Path(file).relative_to(folder).as_posix() for file in files]


def test_what_is_left_out_of_a_folder(tmp_path: Path) -> None:
    names = [
        *("app.py", "pkg/views.py", "pkg/build/__init__.py", "pkg/build/views.py", "contest.py", "pkg/testing.py"),
        *("test_app.py", "app_test.py", "conftest.py", "tests/helpers.py", "pkg/tests.py", "pkg/tests/test_x.py"),
        *("migrations/0001.py", ".hidden/x.py", ".hidden.py", "node_modules/x.py", "build/lib/app.py", "dist/app.py"),
        *("env/lib/x.py", "x/site-packages/y.py", "__pycache__/x.py", "notes.txt", "app.pyi"),
    ]
    write(tmp_path, {**dict.fromkeys(names, ""), "env/pyvenv.cfg": ""})
    assert found(tmp_path) == [
        *("app.py", "contest.py", "pkg/build/__init__.py", "pkg/build/views.py", "pkg/testing.py", "pkg/views.py")
    ]
    tests = {"app_test.py", "conftest.py", "pkg/tests.py", "pkg/tests/test_x.py", "test_app.py", "tests/helpers.py"}
    assert set(found(tmp_path, include_tests=True)) - set(found(tmp_path)) == tests


@pytest.mark.parametrize(
    ("glob", "left"),
    [
        ("legacy", ["a/b/new.py", "app.py"]),
        ("legacy/", ["a/b/new.py", "app.py"]),
        ("*.py", []),
        ("a/*", ["app.py", "legacy/old.py"]),
        ("a/b/new.py", ["app.py", "legacy/old.py"]),
        ("b", ["app.py", "legacy/old.py"]),
        ("nothing", ["a/b/new.py", "app.py", "legacy/old.py"]),
    ],
)
def test_excluded(tmp_path: Path, glob: str, left: list[str]) -> None:
    write(tmp_path, dict.fromkeys(["app.py", "legacy/old.py", "a/b/new.py"], ""))
    if left:
        assert found(tmp_path, glob) == left
    else:
        with pytest.raises(UsageError, match="no Python file"):
            found(tmp_path, glob)


def test_a_file_that_is_named_is_always_read(tmp_path: Path) -> None:
    write(tmp_path, {"tests/test_app.py": HANDLER.format("index"), "script": HANDLER.format("other")})
    named = [str(tmp_path / "tests/test_app.py"), str(tmp_path / "script")]
    assert [finding.handler for finding in lint(named, ["test_*"]).findings] == ["other", "index"]


def test_a_folder_that_is_named_is_read_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, {"tests/app.py": HANDLER.format("index")})
    assert lint([str(tmp_path / "tests")]).handlers == 1


def test_each_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {"src/app.py": HANDLER.format("index")})
    monkeypatch.chdir(tmp_path)
    result = lint(["src/app.py", "src", "./src/../src", str(tmp_path / "src")])
    assert (result.files, [finding.location.file for finding in result.findings]) == (1, ["src/app.py"])


@pytest.mark.parametrize("path", ["nowhere", "empty"])
def test_a_path_without_python_is_an_error(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"no such file|no Python file"):
        lint([str(tmp_path / path)])


def test_links_that_make_a_circle(tmp_path: Path) -> None:
    write(tmp_path, {"pkg/app.py": HANDLER.format("index")})
    (tmp_path / "pkg" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "pkg" / "self.py").symlink_to("self.py")
    assert found(tmp_path) == ["pkg/app.py"]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, {"app.py": HANDLER.format("index")})
    os.mkfifo(tmp_path / "pipe.py")
    assert found(tmp_path) == ["app.py"]


# --- Files that are no Python source -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"x = 1\ndef f(:\n", 2, "does not parse"),
        (b"x = '\xff'\n", 1, "encoding declaration"),
        (b"a = 1\nb = 2\nc = '\xe4'\n", 3, "not utf-8"),
        (b"# coding: nonsense\n", 1, "not Python source"),
        (b"x = 1\ny = '\0'\n", 2, "null byte"),
        (b"print 'two'\n", 1, "does not parse"),
        (b"(" * 5000 + b")" * 5000, 1, ""),
        (b"x = " + b"-" * 200_000 + b"1", 1, ""),
        (b"x" + b".a" * 200_000, 1, ""),
        (b"#" * (16 * 2**20 + 1), 1, "larger than"),
    ],
    ids=["syntax", "bytes", "bytes-later", "coding", "null", "python-2", "brackets", "minus", "attributes", "large"],
)
def test_a_file_that_cannot_be_parsed_does_not_stop_the_others(
    tmp_path: Path, content: bytes, line: int, message: str
) -> None:
    write(tmp_path, {"app.py": HANDLER.format("index")})
    (tmp_path / "bad.py").write_bytes(content)
    result = lint([str(tmp_path)])
    assert [finding.handler for finding in result.findings] == ["index"]
    (problem,) = result.problems
    assert Path(problem.location.file).name == "bad.py"
    assert problem.location.line == line
    assert message in problem.message


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1"])
def test_encodings_of_source(tmp_path: Path, encoding: str) -> None:
    text = ("# coding: latin-1\n" if encoding == "latin-1" else "") + HANDLER.format("índice")
    (tmp_path / "app.py").write_bytes(text.replace("\n", "\r\n").encode(encoding))
    (finding,) = lint([str(tmp_path)]).findings
    assert finding.handler == "índice"


def test_names_that_stand_for_each_other_end(tmp_path: Path) -> None:
    files = {
        "a.py": "from b import app\nfrom b import *\nclass A(B): ...\nclass B(A): ...\nview = A()\n"
        "@app.get(X)\ndef one(): ...\n",
        "b.py": "from a import app\nfrom a import *\nx = y\ny = x\n@x.route('/x')\ndef two(): ...\n"
        "def f():\n    return f()\nmade = f()\n@made.route('/made')\ndef three(): ...\n",
    }
    assert handlers(tmp_path, files) == ["two", "three"]


def test_blueprints_that_stand_in_each_other_end(tmp_path: Path) -> None:
    source = """\
        from flask import Blueprint
        a, b = Blueprint("a", "a"), Blueprint("b", "b")
        a.register_blueprint(b)
        b.register_blueprint(a)
        @a.get("/")
        def index(): ...
        """
    assert handlers(tmp_path, source) == ["index"]


def test_blueprints_that_are_all_registered_with_each_other_end(tmp_path: Path) -> None:
    names = [f"b{n}" for n in range(40)]
    made = "\n".join(f"{name} = Blueprint('{name}', 'x')" for name in names)
    registered = "\n".join(f"{a}.register_blueprint({b})" for a, b in itertools.permutations(names, 2))
    source = (
        "from flask import Blueprint, Flask\nfrom perfcheck.monitor.flask import init_app\napp = Flask('app')\n"
        f"{made}\n{registered}\n@b39.get('/')\ndef index(): ...\napp.register_blueprint(b0)\ninit_app(app)\n"
    )
    assert lint_sources(tmp_path, source).monitored == 1


def test_functions_that_pass_on_what_they_are_given_end(tmp_path: Path) -> None:
    passing = "\n".join(f"def f{n}(app):\n    f{n + 1}(app)\n    f{(n * 7) % 200}(app)" for n in range(200))
    last = "def f200(app):\n    @app.get('/')\n    def f(): ...\n"
    source = f"from flask import Flask\napp = Flask('x')\n{passing}\n{last}f0(app)\n"
    assert handlers(tmp_path, source) == ["f"]


def test_long_chains_end(tmp_path: Path) -> None:
    names = [f"v{n}" for n in range(400)]
    chain = "\n".join(f"{b} = {a}" for a, b in itertools.pairwise(names))
    classes = "\n".join(f"class C{n + 1}(C{n}): ..." for n in range(400))
    source = f"from flask import Flask\nclass C0(Flask): ...\n{classes}\nv0 = C400()\n{chain}\n"
    source += "@v399.route('/')\ndef f(): ...\n"
    wrapped = "monitored(" * 60 + "f" + ")" * 60
    source += f"from django.urls import path\nurlpatterns = [path('', {wrapped})]\n"
    assert handlers(tmp_path, source) == ["f"]


def test_names_that_multiply_each_other_end(tmp_path: Path) -> None:
    names = "abcdefgh"
    source = "\n".join(f"{x} = {y}.{z} or {z}.{y} or {y}().{z}" for x, y, z in itertools.permutations(names, 3))
    assert handlers(tmp_path, f"{source}\n@a.b.route('/')\ndef f(): ...\n") == ["f"]


def test_calls_of_what_calls_gave_end(tmp_path: Path) -> None:
    chain = "\n".join(f"v{n + 1} = v{n}()\ndef f{n}():\n    app = f{n + 1}()\n    return app" for n in range(1000))
    source = f"{chain}\nmade = f0()\n@v999.route('/v')\ndef one(): ...\n@made.route('/f')\ndef two(): ...\n"
    assert handlers(tmp_path, source) == ["one", "two"]


def test_the_order_is_that_of_the_files(tmp_path: Path) -> None:
    write(tmp_path, {name: HANDLER.format(name[0]) for name in ("b.py", "a.py", "c.py")})
    named = [str(tmp_path / name) for name in ("c.py", "a.py", "b.py")]
    assert [finding.handler for finding in lint(named).findings] == ["a", "b", "c"]


def test_a_tree_of_nothing_but_words(tmp_path: Path) -> None:
    result = lint_sources(tmp_path, {"a.py": "", "b.py": "# only a comment"})
    assert (result.files, result.handlers, result.problems) == (2, 0, ())
