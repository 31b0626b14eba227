"""What a name may stand for."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from perfcheck.lint.facts import Definition, Module, Scope, parts_of


@dataclass(frozen=True, slots=True)
class External:
    """A name of a package that was not read: ``flask.Flask``."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    """An object that an expression makes, known by the name it is kept under."""

    scope: Scope
    name: str
    value: ast.expr


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter: the object comes from whoever calls."""

    scope: Scope
    name: str
    annotation: ast.expr | None


Meaning = External | Definition | Variable | Argument | Module


def unquoted(annotation: ast.expr) -> ast.expr:
    """``"Flask"`` as ``Flask``, ``Optional[Flask]`` and ``Flask | None`` too."""
    for _ in range(4):
        match annotation:
            case ast.Constant(value=str(text)):
                try:
                    annotation = ast.parse(text, mode="eval").body
                except (SyntaxError, ValueError, RecursionError, MemoryError):
                    return annotation
            case ast.Subscript(slice=ast.expr() as inner) if (parts_of(annotation.value) or ("",))[-1] in {
                "Optional",
                "Annotated",
            }:
                annotation = inner.elts[0] if isinstance(inner, ast.Tuple) and inner.elts else inner
            case ast.BinOp(left=left, op=ast.BitOr()):
                annotation = left
            case _:
                break
    return annotation
