"""Whether a handler is monitored: by a decorator, by a wrapper in its registration, or since its whole app is."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from perfcheck.lint.module_facts import (
    CallSite,
    Definition,
    External,
    Imported,
    Meaning,
    Module,
    Scope,
    Value,
    Variable,
    argument,
    parts_of,
)
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.vocabulary import ATTACH, MONITOR, VERBS, Framework, Role

_DECORATOR_LISTS = {"decorators", "method_decorators"}  # of Flask's views and of Flask-RESTful's resources
_DISPATCH = {"dispatch", "dispatch_request"}
_ACTIONS = {"list", "create", "retrieve", "update", "partial_update", "destroy"}


class HandlerMonitors:
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

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
                method = bindings[-1]
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


# --- Whole apps -----------------------------------------------------------------------------------------------------

_ASYNC = {Framework.FASTAPI, Framework.STARLETTE}
_SET_UP = {
    "perfcheck.monitor.flask.init_app": {Framework.FLASK},
    "perfcheck.monitor.fastapi.init_app": _ASYNC,
    "perfcheck.monitor.wsgi.Monitor": {Framework.FLASK, Framework.DJANGO},
    "perfcheck.monitor.asgi.Monitor": _ASYNC | {Framework.DJANGO},
}
_BEHIND_A_PATH = {"mount", "add_router"}  # what is attached is the second argument
_FARTHEST = 40  # blueprints in blueprints


class AppMonitors:
    """Which apps are monitored. A monitor of an unknown app covers its frameworks in all files that were read."""

    def __init__(self, modules: Iterable[Module], resolver: Resolver) -> None:
        self._resolver = resolver
        self._apps: set[tuple[Scope, str]] = set()  # monitored as a whole
        self._app_calls: set[ast.expr] = set()  # calls that make an app which is
        self._everywhere: set[Framework] = set()  # by a monitor of an unknown app
        self._somewhere: set[Framework] = set()  # by a monitor of any app
        self._parents: dict[tuple[Scope, str], list[Meaning | None]] = {}
        for module in modules:
            if module.monitors_django:
                self._mark_monitored(None, {Framework.DJANGO})
            for site in module.calls:
                self._read_call(site)

    def covers(self, owner: Meaning | None, framework: Framework) -> bool:
        """Whether the routes of this app or router are monitored."""
        frameworks = _ASYNC if framework in _ASYNC else {framework}
        if framework is Framework.DJANGO:
            return framework in self._somewhere
        return bool(frameworks & self._everywhere) or self._covered(owner, frameworks, _FARTHEST)

    def _covered(self, owner: Meaning | None, frameworks: set[Framework], left: int) -> bool:
        if not isinstance(owner, Variable) or left <= 0:
            return bool(frameworks & self._somewhere)
        key = (owner.scope, owner.name)
        if key in self._apps or owner.value in self._app_calls:
            return True
        parents = [*self._parents.get(key, ()), *self._constructed_with(owner)]
        if parents:
            return all(self._covered(parent, frameworks, left - 1) for parent in parents)
        kind = self._resolver.kind(owner)
        return (kind is None or kind.role is not Role.APP) and bool(frameworks & self._somewhere)

    def _constructed_with(self, owner: Variable) -> list[Meaning | None]:
        """The app of ``api = Api(app)``."""
        kind = self._resolver.kind(owner)
        if kind is None or kind.role is Role.APP or not isinstance(owner.value, ast.Call) or not owner.value.args:
            return []
        above = self._resolver.meaning(owner.value.args[0], owner.scope)
        return [above] if self._resolver.kind(above) is not None else []

    def _mark_monitored(self, app: Meaning | None, frameworks: set[Framework]) -> None:
        kind = self._resolver.kind(app)
        if kind is not None and isinstance(app, Variable):
            self._apps.add((app.scope, app.name))
            self._app_calls.add(app.value)
            frameworks = _ASYNC if kind.framework in _ASYNC else {kind.framework}
        elif isinstance(app, External) and app.name.startswith("django."):
            frameworks = {Framework.DJANGO}
        else:
            self._everywhere |= frameworks
        self._somewhere |= frameworks

    def _read_call(self, site: CallSite) -> None:
        call, scope = site.call, site.scope
        name = self._external(call.func, scope)
        app = argument(call, 0, "app")
        if name in _SET_UP:
            self._mark_monitored(self._resolver.meaning(app, scope), _SET_UP[name])
            return
        monitor = self._external(app, scope)
        if name.endswith(".Middleware") and monitor in _SET_UP:
            if isinstance(site.top, ast.Call) and site.top is not call and self._resolver.makes(site.top, scope):
                self._app_calls.add(site.top)
                self._somewhere |= _ASYNC
            else:
                self._mark_monitored(None, _ASYNC)
        elif isinstance(call.func, ast.Attribute):
            receiver = self._resolver.meaning(call.func.value, scope)
            if call.func.attr == "add_middleware" and monitor in _SET_UP:
                self._mark_monitored(receiver, _ASYNC)
            elif call.func.attr in ATTACH:
                self._attach(call, call.func.attr, receiver, scope)

    def _attach(self, call: ast.Call, method: str, receiver: Meaning | None, scope: Scope) -> None:
        attached = argument(call, 1 if method in _BEHIND_A_PATH else 0, "router", "blueprint", "app", "ns")
        child, parent = self._resolver.meaning(attached, scope), receiver
        if method == "init_app":  # api.init_app(app): the other way round
            child, parent = parent, child
        if isinstance(child, Variable) and self._resolver.kind(child) is not None and child != parent:
            known = self._resolver.kind(parent) is not None
            self._parents.setdefault((child.scope, child.name), []).append(parent if known else None)

    def _external(self, node: ast.expr | None, scope: Scope) -> str:
        meaning = self._resolver.meaning(node, scope) if not isinstance(node, ast.Call) else None
        return meaning.name if isinstance(meaning, External) else ""
