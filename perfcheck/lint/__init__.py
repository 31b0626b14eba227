"""Route handlers that no monitor covers, found in Python source without importing it."""

from perfcheck.lint.check import lint
from perfcheck.lint.model import Finding, Framework, Place, Remark, Result, Route

__all__ = ["Finding", "Framework", "Place", "Remark", "Result", "Route", "lint"]
