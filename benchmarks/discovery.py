"""From an empty folder to a green check of services that others wrote: ``python benchmarks/discovery.py [NAME...]``.

Each service is installed from PyPI into an environment of its own below ``--folder``, started, and filled with a little
data. ``perfcheck init URL`` and ``perfcheck run`` are then the only two commands; ``perfcheck coverage`` reports what
became of each operation. A relay between perfcheck and the service records what was really sent.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import httpx
from acceptance import Criterion, conclude, show, table
from processes import PERFCHECK
from recorder import recorder

from perfcheck.service_process import ServiceProcess

_START_S = 180.0
_SAFE = {"GET", "HEAD"}
_NO_LOGIN = ("HTTP 401", "HTTP 403")
_NO_VALUE = ("no id to be had", "no value known")


@dataclass(frozen=True)
class Tried:
    """``prepare`` and ``start`` run in the shell, in a folder of the service, with its environment first on PATH.

    ``posts`` are sent to the running service, so that its lists are not empty.
    """

    name: str
    packages: tuple[str, ...]
    start: str
    prepare: str = ""
    ready: str = "/"
    posts: tuple[tuple[str, dict[str, Any]], ...] = ()
    allow: tuple[str, ...] = ()


_TABLES = (
    "create table things(id integer primary key, name text);"
    "create table parts(id integer primary key, thing_id references things(id), name text);"
    "insert into things(name) values (''bolt''), (''nut'');"
    "insert into parts(thing_id, name) values (1, ''head''), (1, ''thread'')"
).replace("''", "'")
_PYGEOAPI = """
server:
  bind: {host: 127.0.0.1, port: 5000}
  url: http://127.0.0.1:5000
  mimetype: application/json; charset=UTF-8
  encoding: utf-8
  languages: [en-US]
  limits: {default_items: 20, max_items: 50}
  map: {url: "https://tile.invalid/{z}/{x}/{y}.png", attribution: none}
logging: {level: ERROR}
metadata:
  identification: {title: t, description: d, keywords: [a], keywords_type: theme, terms_of_service: none, url: "http://example.org"}
  license: {name: none, url: "http://example.org"}
  provider: {name: n, url: "http://example.org"}
  contact: {name: n}
resources:
  obs:
    type: collection
    title: Observations
    description: Observations
    keywords: [a]
    links: []
    extents: {spatial: {bbox: [-180, -90, 180, 90], crs: "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}}
    providers:
      - {type: feature, name: CSV, data: obs.csv, id_field: id, geometry: {x_field: long, y_field: lat}}
"""

SERVICES = (
    Tried(
        "Datasette",
        ("datasette==0.65.5",),
        "datasette serve shop.db -p {port}",
        prepare=f'python -c "import sqlite3; sqlite3.connect(\'shop.db\').executescript(\\"{_TABLES}\\")"',
    ),
    Tried("httpbin", ("httpbin[mainapp]==0.10.4", "gunicorn"), "gunicorn -b 127.0.0.1:{port} -w 2 httpbin:app"),
    Tried("pypiserver", ("pypiserver",), "pypi-server run -p {port} packages", prepare="mkdir -p packages"),
    Tried(
        "ARA (Django REST framework)",
        ("ara[server]==1.8.0",),
        "ara-manage runserver --noreload {port}",
        prepare="ara-manage migrate",
        posts=(
            (
                "/api/v1/playbooks",
                {
                    "name": "site",
                    "started": "2026-01-01T00:00:00Z",
                    "status": "completed",
                    "ansible_version": "2.15",
                    "path": "site.yml",
                },
            ),
        ),
    ),
    Tried(
        "Jupyter Server",
        ("jupyter-server==2.21.1", "ipykernel"),
        "jupyter-server --allow-root --port {port} --IdentityProvider.token= --no-browser",
        prepare="echo hello > notes.txt",
        posts=(
            ("/api/kernels", {}),
            ("/api/sessions", {"path": "a.ipynb", "type": "notebook", "name": "a", "kernel": {}}),
        ),
    ),
    Tried(
        "Prefect (FastAPI, SQLite)",
        ("prefect==3.9.1",),
        "prefect server start --port {port}",
        ready="/api/health",
        posts=(
            ("/api/flows/", {"name": "nightly"}),
            ("/api/variables/", {"name": "colour", "value": "blue"}),
            ("/api/work_pools/", {"name": "pool", "type": "process"}),
        ),
        allow=("POST */filter", "POST */count"),
    ),
    Tried(
        "pygeoapi (Flask)",
        ("pygeoapi", "gunicorn"),
        "PYGEOAPI_CONFIG=config.yml PYGEOAPI_OPENAPI=openapi.yml gunicorn -b 127.0.0.1:{port} pygeoapi.flask_app:APP",
        prepare=(
            f"cat > config.yml <<'END'\n{_PYGEOAPI}\nEND\n"
            "printf 'id,stn,datetime,value,lat,long\\n371,35,2001-10-30T14:24:55Z,89.9,45,-75\\n' > obs.csv\n"
            "PYGEOAPI_CONFIG=config.yml pygeoapi openapi generate config.yml --output-file openapi.yml"
        ),
    ),
)


@dataclass(frozen=True)
class Found:
    """Of one service. An operation is (method, template, reason), without a reason where it became an endpoint."""

    name: str
    operations: list[tuple[str, str, str | None]]
    unsafe: int  # requests that perfcheck sent with another method than GET, HEAD or one that was allowed
    requests: int
    init_s: float
    exit_codes: tuple[int, int]  # of init and run

    @property
    def reads(self) -> list[tuple[str, str, str | None]]:
        return [each for each in self.operations if each[0] in _SAFE]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only these services")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "perfcheck-discovery"))
    arguments = parser.parse_args()
    wanted = [each for each in SERVICES if not arguments.names or each.name.split()[0] in arguments.names]
    criteria: list[Criterion] = []
    rows = []
    for service in wanted:
        lists = httpx.Client(timeout=30)
        found, url_lists = _tried(service, arguments.folder / service.name.split()[0].lower(), lists)
        criteria += show(service.name, _report(found, url_lists))
        rows.append(_row(found))
    print("\n".join(["", *table(["service", "operations", "reads", "green", "requests", "init", "exit codes"], rows)]))
    return conclude(criteria)


def _tried(service: Tried, folder: Path, lists: httpx.Client) -> tuple[Found, dict[str, bool]]:
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    bin_folder = folder / "env" / "bin"
    if not bin_folder.exists():
        venv.create(folder / "env", with_pip=True)
        subprocess.run([bin_folder / "pip", "install", "--quiet", *service.packages], check=True, capture_output=True)
    work = folder / "work"
    if not work.exists():
        work.mkdir()
        if service.prepare:
            subprocess.run(
                ["sh", "-ec", service.prepare],
                cwd=work,
                env=_environment(bin_folder, home),
                check=True,
                capture_output=True,
            )
    with ServiceProcess() as process:
        process.start(service.start, cwd=work, env=_environment(bin_folder, home))
        _await(process, service.ready)
        url = f"http://127.0.0.1:{process.port}"
        for path, body in service.posts:
            httpx.post(url + path, json=body, timeout=60).read()
        with recorder(process.port) as relay, tempfile.TemporaryDirectory() as empty:
            allowed = [word for pattern in service.allow for word in ("--allow", pattern)]
            started_s = time.perf_counter()
            init = _perfcheck(empty, "init", relay.url, *allowed)
            init_s = time.perf_counter() - started_s
            run = _perfcheck(empty, "run")
            report = _perfcheck(empty, "coverage", *allowed, "--report", "json=coverage.json")
            if report.returncode not in {0, 1}:
                raise SystemExit(f"{service.name}: {report.stderr}{init.stderr}")
            content = json.loads(Path(empty, "coverage.json").read_text())
            operations = list(_operations(content))
            green = {template.rstrip("/") for _, template, reason in operations if reason is None}
            non_empty = {
                prefix: prefix.rstrip("/") in green and _is_list(lists, url + prefix)
                for _, template, reason in operations
                if "{" in template and reason and reason.startswith(_NO_VALUE)
                for prefix in [template.partition("{")[0]]
            }
            unsafe = [line for line in relay.requests if line[0] not in _SAFE and not _is_named(line, service.allow)]
        return (
            Found(
                service.name, operations, len(unsafe), len(relay.requests), init_s, (init.returncode, run.returncode)
            ),
            non_empty,
        )


def _is_named(line: tuple[str, str], allowed: Sequence[str]) -> bool:
    return any(fnmatchcase(f"{line[0]} {line[1]}", pattern) for pattern in allowed)


def _environment(bin_folder: Path, home: Path) -> dict[str, str]:
    return {"PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "ARA_BASE_DIR": str(home)}


def _perfcheck(folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PERFCHECK, *arguments], cwd=folder, capture_output=True, text=True, timeout=900, check=False)


def _await(process: ServiceProcess, path: str) -> None:
    end_s = time.monotonic() + _START_S
    while time.monotonic() < end_s:
        if ended := process.ended():
            raise SystemExit(f"{ended.message}\n" + "\n".join(ended.output))
        try:
            if httpx.get(f"http://127.0.0.1:{process.port}{path}", timeout=5).status_code < 500:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"not ready after {_START_S:.0f} s:\n" + "\n".join(process.output()))


def _operations(content: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    for each in content["covered"]:
        yield each["method"], each["template"], None
    for each in (*content["uncovered"], *content["not_counted"]):
        yield each["method"], each["template"], each["reason"] or "green, but not in the baseline"


def _is_list(client: httpx.Client, url: str) -> bool:
    """Whether there is a list with something in it."""
    try:
        body = client.get(url, headers={"Accept": "application/json"}, follow_redirects=True).json()
    except (httpx.HTTPError, ValueError):
        return False
    if not isinstance(body, dict):
        return bool(body)
    return any(isinstance(each, list) and each for name, each in body.items() if name != "links")


# --- What came of it -------------------------------------------------------------------------------------------------


def _report(found: Found, non_empty: dict[str, bool]) -> Iterator[str | Criterion]:
    plain = [each for each in found.reads if "{" not in each[1] and not _is_excused(each[2])]
    missed = [each for each in plain if each[2] is not None]
    with_id = [
        each
        for each in found.reads
        if "{" in each[1]
        and not (each[2] or "").startswith(_NO_LOGIN)
        and (not (each[2] or "").startswith(_NO_VALUE) or non_empty.get(each[1].partition("{")[0]))
    ]
    for method, template, reason in missed:
        yield f"- not green: {method} {template}: {reason}"
    reasons = Counter(reason.partition(" with ")[0] for _, _, reason in found.operations if reason)
    yield from table(["reason", "operations"], [[reason, str(count)] for reason, count in reasons.most_common()])
    share = 100 * (len(plain) - len(missed)) / len(plain) if plain else 100.0
    yield Criterion("reads without parameters and login that are green", share, 100, at_least=True)
    if with_id:
        green = sum(each[2] is None for each in with_id)
        yield Criterion("reads with an id, of a list that is not empty", 100 * green / len(with_id), 80, at_least=True)
    yield Criterion("requests that may change something", float(found.unsafe), 0, "")
    yield Criterion("exit codes of init and run", float(sum(found.exit_codes)), 0, "")


def _is_excused(reason: str | None) -> bool:
    """A login is needed, a parameter of the query, or a decision of the user."""
    return bool(reason) and ((reason or "").startswith((*_NO_LOGIN, *_NO_VALUE)) or "action" in (reason or ""))


def _row(found: Found) -> Sequence[str]:
    green = sum(reason is None for _, _, reason in found.operations)
    return (
        found.name,
        str(len(found.operations)),
        str(len(found.reads)),
        str(green),
        str(found.requests),
        f"{found.init_s:.0f} s",
        " and ".join(map(str, found.exit_codes)),
    )


if __name__ == "__main__":
    sys.exit(main())
