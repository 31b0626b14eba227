"""Settings: in code by ``configure``, in the environment by ``PERFCHECK_MONITOR_*``.

The environment is read once, at the first use. An invalid value there is logged and the default applies: a typing error
in a deployment must not take the service down.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from perfcheck.monitor.log import log_safely

_PREFIX = "PERFCHECK_MONITOR_"
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """Raises ValueError or TypeError, with a sentence, for an invalid value."""

    slow_s: float = 0.5  # a response over it is a warning in the log
    very_slow_s: float = 1.0  # and over this an error
    window: int = 100  # recent requests kept for each endpoint
    max_endpoints: int = 1000  # names beyond are counted under one
    directory: str | None = None  # where workers of one service merge their statistics; each service has its own
    token: str | None = None  # without one, the API serves the loopback interface only
    server_timing: bool = False  # send the Server-Timing response header
    prefix: str = "/api/performance"  # where the API is mounted
    n_plus_one: int = 10  # the same statement shape this often in one request is N+1
    variants: tuple[str, ...] = ()  # query parameters whose values are endpoints of their own

    def __post_init__(self) -> None:
        for name in ("slow_s", "very_slow_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e6:  # noqa: PLR2004
                raise ValueError(f"{name} must be a number of seconds over 0")
        for name, least, most in (("window", 1, 10_000), ("max_endpoints", 1, 100_000), ("n_plus_one", 2, 1_000_000)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise ValueError(f"{name} must be a whole number from {least} to {most}")
        if not isinstance(self.server_timing, bool):
            raise TypeError("server_timing must be True or False")
        for name in ("directory", "token"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, str) or not value.strip()):
                raise ValueError(f"{name} must be a text that is not empty, or None")
        if not isinstance(self.variants, tuple) or not all(isinstance(name, str) and name for name in self.variants):
            raise ValueError("variants must be a list of names of query parameters")
        if not isinstance(self.prefix, str) or not self.prefix.startswith("/") or self.prefix.endswith("/"):
            raise ValueError('prefix must begin with "/" and not end with one')

    def __repr__(self) -> str:
        shown = {field.name: getattr(self, field.name) for field in fields(self)}
        shown["token"] = "***" if self.token else None
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


# By one key. A dict, since its setdefault never replaces what another thread configures while the environment is read.
_current: dict[str, Settings] = {}
_KEY = "settings"
_listeners: list[Callable[[], None]] = []


def on_change(listener: Callable[[], None]) -> None:
    _listeners.append(listener)


def settings() -> Settings:
    return _current.get(_KEY) or _current.setdefault(_KEY, from_environment(os.environ))


def configure(**changes: Any) -> Settings:
    """Change some settings: ``configure(token="...", slow_s=0.3)``. Code overrides the environment.

    Raises TypeError for an unknown name or a wrong type, and ValueError for an invalid value.
    """
    if isinstance(changes.get("variants"), list):
        changes["variants"] = tuple(changes["variants"])
    _current[_KEY] = changed = replace(settings(), **changes)
    for listener in _listeners:
        listener()
    return changed


def restore_defaults() -> None:
    """Forget what was configured; the environment is read again. For tests."""
    _current.clear()
    for listener in _listeners:
        listener()


def from_environment(environ: Mapping[str, str]) -> Settings:
    """The defaults, with every valid ``PERFCHECK_MONITOR_*``."""
    result = Settings()
    for field in fields(Settings):
        variable = _PREFIX + ("DIR" if field.name == "directory" else field.name.upper())
        text = environ.get(variable, "").strip()
        if not text:
            continue
        try:
            result = replace(result, **{field.name: _parsed(field.default, text)})
        except (ValueError, TypeError) as error:
            # Never the value: it may be the token.
            log_safely(logging.WARNING, "%s is ignored: %s", variable, error)
    return result


def _parsed(default: object, text: str) -> Any:
    if isinstance(default, bool):
        if text.lower() not in _WORDS:
            raise ValueError("expected 1 or 0")
        return _WORDS[text.lower()]
    if isinstance(default, tuple):
        return tuple(name.strip() for name in text.split(","))
    try:
        if isinstance(default, int):
            return int(text)
        return float(text) if isinstance(default, float) else text
    except ValueError:
        raise ValueError("expected a number") from None
