"""The routes that source registers, each with its path from the root of the service."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from perfcheck.lint.app_graph import AppGraph, key_of
from perfcheck.lint.module_facts import CallSite, Meaning, Module, Variable, argument, keyword, last_name, parts_of
from perfcheck.lint.monitors import HandlerMonitors
from perfcheck.lint.project import Project
from perfcheck.lint.registrations import Registration, RegistrationFinder
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.scan import quick_and_quiet, read_modules
from perfcheck.lint.sources import python_files
from perfcheck.lint.vocabulary import URLS, Framework, Role

_DEEPEST = 8  # routers in routers
_MOST_PREFIXES = 1000  # of one route, whose routers may include each other in circles


@dataclass(frozen=True, slots=True)
class SourceRoute:
    methods: tuple[str, ...]  # empty: any, or the view decides
    template: str  # as the framework writes it: "/videos/<int:id>"


def source_routes(paths: Sequence[str]) -> list[SourceRoute]:
    """Those of all files, without importing them. Raises UsageError for a path without any.

    What puts a prefix before a route is read where it is literal: blueprints, routers, mounts and ``include``.
    """
    files = python_files(paths)
    with quick_and_quiet():
        modules, _ = read_modules(files)
        project = Project(modules)
        resolver = Resolver(project)
        finder, prefixes = RegistrationFinder(resolver, HandlerMonitors(resolver)), _Prefixes(project, resolver)
        return list(dict.fromkeys(each for module in modules for each in _of_module(module, finder, prefixes)))


def _of_module(module: Module, finder: RegistrationFinder, prefixes: _Prefixes) -> Iterator[SourceRoute]:
    for registration in finder.of(module):
        for prefix in prefixes.of(registration, module):
            for path in prefixes.paths(registration):
                template = f"{prefix}{path}"
                yield SourceRoute(registration.route.methods, template if template.startswith("/") else f"/{template}")


class _Prefixes:
    def __init__(self, project: Project, resolver: Resolver) -> None:
        self._project = project
        self._resolver = resolver
        self._graph = AppGraph(project.modules, resolver)
        # Django's include: module or router -> (where, what is put before it)
        self._included: defaultdict[Hashable, list[tuple[Module, str]]] = defaultdict(list)
        for module in project.modules:
            for site in module.calls:
                self._read_include(site)

    def of(self, registration: Registration, module: Module) -> list[str]:
        """What may come before the path of a route in ``module``."""
        if registration.owner is None:
            is_django = registration.framework is Framework.DJANGO
            return list(islice(self._below_includes(module, None), _MOST_PREFIXES)) if is_django else [""]
        owners = self._resolver.origins(registration.owner)
        prefixes = (each for owner in owners for each in self._of_owner(owner, module))
        return list(dict.fromkeys(islice(prefixes, _MOST_PREFIXES)))

    def paths(self, registration: Registration) -> list[str]:
        """Of a view set its list and its detail, else the path itself."""
        path, kind = registration.route.path, self._resolver.kind(registration.owner)
        if kind is None or kind.role is not Role.VIEWSETS:
            return [path]
        return [f"{path}/", f"{path}/<pk>/"]

    def _of_owner(self, owner: Meaning | None, module: Module, left: int = _DEEPEST) -> Iterator[str]:
        """One for each place that an app or a router is attached to."""
        kind, own = self._resolver.kind(owner), _own_prefix(owner)
        key = key_of(owner)
        attached = list(zip(self._graph.parents.get(key, ()), self._graph.prefixes.get(key, ()), strict=True))
        if not attached or left == 0:
            for prefix in self._below_includes(key, module):
                yield f"{prefix}{own}"
            return
        replaces = kind is not None and kind.framework is Framework.FLASK  # the prefix of the blueprint itself
        for parent, node in attached:
            prefix = _literal(node)
            inner = prefix if prefix and replaces else f"{prefix}{own}"
            for origin in self._resolver.origins(parent):
                for outer in self._of_owner(origin, module, left - 1) if origin is not None else [""]:
                    yield f"{outer}{inner}"

    # --- Django ----------------------------------------------------------------------------------------------------

    def _read_include(self, site: CallSite) -> None:
        """``path("api/", include("shop.urls"))``; also of ``router.urls``, and those without ``include``."""
        call, module = site.call, site.scope.module
        if last_name(call.func) not in URLS:
            return
        prefix, included = _literal(argument(call, 0, "route")), argument(call, 1, "view")
        if isinstance(included, ast.Call) and last_name(included.func) == "include":
            included = argument(included, 0, "arg")
            if isinstance(included, ast.Tuple) and included.elts:  # with the name of the application
                included = included.elts[0]
        match included:
            case ast.Constant(value=str(name)):
                found: Meaning | None = self._project.find(tuple(name.split(".")), 0, module)
            case ast.Attribute(value=router, attr="urls"):
                found = self._resolver.meaning(router, site.scope)
            case ast.Name():
                found = self._resolver.of(parts_of(included), site.scope)
            case _:
                return
        if found is not None:
            self._included[key_of(found)].append((module, prefix))

    def _below_includes(self, key: Hashable, module: Module | None, left: int = _DEEPEST) -> Iterator[str]:
        """Those of the modules that include it; else of the ``module`` that it is in, as for ``+= router.urls``."""
        included = self._included.get(key, ()) if left else ()
        for outer, prefix in included:
            yield from (f"{before}{prefix}" for before in self._below_includes(outer, None, left - 1))
        if not included:
            yield from self._below_includes(module, None, left) if module is not None and left else [""]


def _own_prefix(owner: Meaning | None) -> str:
    """Of ``Blueprint("x", url_prefix="/x")`` and ``APIRouter(prefix="/x")``."""
    made = owner.value if isinstance(owner, Variable) else None
    return _literal(keyword(made, "url_prefix", "prefix")) if isinstance(made, ast.Call) else ""


def _literal(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
