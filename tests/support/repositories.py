"""git repositories that tests make, without the settings of whoever runs them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from itertools import count
from pathlib import Path

# A service to be started in a repository: each response takes PAUSE_S.
PAUSING_APP = """
import os, time
from http.server import BaseHTTPRequestHandler, HTTPServer
PAUSE_S = 0
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(PAUSE_S)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
_NUMBERS = count()  # two commits of one second and one content would be the same commit


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    env |= {f"GIT_{who}_{what}": "tester" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def repository(folder: Path, files: Mapping[str, str] = {}) -> Path:
    """A new one in ``folder``, with a commit of these files on ``main``."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q", "-b", "main", ".")
    commit(folder, files)
    return folder


def commit(folder: Path, files: Mapping[str, str] = {}) -> str:
    """A commit in which these files have this content."""
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    git(folder, "add", "--all", ".")
    git(folder, "commit", "-q", "--allow-empty", "-m", f"commit {next(_NUMBERS)}")
    return git(folder, "rev-parse", "HEAD")
