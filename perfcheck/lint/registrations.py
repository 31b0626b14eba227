"""Which calls and decorators register a handler, and which handler: the registrations of a project."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from perfcheck.lint.app_graph import holder
from perfcheck.lint.module_facts import (
    CallSite,
    Definition,
    Meaning,
    Module,
    Scope,
    Variable,
    argument,
    keyword,
    last_name,
    parts_of,
)
from perfcheck.lint.monitors import HandlerMonitors, methods_of
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.targets import Target, TargetFinder, frameworks_imported, guess, literal_path, shown_path
from perfcheck.lint.vocabulary import DECORATORS, ROUTES, URLS, VERBS, Framework, ObjectKind, RegisteredRoute, Role

_EXPOSE = "expose"
_CLIENTS = {"client", "mock", "responses", "requests", "session", "http", "respx", "httpx_mock", "bot", "cli", "page"}
_ABOVE = "monitor_performance is above the route, which registers the function without it: move it below the route"

VerbAndOwner = tuple[str, Meaning | None, Framework]  # the owner is an app or router


@dataclass(frozen=True, slots=True)
class Registration:
    """One route of one handler."""

    target: Target
    route: RegisteredRoute
    lines: range  # of the route, for comments
    framework: Framework
    owner: Meaning | None  # the app or router; None when unknown
    reason: str | None = None


class RegistrationFinder:
    def __init__(self, resolver: Resolver, monitors: HandlerMonitors) -> None:
        self._resolver = resolver
        self._monitors = monitors
        self._targets = TargetFinder(resolver, monitors)
        self._imported = {framework for each in resolver.modules for framework in frameworks_imported(each.scope)}

    def of(self, module: Module) -> Iterator[Registration]:
        for definition in module.decorated:
            yield from self._decorated(definition)
        for site in module.calls:
            yield from self._called(site)

    # --- @app.route("/x") ---

    def _decorated(self, definition: Definition) -> Iterator[Registration]:
        scope = definition.outside
        monitors = [self._monitors.is_monitor(decorator, scope) for decorator in definition.decorators]
        for index, decorator in enumerate(definition.decorators):
            if not isinstance(decorator, ast.Call):
                continue
            registers = self._verb_and_owner(decorator, scope, definition)
            if registers is None:
                continue
            verb, owner, framework = registers
            # An exposed method is looked up in its class later: any of its decorators may monitor it.
            after = monitors if verb == _EXPOSE else monitors[index + 1 :]
            below = any(after) or (definition.is_class and self._monitors.covers_class(definition))
            target = Target(definition.qualified, definition.location, definition, monitored=below)
            methods = self._methods(decorator, verb, definition)
            for path in self._paths(decorator):
                yield Registration(
                    target,
                    RegisteredRoute(methods, shown_path(path), scope.module.location_of(decorator)),
                    definition.header,
                    framework,
                    owner,
                    reason=_ABOVE if any(monitors[:index]) and not below else None,
                )

    def _verb_and_owner(self, call: ast.Call, scope: Scope, definition: Definition) -> VerbAndOwner | None:
        """Of a decorator or call that registers; None if it does not."""
        parts = parts_of(call.func)
        if parts is None or parts[-1] not in DECORATORS:
            return None
        if parts[-1] == _EXPOSE:
            in_view = scope.owner is not None and scope.owner.is_class
            return (_EXPOSE, None, Framework.FLASK) if in_view or literal_path(call) is not None else None
        if len(parts) < 2:  # noqa: PLR2004 - a receiver and a verb
            return None
        owner = self._resolver.of(parts[:-1], scope)
        kind = self._resolver.kind(owner)
        if kind is None:
            is_shaped = _is_shaped(parts[-2], parts[-1], literal_path(call))
            framework = guess(scope.module, definition, parts[-1], self._imported) if is_shaped else None
            return (parts[-1], owner, framework) if framework else None
        if kind.role in {Role.FOREIGN, Role.VIEWSETS}:
            return None
        return parts[-1], owner, kind.framework

    def _methods(self, call: ast.Call, verb: str, definition: Definition | None) -> tuple[str, ...]:
        if verb in VERBS:
            return (verb.upper(),)
        given = keyword(call, "methods")
        if isinstance(given, ast.List | ast.Tuple | ast.Set):
            texts = [item.value for item in given.elts if isinstance(item, ast.Constant)]
            if names := [text.upper() for text in texts if isinstance(text, str)]:
                return tuple(names)
        if given is not None:
            return ()
        if definition is not None and definition.is_class:
            return methods_of(definition, self._resolver)
        return ("GET",)

    @staticmethod
    def _paths(call: ast.Call) -> list[ast.expr]:
        """Flask-RESTX takes several paths in one decorator."""
        given = [path for path in call.args if not isinstance(path, ast.Starred)]
        named = keyword(call, "path", "rule", "route", "url_path", "pattern")
        paths = [named] if not given and named is not None else given
        plain = [path for path in paths if not isinstance(path, ast.Constant) or isinstance(path.value, str)]
        return plain or paths[:1] or [ast.Constant("")]

    # --- app.add_url_rule("/x", view_func=f), path("x", f), router.register("x", ViewSet) ---

    def _called(self, site: CallSite) -> Iterator[Registration]:
        call, scope = site.call, site.scope
        if isinstance(call.func, ast.Call):
            yield from self._applied(call, call.func, scope)
            return
        parts = parts_of(call.func)
        name = last_name(call.func)
        meaning = self._resolver.of(parts, scope)
        external = getattr(meaning, "name", "") if not isinstance(meaning, Definition | Variable) else ""
        last = external.rpartition(".")[2] if external else name
        if last in URLS and external.startswith(("django.", "rest_framework.")):
            path = argument(call, 0, "route", "regex")
            for target in self._targets.of(argument(call, 1, "view"), scope):
                yield self._registration(call, scope, target, (), path, Framework.DJANGO, None)
        elif last in ROUTES and external.startswith(("starlette.", "fastapi.")):
            owner = holder(site, self._resolver)
            for target in self._targets.of(argument(call, 1, "endpoint"), scope):
                methods, path = self._methods(call, "route", target.definition), argument(call, 0, "path")
                yield self._registration(call, scope, target, methods, path, Framework.STARLETTE, owner)
        elif parts and isinstance(call.func, ast.Attribute) and name in _METHODS:
            yield from self._method_call(call, call.func.value, scope, name)

    def _applied(self, call: ast.Call, inner: ast.Call, scope: Scope) -> Iterator[Registration]:
        """``app.get("/x")(f)``."""
        for target in self._targets.of(argument(call, 0), scope):
            registers = target.definition and self._verb_and_owner(inner, scope, target.definition)
            if registers:
                verb, owner, framework = registers
                methods = self._methods(inner, verb, target.definition)
                for path in self._paths(inner):
                    yield self._registration(call, scope, target, methods, path, framework, owner)

    def _method_call(self, call: ast.Call, receiver: ast.expr, scope: Scope, name: str) -> Iterator[Registration]:
        """``receiver.name(...)``: how each of them names path and handler."""
        owner = self._resolver.meaning(receiver, scope)
        kind = self._resolver.kind(owner)
        framework, position, view_names = _METHODS[name]
        if (
            (kind is None and name == "add_route")
            or (kind is not None and kind.role is Role.FOREIGN)
            or (name == "add_resource" and len(call.args) <= 1)
            or (name == "register" and not _registers_view_set(kind, receiver, call))
        ):
            return
        for target in self._targets.of(argument(call, position, *view_names), scope):
            if kind is None and (
                target.monitored is None or (name == "register" and "view" not in target.name.lower())
            ):
                continue  # a receiver and a handler that are both unknown: not necessarily a route
            methods = () if name == "register" else self._methods(call, "route", target.definition)
            for path in call.args[1:] if name == "add_resource" else [argument(call, 0, "rule", "path")]:
                yield self._registration(
                    call, scope, target, methods, path, kind.framework if kind else framework, owner
                )

    def _registration(
        self,
        call: ast.Call,
        scope: Scope,
        target: Target,
        methods: tuple[str, ...],
        path: ast.expr | None,
        framework: Framework,
        owner: Meaning | None,
    ) -> Registration:
        route = RegisteredRoute(methods, shown_path(path), scope.module.location_of(call))
        lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
        return Registration(target, route, lines, framework, owner)


# Methods that register: the framework where that is not known otherwise, and the view by position and by name.
_METHODS: dict[str, tuple[Framework, int, tuple[str, ...]]] = {
    "add_url_rule": (Framework.FLASK, 2, ("view_func",)),
    "add_resource": (Framework.FLASK, 0, ()),
    "add_api_route": (Framework.FASTAPI, 1, ("endpoint",)),
    "add_route": (Framework.STARLETTE, 1, ("route", "endpoint")),
    "register": (Framework.DJANGO, 1, ("viewset",)),
}


def _is_shaped(receiver: str, verb: str, path: str | None) -> bool:
    """An unknown receiver counts when the decorator could hardly be anything else."""
    if path is None or receiver.lower().strip("_") in _CLIENTS:
        return False
    return path.startswith("/") or (verb == "route" and not path)


def _registers_view_set(kind: ObjectKind | None, receiver: ast.expr, call: ast.Call) -> bool:
    if kind is not None:
        return kind.role is Role.VIEWSETS
    parts = parts_of(receiver)
    return parts is not None and "router" in parts[-1].lower() and literal_path(call) is not None
