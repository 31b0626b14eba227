"""Which part of perfcheck may import which, read from the imports themselves."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Container, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "perfcheck"

HELPERS = {"perfcheck", "errors", "hosts", "units", "text", "times", "words"}
CORE = HELPERS | {"model", "stats"}
# part -> (parts of perfcheck it may import, packages from elsewhere it may import). Each imports only parts above it:
# so there is no circle between them.
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "__init__": (set(), set()),
    "errors": (set(), set()),
    "hosts": ({"errors"}, set()),
    "units": (set(), set()),
    "text": (set(), set()),
    "times": (set(), set()),
    "words": ({"text", "times"}, set()),
    "git": ({"text"}, set()),
    "supervisor": (set(), set()),  # a script of its own, run by service_process
    "service_process": ({"errors", "text", "git"}, set()),
    "model": (set(), set()),
    "stats": ({"model"}, set()),
    "answers": (HELPERS | {"model"}, {"jsonpath", "jsonschema_rs", "msgspec"}),
    # Which of its modules may import which framework: tests/monitor/test_imports.py.
    "monitor": (HELPERS, {"asgiref", "django", "flask", "prometheus_client", "sqlalchemy", "starlette"}),
    "baseline": (HELPERS | {"model", "answers"}, {"yaml"}),
    "runfile": (HELPERS | {"model"}, {"msgspec"}),
    "report": (HELPERS | {"model"}, {"rich", "jinja2"}),
    "client": (HELPERS | {"model", "answers"}, {"httpx", "h11", "h2"}),
    "judge": (CORE, set()),
    "sampling": (CORE | {"judge"}, set()),
    "discover": (CORE | {"baseline", "client", "judge"}, {"yaml"}),
    "history": (CORE | {"report", "runfile", "git"}, {"sqlalchemy", "rich"}),
    "periods": (CORE | {"git", "baseline", "report", "runfile", "history"}, {"msgspec", "rich", "jinja2"}),
    "site": (CORE | {"report", "runfile", "history", "periods"}, set()),
    "browser": (HELPERS | {"model", "client", "service_process"}, {"httpx", "msgspec", "playwright"}),
    "capacity": (
        CORE | {"answers", "client", "service_process"},
        {"gevent", "geventhttpclient", "locust", "msgspec", "zmq"},
    ),
    "lint": (HELPERS | {"model", "report"}, set()),
    "demo": (HELPERS | {"model", "monitor", "service_process"}, {"jinja2"}),
    "engine": (
        CORE
        | {
            "git",
            "service_process",
            "baseline",
            "client",
            "browser",
            "capacity",
            "judge",
            "sampling",
            "discover",
            "runfile",
            "history",
        },
        set(),
    ),
    "cli": (
        CORE
        | {
            "service_process",
            "baseline",
            "client",
            "report",
            "runfile",
            "judge",
            "discover",
            "history",
            "periods",
            "site",
            "lint",
            "demo",
            "capacity",
            "engine",
        },
        {"click", "rich", "rich_click"},
    ),
    # A plugin of pytest, which imports it: what a check needs only when a test uses the fixture.
    "pytest": (CORE | {"baseline", "report", "engine"}, {"pytest"}),
    "__main__": ({"cli", "errors"}, set()),
}


def part_of(module: str) -> str:
    """``perfcheck.judge.verdict`` -> ``judge``; ``perfcheck`` itself -> ``perfcheck``."""
    return module.split(".")[1] if "." in module else module


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            if node.module == "perfcheck":
                yield from (f"perfcheck.{a.name}" if part_exists(a.name) else "perfcheck" for a in node.names)
            else:
                yield node.module or ""


def part_exists(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").exists()


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_every_part_imports_only_what_it_may(file: Path) -> None:
    part = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    own, foreign = ALLOWED[part]
    for module in imports(file):
        top = module.split(".")[0]
        if top == "perfcheck":
            assert part_of(module) in own | {part}, f"{part} may not import {module}"
        elif top not in sys.stdlib_module_names:
            assert top in foreign, f"{part} may not import {module}"


def test_no_part_imports_one_below_it_in_the_table() -> None:
    above: set[str] = {"perfcheck"}
    for part, (own, _) in ALLOWED.items():
        assert own <= above, part
        above.add(part)


def test_no_import_circles_within_a_part() -> None:
    """Imports at the top of a module, those for the type checker too; one inside a function is for a start-up without
    it.
    """
    files = {module_of(file): file for file in PACKAGE.rglob("*.py")}
    edges = {name: set(top_imports(file, files)) - {name} for name, file in files.items()}
    while leaves := {name for name, targets in edges.items() if not targets & edges.keys()}:
        edges = {name: targets for name, targets in edges.items() if name not in leaves}
    assert not edges


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def top_imports(file: Path, modules: Container[str]) -> Iterator[str]:
    """The modules of perfcheck that a file imports at its top, also below ``if TYPE_CHECKING``."""
    statements: list[ast.stmt] = ast.parse(file.read_text(encoding="utf-8")).body
    for node in statements:
        if isinstance(node, ast.If):
            statements += node.body + node.orelse
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                yield submodule if submodule in modules else node.module or ""


def test_the_table_names_every_part() -> None:
    parts = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    assert parts - {"py.typed"} == set(ALLOWED)


def imported_by(*arguments: str) -> set[str]:
    """The top-level packages from outside the standard library, and the parts of perfcheck, that a command imports."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "from perfcheck.cli.app import run_command_line\n"
        f"run_command_line({list(arguments)!r})\n"
        "print('\\n'.join(sorted(set(sys.modules) - before)), file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    names = set(result.stderr.split())
    parts = {".".join(name.split(".")[:2]) for name in names if name.startswith("perfcheck.")}
    foreign = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"perfcheck"}
    return parts | {name for name in foreign if not name.startswith("_")}


def test_version_imports_click_and_nothing_heavy() -> None:
    assert imported_by("--version") <= {
        "click",
        "perfcheck.cli",
        "perfcheck.errors",
        "perfcheck.text",
    }


@pytest.mark.parametrize(
    "arguments", [["--version"], ["run", "--nope"], ["run", "--budget", "60"], ["completion", "zsh"]]
)
def test_only_help_imports_what_draws_it(arguments: list[str]) -> None:
    assert not imported_by(*arguments) & {"rich", "rich_click"}


@pytest.mark.parametrize("arguments", [["validate", str(PACKAGE.parent / "baselines.yaml")], ["schema"]])
def test_what_is_offline_needs_neither_http_nor_a_terminal_library(arguments: list[str]) -> None:
    found = imported_by(*arguments)
    assert not found & {"httpx", "httpcore", "rich", "msgspec", "perfcheck.client"}


def test_a_run_imports_neither_the_transport_nor_the_command_line_of_httpx() -> None:
    found = imported_by("run", "--demo", "settings.get", "--quiet")
    assert "httpx" in found
    assert not found & {"httpcore", "anyio", "certifi", "h2", "pygments"}


def test_a_run_that_is_saved_imports_the_database_library_after_the_measuring(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from perfcheck.cli.app import run_command_line\n"
        "from perfcheck.client.client import Client\n"
        "close = Client.close\n"
        "def note(client):\n"
        "    print('sqlalchemy' in sys.modules, file=sys.stderr)\n"
        "    close(client)\n"
        "Client.close = note\n"
        f"history = {str(tmp_path / 'history.sqlite')!r}\n"
        "run_command_line(['run', '--demo', 'settings.get', '-q', '--save', '--history', history])\n"
        "print('sqlalchemy' in sys.modules, file=sys.stderr)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stderr.split() == ["False", "True"]


def test_only_what_needs_the_history_imports_a_database_library() -> None:
    heavy = {"sqlalchemy", "psycopg", "perfcheck.history"}
    assert not imported_by("history", "--help") & heavy
    assert not imported_by("history", "list", "--help") & heavy
    assert not imported_by("run", "--demo", "settings.get", "--quiet") & {"sqlalchemy", "msgspec", "jinja2"}
    found = imported_by("history", "list", "--history", "absent.sqlite")
    assert "sqlalchemy" in found
    assert not found & {"httpx", "httpcore", "rich", "psycopg", "perfcheck.client", "perfcheck.judge"}


@pytest.mark.parametrize("package", ["model", "answers", "runfile", "baseline"])
def test_what_a_package_exports_is_there(package: str) -> None:
    module = importlib.import_module(f"perfcheck.{package}")
    assert [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)] == []
