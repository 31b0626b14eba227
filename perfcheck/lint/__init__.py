"""Route handlers that no monitor covers, found in Python source without importing it."""

from perfcheck.lint.framework_names import Framework
from perfcheck.lint.lint_result import LintResult, RegisteredRoute, Remark, SourceLocation, UnmonitoredHandler
from perfcheck.lint.linter import lint

__all__ = ["Framework", "LintResult", "RegisteredRoute", "Remark", "SourceLocation", "UnmonitoredHandler", "lint"]
