"""What a CI system reports about its build in environment variables, as the documentation of each describes them.

Of a pull request these are the head commit and the source branch, not the merge commit that many systems check out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from perfcheck.text import clean

Variables = Mapping[str, str]
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")  # Buildkite may have HEAD instead
_UNKNOWN_OWNER = "fork"


@dataclass(frozen=True, slots=True)
class CiCommit:
    """A commit that the build may have checked out, and the commit and branch that a run of it is of."""

    checked_out: str | None
    commit: str | None
    branch: str | None


@dataclass(frozen=True, slots=True)
class CiBuild:
    """``commits``: that which the system itself checks out comes first; none for a system that reports no commit."""

    commits: tuple[CiCommit, ...] = ()
    default_branch: str | None = None  # of the repository
    system: str = ""

    def commit_and_branch(
        self, commit: str | None, branch: str | None, parents: Callable[[], Collection[str]]
    ) -> tuple[str | None, str | None]:
        """Of a run, by what git has checked out: a ``commit``, None where it does not know, on a ``branch`` if on any.

        A commit that the system does not know is not of its build, but perhaps of another repository. Merge commits
        that were made in the build are recognised by their ``parents``.
        """
        if not self.commits:
            return commit, branch
        built = self.commits[0]
        if commit is None:
            return built.commit, built.branch
        if built.checked_out is None:
            return commit, branch or built.branch
        for known in self.commits:
            if known.checked_out == commit:
                return known.commit, known.branch or branch
        merged = parents()
        for known in self.commits:
            if len(merged) > 1 and known.commit in merged and branch in {None, known.branch}:
                return known.commit, known.branch
        return commit, branch


def read_ci_build(env: Variables) -> CiBuild | None:
    """None outside CI."""
    for variable, value, system, read in _SYSTEMS:
        if env.get(variable) and value in {None, env[variable]}:
            return replace(read(env), system=system)
    return None


def _build(sha: str | None, branch: str | None, *, head: str | None = None, default: str | None = None) -> CiBuild:
    """``head`` is the head commit of a pull request, where the system reports it next to the merge commit."""
    commits = [_commit(sha, head or sha, branch)] + ([_commit(head, head, branch)] if head and head != sha else [])
    return CiBuild(tuple(commits), default)


def _commit(checked_out: str | None, commit: str | None, branch: str | None) -> CiCommit:
    built, reported = (sha if sha and _COMMIT.fullmatch(sha) else None for sha in (checked_out, commit))
    return CiCommit(built, reported or built, (clean(branch) or None) if branch else None)


def _of_fork(branch: str | None, owner: str | None) -> str | None:
    """``octocat:main``, as GitHub shows it: the main branch of a fork is not ours, and no branch has a colon."""
    return f"{owner}:{branch}" if branch and owner else branch


def _fork_owner(source: str | None, target: str | None) -> str | None:
    """The owner of the repository with the path ``source``, if a pull request comes from there to ``target``."""
    if not source or not target or source.lower() == target.lower():
        return None
    return source.rpartition("/")[0] or source


# --- The systems ---------------------------------------------------------------------------------------------------


def _github(env: Variables) -> CiBuild:
    """Gitea and Forgejo set the same variables. GITHUB_SHA is the merge commit; only the event has the head."""
    event, sha = _github_event(env), env.get("GITHUB_SHA")
    default = _string(event, "repository", "default_branch")
    is_branch = env.get("GITHUB_REF_TYPE") != "tag" and not env.get("GITHUB_REF", "").startswith("refs/pull/")
    branch = env.get("GITHUB_REF_NAME") if is_branch else None
    head, source = (_string(event, "pull_request", "head", key) for key in ("sha", "ref"))
    source = source or env.get("GITHUB_HEAD_REF")
    if not source:
        return _build(sha, branch, default=default)
    repositories = (_string(event, "pull_request", side, "repo", "full_name") for side in ("head", "base"))
    source = _of_fork(source, _fork_owner(*repositories))
    if env.get("GITHUB_EVENT_NAME") == "pull_request_target":  # which checks out the target by default
        return CiBuild((_commit(sha, sha, branch), _commit(head, head, source)), default)
    return _build(sha, source, head=head, default=default)


def _github_event(env: Variables) -> Any:
    try:
        return json.loads(Path(env["GITHUB_EVENT_PATH"]).read_bytes())
    except (KeyError, OSError, ValueError):
        return None


def _string(document: Any, *keys: str) -> str | None:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, str) else None


def _gitlab(env: Variables) -> CiBuild:
    owner = _fork_owner(env.get("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH"), env.get("CI_MERGE_REQUEST_PROJECT_PATH"))
    source = _of_fork(env.get("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"), owner)
    return _build(
        env.get("CI_COMMIT_SHA"),
        source or env.get("CI_COMMIT_BRANCH"),
        head=env.get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"),  # empty where no merge commit is checked out
        default=env.get("CI_DEFAULT_BRANCH"),
    )


def _jenkins(env: Variables) -> CiBuild:
    """Those of a multibranch project, or of the Git plugin. CHANGE_FORK is the owner, or owner/name."""
    local = env.get("GIT_LOCAL_BRANCH") or env.get("GIT_BRANCH", "").removeprefix("origin/")
    source = _of_fork(env.get("CHANGE_BRANCH"), env.get("CHANGE_FORK", "").partition("/")[0])
    branch = source or env.get("BRANCH_NAME") or ("" if local == "detached" else local)
    default = env.get("BRANCH_NAME") if env.get("BRANCH_IS_PRIMARY") == "true" else None
    return _build(env.get("GIT_COMMIT"), None if env.get("TAG_NAME") else branch, default=default)


def _azure(env: Variables) -> CiBuild:
    """Branches have their prefix, and those of pull requests may."""
    pushed, source = (env.get(name, "") for name in ("BUILD_SOURCEBRANCH", "SYSTEM_PULLREQUEST_SOURCEBRANCH"))
    is_fork = env.get("SYSTEM_PULLREQUEST_ISFORK", "").lower() == "true"
    source = _of_fork(source.removeprefix("refs/heads/"), _UNKNOWN_OWNER if is_fork else None) or ""
    branch = pushed.removeprefix("refs/heads/") if pushed.startswith("refs/heads/") else None
    return _build(env.get("BUILD_SOURCEVERSION"), source or branch, head=env.get("SYSTEM_PULLREQUEST_SOURCECOMMITID"))


def _bitbucket(env: Variables) -> CiBuild:
    return _build(env.get("BITBUCKET_COMMIT"), env.get("BITBUCKET_BRANCH"))


def _circleci(env: Variables) -> CiBuild:
    return _build(env.get("CIRCLE_SHA1"), env.get("CIRCLE_BRANCH"))  # of a fork: pull/12


def _buildkite(env: Variables) -> CiBuild:
    branch = None if env.get("BUILDKITE_TAG") else env.get("BUILDKITE_BRANCH")
    if branch and ":" not in branch:  # octocat:main already, where the pipeline adds the fork
        urls = (env.get(name, "").removesuffix(".git") for name in ("BUILDKITE_PULL_REQUEST_REPO", "BUILDKITE_REPO"))
        branch = _of_fork(branch, _fork_owner(*("/".join(re.split("[/:]", url)[-2:]) for url in urls)))
    return _build(env.get("BUILDKITE_COMMIT"), branch, default=env.get("BUILDKITE_PIPELINE_DEFAULT_BRANCH"))


def _travis(env: Variables) -> CiBuild:
    """TRAVIS_BRANCH is the target of a pull request, or a tag."""
    owner = _fork_owner(env.get("TRAVIS_PULL_REQUEST_SLUG"), env.get("TRAVIS_REPO_SLUG"))
    source = _of_fork(env.get("TRAVIS_PULL_REQUEST_BRANCH"), owner)
    branch = source or (None if env.get("TRAVIS_TAG") else env.get("TRAVIS_BRANCH"))
    return _build(env.get("TRAVIS_COMMIT"), branch, head=env.get("TRAVIS_PULL_REQUEST_SHA"))


def _woodpecker(env: Variables) -> CiBuild:
    """CI_COMMIT_BRANCH is the target of a pull request. One from a branch to itself is one of a fork."""
    source = env.get("CI_COMMIT_SOURCE_BRANCH")
    source = _of_fork(source, _UNKNOWN_OWNER if source == env.get("CI_COMMIT_TARGET_BRANCH") else None)
    branch = source or (None if env.get("CI_COMMIT_TAG") else env.get("CI_COMMIT_BRANCH"))
    return _build(env.get("CI_COMMIT_SHA"), branch, default=env.get("CI_REPO_DEFAULT_BRANCH"))


def _other(_: Variables) -> CiBuild:
    return CiBuild()


# Each has a variable of its own, or a value of CI. Gitea sets those of GitHub as well; the general CI=true comes last.
_SYSTEMS: tuple[tuple[str, str | None, str, Callable[[Variables], CiBuild]], ...] = (
    ("GITEA_ACTIONS", None, "Gitea Actions", _github),
    ("GITHUB_ACTIONS", None, "GitHub Actions", _github),
    ("GITLAB_CI", None, "GitLab CI", _gitlab),
    ("JENKINS_URL", None, "Jenkins", _jenkins),
    ("BUILDKITE", None, "Buildkite", _buildkite),
    ("TF_BUILD", None, "Azure Pipelines", _azure),
    ("CIRCLECI", None, "CircleCI", _circleci),
    ("TEAMCITY_VERSION", None, "TeamCity", _other),
    ("BITBUCKET_BUILD_NUMBER", None, "Bitbucket Pipelines", _bitbucket),
    ("TRAVIS", None, "Travis CI", _travis),
    ("CI", "woodpecker", "Woodpecker CI", _woodpecker),
    ("CI", None, "CI", _other),
)
