"""Which calls and decorators register a handler, and which handler: the registrations of a project."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from perfcheck.lint.module_facts import Definition, Meaning, Module, Scope, Variable, keyword, parts_of
from perfcheck.lint.monitors import HandlerMonitors, methods_of
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.targets import Target, TargetFinder, guess, literal_path, shown_path
from perfcheck.lint.vocabulary import DECORATORS, ROUTES, URLS, VERBS, Framework, ObjectKind, RegisteredRoute, Role

_EXPOSE = "expose"
_CLIENTS = {"client", "mock", "responses", "requests", "session", "http", "respx", "httpx_mock", "bot", "cli", "page"}
_ABOVE = "monitor_performance is above the route, which registers the function without it: move it below the route"


@dataclass(frozen=True, slots=True)
class Registration:
    """One route of one handler."""

    target: Target
    route: RegisteredRoute
    lines: range  # of the route, for comments
    framework: Framework
    owner: Meaning | None  # the app or router; None when unknown
    monitored: bool  # by itself; its app may be monitored as well
    reason: str | None = None


class RegistrationFinder:
    def __init__(self, resolver: Resolver, monitors: HandlerMonitors) -> None:
        self._resolver = resolver
        self._monitors = monitors
        self._targets = TargetFinder(resolver, monitors)

    def of(self, module: Module) -> Iterator[Registration]:
        for definition in module.decorated:
            yield from self._decorated(definition)
        for site in module.calls:
            yield from self._called(site.call, site.scope)

    # --- @app.route("/x") ---

    def _decorated(self, definition: Definition) -> Iterator[Registration]:
        scope = definition.outside
        monitors = [self._monitors.is_monitor(decorator, scope) for decorator in definition.decorators]
        for index, decorator in enumerate(definition.decorators):
            registers = self._verb_and_owner(decorator, scope, definition) if isinstance(decorator, ast.Call) else None
            if not isinstance(decorator, ast.Call) or registers is None:
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
                    RegisteredRoute(methods, path, scope.module.location_of(decorator)),
                    definition.header,
                    framework,
                    owner,
                    monitored=below,
                    reason=_ABOVE if any(monitors[:index]) and not below else None,
                )

    def _verb_and_owner(
        self, call: ast.Call, scope: Scope, definition: Definition
    ) -> tuple[str, Meaning | None, Framework] | None:
        """The verb, the app or router, and the framework of a decorator or call that registers; None if it does not."""
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
            return self._by_shape(parts[-2], parts[-1], call, scope, definition)
        if kind.role in {Role.FOREIGN, Role.VIEWSETS}:
            return None
        return parts[-1], owner, kind.framework

    @staticmethod
    def _by_shape(
        receiver: str, verb: str, call: ast.Call, scope: Scope, definition: Definition
    ) -> tuple[str, Meaning | None, Framework] | None:
        """An unknown receiver counts when the decorator could hardly be anything else."""
        path = literal_path(call)
        if path is None or receiver.lower().strip("_") in _CLIENTS:
            return None
        if not path.startswith("/") and not (verb == "route" and not path):
            return None
        return verb, None, guess(scope.module, definition, verb)

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
    def _paths(call: ast.Call, first: int = 0) -> Iterator[str]:
        """Flask-RESTX takes several paths in one decorator."""
        given = [argument for argument in call.args[first:] if not isinstance(argument, ast.Starred)]
        named = keyword(call, "path", "rule", "route", "url_path", "pattern")
        paths = [named] if not given and named is not None else given
        plain = [path for path in paths if not isinstance(path, ast.Constant) or isinstance(path.value, str)]
        yield from (shown_path(path) for path in plain or ([ast.Constant("")] if not paths else paths[:1]))

    # --- app.add_url_rule("/x", view_func=f), path("x", f), router.register("x", ViewSet) ---

    def _called(self, call: ast.Call, scope: Scope) -> Iterator[Registration]:
        if isinstance(call.func, ast.Call):  # app.get("/x")(f)
            inner = call.func
            if call.args and (target := self._targets.of(call.args[0], scope)) and target.definition is not None:
                registers = self._verb_and_owner(inner, scope, target.definition)
                if registers is not None:
                    verb, owner, framework = registers
                    for path in self._paths(inner):
                        yield self._registration(
                            call, scope, target, self._methods(inner, verb, target.definition), path, framework, owner
                        )
            return
        parts = parts_of(call.func)
        name = parts[-1] if parts else call.func.attr if isinstance(call.func, ast.Attribute) else ""
        meaning = self._resolver.of(parts, scope) if parts else None
        external = getattr(meaning, "name", "") if not isinstance(meaning, Definition | Variable) else ""
        last = external.rpartition(".")[2] if external else name
        if last in URLS and external.startswith(("django.", "rest_framework.")):
            yield from self._django(call, scope)
        elif last in ROUTES and external.startswith(("starlette.", "fastapi.")):
            yield from self._route(call, scope)
        elif parts and len(parts) > 1:
            yield from self._method_call(call, scope, name)

    def _django(self, call: ast.Call, scope: Scope) -> Iterator[Registration]:
        view = call.args[1] if len(call.args) > 1 else keyword(call, "view")
        target = self._targets.of(view, scope) if view is not None else None
        if target is not None:
            first = call.args[0] if call.args else keyword(call, "route", "regex")
            yield self._registration(call, scope, target, (), shown_path(first), Framework.DJANGO, None)

    def _route(self, call: ast.Call, scope: Scope) -> Iterator[Registration]:
        endpoint = call.args[1] if len(call.args) > 1 else keyword(call, "endpoint")
        target = self._targets.of(endpoint, scope) if endpoint is not None else None
        if target is not None:
            methods = self._methods(call, "route", target.definition)
            path = shown_path(call.args[0] if call.args else keyword(call, "path"))
            yield self._registration(call, scope, target, methods, path, Framework.STARLETTE, None)

    def _method_call(self, call: ast.Call, scope: Scope, name: str) -> Iterator[Registration]:
        """``receiver.name(...)``: how each of them names path and handler."""
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        owner = self._resolver.meaning(receiver, scope) if receiver is not None else None
        kind = self._resolver.kind(owner)
        arguments = call.args
        view: ast.expr | None = None
        paths: list[ast.expr | None] = [arguments[0] if arguments else keyword(call, "rule", "path")]
        match name:
            case "add_url_rule":
                view = keyword(call, "view_func") or (arguments[2] if len(arguments) > 2 else None)  # noqa: PLR2004
            case "add_api_route":
                view = keyword(call, "endpoint") or (arguments[1] if len(arguments) > 1 else None)
            case "add_route" if kind is not None:
                view = keyword(call, "route", "endpoint") or (arguments[1] if len(arguments) > 1 else None)
            case "add_resource" if len(arguments) > 1:
                view, paths = arguments[0], list(arguments[1:])
            case "register" if _registers_view_set(kind, receiver, call):
                view = arguments[1] if len(arguments) > 1 else keyword(call, "viewset")
        if view is None or (kind is not None and kind.role is Role.FOREIGN):
            return
        target = self._targets.of(view, scope)
        if target is None or (name == "register" and kind is None and not _is_view_set(target)):
            return
        framework = kind.framework if kind else _FRAMEWORK_OF[name]
        verb = "register" if name == "register" else "route"
        methods = () if verb == "register" else self._methods(call, verb, target.definition)
        for path in paths:
            yield self._registration(call, scope, target, methods, shown_path(path), framework, owner if kind else None)

    def _registration(
        self,
        call: ast.Call,
        scope: Scope,
        target: Target,
        methods: tuple[str, ...],
        path: str,
        framework: Framework,
        owner: Meaning | None,
    ) -> Registration:
        location = scope.module.location_of(call)
        lines = range(call.lineno, (call.end_lineno or call.lineno) + 1)
        return Registration(
            target, RegisteredRoute(methods, path, location), lines, framework, owner, monitored=target.monitored
        )


_FRAMEWORK_OF = {
    "add_url_rule": Framework.FLASK,
    "add_resource": Framework.FLASK,
    "add_api_route": Framework.FASTAPI,
    "add_route": Framework.STARLETTE,
    "register": Framework.DJANGO,
}


def _registers_view_set(kind: ObjectKind | None, receiver: ast.expr | None, call: ast.Call) -> bool:
    if kind is not None:
        return kind.role is Role.VIEWSETS
    parts = parts_of(receiver) if receiver is not None else None
    return parts is not None and "router" in parts[-1].lower() and literal_path(call) is not None


def _is_view_set(target: Target) -> bool:
    return "viewset" in target.name.lower() or "view" in target.name.lower()
