"""Whether the apps are monitored that a route belongs to."""

from __future__ import annotations

import ast
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from perfcheck.lint.app_graph import ASYNC, DJANGO, AppGraph, key_of
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
)
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.vocabulary import Framework, Remark, Role


class State(IntEnum):
    """A route of several apps is monitored as the worst of them."""

    NOT_MONITORED = 0
    UNKNOWN = 1
    MONITORED = 2


@dataclass(frozen=True, slots=True)
class Cover:
    state: State
    reason: str | None = None
    owner: Remark | None = None  # the app without a monitor, or the router without an app


_MONITORED = Cover(State.MONITORED)
_APP_UNKNOWN = Cover(State.UNKNOWN, "its app cannot be determined")


class AppMonitors:
    def __init__(self, modules: Sequence[Module], resolver: Resolver) -> None:
        self._resolver = resolver
        self._graph = AppGraph(modules, resolver)
        settings = [module.django_settings for module in modules if not module.monitors_django]
        self._django_without = next((at for at in settings if at is not None), None)  # settings without the middleware
        self._frameworks = set(self._graph.frameworks)
        if any(module.monitors_django for module in modules):
            self._frameworks.add(Framework.DJANGO)

    def cover(self, owner: Meaning | None, framework: Framework) -> Cover:
        """Whether the routes of this app or router are monitored. All of Django is one app."""
        frameworks = ASYNC if framework in ASYNC else {framework}
        if framework is Framework.DJANGO and framework in self._frameworks:
            return self._of_django()
        found = self._covered(owner)
        if not frameworks & self._frameworks:
            return Cover(State.NOT_MONITORED, owner=found.owner)
        unplaced = next((at for at, monitored in self._graph.unplaced if monitored & frameworks), None)
        if found.state is State.NOT_MONITORED and unplaced:
            reason = f"the monitor at {unplaced.file}:{unplaced.line} is set up for an app that cannot be determined"
            return Cover(State.UNKNOWN, reason)
        return found

    def _of_django(self) -> Cover:
        at = self._django_without
        if at is None or DJANGO in self._graph.monitored:
            return _MONITORED
        reason = f"MIDDLEWARE ({at.file}:{at.line}) has no monitor, that of other settings has"
        return Cover(State.UNKNOWN, reason, Remark(at, "MIDDLEWARE"))

    def _covered(self, owner: Meaning | None) -> Cover:
        """The worst of the objects that the owner may be, and of those that they are registered with."""
        covers: list[Cover] = []
        seen: set[Hashable] = set()
        waiting = list(self._resolver.origins(owner))
        while waiting:
            each = waiting.pop()
            if key_of(each) in seen:
                continue
            seen.add(key_of(each))
            cover = self._by_itself(each)
            parents = self._parents(each) if cover is None else []
            waiting += [origin for parent in parents for origin in self._resolver.origins(parent)]
            if cover is not None or not parents:
                covers.append(cover or self._alone(each))
        return min(covers, key=lambda cover: cover.state, default=_APP_UNKNOWN)

    def _by_itself(self, owner: Meaning | None) -> Cover | None:
        """None where it depends on what the owner is registered with."""
        if self._is_monitored(owner):
            return _MONITORED
        factory = self._factory(owner) if isinstance(owner, Variable) else None
        if factory is None or not isinstance(owner, Variable):
            return None
        at = owner.scope.module.location_of(owner.value)
        reason = f"{factory.name} makes several apps ({at.file}:{at.line}), and not each has a monitor"
        return Cover(State.UNKNOWN, reason, Remark(at, factory.name))

    def _alone(self, owner: Meaning | None) -> Cover:
        """Registered with nothing that is known."""
        if not isinstance(owner, Variable):
            return _APP_UNKNOWN
        at, kind = owner.scope.module.location_of(owner.value), self._resolver.kind(owner)
        made = f"{last_name(owner.value.func)}()" if isinstance(owner.value, ast.Call) else owner.name
        name = made if owner.name == "(call)" else owner.name.removeprefix("self.")
        state, reason = State.UNKNOWN, f"no app is known that {name} ({at.file}:{at.line}) is registered with"
        if kind is not None and kind.role is Role.APP:
            state, reason = State.NOT_MONITORED, f"its app, {name} ({at.file}:{at.line}), has no monitor"
        return Cover(state, reason, Remark(at, name))

    def _is_monitored(self, owner: Meaning | None) -> bool:
        if key_of(owner) in self._graph.monitored:
            return not isinstance(owner, Variable) or self._factory(owner) is None
        if not isinstance(owner, Variable) or not isinstance(owner.value, ast.Call):
            return False
        made = self._resolver.meaning(owner.value.func, owner.scope)
        classes = self._resolver.ancestors(made) if isinstance(made, Definition) else ()
        middleware = self._resolver.meaning(keyword(owner.value, "middleware"), owner.scope)
        return any(key_of(each) in self._graph.monitored for each in (middleware, *classes))

    def _factory(self, app: Variable) -> Definition | None:
        """The function that makes this app, if it is called more often than a monitor is set up for what it returns."""
        function, sites = app.scope.function, self._graph.monitored.get(key_of(app), ())
        if not sites or function.owner is None or any(self._is_within(site, function) for site in sites):
            return None
        return function.owner if len(sites) < len(self._resolver.callers().get(function.owner, ())) else None

    def _is_within(self, site: CallSite, function: Scope) -> bool:
        """Whether the app that is monitored is named in this function, maybe as what it passes on."""
        receiver = site.call.func.value if isinstance(site.call.func, ast.Attribute) else None
        named = [self._resolver.named_in(each, site.scope) for each in (argument(site.call, 0, "app"), receiver)]
        return any(function in scope.outwards() for scopes in named for scope in scopes)

    def _parents(self, owner: Meaning | None) -> list[Meaning | None]:
        """What it is registered with; of a class that registers on itself, its objects."""
        if isinstance(owner, Definition):
            return [Variable(site.scope, "(call)", site.call) for site in self._resolver.callers().get(owner, ())]
        if not isinstance(owner, Variable):
            return []
        return [*self._graph.parents.get(key_of(owner), ()), *self._constructed_with(owner)]

    def _constructed_with(self, owner: Variable) -> list[Meaning | None]:
        """The app of ``api = Api(app)``, the API of ``api.namespace("videos")``."""
        kind = self._resolver.kind(owner)
        if kind is None or kind.role is Role.APP or not isinstance(owner.value, ast.Call):
            return []
        match owner.value.func:
            case ast.Attribute(value=above_node, attr="namespace"):
                above = self._resolver.meaning(above_node, owner.scope)
            case _:
                above = self._resolver.meaning(argument(owner.value, 0, "app"), owner.scope)
        return [above] if self._resolver.kind(above) is not None else []
