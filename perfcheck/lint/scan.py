"""From a source file to its facts: one pass over the statements and the calls in them."""

from __future__ import annotations

import ast
import gc
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from perfcheck.lint.bindings import bind, bind_imports, bind_parameters, loop_scope, may_hold_app
from perfcheck.lint.module_facts import (
    CallSite,
    Definition,
    Module,
    Scope,
    last_name,
    parts_of,
)
from perfcheck.lint.sources import UnreadableSourceError, ignores_in, parse, read_source
from perfcheck.lint.vocabulary import CALLS, DECORATORS, MONITOR, VERBS, Remark, SourceLocation

_BLOCKS = ("body", "handlers", "cases", "orelse", "finalbody")
_LEAVES = (ast.Name, ast.Constant, ast.expr_context, ast.operator, ast.boolop, ast.cmpop, ast.unaryop)
_APPLIED = VERBS | {"route"}  # app.get("/")(view)
_LISTS = {"routes", "middleware"}  # keyword arguments of Starlette's apps, routers and mounts
_MIDDLEWARE = ("MIDDLEWARE",)
_MONITOR = re.compile(rf"\b{MONITOR}\b")
_DJANGO_MONITOR = "perfcheck.monitor.django."
_DJANGO_MIDDLEWARE = re.compile(re.escape(_DJANGO_MONITOR) + r"(?!urls$|apps\b)[\w.]+")


def read_modules(files: Iterable[str]) -> tuple[list[Module], list[Remark]]:
    """The modules that can be read, and why others cannot."""
    modules: list[Module] = []
    problems: list[Remark] = []
    for file in files:
        try:
            modules.append(read_module(file))
        except UnreadableSourceError as error:
            problems.append(Remark(SourceLocation(file, error.line, error.column), error.message))
    return modules, problems


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


@contextmanager
def quick_and_quiet() -> Iterator[None]:
    """Syntax trees have no cycles, and collecting garbage takes a third of the time; warnings are of no use here."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if collecting:
            gc.enable()


class _Scanner:
    def __init__(self, module: Module, text: str) -> None:
        self._module = module
        self._text = text
        self._names = set(CALLS)  # and what it is imported as: import path as p
        lines = enumerate(text.split("\n"), 1) if MONITOR in text else ()
        self._monitor_lines = [number for number, line in lines if _MONITOR.search(line)]
        module.mentions_monitor = bool(self._monitor_lines)

    def scan(self, tree: ast.Module) -> None:
        if _DJANGO_MONITOR in self._text:
            texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
            found = (isinstance(text, str) and _DJANGO_MIDDLEWARE.fullmatch(text) for text in texts)
            self._module.monitors_django = any(found)
        blocks: list[tuple[Iterator[ast.AST], Scope]] = [(iter(tree.body), self._module.scope)]
        while blocks:
            block, scope = blocks[-1]
            node = next(block, None)
            if node is None:
                blocks.pop()
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
                bind_imports(node, scope)
                self._names.update(alias.asname for alias in node.names if alias.asname and alias.name in CALLS)
            case ast.Assign(targets=targets, value=value):
                if _MIDDLEWARE in map(parts_of, targets) and _is_complete(value):
                    self._module.django_settings = self._module.location_of(node)
                for target in targets:
                    bind(target, value, scope)
                self._calls_in(value, scope)
            case ast.AnnAssign(target=target, annotation=annotation, value=value):
                bind(target, value, scope, annotation)
                self._calls_in(value, scope)
            case ast.Return(value=value) if value is not None:
                if scope.owner is not None and may_hold_app(value):
                    scope.owner.returns.append(value)
                self._calls_in(value, scope)
            case ast.AugAssign(target=target, value=value):
                bind(target, value, scope)
                self._calls_in(value, scope)
            case ast.For(target=target, iter=iterable) | ast.AsyncFor(target=target, iter=iterable):
                self._calls_in(iterable, scope)
                return loop_scope(target, iterable, scope)
            case ast.Expr(value=value):
                self._calls_in(value, scope)
            case ast.Global(names=names):
                scope.function.global_names |= set(names)
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
            mentions_monitor=any(node.lineno <= line <= (node.end_lineno or 0) for line in self._monitor_lines),
        )
        inside.owner = definition
        if not isinstance(node, ast.ClassDef):
            bind_parameters(node.args, scope, inside)
        scope.bind(node.name, definition)
        calls = (decorator.func for decorator in node.decorator_list if isinstance(decorator, ast.Call))
        if not DECORATORS.isdisjoint(map(last_name, calls)):
            self._module.decorated.append(definition)
        return definition

    def _calls_in(self, value: ast.expr | None, scope: Scope) -> None:
        waiting: list[tuple[ast.AST, Scope]] = [(value, scope)] if value is not None else []
        while waiting:
            node, inside = waiting.pop()
            if isinstance(node, ast.Call):
                site = CallSite(node, inside, value or node)
                self._module.all_calls.append(site)
                self._module.calls.extend([site] if self._matters(node) else [])
            elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
                for loop in node.generators:
                    inside = loop_scope(loop.target, loop.iter, inside)
            waiting += [(child, inside) for child in ast.iter_child_nodes(node) if not isinstance(child, _LEAVES)]

    def _matters(self, call: ast.Call) -> bool:
        if isinstance(call.func, ast.Call):
            return last_name(call.func.func) in _APPLIED
        return last_name(call.func) in self._names or any(keyword.arg in _LISTS for keyword in call.keywords)


def _is_complete(value: ast.expr) -> bool:
    """A list that takes nothing over from another."""
    elements = value.elts if isinstance(value, ast.List | ast.Tuple) else []
    return bool(elements) and not any(isinstance(each, ast.Starred) for each in elements)
