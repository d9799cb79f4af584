"""GraphQL: the checks and statuses of a commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.github.deeds_pulls import contexts
from tests.support.github.graph_fields import CommitIn, View, connection, fields
from tests.support.github.graph_repositories import commit_of
from tests.support.github.shapes import node_id
from tests.support.github.shapes_issues import optional_stamp
from tests.support.github.state import Check, Issue, Repository, Status, stamp


@dataclass(frozen=True, slots=True)
class Rollup:
    """All that was said of a commit, the latest of each."""

    commit: CommitIn

    def parts(self) -> list[Check | Status]:
        repository, oid = self.commit.repository, self.commit.oid
        statuses = {one.context: one for one in repository.statuses if one.sha == oid}
        checks = {(one.app, one.name): one for one in repository.checks if one.sha == oid}
        return [*checks.values(), *statuses.values()]

    def state(self) -> str:
        states = set(contexts(self.commit.repository, self.commit.oid).values())
        return "FAILURE" if "failure" in states else "PENDING" if "pending" in states else "SUCCESS"


def _of(commit: CommitIn | None) -> Rollup | None:
    return Rollup(commit) if commit is not None and Rollup(commit).parts() else None


def _of_pull(issue: Issue, view: View) -> Rollup | None:
    assert issue.pull is not None
    return _of(commit_of(issue.repository, issue.pull.head_sha))


fields("Commit", statusCheckRollup=lambda one, view: _of(one), status=lambda one, view: _status(one))
fields("PullRequest", statusCheckRollup=_of_pull)
fields(
    "StatusCheckRollup",
    id=lambda one, view: f"SCR_{one.commit.oid}",
    commit=lambda one, view: one.commit,
    state=lambda one, view: one.state(),
    contexts=lambda one, view, **page: _contexts(one.parts(), page),
)


def _status(commit: CommitIn) -> dict[str, Any] | None:
    found = [one for one in Rollup(commit).parts() if isinstance(one, Status)]
    if not found:
        return None
    worst = next(
        (s for s in ("ERROR", "FAILURE", "PENDING") if s in {one.state.upper() for one in found}), "SUCCESS"
    )
    return {"id": f"S_{commit.oid}", "commit": commit, "contexts": found, "state": worst}


def _contexts(parts: Sequence[Check | Status], page: dict[str, Any]) -> dict[str, Any]:
    checks = [one for one in parts if isinstance(one, Check)]
    statuses = [one for one in parts if isinstance(one, Status)]
    by_check = Counter((one.conclusion or one.status).upper() for one in checks)
    by_status = Counter(one.state.upper() for one in statuses)
    return connection(
        "contexts", parts, **page, checkRunCount=len(checks), statusContextCount=len(statuses),
        checkRunCountsByState=[{"state": state, "count": count} for state, count in by_check.items()],
        statusContextCountsByState=[{"state": state, "count": count} for state, count in by_status.items()],
    )  # fmt: skip


def _repository(view: View, one: Check | Status) -> Repository:
    for repository in view.github.world.repositories.values():
        if one in repository.checks or one in repository.statuses:
            return repository
    raise AssertionError("a check of no repository")


def _required(view: View, one: Check | Status, name: str) -> bool:
    return name in _repository(view, one).required_checks


def _page(one: Check, view: View) -> str:
    page = view.at.page(_repository(view, one))
    return f"{page}/actions/runs/{one.run}/job/{one.id}" if one.job is not None else f"{page}/runs/{one.id}"


fields(
    "CheckRun",
    id=lambda one, view: node_id("CR", one.id),
    databaseId=lambda one, view: one.id,
    name=lambda one, view: one.name,
    status=lambda one, view: one.status.upper(),
    conclusion=lambda one, view: one.conclusion.upper() if one.conclusion else None,
    startedAt=lambda one, view: stamp(one.started),
    completedAt=lambda one, view: optional_stamp(one.completed),
    detailsUrl=lambda one, view: one.details or _page(one, view),
    permalink=_page,
    url=_page,
    externalId=lambda one, view: one.external,
    title=lambda one, view: one.title,
    summary=lambda one, view: one.summary,
    text=lambda one, view: one.text,
    isRequired=lambda one, view, **of: _required(view, one, one.name),
    repository=lambda one, view: _repository(view, one),
    checkSuite=lambda one, view: _suite(one, view),
)


def _suite(check: Check, view: View) -> dict[str, Any]:
    repository = _repository(view, check)
    page = f"{view.at.page(repository)}/actions/runs/{check.run}"
    app = {"id": f"A_{check.app}", "databaseId": 15368, "name": check.app, "slug": check.app}
    workflow = {"id": "W_1", "databaseId": 1, "name": "CI", "url": page}
    run = {
        "id": f"WFR_{check.run}", "databaseId": check.run, "event": "pull_request", "runNumber": 1, "url": page,
        "workflow": workflow, "createdAt": stamp(check.started), "updatedAt": stamp(check.started),
    }  # fmt: skip
    return {
        "id": f"CS_{check.run}", "databaseId": check.run, "app": app, "commit": commit_of(repository, check.sha),
        "workflowRun": run if check.job is not None else None, "status": check.status.upper(),
        "conclusion": check.conclusion.upper() if check.conclusion else None, "repository": repository,
    }  # fmt: skip


fields(
    "StatusContext",
    id=lambda one, view: node_id("SC", one.id),
    context=lambda one, view: one.context,
    state=lambda one, view: one.state.upper(),
    description=lambda one, view: one.description,
    targetUrl=lambda one, view: one.target,
    createdAt=lambda one, view: stamp(one.created),
    creator=lambda one, view: one.author,
    isRequired=lambda one, view, **of: _required(view, one, one.context),
    commit=lambda one, view: commit_of(_repository(view, one), one.sha),
)
