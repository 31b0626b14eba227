"""Which apps are monitored as a whole, and which routes belong to them."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from perfcheck.lint.facts import CallSite, Module, Scope
from perfcheck.lint.meanings import External, Meaning, Variable
from perfcheck.lint.model import Framework
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.words import ATTACH, Role

_ASYNC = {Framework.FASTAPI, Framework.STARLETTE}
_SET_UP = {
    "perfcheck.monitor.flask.init_app": {Framework.FLASK},
    "perfcheck.monitor.fastapi.init_app": _ASYNC,
    "perfcheck.monitor.wsgi.Monitor": {Framework.FLASK, Framework.DJANGO},
    "perfcheck.monitor.asgi.Monitor": _ASYNC | {Framework.DJANGO},
}
_BEHIND_A_PATH = {"mount", "add_router"}  # what is attached is the second argument
_FARTHEST = 40  # blueprints in blueprints


class Cover:
    """Covers are kept by app. One whose app cannot be told holds for its frameworks in all files that were read."""

    def __init__(self, modules: Iterable[Module], resolver: Resolver) -> None:
        self._resolver = resolver
        self._apps: set[tuple[Scope, str]] = set()  # monitored as a whole
        self._made: set[ast.expr] = set()  # calls that make an app which is
        self._everywhere: set[Framework] = set()  # a monitor stands over an app that cannot be told
        self._somewhere: set[Framework] = set()  # a monitor stands over an app
        self._parents: dict[tuple[Scope, str], list[Meaning | None]] = {}
        for module in modules:
            if module.monitors_django:
                self._cover(None, {Framework.DJANGO})
            for site in module.calls:
                self._note(site)

    def covers(self, owner: Meaning | None, framework: Framework) -> bool:
        """Whether a monitor stands over the routes of this app or router."""
        alike = _ASYNC if framework in _ASYNC else {framework}
        if framework is Framework.DJANGO:
            return framework in self._somewhere
        return bool(alike & self._everywhere) or self._covered(owner, alike, _FARTHEST)

    def _covered(self, owner: Meaning | None, alike: set[Framework], left: int) -> bool:
        if not isinstance(owner, Variable) or left <= 0:
            return bool(alike & self._somewhere)
        key = (owner.scope, owner.name)
        if key in self._apps or owner.value in self._made:
            return True
        parents = [*self._parents.get(key, ()), *self._given_to(owner)]
        if parents:
            return all(self._covered(parent, alike, left - 1) for parent in parents)
        kind = self._resolver.kind(owner)
        return (kind is None or kind.role is not Role.APP) and bool(alike & self._somewhere)

    def _given_to(self, owner: Variable) -> list[Meaning | None]:
        """``api = Api(app)``: what it was made with."""
        kind = self._resolver.kind(owner)
        if kind is None or kind.role is Role.APP or not isinstance(owner.value, ast.Call) or not owner.value.args:
            return []
        above = self._resolver.meaning(owner.value.args[0], owner.scope)
        return [above] if self._resolver.kind(above) is not None else []

    def _cover(self, app: Meaning | None, frameworks: set[Framework]) -> None:
        kind = self._resolver.kind(app)
        if kind is not None and isinstance(app, Variable):
            self._apps.add((app.scope, app.name))
            self._made.add(app.value)
            frameworks = _ASYNC if kind.framework in _ASYNC else {kind.framework}
        elif isinstance(app, External) and app.name.startswith("django."):
            frameworks = {Framework.DJANGO}
        else:
            self._everywhere |= frameworks
        self._somewhere |= frameworks

    def _note(self, site: CallSite) -> None:
        call, scope = site.call, site.scope
        name = self._external(call.func, scope)
        given = call.args[0] if call.args else next((one.value for one in call.keywords if one.arg == "app"), None)
        if name in _SET_UP:
            self._cover(self._resolver.meaning(given, scope) if given is not None else None, _SET_UP[name])
            return
        monitor = self._external(given, scope) if given is not None else ""
        if name.endswith(".Middleware") and monitor in _SET_UP:
            if (
                isinstance(site.top, ast.Call)
                and site.top is not call
                and self._resolver.makes(site.top, scope) is not None
            ):
                self._made.add(site.top)
                self._somewhere |= _ASYNC
            else:
                self._cover(None, _ASYNC)
        elif isinstance(call.func, ast.Attribute):
            receiver = self._resolver.meaning(call.func.value, scope)
            if call.func.attr == "add_middleware" and monitor in _SET_UP:
                self._cover(receiver, _ASYNC)
            elif call.func.attr in ATTACH:
                self._attach(call, call.func.attr, receiver, scope)

    def _attach(self, call: ast.Call, how: str, receiver: Meaning | None, scope: Scope) -> None:
        position = 1 if how in _BEHIND_A_PATH else 0
        named = (one.value for one in call.keywords if one.arg in {"router", "blueprint", "app", "ns"})
        given = call.args[position] if len(call.args) > position else next(named, None)
        child, parent = (self._resolver.meaning(given, scope) if given is not None else None), receiver
        if how == "init_app":  # api.init_app(app): the other way round
            child, parent = parent, child
        if isinstance(child, Variable) and self._resolver.kind(child) is not None and child != parent:
            known = self._resolver.kind(parent) is not None
            self._parents.setdefault((child.scope, child.name), []).append(parent if known else None)

    def _external(self, node: ast.expr, scope: Scope) -> str:
        meaning = self._resolver.meaning(node, scope) if not isinstance(node, ast.Call) else None
        return meaning.name if isinstance(meaning, External) else ""
