"""What a registration says: its path, its keywords, and the framework that it looks like."""

from __future__ import annotations

import ast

from perfcheck.lint.facts import Definition, Imported, Module
from perfcheck.lint.model import Framework

_SHOWN = 60  # characters of a path that is not a plain string


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    return next((one.value for one in call.keywords if one.arg in names), None)


def literal_path(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else keyword(call, "path", "rule", "prefix", "url")
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def shown_path(node: ast.expr | None) -> str:
    """A plain string as it is; anything else as its source, cut short."""
    match node:
        case None:
            return ""
        case ast.Constant(value=str(text)):
            return text
        case ast.Call(args=[ast.Constant(value=str(text)), *_]):  # a translated path: _("videos/")
            return text
    try:
        return ast.unparse(node)[:_SHOWN]
    except RecursionError:
        return "..."


def guess(module: Module, definition: Definition, verb: str) -> Framework:
    """The framework of a receiver that cannot be told: by what the file imports, else by the decorator."""
    imported = {
        binding.module.partition(".")[0].partition("_")[0]
        for scope in (module.scope, definition.outside)
        for bindings in scope.bindings.values()
        for binding in bindings
        if isinstance(binding, Imported)
    }
    if "fastapi" in imported:
        return Framework.FASTAPI
    if "flask" in imported:
        return Framework.FLASK
    if "starlette" in imported:
        return Framework.STARLETTE
    return Framework.FLASK if verb == "route" else Framework.FASTAPI
