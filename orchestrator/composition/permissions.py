"""What our token may do on GitHub, found out without changing anything there.

Nobody tells what a fine-grained token or a job's own may do, so each right is asked for by something that cannot be
done: a branch at a commit that is not there, a comment on an issue that is not there. Without the right GitHub refuses
it as forbidden, with the right as impossible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.composition.forges import GitHub, open_forge
from orchestrator.runs import Place
from orchestrator.waits import SILENT, Waits
from shared.errors import SpinneyError
from shared.model import Settings

_NOBODY = "0" * 40  # a commit that is nowhere
_NO_NUMBER = 2_147_483_647  # of an issue, a job
_PROBE = "spinney/doctor-asks-only"

_WHO = """
query($owner: String!, $name: String!) {
  viewer { login }
  repository(owner: $owner, name: $name) { viewerPermission isPrivate }
}"""


@dataclass(frozen=True, slots=True)
class Right:
    """One permission. ``has`` None: it could not be found out."""

    name: str  # as GitHub's settings call it
    what_for: str
    has: bool | None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Examined:
    repository: str
    host: str
    login: str
    role: str  # what the account may in the repository, in GitHub's words; empty where that is not told
    rights: tuple[Right, ...]
    limits: Mapping[str, tuple[int, int]]  # requests left, and of how many, by kind
    default_branch: str
    protected: bool
    private: bool
    notes: tuple[str, ...]


def examine(place: Place, settings: Settings, keys: Mapping[str, str], waits: Waits = SILENT) -> Examined:
    """Raises SpinneyError where GitHub cannot be reached or knows no such repository or token."""
    opened = open_forge(place, replace(settings, forge="github"), keys, waits=waits)
    try:
        github = opened.github
        assert github is not None
        owner, _, name = github.repository.partition("/")
        told = github.api.graphql(_WHO, {"owner": owner, "name": name})
        there = told.get("repository") or {}
        return Examined(
            repository=github.repository,
            host=github.host,
            login=str((told.get("viewer") or {}).get("login", "")),
            role=str(there.get("viewerPermission") or "").lower(),
            rights=tuple(_rights(github)),
            limits=_limits(github),
            default_branch=github.default_branch,
            protected=_protected(github),
            private=bool(there.get("isPrivate")),
            notes=opened.notes,
        )
    finally:
        opened.close()


def _rights(github: GitHub) -> Iterator[Right]:
    from shared.forge.github.addresses import quoted

    repo, branch = f"/repos/{github.repository}", github.default_branch
    comment = f"{repo}/issues/{_NO_NUMBER}/comments"
    yield _asked(github, "Contents", "write", "to push branches", "POST", f"{repo}/git/refs",
                 {"ref": f"refs/heads/{_PROBE}", "sha": _NOBODY})  # fmt: skip
    yield _asked(github, "Issues", "write", "to read issues, and for one comment on each", "POST", comment,
                 {"body": _PROBE}, absent=True)  # fmt: skip
    yield _asked(github, "Pull requests", "write", "to open pull requests", "POST", f"{repo}/pulls",
                 {"title": _PROBE, "head": _PROBE, "base": branch})  # fmt: skip
    yield _asked(github, "Commit statuses", "write", "to show phases at commits", "POST",
                 f"{repo}/statuses/{_NOBODY}", {"state": "pending", "context": "spinney"})  # fmt: skip
    yield _asked(
        github, "Checks", "read", "to follow checks", "GET", f"{repo}/commits/{quoted(branch)}/check-runs"
    )
    yield _asked(github, "Actions", "read", "to read the logs of failed checks", "GET",
                 f"{repo}/actions/jobs/{_NO_NUMBER}", absent=True)  # fmt: skip


def _asked(
    github: GitHub, name: str, kind: str, what_for: str, method: str, path: str,
    body: Mapping[str, Any] | None = None, *, absent: bool = False,
) -> Right:  # fmt: skip
    """``absent``: 404 says that the thing is not there; elsewhere that the repository is not to be written to."""
    from shared.forge.github.errors import Refused

    right = f"{name}: {kind}"
    try:
        if method == "GET":
            github.api.get(path)
        else:
            github.api.send(method, path, body)
    except Refused as error:
        if error.status in (401, 403) or (error.status == 404 and not absent):
            return Right(right, what_for, False, error.message)
        impossible = error.status in (404, 409, 410, 422)
        return Right(right, what_for, True if impossible else None, "" if impossible else error.message)
    except SpinneyError as error:
        return Right(right, what_for, None, error.message)
    return Right(right, what_for, True)


def _limits(github: GitHub) -> dict[str, tuple[int, int]]:
    """This question counts for nothing."""
    told = github.api.get("/rate_limit").get("resources", {})
    kinds = ("core", "graphql", "search")
    return {kind: (int(told[kind]["remaining"]), int(told[kind]["limit"])) for kind in kinds if kind in told}


def _protected(github: GitHub) -> bool:
    from shared.forge.github.addresses import quoted

    try:
        found = github.api.get(f"/repos/{github.repository}/branches/{quoted(github.default_branch)}")
    except SpinneyError:
        return False
    return bool(found.get("protected"))
