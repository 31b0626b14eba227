"""The handler that an expression in a registration refers to: through wrappers, ``as_view()`` and factories."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from perfcheck.lint.module_facts import (
    Argument,
    Definition,
    Imported,
    Module,
    Scope,
    Variable,
    argument,
    last_name,
    parts_of,
)
from perfcheck.lint.monitors import HandlerMonitors
from perfcheck.lint.resolve import Resolver
from perfcheck.lint.vocabulary import Framework, SourceLocation
from perfcheck.text import clean

_DEEPEST = 16  # wrappers around a handler
_NOT_HANDLERS = {"include", "urls", "get_urls", "urlpatterns", "get_urlpatterns", "static"}
_ITSELF = {("self",), ("cls",)}
_MAY_BE_HANDLER = (ast.Name, ast.Attribute, ast.Call, ast.Lambda)


@dataclass(frozen=True, slots=True)
class Target:
    """A handler: its definition if that was read, else the location of its registration."""

    name: str
    location: SourceLocation
    definition: Definition | None
    monitored: bool | None  # by itself, whether or not its app is; None: unknown


class TargetFinder:
    def __init__(self, resolver: Resolver, monitors: HandlerMonitors) -> None:
        self._resolver = resolver
        self._monitors = monitors

    def of(self, node: ast.expr | None, scope: Scope, left: int = _DEEPEST) -> list[Target]:
        """None at all for other things, such as included routes; several for a loop's variable or a parameter."""
        match node:
            case ast.Call():
                return self._call(node, scope, left)
            case ast.Name() | ast.Attribute():
                return self._named(node, scope, left)
            case ast.Lambda():
                return [Target("lambda", scope.module.location_of(node), None, monitored=False)]
            case ast.IfExp(body=body, orelse=orelse) if left > 0:
                return [*self.of(body, scope, left - 1), *self.of(orelse, scope, left - 1)]
            case ast.Subscript():  # VIEWS[name]
                return [self._unread(node, scope, monitored=None)]
        return []

    def _named(self, node: ast.Name | ast.Attribute, scope: Scope, left: int) -> list[Target]:
        parts = parts_of(node)
        if last_name(node) in _NOT_HANDLERS:
            return []
        meaning = self._resolver.of(parts, scope)
        match meaning:
            case Definition() as definition if not _is_property(definition):
                return [self._defined(definition)]
            case Variable(where, _, value) if left > 0:
                inner = self.of(value, where, left - 1)
                if not inner or any(target.definition or target.monitored for target in inner):
                    return inner
            case Argument() if left > 0:
                return self._passed(meaning, node, scope, left - 1)
        is_unknown = meaning is None and self._monitors.in_use
        return [self._unread(node, scope, monitored=None if is_unknown else False)]

    def _passed(self, argument: Argument, node: ast.expr, scope: Scope, left: int) -> list[Target]:
        unknown = self._unread(node, scope, monitored=None)
        if argument.attributes:
            origins = self._resolver.origins(argument)
            return [self._defined(each) if isinstance(each, Definition) else unknown for each in origins]
        sources = self._resolver.sources(argument)
        targets = [self.of(value.node, value.scope, left) if value else [unknown] for value in sources]
        return [target for group in targets for target in group]

    def _call(self, node: ast.Call, scope: Scope, left: int) -> list[Target]:
        called = parts_of(node.func)
        last = last_name(node.func)
        if last in _NOT_HANDLERS or left <= 0:
            return []
        if last.startswith("as_") and last.endswith("view") and isinstance(node.func, ast.Attribute):
            return self.of(node.func.value, scope, left - 1)
        meaning = self._resolver.of(called, scope)
        if isinstance(meaning, Definition) and meaning.is_class:
            return [self._defined(meaning)]  # an object that is called as a handler
        made = self._made_by(meaning) if isinstance(meaning, Definition) else None
        given = [each for each in node.args if isinstance(each, _MAY_BE_HANDLER) and parts_of(each) not in _ITSELF]
        found = [targets for each in given if (targets := self.of(each, scope, left - 1))]
        read = (targets for targets in found if any(_is_read(target, made) for target in targets))
        if wrapped := next(read, found[0] if found and not made else []):
            is_monitor = self._monitors.is_monitor(node.func, scope)
            return [replace(target, monitored=is_monitor or target.monitored) for target in wrapped]
        if given and made is None:
            return []
        return [made or self._unread(node.func, scope, monitored=False)]

    def _made_by(self, factory: Definition) -> Target | None:
        """The handler that a function makes: one that is defined in it, and returned."""
        for returned in factory.returns:
            meaning = self._resolver.meaning(returned, factory.inside) if isinstance(returned, ast.Name) else None
            if isinstance(meaning, Definition) and meaning.outside is factory.inside:
                return self._defined(meaning)
        return None

    def _defined(self, handler: Definition) -> Target:
        monitored = self._monitors.covers_class(handler) if handler.is_class else self._monitors.decorated(handler)
        return Target(handler.qualified, handler.location, handler, monitored)

    @staticmethod
    def _unread(node: ast.expr, scope: Scope, *, monitored: bool | None) -> Target:
        parts = parts_of(node)
        try:
            name = ".".join(parts) if parts else clean(ast.unparse(node), 60)
        except RecursionError:
            name = "handler"
        return Target(name, scope.module.location_of(node), None, monitored)


def _is_property(definition: Definition) -> bool:
    names = (parts_of(decorator) for decorator in definition.decorators)
    return any(parts is not None and parts[-1].endswith("property") for parts in names)


def _is_read(target: Target, made: Target | None) -> bool:
    """Not a class that a factory is given."""
    return target.definition is not None and not (made and target.definition.is_class)


# --- The arguments of a registration ---------------------------------------------------------------------------------

_SHOWN = 60  # characters of a path that is not a plain string


def literal_path(call: ast.Call) -> str | None:
    first = argument(call, 0, "path", "rule", "prefix", "url")
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def shown_path(node: ast.expr | None) -> str:
    """A plain string as it is; anything else as its source, cut short."""
    match node:
        case None:
            return ""
        case ast.Constant(value=str(text)):
            return text
        case ast.Call(args=[ast.Constant(value=str(text)), *_]):  # a translated path: _("videos/")
            return text
    try:
        return ast.unparse(node)[:_SHOWN]
    except RecursionError:
        return "..."


def guess(module: Module, definition: Definition, verb: str, anywhere: set[str]) -> Framework:
    """The framework of an unknown receiver: by what the file imports, else any file, else by the decorator."""
    of_file = frameworks_imported(module.scope) | frameworks_imported(definition.outside)
    by_verb = Framework.FLASK if verb == "route" else Framework.FASTAPI
    return next((framework for framework in _BY_DECORATORS if framework in (of_file or anywhere)), by_verb)


_BY_DECORATORS = (Framework.FASTAPI, Framework.FLASK, Framework.STARLETTE)


def frameworks_imported(scope: Scope) -> set[str]:
    bindings = (binding for bindings in scope.bindings.values() for binding in bindings)
    packages = {binding.module.partition(".")[0] for binding in bindings if isinstance(binding, Imported)}
    return {package.partition("_")[0] for package in packages}.intersection(_BY_DECORATORS)
