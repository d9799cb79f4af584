"""How a task goes, for its issue and its last commit. Pure."""

from __future__ import annotations

from orchestrator.publishing.markdown import code, inline
from orchestrator.publishing.pull_text import cost_of, phases
from orchestrator.reporting.times import spelled
from orchestrator.view import RunView, TaskView
from shared.forge.tracker import CommitState
from shared.model import Task, TaskStatus
from shared.text import first_sentence

AT_WORK, STOPPED = "at work", "stopped"  # stages of a task that has not ended; else see ``stage_of``
_DESCRIPTION = 140  # characters that a commit's status may have

_ENDS = {
    TaskStatus.MERGED: "Done, and fits together with the other tasks of its run.",
    TaskStatus.NO_CHANGE: "Nothing had to be changed.",
    TaskStatus.CONFLICT: "Done, but it conflicts with other work.",
    TaskStatus.UNMERGED: "Done, but it was not accepted.",
    TaskStatus.FAILED: "Not done.",
    TaskStatus.SKIPPED: "Not begun.",
}


def issue_marker(number: int) -> str:
    """What finds the one comment on an issue again."""
    return f"spinney-issue:{number}"


def stage_of(entry: TaskView, *, stopped: bool = False) -> str:
    if entry.status.final:
        return f"{entry.status}, unpublished" if entry.unpublished else str(entry.status)
    return STOPPED if stopped else AT_WORK


def comment(task: Task, view: RunView, stage: str, job: str = "") -> str:
    """The whole comment at this stage; ``job`` is the address of the job that works on it."""
    entry = view.tasks[task.id]
    where = f" ([job]({job}))" if job else ""
    lines = [f"**Spinney**, run {code(view.id)}{where}", "", _what(task, entry, stage)]
    if entry.aside:
        lines += ["", f"Begun anew. Its branch had {inline(entry.aside, 600)}."]
    if stage != AT_WORK:
        if entry.reason:
            lines += ["", inline(entry.reason, 500)]
        if entry.unpublished:
            lines += ["", f"It has no pull request: {inline(entry.unpublished, 500)}."]
        if table := phases(entry):
            lines += ["", table]
        spent = " ".join(filter(None, (cost_of(entry), f"Agents worked {spelled(entry.seconds)}.")))
        lines += ["", spent]
    return "\n".join([*lines, ""])


def _what(task: Task, entry: TaskView, stage: str) -> str:
    if stage == AT_WORK:
        return f"At work on {code(task.branch)} with the workflow {code(task.workflow.name)}."
    if stage == STOPPED:
        return f"Stopped before the end. What was committed is on {code(task.branch)}; the next run goes on from there."
    pull = f" Pull request: #{entry.pull[0]}." if entry.pull and entry.commits else ""
    return _ENDS.get(entry.status, "") + pull


def description(entry: TaskView, view: RunView) -> str:
    """Such as ``3 phases, gate passed``."""
    count = len(entry.commits)
    parts = [f"{count} phase{'' if count == 1 else 's'}"]
    gates = [passed for name, _, passed in view.gates if name == entry.id]
    if gates:
        parts.append(f"gate {'passed' if gates[-1] else 'failed'}")
    elif entry.status is not TaskStatus.MERGED:
        parts.append(f"{entry.status}: {entry.reason}" if entry.reason else str(entry.status))
    return first_sentence(", ".join(parts), _DESCRIPTION)


def commit_state(status: TaskStatus) -> CommitState:
    return "success" if status.good else "failure"
