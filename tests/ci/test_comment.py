"""The comment on a pull request: the steps of the templates are run with a ``gh`` that records its calls.

What GitHub would answer cannot be had here, so the answers are a small state that the script in its place keeps.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from simulation.runs import example_results, run
from support.steps import ROOT, Done, load, path_with, run_step, step_named

from perfcheck.report import markdown

WORKFLOW = load(ROOT / "docs" / "ci" / "github.yml")
FORKS = load(ROOT / "docs" / "ci" / "github-comment-from-forks.yml")
COMMENT = step_named(WORKFLOW, "Comment")
FIND = step_named(FORKS, "Find the pull request")

GH = '''#!%s
"""Keeps comments in state.json next to it, and every call in calls.jsonl."""
import json, pathlib, sys

here = pathlib.Path(__file__).parent
state = json.loads((here / "state.json").read_text())
arguments = sys.argv[1:]
assert arguments.pop(0) == "api"
call = {"method": "GET", "fields": {}, "paginate": False, "jq": None}
words = iter(arguments)
for word in words:
    if word in ("-F", "-f"):
        name, _, value = next(words).partition("=")
        is_file = word == "-F" and value.startswith("@")
        call["fields"][name] = pathlib.Path(value[1:]).read_text() if is_file else value
    elif word in ("--method", "--jq"):
        call[word[2:]] = next(words)
    elif word == "--paginate":
        call["paginate"] = True
    else:
        call["path"] = word
with (here / "calls.jsonl").open("a") as file:
    file.write(json.dumps(call) + "\\n")

error = state["errors"].get(call["method"])
if error:
    sys.exit(error)
if call["method"] != "GET":
    print("https://github.example/comment")
elif "/comments" in call["path"]:
    for comment in state["comments"]:
        if comment["user"] == "Bot":
            print(comment["id"], comment["body"].split("\\n")[0])
else:
    for pull in state["pulls"]:
        print(pull["number"], pull["sha"])
'''
REPORT = markdown.render(run(example_results()))
MARKER = REPORT.splitlines()[0]
FORBIDDEN = "gh: Resource not accessible by integration (HTTP 403)"


def comment(number: int, body: str, *, user: str = "Bot") -> dict[str, Any]:
    return {"id": number, "user": user, "body": body}


def write_gh(folder: Path, **state: object) -> Path:
    place = folder / "bin"
    place.mkdir()
    (place / "gh").write_text(GH % sys.executable)
    (place / "gh").chmod(0o755)
    (place / "state.json").write_text(json.dumps({"comments": [], "pulls": [], "errors": {}, **state}))
    return place


def post(folder: Path, *, report: str | None = REPORT, **state: object) -> tuple[Done, list[dict[str, Any]]]:
    """Run the step; the calls that were made."""
    place = write_gh(folder, **state)
    reports = folder / "work" / "perfcheck-reports"
    reports.mkdir(parents=True)
    if report is not None:
        (reports / "report.md").write_text(report, encoding="utf-8")
    values = {"github.token": "t0ken", "github.event.pull_request.number": "17"}
    return run_step(COMMENT, folder, values=values, env={"PATH": path_with(place)}), calls(place)


def calls(place: Path) -> list[dict[str, Any]]:
    file = place / "calls.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_the_first_time_it_writes_a_comment(tmp_path: Path) -> None:
    others = [comment(1, "LGTM", user="User"), comment(2, "<!-- another tool -->\ntext"), comment(3, "")]
    done, (request, written) = post(tmp_path, comments=others)
    assert done.code == 0, done.log
    assert (request["method"], request["paginate"]) == ("GET", True)
    assert request["path"].startswith("repos/octo/service/issues/17/comments")
    assert (written["method"], written["path"]) == ("POST", "repos/octo/service/issues/17/comments")
    assert written["fields"] == {"body": REPORT}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_after_that_it_brings_its_own_up_to_date(tmp_path: Path, end: str) -> None:
    others = [comment(1, "first"), comment(41, f"{MARKER}{end}### an older report"), comment(50, "last")]
    done, (_, written) = post(tmp_path, comments=others)
    assert done.code == 0, done.log
    assert (written["method"], written["path"]) == ("PATCH", "repos/octo/service/issues/comments/41")
    assert written["fields"] == {"body": REPORT}


def test_a_comment_of_another_baseline_or_of_a_person_is_left_alone(tmp_path: Path) -> None:
    others = [comment(1, MARKER.replace("baselines", "other") + "\n"), comment(2, f"{MARKER}\n", user="User")]
    _, (_, written) = post(tmp_path, comments=others)
    assert written["method"] == "POST"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_read_only_token_is_a_notice_and_fails_nothing(tmp_path: Path, method: str) -> None:
    done, _ = post(tmp_path, errors={method: FORBIDDEN})
    assert done.code == 0
    assert "::notice title=perfcheck::No comment: this token is read-only." in done.log


def test_any_other_trouble_fails_the_step(tmp_path: Path) -> None:
    done, _ = post(tmp_path, errors={"POST": "gh: Server Error (HTTP 502)"})
    assert done.code == 1
    assert "HTTP 502" in done.log
    assert "::notice" not in done.log


@pytest.mark.parametrize("report", [None, ""])
def test_without_a_report_no_request_is_sent(tmp_path: Path, report: str | None) -> None:
    done, made = post(tmp_path, report=report)
    assert (done.code, made) == (0, [])
    assert "::notice title=perfcheck::No comment: nothing was measured" in done.log


@pytest.mark.parametrize("report", ["# Buy now\n", "<!-- perfcheck:x --> Buy\n", "\n" + REPORT])
def test_what_is_not_a_report_is_not_posted(tmp_path: Path, report: str) -> None:
    done, made = post(tmp_path, report=report)
    assert (done.code, made) == (1, [])


def test_text_of_the_report_and_the_comments_is_never_executed(tmp_path: Path) -> None:
    evil = "$(touch pwned) `touch pwned`; touch pwned"
    done, (_, written) = post(tmp_path, report=f"{MARKER}\n{evil}\n", comments=[comment(7, evil), comment(8, "-n x")])
    assert done.code == 0, done.log
    assert written["fields"]["body"].endswith(f"{evil}\n")
    assert not list(tmp_path.rglob("pwned"))


def test_both_templates_comment_in_the_same_way() -> None:
    assert step_named(FORKS, "Comment")["run"] == COMMENT["run"]


# --- Which pull request a finished run belongs to --------------------------------------------------------------------

SHA = "0123456789abcdef0123456789abcdef01234567"


def find(folder: Path, *, branch: str = "feature", **state: object) -> tuple[Done, list[dict[str, Any]]]:
    place = write_gh(folder, **state)
    event = "github.event.workflow_run"
    values = {
        f"{event}.head_repository.owner.login": "someone",
        f"{event}.head_branch": branch,
        f"{event}.head_sha": SHA,
    }
    return run_step(FIND, folder, values=values, env={"PATH": path_with(place)}), calls(place)


def test_the_pull_request_is_found_by_its_commit(tmp_path: Path) -> None:
    pulls = [{"number": 3, "sha": "f" * 40}, {"number": 17, "sha": SHA}]
    done, (request,) = find(tmp_path, pulls=pulls)
    assert (done.code, done.outputs) == (0, {"number": "17"})
    assert (request["method"], request["path"]) == ("GET", "repos/octo/service/pulls")
    assert request["fields"] == {"state": "open", "head": "someone:feature"}


def test_one_that_has_moved_on_gets_no_comment(tmp_path: Path) -> None:
    done, _ = find(tmp_path, pulls=[{"number": 17, "sha": "f" * 40}])
    assert (done.code, done.outputs) == (0, {"number": ""})
    assert "::notice" in done.log


def test_the_name_of_a_branch_is_never_run(tmp_path: Path) -> None:
    branch = '$(touch${IFS}pwned)";touch pwned;"'
    done, (request,) = find(tmp_path, branch=branch)
    assert done.code == 0, done.log
    assert request["fields"]["head"] == f"someone:{branch}"
    assert not list(tmp_path.rglob("pwned"))
