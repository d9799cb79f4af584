"""Asking the forge for the issues of a batch: all of them at once, then what they name, then their pull requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchestrator.intake.issue_text import IssueText, read
from orchestrator.intake.issues import Found, Taken, branch, mentioned, take, task_id
from orchestrator.intake.references import Reference, whole
from orchestrator.intake.standing import Terms
from orchestrator.intake.trust import distrust
from orchestrator.publishing import marker
from shared.forge.port import Forge, PullRequest, Sought
from shared.forge.tracker import IssueQuery, IssueRef, NoIssue, Tracker
from shared.model import TaskId


def ask(
    tracker: Tracker,
    forge: Forge,
    host: str,
    references: Sequence[Reference],
    query: IssueQuery,
    terms: Terms,
) -> tuple[Taken, Mapping[TaskId, PullRequest]]:
    """The tasks, and the pull requests that there are of issues asked for. Three questions, where one each is enough.

    Raises UserError for addresses on another host and for issues that cannot be had; SpinneyError as the ports do.
    """
    for reference in references:
        reference.refuse_elsewhere(host)
    repository = tracker.repository
    named = dict.fromkeys(whole(reference.ref, repository) for reference in references)
    issues = [
        found if isinstance(found, NoIssue) else read(found, host, terms.trusted_until)
        for found in tracker.issues([_asked_as(ref, repository) for ref in named], query or None)
    ]
    others = [_asked_as(ref, repository) for ref in mentioned(issues, repository)]
    states = tracker.states(others) if others else {}
    pulls = _pulls(forge, [i.snapshot.ref for i in issues if isinstance(i, IssueText)], repository)
    distrusted = _distrusted(tracker, issues, terms)
    taken = take(Found(repository, issues, frozenset(named), states, pulls, distrusted), terms)
    if query and len(issues) - len(named) >= query.limit:
        more = (
            f"{query.limit} issues were found and there may be more of them; --limit says how many are taken"
        )
        taken = replace(taken, notes=(*taken.notes, more))
    return taken, pulls


def _distrusted(tracker: Tracker, issues: Sequence[IssueText | NoIssue], terms: Terms) -> dict[IssueRef, str]:
    """Of those that are open, because who put a label on is asked person by person."""
    if not terms.trusted_label:
        return {}
    found = {
        whole(issue.snapshot.ref, tracker.repository): distrust(
            issue.snapshot, terms.trusted_label, tracker.vouches
        )
        for issue in issues
        if isinstance(issue, IssueText) and issue.snapshot.state == "open"
    }
    return {ref: why for ref, why in found.items() if why}


def _pulls(forge: Forge, refs: Sequence[IssueRef], repository: str) -> dict[TaskId, PullRequest]:
    tasks = {task_id(ref, repository): branch(ref, repository) for ref in refs}
    if not tasks:
        return {}
    found = forge.find([Sought(head, marker(task)) for task, head in tasks.items()])
    return {task: found[marker(task)] for task in tasks if marker(task) in found}


def _asked_as(ref: IssueRef, repository: str) -> IssueRef:
    return IssueRef(ref.number) if ref.repository == repository.lower() else ref
