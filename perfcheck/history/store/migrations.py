"""The schema, brought forward from whatever version a store has.

History of the schema (a store of each version stands in tests/record/versions/, and must open for ever):

- 1 (0.1.0): the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine, insert, inspect, select, update

from perfcheck.errors import UsageError
from perfcheck.history.store.dialects import lock_schema, writing
from perfcheck.history.store.tables import metadata, schema

Step = Callable[[Connection], None]
# The first brings version 1 to 2, and so on. Each is written in terms of the tables as they were then, never of
# ``tables``, which goes on changing.
STEPS: tuple[Step, ...] = ()


def migrate(engine: Engine, shown: str, steps: Sequence[Step] = STEPS) -> None:
    """Make the tables, or bring them to the newest version: all of it or nothing, and by one process at a time.

    Raises UsageError, with ``shown`` as the name of the store, when a newer perfcheck has written it.
    """
    newest = 1 + len(steps)
    with engine.connect() as connection:  # without a lock: nearly always there is nothing to do
        version = version_of(connection)
    if version == newest:
        return
    with writing(engine) as connection:
        lock_schema(connection)
        version = version_of(connection)  # again: another process may have been quicker
        if version > newest:
            raise UsageError(
                f"the history {shown} has version {version} of the schema; this perfcheck knows {newest}",
                "a newer perfcheck has written it: upgrade this one",
            )
        if version == 0:
            metadata.create_all(connection)
            connection.execute(insert(schema).values(version=newest))
            return
        for step in steps[version - 1 :]:
            step(connection)
        connection.execute(update(schema).values(version=newest))


def version_of(connection: Connection) -> int:
    """0: there is no history in this database."""
    if not inspect(connection).has_table(schema.name):
        return 0
    return connection.execute(select(schema.c.version)).scalar() or 0
