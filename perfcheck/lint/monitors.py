"""Whether a handler is monitored where it stands: by a decorator, or by what wraps it in its registration."""

from __future__ import annotations

import ast

from perfcheck.lint.facts import Definition, Imported, Scope, parts_of
from perfcheck.lint.meanings import External, Variable
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.words import MONITOR, VERBS

_DECORATOR_LISTS = {"decorators", "method_decorators"}  # of Flask's views and of Flask-RESTful's resources
_DISPATCH = {"dispatch", "dispatch_request"}
_ACTIONS = {"list", "create", "retrieve", "update", "partial_update", "destroy"}


class Monitors:
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def is_monitor(self, node: ast.expr, scope: Scope) -> bool:
        """Whether an expression speaks of monitor_performance, by any name, or of a function that applies it."""
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
            case Definition() as found:
                return not found.is_class and found.says_monitor
            case Variable(where, _, value) if isinstance(value, ast.Call):
                called = parts_of(value.func)  # monitored = monitor_performance("api")
                return called is not None and (called[-1] == MONITOR or self._imported_as_monitor(called[0], where))
        return False

    @staticmethod
    def _imported_as_monitor(name: str, scope: Scope) -> bool:
        holder: Scope | None = scope
        while holder is not None:
            for binding in holder.bindings.get(name, ()):
                if isinstance(binding, Imported) and binding.name == MONITOR:
                    return True
            holder = holder.parent
        return False

    def decorated(self, definition: Definition) -> bool:
        return any(self.is_monitor(decorator, definition.outside) for decorator in definition.decorators)

    def covers_class(self, view: Definition) -> bool:
        """A decorator on the class or its dispatch, a list of decorators in it, or one on each of its handlers.

        What monitors a base class holds for the handlers that are inherited from it, not for those that stand in the
        class itself: they replace the monitored ones.
        """
        serving: dict[str, bool] = {}  # name of a handler -> whether it is monitored
        for one in self._resolver.ancestors(view):
            whole = self.decorated(one)
            if self._lists_monitor(one) or (whole and not serving):
                return True
            for name, bindings in one.inside.bindings.items():
                method = bindings[-1]
                if not isinstance(method, Definition):
                    continue
                if name in _DISPATCH and self.decorated(method):
                    return True
                if name in VERBS | _ACTIONS or _is_action(method):
                    serving.setdefault(name, whole or self.decorated(method))
        return bool(serving) and all(serving.values())

    def _lists_monitor(self, view: Definition) -> bool:
        for name in _DECORATOR_LISTS:
            for binding in view.inside.bindings.get(name, ()):
                node = getattr(binding, "node", None)
                if isinstance(node, ast.expr) and self.is_monitor(node, view.inside):
                    return True
        return False


def methods_of(view: Definition, resolver: Resolver) -> tuple[str, ...]:
    """The HTTP methods that a class of views has functions for, in the usual order."""
    found = {
        name for one in resolver.ancestors(view) for name, last in one.inside.bindings.items() if name in VERBS and last
    }
    usual = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
    return tuple(name.upper() for name in usual if name in found)


def _is_action(method: Definition) -> bool:
    """An extra action of a view set: ``@action(detail=True)``."""
    for decorator in method.decorators:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (parts := parts_of(called)) and parts[-1] in {"action", "list_route", "detail_route"}:
            return True
    return False
