"""How long perfcheck takes before it does anything: ``python benchmarks/startup.py [--repeats 15]``.

Each command is run in turn, round after round, so that all see the same machine; the best time of each is compared.
Ratios are to ``python -c pass``, the limit for a program in Python.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PERFCHECK = str(Path(sys.executable).with_name("perfcheck"))
ROOT = Path(__file__).parent.parent
K6_SCRIPT = """
import http from 'k6/http';
export const options = { vus: 1, iterations: 6 };
export default function () { http.get(__ENV.URL); }
"""


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    def log_message(self, *_: object) -> None:
        pass


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - started


def commands(url: str, folder: Path) -> dict[str, list[str]]:
    one = folder / "baselines.yaml"
    one.write_text(f"version: 1\nservice: {{base_url: '{url}'}}\nendpoints:\n  a: {{path: /, target: 1s}}\n")
    found = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "perfcheck --version": [PERFCHECK, "--version"],
        "perfcheck validate (11 endpoints)": [PERFCHECK, "validate", str(ROOT / "baselines.yaml")],
        "perfcheck run (1 endpoint, 6 requests)": [PERFCHECK, "run", "-f", str(one)],
    }
    k6 = shutil.which("k6", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")
    if k6:
        script = folder / "one.js"
        script.write_text(K6_SCRIPT)
        found["k6 run (1 endpoint, 6 requests)"] = [k6, "run", "--quiet", "-e", f"URL={url}", str(script)]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    repeats = parser.parse_args().repeats
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        todo = commands(f"http://127.0.0.1:{server.server_address[1]}/", Path(folder))
        best = dict.fromkeys(todo, float("inf"))
        for _ in range(repeats):
            for name, command in todo.items():
                best[name] = min(best[name], seconds(command))
    server.shutdown()
    server.server_close()
    limit = best["python -c pass"]
    print("| command | best | ratio to `python -c pass` |\n|---|---:|---:|")
    for name, took in best.items():
        print(f"| `{name}` | {took * 1000:.0f} ms | {took / limit:.1f} |")
    ratio = best["perfcheck --version"] / best["python -c 'import click'"]
    verdict = "pass" if ratio <= 2 else "FAIL"
    print(f"\n`perfcheck --version` takes {ratio:.2f}x `import click` (at most 2x): {verdict}")
    return 0 if ratio <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
