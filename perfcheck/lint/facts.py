"""What is kept of a source file: its names, its definitions, and the calls that may register a handler."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from perfcheck.lint.model import Place

Parts = tuple[str, ...]  # ``app.router.get`` as ("app", "router", "get")


@dataclass(frozen=True, slots=True)
class Imported:
    """A name that an import binds: to ``name`` of ``module``, or to the module itself."""

    module: str
    level: int  # dots before the module
    name: str | None


@dataclass(frozen=True, slots=True)
class Value:
    """A name that an assignment binds, in the scope where the value is worked out."""

    node: ast.expr
    scope: Scope


@dataclass(frozen=True, slots=True)
class Parameter:
    annotation: ast.expr | None


@dataclass(slots=True, eq=False)
class Definition:
    """A function or a class."""

    name: str
    qualified: str  # with the class before it
    place: Place
    header: range  # lines from the first decorator to the colon
    decorators: tuple[ast.expr, ...]
    outside: Scope  # where it stands
    inside: Scope
    is_class: bool
    bases: tuple[ast.expr, ...] = ()
    returns: list[ast.expr] = field(default_factory=list)
    annotation: ast.expr | None = None
    says_monitor: bool = False  # its body speaks of monitor_performance


Binding = Imported | Value | Parameter | Definition


@dataclass(slots=True, eq=False)
class Scope:
    """The names of a module, a class or a function. ``self.x`` is kept in the class, under that name."""

    module: Module
    parent: Scope | None
    owner: Definition | None  # None for a module
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[Imported] = field(default_factory=list)
    matters: bool = False  # something in it makes, keeps or registers an app, a router or a handler

    def close(self) -> None:
        """All of it is read. The variables of a function in which nothing matters are not kept: there are many."""
        if self.owner is None or self.owner.is_class:
            return
        if self.matters and self.parent is not None:
            self.parent.matters = True
        if not self.matters:
            self.owner.returns[:] = [node for node in self.owner.returns if isinstance(node, ast.Name)]
            for name, bindings in list(self.bindings.items()):
                if all(isinstance(binding, Value | Parameter) for binding in bindings):
                    del self.bindings[name]

    def bind(self, name: str, binding: Binding) -> None:
        self.bindings.setdefault(name, []).append(binding)

    @property
    def class_around(self) -> Definition | None:
        """The class whose ``self`` this scope sees."""
        scope: Scope | None = self
        while scope is not None:
            if scope.owner is not None and scope.owner.is_class:
                return scope.owner
            scope = scope.parent
        return None


@dataclass(frozen=True, slots=True)
class Ignore:
    """A comment ``# perfcheck: ignore[reason]``; without a reason it ignores nothing."""

    place: Place
    reason: str | None


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call that may register or monitor something."""

    call: ast.Call
    scope: Scope
    top: ast.expr  # the whole expression that it is part of


@dataclass(slots=True, eq=False)
class Module:
    file: str  # as it is shown
    path: Parts  # absolute, without the ending; of a package its folder
    is_package: bool
    scope: Scope = field(init=False)
    decorated: list[Definition] = field(default_factory=list)
    calls: list[CallSite] = field(default_factory=list)
    monitors_django: bool = False  # settings that name the middleware
    ignores: list[Ignore] = field(default_factory=list)
    wide_lines: dict[int, str] = field(default_factory=dict)  # lines in which bytes and characters differ

    def __post_init__(self) -> None:
        self.scope = Scope(self, None, None)

    def place(self, node: ast.expr | ast.stmt) -> Place:
        column = node.col_offset
        if line := self.wide_lines.get(node.lineno):
            column = len(line.encode()[:column].decode(errors="ignore"))
        return Place(self.file, node.lineno, column + 1)


def parts_of(node: ast.AST) -> Parts | None:
    """``a.b.c`` as a tuple; None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(names))
