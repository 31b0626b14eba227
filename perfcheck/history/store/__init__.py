"""The history: every run that was saved, in SQLite or in PostgreSQL, by one code path through SQLAlchemy Core.

Imported by the commands that need it and by no other: SQLAlchemy alone costs more than the rest of a small command.
"""

from __future__ import annotations

from perfcheck.history.store.opening import open_history
from perfcheck.history.store.store import History

__all__ = ["History", "open_history"]
