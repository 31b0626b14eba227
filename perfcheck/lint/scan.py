"""From a source file to its facts: one pass over the statements, and into the expressions of lines that matter."""

from __future__ import annotations

import ast
import os
import re
from bisect import bisect_left
from collections.abc import Iterator

from perfcheck.lint.module_facts import CallSite, Definition, Imported, Module, Parameter, Scope, Value
from perfcheck.lint.sources import ignores_in, parse, read_source
from perfcheck.lint.vocabulary import CALLS, DECORATORS, MONITOR, VERBS

_BLOCKS = ("body", "handlers", "cases", "orelse", "finalbody")
_PLAIN = (ast.Constant, ast.Dict, ast.JoinedStr, ast.ListComp, ast.DictComp, ast.Subscript)  # never an app
_MAKER = re.compile(r".*(?:Flask|FastAPI|Starlette|Blueprint|Router|Api|API|Namespace)")
_KEEPS = re.compile(r"(?:.*_)?(?:app|application|router|api|blueprint|bp)", re.IGNORECASE)
_DJANGO_MIDDLEWARE = re.compile(r"perfcheck\.monitor\.django\.(?!urls$|apps\b)[\w.]+")


def read_module(file: str) -> Module:
    """The facts of one file. Raises UnreadableSourceError."""
    text = read_source(file)
    tree = parse(text)
    path, _ = os.path.splitext(os.path.abspath(file))  # noqa: PTH100, PTH122 - links stay as they are
    parts = tuple(part for part in path.replace(os.sep, "/").split("/") if part)
    is_package = parts[-1] == "__init__"
    module = Module(file, parts[:-1] if is_package else parts, is_package)
    if not text.isascii():
        module.wide_lines = {n: line for n, line in enumerate(text.split("\n"), 1) if not line.isascii()}
    module.ignores = ignores_in(text, file)
    _Scanner(module, text).scan(tree)
    return module


class _Scanner:
    def __init__(self, module: Module, text: str) -> None:
        self._module = module
        self._text = text
        self._names = CALLS
        self._lines: list[int] = []  # of calls that may matter
        self._monitor_lines = _lines_of(rf"\b{MONITOR}\b", text) if MONITOR in text else []

    def scan(self, tree: ast.Module) -> None:
        imports = (node for node in tree.body if isinstance(node, ast.ImportFrom))
        aliases = (alias for node in imports for alias in node.names if alias.name in CALLS)
        self._names = CALLS | {alias.asname for alias in aliases if alias.asname}  # import path as p
        present = "|".join(sorted(name for name in self._names if name in self._text))
        self._lines = _lines_of(rf"\b(?:{present or MONITOR})\s*\(|\)\(|perfcheck\.monitor", self._text)
        blocks: list[tuple[Iterator[ast.AST], Scope]] = [(iter(tree.body), self._module.scope)]
        while blocks:
            block, scope = blocks[-1]
            node = next(block, None)
            if node is None:
                blocks.pop()
                if not blocks or blocks[-1][1] is not scope:
                    scope.close()
                continue
            inside = self._statement(node, scope)
            inner = (getattr(node, name, None) for name in reversed(_BLOCKS))
            blocks.extend((iter(block), inside) for block in inner if block)

    def _statement(self, node: ast.AST, scope: Scope) -> Scope:
        """Record the facts of a statement; returns the scope of the statements inside it."""
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return self._define(node, scope).inside
            case ast.Import() | ast.ImportFrom():
                _bind_imports(node, scope)
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    _bind(target, value, scope)
                self._calls_in(node, value, scope)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                _bind(target, value, scope, annotation)
                self._calls_in(node, value, scope)
            case ast.Return(value=value) if value is not None:
                if scope.owner is not None and isinstance(value, ast.Name | ast.Attribute | ast.Call):
                    scope.owner.returns.append(value)
                    scope.matters |= isinstance(value, ast.Call) and _MAKER.match(_last(value.func)) is not None
                self._calls_in(node, value, scope)
            case ast.Expr(value=value) | ast.AugAssign(value=value) | ast.For(iter=value) | ast.AsyncFor(iter=value):
                self._calls_in(node, value, scope)
        return scope

    def _define(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, scope: Scope) -> Definition:
        inside = Scope(self._module, scope, None)
        owner = scope.owner
        first = min((decorator.lineno for decorator in node.decorator_list), default=node.lineno)
        definition = Definition(
            name=node.name,
            qualified=f"{owner.qualified}.{node.name}" if owner is not None and owner.is_class else node.name,
            location=self._module.location_of(node),
            header=range(first, max(node.body[0].lineno, node.lineno + 1)),
            decorators=tuple(node.decorator_list),
            outside=scope,
            inside=inside,
            is_class=isinstance(node, ast.ClassDef),
            bases=tuple(node.bases) if isinstance(node, ast.ClassDef) else (),
            annotation=None if isinstance(node, ast.ClassDef) else node.returns,
            mentions_monitor=_any_in(self._monitor_lines, node.lineno, node.end_lineno),
        )
        inside.owner = definition
        if not isinstance(node, ast.ClassDef):
            for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                inside.bind(argument.arg, Parameter(argument.annotation))
        scope.bind(node.name, definition)
        if any(_registers(decorator) for decorator in node.decorator_list):
            self._module.decorated.append(definition)
            scope.matters = True
        return definition

    def _calls_in(self, statement: ast.stmt, value: ast.expr | None, scope: Scope) -> None:
        if value is None or not _any_in(self._lines, statement.lineno, statement.end_lineno):
            return
        for node in ast.walk(value):
            if isinstance(node, ast.Call) and self._matters(node):
                self._module.calls.append(CallSite(node, scope, value))
                scope.matters = True
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                self._module.monitors_django |= _DJANGO_MIDDLEWARE.fullmatch(node.value) is not None

    def _matters(self, call: ast.Call) -> bool:
        match call.func:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return name in self._names
            case ast.Call(func=ast.Attribute(attr=name)):
                return name in VERBS or name == "route"
        return False


def _registers(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name in DECORATORS
    return False


def _lines_of(pattern: str, text: str) -> list[int]:
    lines: list[int] = []
    line, position = 1, 0
    for match in re.finditer(pattern, text):
        line += text.count("\n", position, match.start())
        position = match.start()
        lines.append(line)
    return lines


def _any_in(lines: list[int], first: int, last: int | None) -> bool:
    index = bisect_left(lines, first)
    return index < len(lines) and lines[index] <= (last or first)


def _bind(target: ast.expr, value: ast.expr | None, scope: Scope, annotation: ast.expr | None = None) -> None:
    match target, value:
        case (ast.Tuple(elts=targets), ast.Tuple(elts=values)) if len(targets) == len(values):
            for each, its_value in zip(targets, values, strict=True):
                _bind(each, its_value, scope)
            return
        case ast.Name(id=name), _:
            holder: Scope | None = scope
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=attr), _:
            around = scope.class_around
            holder, name = (around.inside if around else None), f"self.{attr}"
        case _:
            return
    if holder is None or isinstance(value, _PLAIN):
        return
    if _KEEPS.fullmatch(name) or (isinstance(value, ast.Call) and _MAKER.match(_last(value.func))):
        scope.matters = holder.matters = True
    if annotation is not None:
        holder.bind(name, Parameter(annotation))
    if value is not None:
        holder.bind(name, Value(value, scope))


def _last(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _bind_imports(node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
    for alias in node.names:
        if isinstance(node, ast.Import):
            top = alias.name.partition(".")[0]
            scope.bind(alias.asname or top, Imported(alias.name if alias.asname else top, 0, None))
        elif alias.name == "*":
            scope.stars.append(Imported(node.module or "", node.level, None))
        else:
            scope.bind(alias.asname or alias.name, Imported(node.module or "", node.level, alias.name))
