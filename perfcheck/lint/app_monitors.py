"""Which apps are monitored as a whole, and which apps a route belongs to."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from perfcheck.lint.module_facts import (
    CallSite,
    Definition,
    External,
    Meaning,
    Module,
    Scope,
    Variable,
    argument,
    keyword,
    parts_of,
)
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.vocabulary import ATTACH, Framework, Remark, Role, SourceLocation

_ASYNC = {Framework.FASTAPI, Framework.STARLETTE}
_SET_UP = {
    "perfcheck.monitor.flask.init_app": {Framework.FLASK},
    "perfcheck.monitor.fastapi.init_app": _ASYNC,
    "perfcheck.monitor.wsgi.Monitor": {Framework.FLASK, Framework.DJANGO},
    "perfcheck.monitor.asgi.Monitor": _ASYNC | {Framework.DJANGO},
}
_HOLDERS = {"Mount", "Host"}
_BEHIND_A_PATH = {"mount", "add_router", *_HOLDERS}  # what is attached is the second argument
_ADD_TO_LIST = {"append", "extend", "insert"}
_DISPATCHER = "DispatcherMiddleware"  # of Werkzeug
_DJANGO = "all of Django"
_APP_UNKNOWN = "its app cannot be determined"


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


class AppMonitors:
    def __init__(self, modules: Iterable[Module], resolver: Resolver) -> None:
        self._resolver = resolver
        self._monitored: defaultdict[Hashable, list[CallSite]] = defaultdict(list)  # app -> where it is set up
        self._frameworks: set[Framework] = set()  # those with any monitor
        self._unplaced: list[tuple[SourceLocation, set[Framework]]] = []  # monitors of apps that are unknown
        self._parents: defaultdict[Hashable, list[Meaning | None]] = defaultdict(list)
        settings = [module.django_settings for module in modules if not module.monitors_django]
        self._django_without = next((at for at in settings if at is not None), None)  # settings without the middleware
        for module in modules:
            if module.monitors_django:
                self._frameworks.add(Framework.DJANGO)
            for site in module.calls:
                self._read_call(site)
        for site in [site for module in modules for site in module.calls if _name(site.call) == _DISPATCHER]:
            self._dispatch(site)

    def cover(self, owner: Meaning | None, framework: Framework) -> Cover:
        """Whether the routes of this app or router are monitored. All of Django is one app."""
        frameworks = _ASYNC if framework in _ASYNC else {framework}
        if framework is Framework.DJANGO and framework in self._frameworks:
            return self._of_django()
        found = self._covered(owner, frozenset())
        if not frameworks & self._frameworks:
            return Cover(State.NOT_MONITORED, owner=found.owner)
        unplaced = next((at for at, monitored in self._unplaced if monitored & frameworks), None)
        if found.state is State.NOT_MONITORED and unplaced:
            reason = f"the monitor at {unplaced.file}:{unplaced.line} is set up for an app that cannot be determined"
            return Cover(State.UNKNOWN, reason)
        return found

    def _of_django(self) -> Cover:
        at = self._django_without
        if at is None or _DJANGO in self._monitored:
            return Cover(State.MONITORED)
        reason = f"MIDDLEWARE ({at.file}:{at.line}) has no monitor, that of other settings has"
        return Cover(State.UNKNOWN, reason, Remark(at, "MIDDLEWARE"))

    def _covered(self, owner: Meaning | None, below: frozenset[Hashable]) -> Cover:
        """By the worst of the objects that the owner may be; those in ``below`` are what it is registered with."""
        covers = [self._of_object(each, below) for each in self._resolver.origins(owner) if _key(each) not in below]
        return min(covers, key=lambda cover: cover.state, default=Cover(State.UNKNOWN, _APP_UNKNOWN))

    def _of_object(self, owner: Meaning | None, below: frozenset[Hashable]) -> Cover:
        if not isinstance(owner, Variable):
            return Cover(State.MONITORED) if _key(owner) in self._monitored else Cover(State.UNKNOWN, _APP_UNKNOWN)
        at, kind = owner.scope.module.location_of(owner.value), self._resolver.kind(owner)
        if self._is_monitored(owner):
            return Cover(State.MONITORED)
        if factory := self._factory(owner):
            reason = f"{factory.name} makes several apps ({at.file}:{at.line}), and not each has a monitor"
            return Cover(State.UNKNOWN, reason, Remark(at, factory.name))
        parents = [*self._parents.get(_key(owner), ()), *self._constructed_with(owner)]
        if parents:
            covers = (self._covered(parent, below | {_key(owner)}) for parent in parents)
            return min(covers, key=lambda cover: cover.state)
        name = owner.name.removeprefix("self.") if owner.name.isidentifier() else ast.unparse(owner.value)[:40]
        state, reason = State.UNKNOWN, f"no app is known that {name} ({at.file}:{at.line}) is registered with"
        if kind is not None and kind.role is Role.APP:
            state, reason = State.NOT_MONITORED, f"its app, {name} ({at.file}:{at.line}), has no monitor"
        return Cover(state, reason, Remark(at, name))

    def _is_monitored(self, owner: Variable) -> bool:
        if _key(owner) in self._monitored:
            return self._factory(owner) is None
        if not isinstance(owner.value, ast.Call):
            return False
        made = self._resolver.meaning(owner.value.func, owner.scope)
        classes = self._resolver.ancestors(made) if isinstance(made, Definition) else ()
        middleware = self._resolver.meaning(keyword(owner.value, "middleware"), owner.scope)
        return any(_key(each) in self._monitored for each in (middleware, *classes))

    def _factory(self, app: Variable) -> Definition | None:
        """The function that makes this app, if it is called more often than a monitor is set up for what it returns."""
        function, sites = app.scope.function, self._monitored.get(_key(app), ())
        if not sites or function.owner is None or any(self._is_within(site, function) for site in sites):
            return None
        return function.owner if len(sites) < len(self._resolver.callers().get(function.owner, ())) else None

    def _is_within(self, site: CallSite, function: Scope) -> bool:
        """Whether the app that is monitored is named in this function, maybe as what it passes on."""
        receiver = site.call.func.value if isinstance(site.call.func, ast.Attribute) else None
        named = [self._resolver.named_in(each, site.scope) for each in (argument(site.call, 0, "app"), receiver)]
        return any(function in scope.outwards() for scopes in named for scope in scopes)

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

    # --- Reading the calls ---

    def _read_call(self, site: CallSite) -> None:
        call, scope = site.call, site.scope
        name, first = self._external(call.func, scope), argument(call, 0, "app")
        monitor = self._external(first, scope)
        method = _name(call) if isinstance(call.func, ast.Attribute) else name.rpartition(".")[2]
        if name in _SET_UP:
            self._mark(list(self._apps_in(first, scope)), _SET_UP[name], site)
        elif name.endswith(".Middleware") and monitor in _SET_UP:
            self._mark([self._holder(site)], _ASYNC, site)
        elif method == "add_middleware" and monitor in _SET_UP and isinstance(call.func, ast.Attribute):
            self._mark(list(self._apps_in(call.func.value, scope)), _ASYNC, site)
        elif method in ATTACH:
            self._attach(site, method)
        routes = keyword(call, "routes")
        if routes is not None and (method in _HOLDERS or self._resolver.makes(call, scope)):
            self._place(routes, self._holder(site), scope)

    def _mark(self, apps: list[Meaning | None], frameworks: set[Framework], site: CallSite) -> None:
        """The monitor is set up for these apps; what is None among them is unknown."""
        known = set()
        for app in apps:
            kind, is_django = self._resolver.kind(app), isinstance(app, External)
            if app is not None:
                self._monitored[_DJANGO if is_django else _key(app)].append(site)
            known |= {Framework.DJANGO} if is_django else {kind.framework} if kind is not None else set()
        self._frameworks |= known or frameworks
        if not apps or None in apps:
            self._unplaced.append((site.scope.module.location_of(site.call), frameworks))

    def _apps_in(self, node: ast.expr | None, scope: Scope, left: int = 8) -> Iterator[Meaning | None]:
        """The apps of an expression, also inside other middleware: ``ProxyFix(app.wsgi_app)``."""
        for origin in self._resolver.origins(self._resolver.meaning(node, scope)):
            kind = self._resolver.kind(origin)
            is_django = isinstance(origin, External) and origin.name.startswith("django.")
            if is_django or (kind is not None and kind.role in {Role.APP, Role.ROUTER}):
                yield origin
            elif left > 0:
                call = origin.value if isinstance(origin, Variable) else node
                given = self._apps_given(call, origin.scope if isinstance(origin, Variable) else scope, left - 1)
                yield from (origin, *(given or [None]))

    def _apps_given(self, call: ast.expr | None, scope: Scope, left: int) -> list[Meaning | None]:
        if not isinstance(call, ast.Call):
            return []
        arguments = [*call.args, *(each.value for each in call.keywords)]
        nodes = [node for each in arguments for node in (each.values if isinstance(each, ast.Dict) else [each])]
        apps = [app for node in nodes for app in self._apps_in(node, scope, left)]
        return [app for app in apps if self._resolver.kind(app) is not None]

    def _attach(self, site: CallSite, method: str) -> None:
        call, scope = site.call, site.scope
        attached = argument(call, 1 if method in _BEHIND_A_PATH else 0, "router", "blueprint", "app", "ns")
        if not isinstance(call.func, ast.Attribute) or method in _HOLDERS:
            self._place(attached, self._holder(site), scope)
        elif method == "init_app":  # api.init_app(app): the other way round
            self._place(call.func.value, self._resolver.meaning(attached, scope), scope)
        else:
            self._place(attached, self._resolver.meaning(call.func.value, scope), scope)

    def _dispatch(self, site: CallSite) -> None:
        """The apps behind the paths are monitored if the monitor was put around the dispatcher later on."""
        for app in self._apps_in(argument(site.call, 0, "app"), site.scope):
            set_up = [each for each in self._monitored.get(_key(app), ()) if each.scope is site.scope]
            is_around = any(each.call.lineno > site.call.lineno for each in set_up)
            match argument(site.call, 1, "mounts"):
                case ast.Dict(values=mounted):
                    for each in mounted:
                        self._place(each, app if is_around else None, site.scope)

    def _place(self, child: ast.expr | None, parent: Meaning | None, scope: Scope) -> None:
        for each in self._apps_in(child, scope):
            if isinstance(each, Variable) and each != parent:
                self._parents[_key(each)].append(parent)

    def _holder(self, site: CallSite) -> Meaning | None:
        return holder(site, self._resolver)

    def _external(self, node: ast.expr | None, scope: Scope) -> str:
        meaning = self._resolver.meaning(node, scope) if not isinstance(node, ast.Call) else None
        return meaning.name if isinstance(meaning, External) else ""


def _name(call: ast.Call) -> str:
    return (parts_of(call.func) or (getattr(call.func, "attr", ""),))[-1]


def _key(owner: Meaning | None) -> Hashable:
    """What an object is known by: the call that makes it; for a list, which may be extended, its name."""
    if not isinstance(owner, Variable):
        return owner
    return owner.value if isinstance(owner.value, ast.Call) else (owner.scope, owner.name)


def holder(site: CallSite, resolver: Resolver) -> Meaning | None:
    """The app, router or list that a ``Route`` or ``Middleware`` is in."""
    calls = (node for node in ast.walk(site.top) if isinstance(node, ast.Call))
    around = [call for call in calls if resolver.makes(call, site.scope) and site.call in ast.walk(call)]
    if around:
        return Variable(site.scope, "(call)", around[-1])
    match site.top:
        case ast.Call(func=ast.Attribute(value=added_to, attr=name)) if name in _ADD_TO_LIST:
            return resolver.meaning(added_to, site.scope)
        case ast.List() | ast.Tuple() as literal:
            bindings = site.scope.function.bindings.items()
            names = (name for name, values in bindings for each in values if getattr(each, "node", None) is literal)
            return Variable(site.scope.function, next(names, "return"), literal)
    return None
