"""What can be wrong with the location of a history: a sentence with a remedy, and never a password."""

from __future__ import annotations

import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
from simulation.runs import run
from sqlalchemy import make_url
from support.disks import full_disk

from perfcheck.errors import UsageError
from perfcheck.history.store import open_history

SECRET = "s3cr3t-password"


def error_of(url: str | None, folder: Path, *, create: bool = True) -> str:
    """The message and the remedy of what keeps a history from being opened or written."""
    with pytest.raises(UsageError) as caught, open_history(url, folder, create=create, timeout_s=0.3) as store:
        store.save(run())
    assert caught.value.remedy
    sentence = f"{caught.value.message} / {caught.value.remedy}"
    assert SECRET not in sentence
    assert "\n" not in sentence
    return sentence


# --- Files ---------------------------------------------------------------------------------------------------------


def test_the_default_folder_is_made_and_ignored_by_git(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    below = tmp_path / "src" / "app"
    below.mkdir(parents=True)
    with open_history(None, below) as store:
        store.save(run())
    assert (tmp_path / ".perfcheck" / "history.sqlite").is_file()
    assert (tmp_path / ".perfcheck" / ".gitignore").read_text(encoding="utf-8") == "*\n"
    (tmp_path / ".perfcheck" / ".gitignore").write_text("mine\n", encoding="utf-8")
    with open_history(None, tmp_path) as store:
        assert store.run(run().id) == run()
    assert (tmp_path / ".perfcheck" / ".gitignore").read_text(encoding="utf-8") == "mine\n"


def test_without_create_a_history_must_exist(tmp_path: Path) -> None:
    assert error_of(None, tmp_path, create=False) == (
        "no history yet: .perfcheck/history.sqlite does not exist / 'perfcheck run --save' creates one"
    )
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / "other.sqlite").close()
    assert error_of("other.sqlite", tmp_path, create=False).startswith("no history in other.sqlite yet")


@pytest.mark.parametrize(
    "named", ["{}/named.sqlite", "sqlite:///{}/named.sqlite", "named.sqlite", "sqlite:///named.sqlite"]
)
def test_ways_to_name_a_file(tmp_path: Path, named: str) -> None:
    with open_history(named.format(tmp_path), tmp_path) as store:
        assert store.save(run())
    assert (tmp_path / "named.sqlite").is_file()


def test_a_file_instead_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".perfcheck").write_text("")
    assert error_of(None, tmp_path).startswith("cannot use the history .perfcheck/history.sqlite: File exists / ")
    (tmp_path / "file").write_text("")
    assert "the folder" in error_of("file/history.sqlite", tmp_path)


def test_a_folder_instead_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").mkdir()
    assert error_of("history.sqlite", tmp_path).startswith(
        "cannot use the history history.sqlite: the file cannot be opened or created / check that its folder"
    )


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert error_of("absent/history.sqlite", tmp_path).endswith(f"does not exist / mkdir -p {tmp_path / 'absent'}")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello, " * 1000)
    assert "notes.txt: the file is not an SQLite database / move it away" in error_of("notes.txt", tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "hello, " * 1000


def test_a_file_that_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with open_history(str(file), tmp_path) as store:
        store.save(run())
    with file.open("r+b") as content:
        content.seek(4096)
        content.write(b"\xff" * 8192)
    assert "the file is damaged" in error_of(str(file), tmp_path)


ENDPOINT, RUN = min(result.name for result in run().endpoints), run().id


@pytest.mark.parametrize(
    ("change", "damage"),
    [
        ("perfcheck_documents SET content = x'00'", f"the document of the run {RUN} cannot be read"),
        ("perfcheck_documents SET content = 'text'", f"the document of the run {RUN} cannot be read"),
        ("perfcheck_documents SET content = NULL", f"the document of the run {RUN} cannot be read"),
        ("perfcheck_runs SET verdict = 'purple'", f"verdict of the run {RUN} is 'purple'"),
        ("perfcheck_runs SET source = NULL", f"source of the run {RUN} is NULL"),
        ("perfcheck_runs SET duration_ms = 'long'", f"duration_ms of the run {RUN} is 'long'"),
        ("perfcheck_runs SET duration_ms = 9e999", f"duration_ms of the run {RUN} is inf"),
        ("perfcheck_runs SET exit_code = 1.5", f"exit_code of the run {RUN} is 1.5"),
        ("perfcheck_runs SET warning = NULL", f"warning of the run {RUN} is NULL"),
        ("perfcheck_runs SET complete = 'maybe'", f"complete of the run {RUN} is 'maybe'"),
        ("perfcheck_runs SET started_at = 'yesterday'", f"started_at of the run {RUN} is 'yesterday'"),
        ("perfcheck_runs SET label = x'ff00'", rf"label of the run {RUN} is b'\xff\x00'"),
        ("perfcheck_measurements SET value_ms = 'fast'", f"value_ms of {ENDPOINT} in the run {RUN} is 'fast'"),
        ("perfcheck_measurements SET p95_ms = -1", f"p95_ms of {ENDPOINT} in the run {RUN} is -1.0"),
        ("perfcheck_measurements SET metric = 'p50'", f"metric of {ENDPOINT} in the run {RUN} is 'p50'"),
        ("perfcheck_measurements SET requests = 'many'", f"requests of {ENDPOINT} in the run {RUN} is 'many'"),
        ("perfcheck_measurements SET decided = NULL", f"decided of {ENDPOINT} in the run {RUN} is NULL"),
        ("perfcheck_measurements SET started_at = '1 May'", f"started_at of {ENDPOINT} in the run {RUN} is '1 May'"),
        ("perfcheck_measurements SET endpoint = x'00'", r"endpoint of a row in perfcheck_measurements is b'\x00'"),
        ("perfcheck_notes SET created_at = 'now'", "created_at of the note 1 is 'now'"),
        ("perfcheck_notes SET incident = NULL", "incident of the note 1 is NULL"),
        ("perfcheck_schema SET version = 'many'", "version in perfcheck_schema is 'many'"),
    ],
)
def test_a_row_that_another_program_wrote(change: str, damage: str, tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with open_history(str(file), tmp_path) as store:
        store.save(run())
        store.add_note(incident="slow")
    damage_history(file, f"UPDATE {change}")

    def read() -> None:
        with open_history(str(file), tmp_path) as store:
            list(store.runs())
            list(store.endpoints())
            list(store.measurements())
            list(store.latest(ENDPOINT, most=9))
            store.notes()
            store.document(RUN)

    with pytest.raises(UsageError) as caught:
        read()
    assert caught.value.message == f"the history history.sqlite is damaged: {damage}"
    assert (caught.value.remedy or "").startswith("restore it from a backup; ")


def damage_history(file: Path, statement: str) -> None:
    """As no program can that keeps to the schema: also NULL, where that is forbidden."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET sql = replace(sql, 'NOT NULL', '')")
        connection.commit()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement)
        connection.commit()


def test_a_history_that_another_process_has_locked(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    open_history(str(file), tmp_path).close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert "another process has locked it / try again" in error_of(str(file), tmp_path)
    assert open_history(str(file), tmp_path).save(run())


def test_a_full_disk_is_reported_and_damages_nothing(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    with open_history(str(file), tmp_path) as store:
        store.save(run())
    with full_disk(10_000):
        assert "free some space" in error_of(str(file), tmp_path).lower()
    with open_history(str(file), tmp_path) as store:
        assert store.run(run().id) == run()


# --- Servers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (f"postgresql+psycopg//user:{SECRET}@host/db", "neither a file nor a supported URL / --history takes a file"),
        (f"postgresql+psycopg://user:{SECRET}@host:port/db", "the URL of the history is not valid / --history takes"),
        (f"mysql://user:{SECRET}@host/db", "a history cannot be stored in 'mysql' / --history takes a file"),
        (f"http://user:{SECRET}@host/db", "a history cannot be stored in 'http' / --history takes a file"),
        (f"host=db dbname=x user=u password={SECRET}", "the history is neither a file nor a supported URL"),
        (f"postgresql:user:{SECRET}", "the history is neither a file nor a supported URL"),
        (f"sqlite:///x?password={SECRET}", "the URL of an SQLite history takes no options"),
        ("sqlite://", "the URL of the history names no file / --history takes a file"),
        ("sqlite:///:memory:", "the URL of the history names no file / --history takes a file"),
    ],
)
def test_a_wrong_url(url: str, message: str, tmp_path: Path) -> None:
    sentence = error_of(url, tmp_path)
    assert message in sentence
    assert SECRET not in sentence


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql", "postgres"])
def test_a_server_that_does_not_answer(scheme: str, tmp_path: Path) -> None:
    port = closed_port()
    sentence = error_of(f"{scheme}://user:{SECRET}@127.0.0.1:{port}/db?connect_timeout=2", tmp_path)
    assert sentence.startswith(f"cannot use the history postgresql+psycopg://user:***@127.0.0.1:{port}/db: ")
    assert "refused" in sentence
    assert "check that the server is running" in sentence


def test_a_database_that_is_not_on_the_server(postgres: str, tmp_path: Path) -> None:
    url = make_url(postgres).set(database="absent").render_as_string(hide_password=False)
    assert 'database "absent" does not exist / check that the server is running' in error_of(url, tmp_path)


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert error_of(f"postgresql://user:{SECRET}@127.0.0.1/db", tmp_path).endswith(
        "needs a driver that is not installed: psycopg / pip install 'perfcheck[postgres]'"
    )
