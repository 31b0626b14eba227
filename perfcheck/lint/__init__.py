"""Route handlers that no monitor covers, found in Python source without importing it."""

from perfcheck.lint.linter import lint
from perfcheck.lint.vocabulary import Framework, LintResult, RegisteredRoute, Remark, SourceLocation, UnmonitoredHandler

__all__ = ["Framework", "LintResult", "RegisteredRoute", "Remark", "SourceLocation", "UnmonitoredHandler", "lint"]
