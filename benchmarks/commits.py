"""Two commits compared by one command, again and again: ``perfcheck compare main HEAD --start``.

    python benchmarks/commits.py [--times 20]

The repository is made here: a Flask service with an SQLite database in the checkout, which ``--setup`` fills. The
commit ``same`` changes a comment, and must never be called slower: 20 times on a quiet machine, 20 times next to a
process that spins in bursts of 0.1 to 1 s, half of the time. The commit ``slower`` reads its list with a query for each
row (N+1), and must be found. Nothing may be left of any comparison: no worktree, no temporary file, no process. Takes
about five minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from acceptance import Criterion, conclude, show, table
from processes import PERFCHECK, neighbour

from perfcheck.model import Changed
from perfcheck.runfile import read_run

_BURST_S = (0.1, 1.0)
_MODULE = f"shop_{secrets.token_hex(4)}"  # by which its processes are known
_SETUP, _START = f"python -c 'import {_MODULE} as app; app.fill()'", f"flask --app {_MODULE} run"
_BASELINE = """\
version: 1
service: {base_url: http://localhost:1, ready: /health}
endpoints:
  health: {path: /health}
  things.list: {path: /things}
  things.by_id: {path: /things/7}
  things.search: {path: /search, query: {q: thing 1}}
  report: {path: /report}
"""
_APP = """\
import sqlite3, time
from flask import Flask, Response, g, request
app = Flask(__name__)

def query(sql, *values):
    start = time.perf_counter()
    time.sleep(0.0003)  # the round trip to a server, which SQLite has not
    rows = sqlite3.connect("app.sqlite").execute(sql, values).fetchall()
    g.spent, g.count = g.get("spent", 0) + time.perf_counter() - start, g.get("count", 0) + 1
    return rows

def fill():
    with sqlite3.connect("app.sqlite") as database:
        database.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, weight REAL)")
        database.executemany("INSERT INTO things VALUES (?, ?, ?)", [(i, f"thing {i}", i % 97) for i in range(5000)])

@app.after_request
def timing(response):
    count = g.get("count", 0)
    queries = f"{count} {'query' if count == 1 else 'queries'}"
    response.headers["Server-Timing"] = f'db;dur={1000 * g.get("spent", 0):.2f};desc="{queries}"'
    return response

@app.get("/health")
def health():
    return {"ok": True}

@app.get("/things")
def things():
    rows = query("SELECT id, name FROM things ORDER BY weight LIMIT 50")
    return [{"id": i, "name": name} for i, name in rows]

@app.get("/things/<int:number>")
def thing(number):
    return [dict(id=i, name=name) for i, name in query("SELECT id, name FROM things WHERE id = ?", number)]

@app.get("/search")
def search():
    time.sleep(0.02)
    return [name for name, in query("SELECT name FROM things WHERE name LIKE ? LIMIT 20", f"%{request.args['q']}%")]

@app.get("/report")
def report():
    return query("SELECT weight, count(*), sum(id) FROM things GROUP BY weight")
"""
_ONE_QUERY = """\
    rows = query("SELECT id, name FROM things ORDER BY weight LIMIT 50")
    return [{"id": i, "name": name} for i, name in rows]
"""
_ONE_PER_ROW = """\
    rows = query("SELECT id FROM things ORDER BY weight LIMIT 50")
    return [{"id": i, "name": query("SELECT name FROM things WHERE id = ?", i)[0][0]} for i, in rows]
"""


@dataclass
class Tally:
    """What came of comparisons with one commit; ``left`` counts those after which something was left."""

    what: str
    times: int = 0
    slower: list[str] = field(default_factory=list)  # each endpoint that was called slower, in each comparison
    inconclusive: int = 0
    left: int = 0
    seconds: list[float] = field(default_factory=list)
    overhead_s: list[float] = field(default_factory=list)  # of that, without requests

    def row(self) -> list[str]:
        found = ", ".join(f"{name} {self.slower.count(name)}" for name in dict.fromkeys(self.slower)) or "none"
        times = (f"{statistics.median(values):.1f} s" for values in (self.seconds, self.overhead_s))
        return [self.what, str(self.times), found, str(self.inconclusive), str(self.left), *times]


def make_repository(folder: Path) -> None:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    slower = _APP.replace(_ONE_QUERY, _ONE_PER_ROW)
    for branch, app in (("main", _APP), ("same", f"# A comment.\n{_APP}"), ("slower", slower)):
        if branch != "main":
            git(folder, "switch", "-q", "-c", branch, "main")
        (folder / f"{_MODULE}.py").write_text(app, encoding="utf-8")
        (folder / "baselines.yaml").write_text(_BASELINE, encoding="utf-8")
        git(folder, "add", "--all")
        git(folder, "commit", "-q", "-m", branch)


def git(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{role}_{what}": "benchmark" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *arguments], cwd=folder, env={**os.environ, **who}, check=True, capture_output=True)
    return done.stdout.decode()


def compare(source: Path, temporary: Path, branch: str, tally: Tally) -> None:
    """One comparison, as a user types it."""
    run_file = source.parent / "run.json"
    command = [
        PERFCHECK,
        "compare",
        "main",
        branch,
        "--setup",
        _SETUP,
        "--start",
        _START,
        "-q",
        "-o",
        str(run_file),
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    started_s = time.monotonic()
    done = subprocess.run(
        command,
        cwd=source,
        env={**os.environ, "PATH": path, "TMPDIR": str(temporary)},
        capture_output=True,
        check=False,
    )
    seconds = time.monotonic() - started_s
    if done.returncode not in {0, 1}:
        raise SystemExit(done.stderr.decode())
    run = read_run(run_file)
    changed = {result.name: result.comparison.changed for result in run.endpoints if result.comparison}
    tally.times += 1
    tally.slower += [name for name, change in changed.items() if change is Changed.SLOWER]
    tally.inconclusive += sum(change is Changed.CANNOT_TELL for change in changed.values())
    tally.left += any(left_behind(source, temporary))
    tally.seconds.append(seconds)
    tally.overhead_s.append(seconds - run.duration_ms / 1000)


def left_behind(source: Path, temporary: Path) -> Iterator[str]:
    yield from git(source, "worktree", "list").splitlines()[1:]
    yield from map(str, temporary.iterdir())
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    yield from (line for line in running.splitlines() if _MODULE in line)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args(arguments).times
    same, noisy, slower = (Tally(what) for what in ("the same", "the same, a noisy neighbour", "N+1 in things.list"))
    with tempfile.TemporaryDirectory() as folder:
        source, temporary = Path(folder, "source"), Path(folder, "temporary")
        temporary.mkdir()
        make_repository(source)
        for tally, branch in ((same, "same"), (noisy, "same"), (slower, "slower")):
            with neighbour(_BURST_S, _BURST_S) if tally is noisy else nullcontext():
                for _ in range(times):
                    compare(source, temporary, branch, tally)
    head = [
        "HEAD",
        "comparisons",
        "called slower",
        "inconclusive",
        "left something",
        "time",
        "of that, without requests",
    ]
    found = slower.slower.count("things.list")
    criteria = show(
        "Two commits",
        [
            *table(head, [tally.row() for tally in (same, noisy, slower)]),
            Criterion("the same commit called slower", len(same.slower + noisy.slower), 0, ""),
            Criterion("N+1 found", 100 * found / times, 100, at_least=True),
            Criterion("others called slower", len(slower.slower) - found, 0, ""),
            Criterion("left something behind", sum(tally.left for tally in (same, noisy, slower)), 0, ""),
        ],
    )
    return conclude(criteria)


if __name__ == "__main__":
    sys.exit(main())
