"""A command line, or an environment, that was not understood: what is wrong, and what was likely meant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

import click
from click.core import ParameterSource

from perfcheck.cli.ui.commands import leaves, walk
from perfcheck.cli.ui.described import names, purpose, visible_options

_ALIKE = 0.75
_REFUSED_CHOICE = re.compile(r"""^(['"])(?P<value>.*)\1 is not one of """)
_EXTRA = re.compile(r"^Got unexpected extra argument\S* \((?P<words>.*)\)")


_PREFIX = "PERFCHECK_"
_NO_OPTIONS = {"PERFCHECK_DEBUG"}
_FOR_TESTS = "PERFCHECK_TEST_"
_CLOSE = 0.8  # difflib's ratio: BASEURL and BASE_URL have 0.93, FORMAT and FROM 0.6


def explain(error: click.ClickException, group: click.Group, arguments: Sequence[str]) -> tuple[str, str | None]:
    """The message and the remedy for an error of click; ``arguments`` is the command line of ``group``."""
    if not isinstance(error, click.UsageError):
        return error.format_message(), None
    context = error.ctx or _context(group, arguments)
    remedy = _remedy(error, context, arguments) or f"'{context.command_path} --help' lists the options"
    return _message(error, context), remedy


def _context(group: click.Group, arguments: Sequence[str]) -> click.Context:
    """What click leaves out of some errors: of which command they are."""
    words = [word for word in arguments if not word.startswith("-")]
    return walk(click.Context(group, info_name="perfcheck"), words)


def _message(error: click.UsageError, context: click.Context) -> str:
    if isinstance(error, click.NoSuchOption):
        return f"No such option '{error.option_name}'."
    if isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter) and error.param:
        return f"Invalid value for {_source(error.param, context)}: {_in_words(error)}"
    return error.format_message()


def _source(param: click.Parameter, context: click.Context) -> str:
    """Where the value was given: in a variable, as an option, as an argument."""
    if context.get_parameter_source(param.name or "") is ParameterSource.ENVIRONMENT:
        return f"{param.envvar}, the twin of {param.opts[-1]}"
    return f"'{param.opts[-1]}'" if isinstance(param, click.Option) else (param.name or "").upper()


def _in_words(error: click.BadParameter) -> str:
    if getattr(error.param, "is_flag", False):
        return error.message.split(". ")[0].rstrip(".") + "."  # without the list of all that click takes for one
    return error.message.replace("a valid integer range", "a whole number")


def _remedy(error: click.UsageError, context: click.Context, arguments: Sequence[str]) -> str | None:
    if isinstance(error, click.NoSuchOption):
        return _other_option(error.option_name, context, arguments)
    if isinstance(error, click.MissingParameter):
        return _missing(error, context, arguments)
    if isinstance(error, click.BadParameter):
        return _other_value(error)
    if isinstance(error, click.BadOptionUsage):
        option = next((one for one in context.command.params if error.option_name in one.opts), None)
        return _purpose(option) if option else None
    if extra := _EXTRA.match(error.format_message()):
        return _place_for(extra["words"].split(), context)
    return None


def _other_option(typed: str, context: click.Context, arguments: Sequence[str]) -> str | None:
    """The nearest option of the command; one that it does not have may belong to another command."""
    own = ["--help", *(name for param in visible_options(context.command) for name in _all_names(param))]
    if not typed.startswith("--"):
        # '-base-url' is read as -b, -a, ...: what was typed is in the arguments only.
        words = (f"-{word}".split("=")[0] for word in arguments if word.startswith(typed))
        meant = next((word for word in words if word in own), None)
        return f"did you mean {meant}?" if meant else None
    if owners := [f"perfcheck {command}" for command, options in _options_of_others(context) if typed in options]:
        return f"'{typed}' is an option of: {', '.join(owners)}"
    near = [name for name in own if name.startswith(typed)] or get_close_matches(typed, own, n=1, cutoff=_ALIKE)
    return f"did you mean {' or '.join(near)}?" if near else None


def _all_names(option: click.Option) -> list[str]:
    return [*option.opts, *option.secondary_opts]


def _options_of_others(context: click.Context) -> Iterator[tuple[str, set[str]]]:
    group = context.find_root().command
    if isinstance(group, click.Group):
        for words, command in leaves(group):
            if command is not context.command:
                yield " ".join(words), {flag for option in visible_options(command) for flag in _all_names(option)}


def _missing(error: click.MissingParameter, context: click.Context, arguments: Sequence[str]) -> str | None:
    """The example to follow; or what was typed, where only the option before it was forgotten."""
    param = error.param
    if not isinstance(param, click.Option):
        return None
    option = max(param.opts, key=len)
    takes_words = any(isinstance(other, click.Argument) for other in context.command.params)
    if not takes_words and arguments and not arguments[-1].startswith("-") and arguments[-1] != context.info_name:
        before = arguments[-2] if len(arguments) > 1 else ""
        if not before.startswith("-"):
            return f"did you mean {option} {arguments[-1]}?"
    return _purpose(param)


def _purpose(param: click.Parameter) -> str | None:
    return f"{names(param)}: {purpose(param)}" if isinstance(param, click.Option) else None


def _other_value(error: click.BadParameter) -> str | None:
    param = error.param
    if param is None:
        return None
    if getattr(param, "is_flag", False):
        return "write true or false"
    refused = _REFUSED_CHOICE.match(error.message)
    if refused is None or not isinstance(param.type, click.Choice):
        return _purpose(param)
    near = get_close_matches(refused["value"].lower(), [str(choice) for choice in param.type.choices], n=1)
    return f"did you mean '{near[0]}'?" if near else None


def _place_for(words: Sequence[str], context: click.Context) -> str | None:
    """An option that takes this word."""
    for param in context.command.params:
        choices = param.type.choices if isinstance(param.type, click.Choice) else ()
        if words[0] in map(str, choices) and isinstance(param, click.Option):
            return f"did you mean {max(param.opts, key=len)} {words[0]}?"
    takes_file = (one for one in context.command.params if isinstance(one, click.Option) and one.metavar == "FILE")
    if words[0].endswith(".json") and (first := next(takes_file, None)):
        return f"did you mean {max(first.opts, key=len)} {words[0]}?"
    return None


def misspelt_variables(group: click.Group, env: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each variable that is likely meant as another.

    Only for those: a baseline may use variables of any name, PERFCHECK_API_TOKEN among them.
    """
    candidates = [name for name in sorted(env) if name.startswith(_PREFIX) and name not in _NO_OPTIONS]
    candidates = [name for name in candidates if not name.startswith(_FOR_TESTS)]
    if not candidates:  # the usual case, in which no command is imported
        return
    twins: dict[str, str] = {}  # variable -> what to set instead
    for option in (option for _, command in leaves(group) for option in command.params):
        if isinstance(option.envvar, str):
            twins[option.envvar] = option.envvar
            for name in option.secondary_opts:
                twins[_PREFIX + name.removeprefix("--").replace("-", "_").upper()] = f"{option.envvar}=false"
    for name in candidates:
        if twins.get(name) != name:
            near = get_close_matches(name.removeprefix(_PREFIX), [t.removeprefix(_PREFIX) for t in twins], 1, _CLOSE)
            if near:
                yield f"{name} has no effect: did you mean {twins[_PREFIX + near[0]]}?"
