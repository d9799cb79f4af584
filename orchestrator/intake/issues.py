"""From issues as they were read to tasks: order, and what is left out with the reason. Pure.

An issue's text describes work. It never becomes a command or a setting: there is no front matter in it, and no
``run:``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.intake.issue_text import IssueText
from orchestrator.intake.needs import leave_out, waits
from orchestrator.intake.references import shown, whole
from orchestrator.intake.standing import Out, Terms, why_left_out
from shared.errors import UserError
from shared.forge.port import PullRequest
from shared.forge.tracker import IssueRef, IssueSnapshot, NoIssue, Relation
from shared.model import Issue, LeftOut, TaskId
from shared.text import first_sentence, slug


@dataclass(frozen=True, slots=True)
class Found:
    """What there is to know of the issues that were asked for."""

    repository: str  # the run's own
    issues: Sequence[IssueText | NoIssue]
    named: frozenset[IssueRef] = frozenset()  # whole; those that were asked for one by one
    states: Mapping[IssueRef, Relation] = field(default_factory=dict)  # of others that texts name
    pulls: Mapping[TaskId, PullRequest] = field(default_factory=dict)  # of the tasks, from earlier runs
    distrusted: Mapping[IssueRef, str] = field(default_factory=dict)  # whole, and why; see ``trust``


@dataclass(frozen=True, slots=True)
class FromIssue:
    """A task to be."""

    id: TaskId
    title: str
    body: str
    needs: tuple[TaskId, ...]
    labels: tuple[str, ...]
    issue: Issue


@dataclass(frozen=True, slots=True)
class Taken:
    """In the order in which the issues were asked for."""

    tasks: tuple[FromIssue, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()


def task_id(ref: IssueRef, repository: str) -> TaskId:
    """``issue-12`` in the run's own repository, with the names of owner and repository for another."""
    at = whole(ref, repository)
    if at.repository == repository.lower():
        return TaskId(f"issue-{ref.number}")
    return TaskId(slug(f"{at.repository.replace('/', '-')}-{ref.number}"))


def branch(ref: IssueRef, repository: str) -> str:
    return f"spinney/{task_id(ref, repository)}"


def mentioned(issues: Sequence[IssueText | NoIssue], repository: str) -> tuple[IssueRef, ...]:
    """Issues of which a text says that they come first, and whose standing nobody has told yet; each once."""
    read = _by_reference(issues, repository)
    graph = waits(read)
    asked = (
        wait.ref for own in graph.values() for wait in own if wait.state is None and wait.ref not in read
    )
    return tuple(dict.fromkeys(asked))


def take(found: Found, terms: Terms) -> Taken:
    """The tasks. Raises UserError that names every issue that was asked for by name and cannot be had."""
    refuse_missing(_named(found), found.repository)
    repository = found.repository
    read = _by_reference(found.issues, repository)
    out: dict[IssueRef, Out] = {}
    for ref, issue in read.items():
        why = why_left_out(issue, branch(ref, repository), found.pulls.get(task_id(ref, repository)), terms)
        if why is None and ref in found.distrusted:
            why = Out(found.distrusted[ref])
        if why is not None:
            out[ref] = why
    graph = waits(read)
    leave_out(graph, out, found.states, repository)
    kept = [ref for ref in read if ref not in out]
    return Taken(
        tasks=tuple(
            _task(read[ref], [wait.ref for wait in graph[ref] if wait.ref in kept], repository)
            for ref in kept
        ),
        left_out=tuple(_left_out(read[ref], out[ref], repository) for ref in read if ref in out),
        notes=tuple(note for ref in kept for note in read[ref].notes(shown(ref, repository))),
    )


def _by_reference(issues: Sequence[IssueText | NoIssue], repository: str) -> dict[IssueRef, IssueText]:
    return {
        whole(issue.snapshot.ref, repository): issue
        for issue in issues
        if isinstance(issue, IssueText) and not issue.snapshot.is_pull_request
    }


def _task(issue: IssueText, needs: list[IssueRef], repository: str) -> FromIssue:
    read = issue.snapshot
    return FromIssue(
        id=task_id(read.ref, repository),
        title=issue.title,
        body=issue.whole,
        needs=tuple(task_id(ref, repository) for ref in needs),
        labels=tuple(first_sentence(label, 100) for label in read.labels),
        issue=issue.issue(repository),
    )


def _left_out(issue: IssueText, why: Out, repository: str) -> LeftOut:
    read = issue.snapshot
    return LeftOut(shown(read.ref, repository), issue.title, why.reason, why.pull, read.url)


def _named(found: Found) -> Iterable[IssueSnapshot | NoIssue]:
    for issue in found.issues:
        read = issue if isinstance(issue, NoIssue) else issue.snapshot
        if whole(read.ref, found.repository) in found.named:
            yield read


def refuse_missing(issues: Iterable[IssueSnapshot | NoIssue], repository: str) -> None:
    """Raises UserError where of ``issues``, which were named, one cannot be had.

    Whoever names it has mistaken its number; what a query finds is not refused.
    """
    told = []
    for issue in issues:
        name = shown(issue.ref, repository)
        if isinstance(issue, NoIssue):
            told.append(f"{name}: {first_sentence(issue.reason, 200)}{_moved(issue)}")
        elif issue.is_pull_request:
            told.append(f"{name}: it is a pull request, and a task is made of an issue")
    if told:
        what = "an issue that was" if len(told) == 1 else f"{len(told)} issues that were"
        raise UserError(f"{what} asked for cannot be had; nothing was started", *told)


def _moved(issue: NoIssue) -> str:
    return f"; it is {first_sentence(issue.moved_to, 200)} now" if issue.moved_to else ""
