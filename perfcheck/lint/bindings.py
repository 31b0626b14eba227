"""What the statements of a source file bind its names to."""

from __future__ import annotations

import ast

from perfcheck.lint.module_facts import Annotated, FunctionParameter, Imported, LoopVariable, Scope, Value

_MAY_HOLD = (ast.Call, ast.Name, ast.Attribute, ast.IfExp, ast.BoolOp, ast.Await)


def bind_parameters(arguments: ast.arguments, outside: Scope, inside: Scope) -> None:
    named = [*arguments.posonlyargs, *arguments.args]
    defaults = [*[None] * (len(named) - len(arguments.defaults)), *arguments.defaults, *arguments.kw_defaults]
    for position, (argument, default) in enumerate(zip([*named, *arguments.kwonlyargs], defaults, strict=True)):
        value = Value(default, outside) if default is not None else None
        inside.bind(argument.arg, FunctionParameter(argument.annotation, position, value))


def bind(target: ast.expr, value: ast.expr | None, scope: Scope, annotation: ast.expr | None = None) -> None:
    match target, value:
        case (ast.Tuple(elts=targets), ast.Tuple(elts=values)) if len(targets) == len(values):
            for each, its_value in zip(targets, values, strict=True):
                bind(each, its_value, scope)
            return
        case ast.Name(id=name), _:
            holder: Scope | None = scope
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=attr), _:
            around = scope.class_around
            holder, name = (around.inside if around else None), f"self.{attr}"
        case _:
            return
    if holder is None:
        return
    if annotation is not None:
        holder.bind(name, Annotated(annotation))
    if value is not None:
        holder.bind(name, Value(value, scope) if may_hold_app(value) else None)


def may_hold_app(value: ast.expr) -> bool:
    """Most values are none, and are not kept."""
    match value:
        case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items) | ast.Dict(values=items):
            return not items or not isinstance(items[0], ast.Constant)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return isinstance(left, ast.List | ast.Tuple) or isinstance(right, ast.List | ast.Tuple)
    return isinstance(value, _MAY_HOLD)


def loop_scope(target: ast.expr, iterable: ast.expr, scope: Scope) -> Scope:
    """The scope of a loop's body."""
    inside = Scope(scope.module, scope, scope.owner, is_loop=True)
    targets = [(None, target)] if isinstance(target, ast.Name) else enumerate(getattr(target, "elts", ()))
    for index, each in targets:
        if isinstance(each, ast.Name):
            inside.bindings[each.id] = [LoopVariable(iterable, scope, index)]
    return inside


def bind_imports(node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
    for alias in node.names:
        if isinstance(node, ast.Import):
            top = alias.name.partition(".")[0]
            scope.bind(alias.asname or top, Imported(alias.name if alias.asname else top, 0, None))
        elif alias.name == "*":
            scope.stars.append(Imported(node.module or "", node.level, None))
        else:
            scope.bind(alias.asname or alias.name, Imported(node.module or "", node.level, alias.name))
