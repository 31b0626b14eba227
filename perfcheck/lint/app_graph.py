"""Where monitors are set up, and what is registered with what: apps, routers and lists of routes."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator

from perfcheck.lint.module_facts import (
    CallSite,
    External,
    Meaning,
    Module,
    Scope,
    Variable,
    argument,
    keyword,
    last_name,
)
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.vocabulary import ATTACH, Framework, Role, SourceLocation

ASYNC = {Framework.FASTAPI, Framework.STARLETTE}
DJANGO = "all of Django"
_SET_UP = {
    "perfcheck.monitor.flask.init_app": {Framework.FLASK},
    "perfcheck.monitor.fastapi.init_app": ASYNC,
    "perfcheck.monitor.wsgi.Monitor": {Framework.FLASK, Framework.DJANGO},
    "perfcheck.monitor.asgi.Monitor": ASYNC | {Framework.DJANGO},
}
_HOLDERS = {"Mount", "Host"}
_BEHIND_A_PATH = {"mount", "add_router", *_HOLDERS}  # what is attached is the second argument
_ADD_TO_LIST = {"append", "extend", "insert"}
_DISPATCHER = "DispatcherMiddleware"  # of Werkzeug


class AppGraph:
    def __init__(self, modules: Iterable[Module], resolver: Resolver) -> None:
        self._resolver = resolver
        self.monitored: defaultdict[Hashable, list[CallSite]] = defaultdict(list)  # app -> where it is set up
        self.frameworks: set[Framework] = set()  # those with any monitor
        self.unplaced: list[tuple[SourceLocation, set[Framework]]] = []  # monitors of apps that are unknown
        self.parents: defaultdict[Hashable, list[Meaning | None]] = defaultdict(list)
        self.prefixes: defaultdict[Hashable, list[ast.expr | None]] = defaultdict(list)  # one for each of the parents
        sites = [site for module in modules for site in module.calls]
        for site in sites:
            self._read_call(site)
        for site in sites:
            if last_name(site.call.func) == _DISPATCHER:
                self._dispatch(site)

    def _read_call(self, site: CallSite) -> None:
        call, scope = site.call, site.scope
        name, first = self._external(call.func, scope), argument(call, 0, "app")
        monitor = self._external(first, scope)
        method = call.func.attr if isinstance(call.func, ast.Attribute) else name.rpartition(".")[2]
        if name in _SET_UP:
            self._mark(list(self._apps_in(first, scope)), _SET_UP[name], site)
        elif name.endswith(".Middleware") and monitor in _SET_UP:
            self._mark([holder(site, self._resolver)], ASYNC, site)
        elif method == "add_middleware" and monitor in _SET_UP and isinstance(call.func, ast.Attribute):
            self._mark(list(self._apps_in(call.func.value, scope)), ASYNC, site)
        elif method in ATTACH:
            self._attach(site, method)
        routes = keyword(call, "routes")
        if routes is not None and (method in _HOLDERS or self._resolver.makes(call, scope)):
            self._place(routes, holder(site, self._resolver), scope)

    def _mark(self, apps: list[Meaning | None], frameworks: set[Framework], site: CallSite) -> None:
        """The monitor is set up for these apps; what is None among them is unknown."""
        known = set()
        for app in apps:
            kind, is_django = self._resolver.kind(app), isinstance(app, External)
            if app is not None:
                self.monitored[DJANGO if is_django else key_of(app)].append(site)
            known |= {Framework.DJANGO} if is_django else {kind.framework} if kind is not None else set()
        self.frameworks |= known or frameworks
        if not apps or None in apps:
            self.unplaced.append((site.scope.module.location_of(site.call), frameworks))

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
        prefix = keyword(call, "url_prefix", "prefix", "path")
        if prefix is None and method in _BEHIND_A_PATH:
            prefix = argument(call, 0)
        if not isinstance(call.func, ast.Attribute) or method in _HOLDERS:
            self._place(attached, holder(site, self._resolver), scope, prefix)
        elif method == "init_app":  # api.init_app(app): the other way round
            self._place(call.func.value, self._resolver.meaning(attached, scope), scope)
        else:
            self._place(attached, self._resolver.meaning(call.func.value, scope), scope, prefix)

    def _dispatch(self, site: CallSite) -> None:
        """The apps behind the paths are monitored if the monitor was put around the dispatcher later on."""
        for app in self._apps_in(argument(site.call, 0, "app"), site.scope):
            set_up = [each for each in self.monitored.get(key_of(app), ()) if each.scope is site.scope]
            is_around = any(each.call.lineno > site.call.lineno for each in set_up)
            match argument(site.call, 1, "mounts"):
                case ast.Dict(values=mounted):
                    for each in mounted:
                        self._place(each, app if is_around else None, site.scope)

    def _place(
        self, child: ast.expr | None, parent: Meaning | None, scope: Scope, prefix: ast.expr | None = None
    ) -> None:
        for each in self._apps_in(child, scope):
            if isinstance(each, Variable) and each != parent:
                self.parents[key_of(each)].append(parent)
                self.prefixes[key_of(each)].append(prefix)

    def _external(self, node: ast.expr | None, scope: Scope) -> str:
        meaning = self._resolver.meaning(node, scope) if not isinstance(node, ast.Call) else None
        return meaning.name if isinstance(meaning, External) else ""


def key_of(owner: Meaning | None) -> Hashable:
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
