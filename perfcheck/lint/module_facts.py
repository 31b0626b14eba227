"""What is kept of a source file: its names, its definitions and its calls."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from perfcheck.lint.sources import Ignore
from perfcheck.lint.vocabulary import SourceLocation

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
class Annotated:
    """A name of which only the type is known."""

    annotation: ast.expr


@dataclass(frozen=True, slots=True)
class FunctionParameter:
    annotation: ast.expr | None
    position: int
    default: Value | None


@dataclass(frozen=True, slots=True)
class LoopVariable:
    """``bp`` in ``for bp in BLUEPRINTS``; with an index, in ``for prefix, bp in BLUEPRINTS``."""

    iterable: ast.expr
    scope: Scope
    index: int | None
    annotation: None = None  # never


@dataclass(slots=True, eq=False)
class Definition:
    """A function or a class."""

    name: str
    qualified: str  # with the class before it
    location: SourceLocation
    header: range  # lines from the first decorator to the colon
    decorators: tuple[ast.expr, ...]
    outside: Scope  # of the definition itself
    inside: Scope
    is_class: bool
    bases: tuple[ast.expr, ...] = ()
    returns: list[ast.expr] = field(default_factory=list)
    annotation: ast.expr | None = None
    mentions_monitor: bool = False  # monitor_performance is in its source


Source = Annotated | FunctionParameter | LoopVariable  # of an object that is made elsewhere
Binding = Imported | Value | Source | Definition


@dataclass(slots=True, eq=False)
class Scope:
    """The names of a module, a class, a function or a loop. ``self.x`` is kept in the class, under that name."""

    module: Module
    parent: Scope | None
    owner: Definition | None  # None for a module
    is_loop: bool = False  # it holds the variables of the loop alone: others live on after it
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[Imported] = field(default_factory=list)
    global_names: frozenset[str] = frozenset()

    def bind(self, name: str, binding: Binding | None) -> None:
        """None: to nothing of interest, but names outside are hidden."""
        holder = self.function if name not in self.function.global_names else self.module.scope
        holder.bindings.setdefault(name, []).extend([binding] if binding is not None else [])

    @property
    def function(self) -> Scope:
        """This scope without the loops in it: the names that are bound in a loop live on after it."""
        return self.parent.function if self.is_loop and self.parent is not None else self

    def outwards(self) -> Iterator[Scope]:
        """This scope and those around it."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    @property
    def class_around(self) -> Definition | None:
        """The class whose ``self`` this scope sees."""
        owners = (scope.owner for scope in self.outwards())
        return next((owner for owner in owners if owner is not None and owner.is_class), None)


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call, and where it is."""

    call: ast.Call
    scope: Scope
    top: ast.expr  # the complete expression that it is part of


@dataclass(slots=True, eq=False)
class Module:
    file: str  # as it is shown
    path: Parts  # absolute, without the ending; of a package its folder
    is_package: bool
    scope: Scope = field(init=False)
    decorated: list[Definition] = field(default_factory=list)
    calls: list[CallSite] = field(default_factory=list)  # those that may register or monitor something
    all_calls: list[CallSite] = field(default_factory=list)  # any of them may be given an app, or make one
    mentions_monitor: bool = False  # monitor_performance is in it
    monitors_django: bool = False  # settings that name the middleware
    django_settings: SourceLocation | None = None  # where these set MIDDLEWARE
    ignores: list[Ignore] = field(default_factory=list)
    wide_lines: dict[int, str] = field(default_factory=dict)  # lines in which bytes and characters differ

    def __post_init__(self) -> None:
        self.scope = Scope(self, None, None)

    def location_of(self, node: ast.expr | ast.stmt) -> SourceLocation:
        column = node.col_offset
        if line := self.wide_lines.get(node.lineno):
            column = len(line.encode()[:column].decode(errors="ignore"))
        return SourceLocation(self.file, node.lineno, column + 1)


def parts_of(node: ast.AST) -> Parts | None:
    """``a.b.c`` as a tuple; None for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(names))


def last_name(node: ast.expr) -> str:
    """``c`` of ``a.b.c`` and of ``f().c``; empty for what is not a name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


# --- What a name may refer to ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class External:
    """A name of a package that was not read: ``flask.Flask``."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    """An object that an expression makes, known by the name that it is bound to."""

    scope: Scope
    name: str
    value: ast.expr


@dataclass(frozen=True, slots=True)
class Argument:
    """A parameter or the variable of a loop, or an attribute of it: the object comes from callers or elements."""

    scope: Scope
    name: str
    source: Source
    attributes: Parts = ()


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


def passed(site: CallSite, function: Definition, name: str, parameter: FunctionParameter) -> Value | None:
    """What a call passes for a parameter, else its default; None where that cannot be determined."""
    call, is_method = site.call, function.outside.owner is not None and function.outside.owner.is_class
    position = parameter.position - (is_method and not _is_static(function))
    given = call.args[: position + 1]
    if any(isinstance(each, ast.Starred) for each in given):
        return None
    node = given[position] if 0 <= position < len(given) else keyword(call, name)
    if node is not None:
        return Value(node, site.scope)
    return None if any(each.arg is None for each in call.keywords) else parameter.default


def _is_static(function: Definition) -> bool:
    return any(parts_of(decorator) == ("staticmethod",) for decorator in function.decorators)


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """The value of the first keyword argument of one of these names."""
    return next((argument.value for argument in call.keywords if argument.arg in names), None)


def argument(call: ast.Call, position: int, *names: str) -> ast.expr | None:
    """An argument by its position, else by the first of these names."""
    return call.args[position] if len(call.args) > position else keyword(call, *names)
