"""Whether a handler is monitored by itself: by a decorator, or by a wrapper in its registration."""

from __future__ import annotations

import ast

from perfcheck.lint.module_facts import Definition, External, Imported, Scope, Value, Variable, parts_of
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.vocabulary import MONITOR, VERBS

_DECORATOR_LISTS = {"decorators", "method_decorators"}  # of Flask's views and of Flask-RESTful's resources
_DISPATCH = {"dispatch", "dispatch_request"}
_ACTIONS = {"list", "create", "retrieve", "update", "partial_update", "destroy"}


class HandlerMonitors:
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.in_use = any(module.mentions_monitor for module in resolver.modules)

    def is_monitor(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an expression refers to monitor_performance, by any name, or to a function that applies it."""
        return any(
            isinstance(inner, ast.Name | ast.Attribute) and self._names_monitor(inner, scope)
            for inner in ast.walk(node)
        )

    def _names_monitor(self, node: ast.Name | ast.Attribute, scope: Scope) -> bool:
        parts = parts_of(node)
        if parts is None:
            return isinstance(node, ast.Attribute) and node.attr == MONITOR
        if parts[-1] == MONITOR or self._imported_as_monitor(parts[0], scope):
            return True
        match self._resolver.of(parts, scope):
            case External(name):
                return name.endswith(f".{MONITOR}")
            case Definition() as definition:
                return not definition.is_class and definition.mentions_monitor
            case Variable(where, _, value) if isinstance(value, ast.Call):
                called = parts_of(value.func)  # monitored = monitor_performance("api")
                return called is not None and (called[-1] == MONITOR or self._imported_as_monitor(called[0], where))
        return False

    @staticmethod
    def _imported_as_monitor(name: str, scope: Scope) -> bool:
        bindings = (binding for holder in scope.outwards() for binding in holder.bindings.get(name, ()))
        return any(isinstance(binding, Imported) and binding.name == MONITOR for binding in bindings)

    def decorated(self, definition: Definition) -> bool:
        return any(self.is_monitor(decorator, definition.outside) for decorator in definition.decorators)

    def covers_class(self, view: Definition) -> bool:
        """A decorator on the class or its dispatch, a list of decorators in it, or one on each of its handlers.

        What monitors a base class covers the handlers that are inherited from it, not those of the class itself, which
        replace them.
        """
        serving: dict[str, bool] = {}  # name of a handler -> whether it is monitored
        for ancestor in self._resolver.ancestors(view):
            whole = self.decorated(ancestor)
            if self._lists_monitor(ancestor) or (whole and not serving):
                return True
            for name, bindings in ancestor.inside.bindings.items():
                method = bindings[-1] if bindings else None
                if not isinstance(method, Definition):
                    continue
                if name in _DISPATCH and self.decorated(method):
                    return True
                if name in VERBS | _ACTIONS or _is_action(method):
                    serving.setdefault(name, whole or self.decorated(method))
        return bool(serving) and all(serving.values())

    def _lists_monitor(self, view: Definition) -> bool:
        bindings = (binding for name in _DECORATOR_LISTS for binding in view.inside.bindings.get(name, ()))
        return any(isinstance(binding, Value) and self.is_monitor(binding.node, view.inside) for binding in bindings)


def methods_of(view: Definition, resolver: Resolver) -> tuple[str, ...]:
    """The HTTP methods that a class of views has functions for, in the usual order."""
    verbs = {name for ancestor in resolver.ancestors(view) for name in ancestor.inside.bindings if name in VERBS}
    usual = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
    return tuple(name.upper() for name in usual if name in verbs)


def _is_action(method: Definition) -> bool:
    """An extra action of a view set: ``@action(detail=True)``."""
    called = (decorator.func if isinstance(decorator, ast.Call) else decorator for decorator in method.decorators)
    return any(parts[-1] in {"action", "list_route", "detail_route"} for parts in map(parts_of, called) if parts)
