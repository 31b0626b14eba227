"""The monitor needs no other package, and nothing of perfcheck but its vocabulary."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import perfcheck.monitor

PACKAGE = Path(perfcheck.monitor.__file__).parent
OWN_FRAMEWORK = {
    "flask.py": {"flask"},
    "fastapi.py": {"starlette"},
    "sqlalchemy.py": {"sqlalchemy"},
    "metrics.py": {"prometheus_client"},
}


def imported_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has more of after ``statement``."""
    code = f"import sys\nbefore = set(sys.modules)\n{statement}\nprint('\\n'.join(set(sys.modules) - before))"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split())


def test_no_third_party_package_is_loaded() -> None:
    found = imported_by(
        "import perfcheck.monitor as m, perfcheck.monitor.wsgi, perfcheck.monitor.asgi, perfcheck.monitor.api\n"
        "m.monitor_performance('a')(lambda: None)()\n"
        "m.statistics()"
    )
    assert found >= {"perfcheck.monitor", "perfcheck.monitor.wsgi", "perfcheck.monitor.asgi", "perfcheck.monitor.api"}
    foreign = {name.split(".")[0] for name in found} - set(sys.stdlib_module_names) - {"perfcheck"}
    assert {name for name in foreign if not name.startswith("_")} == set()


def test_it_starts_nothing_and_loads_leaf_helpers_only() -> None:
    found = imported_by("import perfcheck.monitor.asgi, threading\nassert threading.active_count() == 1")
    parts = {name.split(".")[1] for name in found if name.startswith("perfcheck.")}
    assert "monitor" in parts
    assert parts <= {"monitor", "text", "times", "words"}


@pytest.mark.parametrize("file", sorted(PACKAGE.rglob("*.py")), ids=lambda file: str(file.relative_to(PACKAGE)))
def test_each_module_imports_its_own_framework_only(file: Path) -> None:
    allowed = {"django", "asgiref"} if file.parent != PACKAGE else OWN_FRAMEWORK.get(file.name, set())
    tree = ast.parse(file.read_text(encoding="utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {name.split(".")[0] for name in modules} - set(sys.stdlib_module_names) - {"perfcheck"}
    assert foreign <= allowed
