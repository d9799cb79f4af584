"""Which issues wait for which: GitHub's own relations, and what texts say. Pure.

A need that is closed is met. One that is open must be in the batch; without it, the issue that waits is left out, and
so is whoever waits for that one.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Literal

from orchestrator.intake.issue_text import IssueText
from orchestrator.intake.references import shown, whole
from orchestrator.intake.relations import Kind
from orchestrator.intake.standing import Out
from shared.forge.tracker import IssueRef, IssueState, Relation

Issues = Mapping[IssueRef, IssueText]  # by their whole references, here and below
Why = Literal[Kind, "has the part"]


@dataclass(frozen=True, slots=True)
class Wait:
    """An issue that must be done first."""

    ref: IssueRef
    why: Why
    state: IssueState | None = None  # as the forge told it beside the relation


def waits(issues: Issues) -> dict[IssueRef, list[Wait]]:
    """What each issue waits for, each other issue once; an issue does not wait for itself."""
    found: dict[IssueRef, dict[IssueRef, Wait]] = {ref: {} for ref in issues}
    for ref, issue in issues.items():
        read, at = issue.snapshot, ref.repository
        own = [Wait(whole(r.ref, at), "blocked by", r.state) for r in read.blocked_by]
        own += [Wait(whole(r.ref, at), "has the part", r.state) for r in read.sub_issues]
        own += [Wait(whole(other, at), kind) for other, kind in issue.said.needs]
        own += [Wait(whole(other, at), "has the part") for other in issue.said.items]
        for wait in own:
            found[ref].setdefault(wait.ref, wait)
    for ref, issue in issues.items():
        parents = [whole(parent, ref.repository) for parent in issue.said.part_of]
        parents += [whole(issue.snapshot.parent.ref, ref.repository)] if issue.snapshot.parent else []
        for parent in parents:
            # Whose own text says that it waits for what it is part of does not hold that up as well.
            if parent in found and parent not in found[ref]:
                found[parent].setdefault(ref, Wait(ref, "has the part", issue.snapshot.state))
    return {ref: [wait for wait in own.values() if wait.ref != ref] for ref, own in found.items()}


def leave_out(
    graph: Mapping[IssueRef, list[Wait]],
    out: MutableMapping[IssueRef, Out],
    states: Mapping[IssueRef, Relation],
    repository: str,
) -> None:
    """Add to ``out`` every issue that waits for something that is neither done nor in the batch."""
    known = {whole(ref, repository): relation.state for ref, relation in states.items()}
    changed = True
    while changed:
        changed = False
        for ref, own in graph.items():
            if ref in out:
                continue
            why = next(
                (told for wait in own if (told := _missing(wait, graph, out, known, repository))), None
            )
            if why is not None:
                out[ref] = why
                changed = True


def _missing(
    wait: Wait,
    graph: Mapping[IssueRef, list[Wait]],
    out: Mapping[IssueRef, Out],
    known: Mapping[IssueRef, IssueState],
    repository: str,
) -> Out | None:
    """Why who waits for ``wait`` cannot begin; None where it can."""
    name = shown(wait.ref, repository)
    told = f"it has the part {name}" if wait.why == "has the part" else f"{wait.why} {name}"
    if wait.ref in out:
        return None if out[wait.ref].met else Out(f"{told}, which is left out")
    if wait.ref in graph:
        return None
    state = wait.state or known.get(wait.ref)
    if state == "closed":
        return None
    if state is None:
        return Out(f"{told}, which is not there, or cannot be seen from here")
    return Out(f"{told}, which is open and not in this batch; add it: '{name}'")
