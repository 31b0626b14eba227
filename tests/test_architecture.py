"""Which part of perfcheck may import which, read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "perfcheck"

VOCABULARY = {"perfcheck", "model", "history", "period", "errors", "units", "text", "workflow_commands"}
# part -> (parts of perfcheck it may import, packages from elsewhere it may import)
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "model": (set(), set()),
    "history": ({"model"}, set()),
    "period": ({"model", "history"}, set()),
    "errors": (set(), set()),
    "units": (set(), set()),
    "text": (set(), set()),
    "workflow_commands": (set(), set()),
    "judge": (VOCABULARY, set()),
    "baseline": (VOCABULARY, {"yaml"}),
    "measure": (VOCABULARY | {"judge"}, {"httpx", "httpcore", "h11", "h2"}),
    "record": (VOCABULARY, {"msgspec", "sqlalchemy"}),
    "report": (VOCABULARY, {"rich", "jinja2"}),
    "discover": (VOCABULARY, set()),
    "demo": (VOCABULARY | {"monitor"}, set()),
    "lint": (VOCABULARY, set()),
    # Which of its modules may import which framework: tests/monitor/test_imports.py.
    "monitor": (
        {"perfcheck", "units", "text"},
        {"asgiref", "django", "flask", "prometheus_client", "sqlalchemy", "starlette"},
    ),
    "cli": (
        VOCABULARY | {"judge", "baseline", "measure", "record", "report", "discover", "demo", "lint", "cli"},
        {"click", "rich"},
    ),
    "__main__": ({"cli"}, set()),
    "__init__": (set(), set()),
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


def test_validate_needs_neither_http_nor_a_terminal_library() -> None:
    found = imported_by("validate", str(PACKAGE.parent / "baselines.yaml"))
    assert not found & {"httpx", "httpcore", "rich", "msgspec", "perfcheck.measure", "perfcheck.report"}


def test_only_what_needs_the_history_imports_a_database_library() -> None:
    heavy = {"sqlalchemy", "psycopg", "perfcheck.record"}
    assert not imported_by("history", "--help") & heavy
    assert not imported_by("history", "list", "--help") & heavy
    assert "sqlalchemy" not in imported_by("run", "--demo", "settings.get", "--quiet")
    found = imported_by("history", "list", "--history", "absent.sqlite")
    assert "sqlalchemy" in found
    assert not found & {"httpx", "httpcore", "rich", "psycopg", "perfcheck.measure", "perfcheck.judge"}
