"""The handler that an expression in a registration refers to: through wrappers, ``as_view()`` and factories."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from perfcheck.lint.module_facts import (
    Argument,
    Definition,
    Imported,
    Meaning,
    Module,
    Scope,
    Value,
    Variable,
    argument,
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
    monitored: bool


class TargetFinder:
    def __init__(self, resolver: Resolver, monitors: HandlerMonitors) -> None:
        self._resolver = resolver
        self._monitors = monitors

    def of(self, node: ast.expr | None, scope: Scope, left: int = _DEEPEST) -> Target | None:
        """None for anything but a handler: other routes, or a parameter that the caller decides."""
        match node:
            case ast.Call():
                return self._call(node, scope, left)
            case ast.Name() | ast.Attribute():
                return self._named(node, scope, left)
            case ast.Lambda():
                return Target("lambda", scope.module.location_of(node), None, monitored=False)
        return None

    def _named(self, node: ast.Name | ast.Attribute, scope: Scope, left: int) -> Target | None:
        parts = parts_of(node)
        if (parts or (getattr(node, "attr", ""),))[-1] in _NOT_HANDLERS:
            return None
        if parts in _ITSELF:
            return self._defined(scope.class_around) if scope.class_around else None
        meaning = self._resolver.of(parts, scope)
        match meaning:
            case Definition() as definition if not _is_property(definition):
                return self._defined(definition)
            case Variable(where, _, value) if left > 0:
                inner = self.of(value, where, left - 1)
                if inner is None or inner.definition is not None or inner.monitored:
                    return inner
            case Argument() if parts is not None and parts[0] not in {"self", "cls"}:
                return None
        if _is_parameter(meaning, parts, scope, self._resolver):
            return None
        return self._unread(node, scope)

    def _call(self, node: ast.Call, scope: Scope, left: int) -> Target | None:
        called = parts_of(node.func)
        last = called[-1] if called else getattr(node.func, "attr", "")
        if last in _NOT_HANDLERS or left <= 0:
            return None
        if last.startswith("as_") and last.endswith("view") and isinstance(node.func, ast.Attribute):
            return self.of(node.func.value, scope, left - 1)
        meaning = self._resolver.of(called, scope)
        if isinstance(meaning, Definition) and meaning.is_class:
            return self._defined(meaning)  # an object that is called as a handler
        made = self._made_by(meaning) if isinstance(meaning, Definition) else None
        given = [each for each in node.args if isinstance(each, _MAY_BE_HANDLER) and parts_of(each) not in _ITSELF]
        targets = [target for each in given if (target := self.of(each, scope, left - 1)) is not None]
        read = next((each for each in targets if each.definition and not (made and each.definition.is_class)), None)
        wrapped = read or (None if made else next(iter(targets), None))
        if wrapped is not None:
            return replace(wrapped, monitored=wrapped.monitored or self._monitors.is_monitor(node.func, scope))
        if given and made is None:
            return None
        return made or self._unread(node.func, scope)

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
    def _unread(node: ast.expr, scope: Scope) -> Target:
        parts = parts_of(node)
        try:
            name = ".".join(parts) if parts else clean(ast.unparse(node), 60)
        except RecursionError:
            name = "handler"
        return Target(name, scope.module.location_of(node), None, monitored=False)


def _is_property(definition: Definition) -> bool:
    names = (parts_of(decorator) for decorator in definition.decorators)
    return any(parts is not None and parts[-1].endswith("property") for parts in names)


def _is_parameter(meaning: Meaning | None, parts: tuple[str, ...] | None, scope: Scope, resolver: Resolver) -> bool:
    """``view`` in ``def register(view): app.add_url_rule("/x", view_func=view)``, also through an assignment."""
    if meaning is not None or parts is None or parts[0] in {"self", "cls"}:
        return isinstance(meaning, Argument)
    bindings = (binding for holder in scope.outwards() for binding in holder.bindings.get(parts[0], ()))
    values = (binding for binding in bindings if isinstance(binding, Value))
    return any(isinstance(resolver.meaning(value.node, value.scope), Argument) for value in values)


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


def guess(module: Module, definition: Definition, verb: str) -> Framework:
    """The framework of an unknown receiver: by what the file imports, else by the decorator."""
    imported = {
        binding.module.partition(".")[0].partition("_")[0]
        for scope in (module.scope, definition.outside)
        for bindings in scope.bindings.values()
        for binding in bindings
        if isinstance(binding, Imported)
    }
    by_verb = Framework.FLASK if verb == "route" else Framework.FASTAPI
    frameworks = (Framework.FASTAPI, Framework.FLASK, Framework.STARLETTE)
    return next((framework for framework in frameworks if framework in imported), by_verb)
