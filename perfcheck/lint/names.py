"""The meaning of a name, followed through assignments, imports, factories and base classes; nothing is executed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace

from perfcheck.lint.module_facts import (
    Annotated,
    Argument,
    Binding,
    CallSite,
    Definition,
    External,
    FunctionParameter,
    Imported,
    LoopVariable,
    Meaning,
    Module,
    Parts,
    Scope,
    Value,
    Variable,
    parts_of,
    passed,
    unquoted,
)
from perfcheck.lint.project import Project
from perfcheck.lint.vocabulary import ObjectKind, kind_of

_MOST = 300  # names looked into for one: real ones take a handful, but two names may multiply without end
_ITSELF = {"router", "wsgi_app", "asgi_app", "app", "routes"}  # attributes of an app that are the app, for routes
LITERALS = (ast.List, ast.Tuple, ast.Set, ast.Dict, ast.BinOp)
FARTHEST = 40  # steps from a name to its meaning; each takes some frames of Python's stack


class NameResolver:
    def __init__(self, project: Project) -> None:
        self._project = project
        self._known: dict[Hashable, Meaning | None] = {}
        self.steps = 0  # to where the search is now
        self.looked_into = 0  # since it began
        self._kinds: dict[Definition, ObjectKind | None] = {}

    @property
    def modules(self) -> list[Module]:
        return self._project.modules

    def meaning(self, node: ast.expr | None, scope: Scope) -> Meaning | None:
        """Of an expression made of names and calls; None when unknown, and for no expression."""
        made = self.callee(node, scope) if isinstance(node, ast.Call) else None
        if isinstance(made, External) and kind_of(made.name) is None and not made.name.startswith("perfcheck."):
            return made  # get_wsgi_application(): whose object it is suffices
        return self._best(self._assigned(node, ("(call)",), scope)) if node is not None else None

    def of(self, parts: Parts | None, scope: Scope) -> Meaning | None:
        """Of a name with its attributes; None for what is not a name."""
        return self._once((scope, parts), lambda: self._meanings(parts, scope)) if parts else None

    def _once(self, key: Hashable, search: Callable[[], Iterator[Meaning | None]]) -> Meaning | None:
        """Every question is looked into once, so that the time stays in proportion to the source."""
        if key not in self._known:
            if self.steps == 0:
                self.looked_into = 0
            if self.steps >= FARTHEST or self.looked_into >= _MOST:
                return None
            self.looked_into += 1
            self._known[key] = None  # a name that refers to itself has no meaning
            self.steps += 1
            try:
                self._known[key] = self._best(search())
            finally:
                self.steps -= 1
        return self._known[key]

    def _best(self, meanings: Iterator[Meaning | None]) -> Meaning | None:
        """The first, unless it is an object of no known kind and another is of one: ``app = Wrapper(app)``."""
        first: Meaning | None = None
        for meaning in meanings:
            if meaning is None:
                continue
            if not isinstance(meaning, Variable) or self.kind(meaning) is not None:
                return meaning if first is None or isinstance(meaning, Variable) else first
            first = first or meaning
        return first

    def _meanings(self, parts: Parts, scope: Scope) -> Iterator[Meaning | None]:
        around = scope.class_around if parts[0] in {"self", "cls"} else None
        if around is not None:
            yield self.attribute(around, parts[1:])
            return
        for holder in scope.outwards():
            if holder is not scope and holder.owner is not None and holder.owner.is_class:
                continue  # functions do not see the names of the class around them
            # The last binding is what callers see; the ones before it are what it may have been made from.
            for binding in reversed(holder.bindings.get(parts[0], ())):
                yield from self._bound(binding, parts, holder)
            for star in holder.stars:
                yield from self._from_star(star, parts, holder)
            if parts[0] in holder.bindings:
                return

    def member(self, owner: Definition, name: str, rest: Parts) -> Meaning | None:
        """``self.name.rest`` in the class, else in its bases."""
        return self._once((owner, name, rest), lambda: self._members(owner, name, rest))

    def _members(self, owner: Definition, name: str, rest: Parts) -> Iterator[Meaning | None]:
        for ancestor in self.ancestors(owner):
            for known in (f"self.{name}", name):
                for binding in reversed(ancestor.inside.bindings.get(known, ())):
                    yield from self._bound(binding, (known, *rest), ancestor.inside)

    def _class(self, node: ast.expr, scope: Scope) -> Definition | None:
        meaning = self.of(parts_of(node), scope)
        return meaning if isinstance(meaning, Definition) and meaning.is_class else None

    def _bound(self, binding: Binding, parts: Parts, scope: Scope) -> Iterator[Meaning | None]:
        rest = parts[1:]
        match binding:
            case Definition():
                yield self.attribute(binding, rest)
            case Annotated() | FunctionParameter() | LoopVariable():
                yield self.attribute(Argument(scope, parts[0], binding), rest)
            case Imported():
                yield from self._imported(binding, rest, scope)
            case Value(node, where):
                yield from self._assigned(node, parts, where)

    def _assigned(self, value: ast.expr, parts: Parts, scope: Scope) -> Iterator[Meaning | None]:
        waiting = [value]
        while waiting:
            node = waiting.pop()
            match node:
                case ast.Await(value=inner):
                    waiting.append(inner)
                case ast.IfExp(body=body, orelse=orelse):
                    waiting += [orelse, body]
                case ast.BoolOp(values=values):
                    waiting += reversed(values)
                case ast.Call():
                    made = self._made_by(node, parts[0], scope)
                    yield self.attribute(made, parts[1:]) if made is not None else None
                case ast.Name() | ast.Attribute() if names := parts_of(node):
                    yield self.of((*names, *parts[1:]), scope)
                case _ if isinstance(node, LITERALS) and len(parts) == 1:
                    yield Variable(scope, parts[0], node)

    def _made_by(self, call: ast.Call, name: str, scope: Scope) -> Meaning | None:
        """The object that a call gives; of a factory that was read, the object in the factory."""
        return self._once((call, name), lambda: self._objects(call, name, scope))

    def _objects(self, call: ast.Call, name: str, scope: Scope) -> Iterator[Meaning | None]:
        made = self.callee(call, scope)
        if isinstance(made, Definition) and not made.is_class:
            for returned in made.returns:
                for meaning in self._assigned(returned, ("return",), made.inside):
                    yield from self._returned(meaning, CallSite(call, scope, call), made)
        elif isinstance(made, External) and made.name.endswith(".Monitor") and call.args:
            yield self.of(parts_of(call.args[0]), scope)  # an app in a middleware is still that app
        yield Variable(scope, name, call)

    def _returned(self, meaning: Meaning | None, site: CallSite, function: Definition) -> Iterator[Meaning | None]:
        """What a function returns; of its parameter, what this call passes."""
        if not isinstance(meaning, Argument):
            yield meaning
        elif meaning.scope is function.inside and isinstance(meaning.source, FunctionParameter):
            value = passed(site, function, meaning.name, meaning.source)
            if value and (given := self.meaning(value.node, value.scope)):
                yield self.attribute(given, meaning.attributes)

    def callee(self, call: ast.Call, scope: Scope) -> Meaning | None:
        match call.func:
            case ast.Attribute(value=ast.Call(func=ast.Name(id="super")), attr=name) if around := scope.class_around:
                inherited = (self.member(parent, name, ()) for parent in list(self.ancestors(around))[1:])
                return next((meaning for meaning in inherited if meaning is not None), None)
        return self.of(parts_of(call.func), scope)

    def attribute(self, meaning: Meaning, rest: Parts) -> Meaning | None:
        if not rest:
            return meaning
        if isinstance(meaning, Module):
            return self._in_module(meaning, rest)
        if isinstance(meaning, External):
            return External(".".join((meaning.name, *rest)))
        owner = self._instance_of(meaning)
        if owner is not None and (member := self.member(owner, rest[0], rest[1:])) is not None:
            return member
        if isinstance(meaning, Argument):
            return replace(meaning, attributes=meaning.attributes + rest)
        return meaning if _ITSELF.issuperset(rest) and self.kind(meaning) is not None else None

    def _instance_of(self, meaning: Meaning) -> Definition | None:
        if isinstance(meaning, Variable) and isinstance(meaning.value, ast.Call):
            meaning = self.callee(meaning.value, meaning.scope) or meaning
        if isinstance(meaning, Argument) and (annotation := meaning.source.annotation) is not None:
            return self._class(unquoted(annotation), meaning.scope)
        return meaning if isinstance(meaning, Definition) and meaning.is_class else None

    def _imported(self, imported: Imported, rest: Parts, scope: Scope) -> Iterator[Meaning | None]:
        path = tuple(imported.module.split(".")) if imported.module else ()
        if imported.name is not None:
            module = self._project.find(path, imported.level, scope.module)
            if module is not None and (meaning := self._in_module(module, (imported.name, *rest))):
                yield meaning
                return
            path = (*path, imported.name)
        for length in range(len(rest), -1, -1):  # the longest name that is a module
            module = self._project.find((*path, *rest[:length]), imported.level, scope.module)
            if module is not None:
                yield self._in_module(module, rest[length:]) if rest[length:] else module
                return
        if not imported.level:
            yield External(".".join((*path, *rest)))

    def _in_module(self, module: Module, parts: Parts) -> Meaning | None:
        meaning = self.of(parts, module.scope)
        if meaning is None and module.is_package:
            inner = self._project.find((parts[0],), 1, module)
            if inner is not None:
                return self._in_module(inner, parts[1:]) if parts[1:] else inner
        return meaning

    def _from_star(self, star: Imported, parts: Parts, scope: Scope) -> Iterator[Meaning | None]:
        path = tuple(star.module.split(".")) if star.module else ()
        module = self._project.find(path, star.level, scope.module)
        if module is not None and module is not scope.module:
            yield self.of(parts, module.scope)
        elif not star.level and path[:2] in {("django", "urls"), ("django", "conf")}:
            yield External(".".join((*path, *parts)))

    def kind(self, meaning: Meaning | None) -> ObjectKind | None:
        """What the object is to a framework: an app, a router, something foreign; None when unknown."""
        match meaning:
            case External(name):
                return kind_of(name)
            case Variable(scope, _, value) if isinstance(value, ast.Call):
                made = self.callee(value, scope)
                if isinstance(made, Definition) and not made.is_class:
                    return self._annotated(made.annotation, made.outside)
                if isinstance(value.func, ast.Attribute) and value.func.attr == "namespace":  # of Flask-RESTX
                    return self.kind(self.meaning(value.func.value, scope))
                return self._class_kind(made)
            case Argument(scope, _, source, attributes):
                return self._annotated(source.annotation, scope) if _ITSELF.issuperset(attributes) else None
            case Definition():
                return self._class_kind(meaning)
        return None

    def _annotated(self, annotation: ast.expr | None, scope: Scope) -> ObjectKind | None:
        return self._class_kind(self.meaning(unquoted(annotation), scope)) if annotation is not None else None

    def _class_kind(self, meaning: Meaning | None) -> ObjectKind | None:
        if isinstance(meaning, External):
            return kind_of(meaning.name)
        if not isinstance(meaning, Definition) or not meaning.is_class:
            return None
        if meaning not in self._kinds:
            self._kinds[meaning] = None  # a class that is its own ancestor is of no kind
            bases = (self.meaning(base, each.outside) for each in self.ancestors(meaning) for base in each.bases)
            kinds = (kind_of(base.name) for base in bases if isinstance(base, External))
            self._kinds[meaning] = next((kind for kind in kinds if kind is not None), None)
        return self._kinds[meaning]

    def makes(self, call: ast.Call, scope: Scope) -> ObjectKind | None:
        """What a call makes: ``Flask(__name__)``."""
        return self.kind(Variable(scope, "(call)", call))

    def ancestors(self, definition: Definition) -> Iterator[Definition]:
        """The class and those before it that were read, each once."""
        seen, waiting = {definition}, [definition]
        while waiting:
            ancestor = waiting.pop(0)
            yield ancestor
            for base in ancestor.bases:
                parent = self._class(base, ancestor.outside)
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    waiting.append(parent)
