"""What parameters and the variables of loops may refer to: what callers pass, and the elements of iterables."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from perfcheck.lint.module_facts import (
    Argument,
    CallSite,
    Definition,
    FunctionParameter,
    LoopVariable,
    Meaning,
    Scope,
    Value,
    Variable,
    passed,
)
from perfcheck.lint.names import FARTHEST, LITERALS, NameResolver
from perfcheck.lint.project import Project
from perfcheck.lint.vocabulary import ObjectKind

_SAME_ITEMS = {"list", "tuple", "set", "sorted", "reversed", "iter"}


class Resolver(NameResolver):
    def __init__(self, project: Project) -> None:
        super().__init__(project)
        self._origins: dict[Argument, list[Meaning | None]] = {}
        self._calls: dict[Definition, list[CallSite]] | None = None

    def kind(self, meaning: Meaning | None) -> ObjectKind | None:
        """Of an argument by its annotation, else of the first object that it may be."""
        if (known := super().kind(meaning)) is not None or not isinstance(meaning, Argument):
            return known
        kinds = (self.kind(origin) for origin in self.origins(meaning))
        return next((kind for kind in kinds if kind is not None), None)

    def origins(self, meaning: Meaning | None) -> list[Meaning | None]:
        """The objects that callers pass, or that a loop takes one after the other; None among them if unknown."""
        if not isinstance(meaning, Argument):
            return [meaning]
        if meaning not in self._origins:
            if self.steps >= FARTHEST:
                return [None]
            self._origins[meaning] = []  # a function that calls itself passes on what it was given
            self.steps += 1
            try:
                self._origins[meaning] = list(dict.fromkeys(self._passed_on(meaning)))
            finally:
                self.steps -= 1
        return self._origins[meaning]

    def _passed_on(self, argument: Argument) -> Iterator[Meaning | None]:
        for value in self.sources(argument):
            self.looked_into = 0
            for origin in self.origins(self.meaning(value.node, value.scope)) if value else [None]:
                yield self.attribute(origin, argument.attributes) if origin else None

    def named_in(self, node: ast.expr | None, scope: Scope, left: int = 8) -> set[Scope]:
        """The scope of an expression; of a parameter, those of what is passed for it."""
        meaning, scopes = self.meaning(node, scope), {scope}
        if isinstance(meaning, Argument) and left > 0:
            values = [value for value in self.sources(meaning) if value is not None]
            scopes |= {each for value in values for each in self.named_in(value.node, value.scope, left - 1)}
        return scopes

    def sources(self, argument: Argument) -> list[Value | None]:
        """The expressions of an argument: those of all calls, or the elements of the iterable."""
        match argument.source:
            case LoopVariable(iterable, scope, index):
                items = self._items(iterable, scope)
                return [item and _part(item, index) for item in items]
            case FunctionParameter(default=default) as parameter if (function := argument.scope.owner) is not None:
                calls = self.callers().get(function, ())
                return [passed(site, function, argument.name, parameter) for site in calls] or [default]
        return [None]

    def callers(self) -> dict[Definition, list[CallSite]]:
        """The calls of each function; of a class those that make an object of it or of a subclass."""
        if self._calls is None:
            self._calls = {}
            steps, self.steps = self.steps, 0  # each call is a search of its own
            for module in self.modules:
                for site in module.all_calls:
                    for function in self._called(site):
                        self._calls.setdefault(function, []).append(site)
            self.steps = steps
        return self._calls

    def _called(self, site: CallSite) -> Iterator[Definition]:
        """The functions that a call may run: of a class its ``__init__``, of a loop variable each of them."""
        callee = self.callee(site.call, site.scope)
        is_loop = isinstance(callee, Argument) and isinstance(callee.source, LoopVariable)
        for called in self.origins(callee) if is_loop else [callee]:
            if isinstance(called, Definition) and called.is_class:
                yield from self.ancestors(called)
                called = self.member(called, "__init__", ())  # noqa: PLW2901
            if isinstance(called, Definition):
                yield called

    def _items(self, node: ast.expr, scope: Scope, left: int = 8) -> Iterator[Value | None]:
        """The elements of an iterable; None for those that cannot be determined."""
        match node:
            case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
                for each in elements:
                    inner = self._items(each.value, scope, left - 1) if isinstance(each, ast.Starred) else None
                    yield from inner or [Value(each, scope)]
            case ast.Dict(keys=keys):
                yield from (Value(key, scope) for key in keys if key is not None)
            case ast.BinOp(left=first, op=ast.Add(), right=second):
                yield from (*self._items(first, scope, left - 1), *self._items(second, scope, left - 1))
            case ast.Call(func=ast.Name(id=name), args=[inner_node]) if name in _SAME_ITEMS:
                yield from self._items(inner_node, scope, left - 1)
            case ast.Call(func=ast.Name(id="enumerate"), args=[inner_node, *_]):
                for item in self._items(inner_node, scope, left - 1):
                    yield item and Value(ast.Tuple([ast.Constant(0), item.node]), item.scope)
            case ast.Call(func=ast.Attribute(value=mapping, attr="items" | "values" as method), args=[]):
                yield from self._of_mapping(mapping, method, scope)
            case _:
                literal = self._literal(node, scope)
                yield from self._items(literal.node, literal.scope, left - 1) if literal and left > 0 else [None]

    def _of_mapping(self, node: ast.expr, method: str, scope: Scope) -> Iterator[Value | None]:
        literal = self._literal(node, scope)
        if literal is None or not isinstance(literal.node, ast.Dict):
            yield None
            return
        for key, value in zip(literal.node.keys, literal.node.values, strict=True):
            pair = value if method == "values" else ast.Tuple([key or ast.Constant(None), value])
            yield None if key is None else Value(pair, literal.scope)

    def _literal(self, node: ast.expr, scope: Scope) -> Value | None:
        """The list, tuple, set or dictionary that an expression refers to."""
        match self.meaning(node, scope):
            case Variable(where, _, value) if isinstance(value, LITERALS):
                return Value(value, where)
        return None


def _part(item: Value, index: int | None) -> Value | None:
    """``bp`` of the pair ``("/api", bp)``; the item itself without an index."""
    if index is None:
        return item
    elements = item.node.elts if isinstance(item.node, ast.Tuple | ast.List) else []
    return Value(elements[index], item.scope) if index < len(elements) else None
