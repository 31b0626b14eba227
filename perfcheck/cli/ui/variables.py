"""Variables of the environment that look like an option of perfcheck and are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

import click

from perfcheck.cli.ui.groups import leaves

_PREFIX = "PERFCHECK_"
_NO_OPTIONS = {"PERFCHECK_DEBUG"}
_FOR_TESTS = "PERFCHECK_TEST_"
_ALIKE = 0.8  # difflib's ratio: BASEURL and BASE_URL have 0.93, FORMAT and FROM 0.6


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
            near = get_close_matches(name.removeprefix(_PREFIX), [t.removeprefix(_PREFIX) for t in twins], 1, _ALIKE)
            if near:
                yield f"{name} has no effect: did you mean {twins[_PREFIX + near[0]]}?"
