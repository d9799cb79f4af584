"""What a pull request says on a forge that strangers read: what was done, how it was checked, what it took. Pure.

All of it was measured or is left out, and nothing that agents or issues say acts there: see ``markdown``.
"""

from __future__ import annotations

from dataclasses import replace

from orchestrator.publishing import template
from orchestrator.publishing.drafts import base_of, batch_draft, marker
from orchestrator.publishing.links import NUMBER, link
from orchestrator.publishing.markdown import code, inline, quoted
from orchestrator.reporting import bills
from orchestrator.reporting.report import cost, read, written
from orchestrator.reporting.times import spelled
from orchestrator.view import RunView, TaskView
from shared.forge.port import Draft
from shared.mentions import quiet
from shared.model import Issue, Plan, PullRequestPolicy, Settings, Task, TaskStatus
from shared.text import first_sentence

LONGEST = 60_000  # characters: GitHub takes 65,536, and the forge adds its marks
_SUMMARY = 3000  # characters of the task's text
_ROWS = 40  # phases that are listed
_NEEDS = 20  # that are named
_WORDS = 200  # characters of what the agents of a phase say


def pull_draft(
    task: Task, view: RunView, settings: Settings, base: str, repository: str, form: str = "", again: str = ""
) -> Draft:
    """The pull request of one task in ``repository``, owner/name; ``form`` is the repository's template.

    ``again`` is the command that does it once more. Numbers of other pull requests are put in by ``links.linked``.
    """
    entry, github = view.tasks[task.id], settings.github
    issue = issue_in(task, repository)
    conflict = ("conflict",) if entry.status is TaskStatus.CONFLICT else ()
    return Draft(
        head=task.branch,
        base=base_of(task, view, settings.pull_requests, base),
        title=title_of(task),
        body=_builds_on(task, view, settings.pull_requests)
        + pull_text(task, view, repository, form or template.DEFAULT, again),
        marker=marker(task.id),
        labels=tuple(dict.fromkeys((*github.labels, *conflict))),
        as_draft=github.draft,
        reviewers=github.reviewers,
        assignees=github.assignees,
        milestone=issue.milestone if issue is not None and github.milestone else None,
    )


def batch_pull_draft(plan: Plan, view: RunView, base: str, repository: str) -> Draft:
    """The pull request of a whole run in ``repository``. It closes the issues of what it has merged and no others: so
    a later run sees that they are in work."""
    github, draft = plan.settings.github, batch_draft(view, base)
    merged = [task for task in plan.tasks if view.tasks[task.id].status is TaskStatus.MERGED]
    milestones = {issue.milestone for task in merged if (issue := issue_in(task, repository)) is not None}
    gate = f"\nGate {code(view.gate)}: passed on the merged tree.\n" if view.gate else ""
    # The word counts for one number.
    closes = ", closes ".join(named for task in merged if (named := _reference(task, repository)))
    return replace(
        draft,
        body=draft.body + gate + (f"\nCloses {closes}\n" if closes else ""),
        labels=github.labels,
        as_draft=github.draft,
        reviewers=github.reviewers,
        assignees=github.assignees,
        milestone=milestones.pop() if github.milestone and len(milestones) == 1 else None,
    )


def issue_in(task: Task, repository: str) -> Issue | None:
    """The task's issue, if it is one of that repository."""
    same = task.issue is not None and task.issue.repository.lower() == repository.lower()
    return task.issue if same else None


def title_of(task: Task) -> str:
    """A merge by squashing makes it the subject of a commit, which could close issues."""
    return quiet(task.title) or task.id


def stands_on(task: Task, view: RunView, policy: PullRequestPolicy) -> str:
    """The marker of the pull request whose branch is this one's base; empty where that is an ordinary branch."""
    return marker(task.needs[0].task) if base_of(task, view, policy, "") else ""


def _builds_on(task: Task, view: RunView, policy: PullRequestPolicy) -> str:
    """Its branch has the commits of its needs, which are no changes of its own: whoever merges it merges them."""
    beneath = stands_on(task, view, policy)  # those are not shown as changes
    lines = [
        link(
            marker(need.task),
            f"Builds on {NUMBER}: its commits are in here too, merge that first.",
            f"Builds on {code(view.tasks[need.task].branch)}: its commits are in here too.",
        )
        for need in task.needs
        if need.task in view.tasks and view.tasks[need.task].commits and marker(need.task) != beneath
    ]
    return "".join(f"{line}\n\n" for line in lines[:_NEEDS])


def pull_text(task: Task, view: RunView, repository: str, form: str, again: str = "") -> str:
    entry, issue = view.tasks[task.id], _reference(task, repository)
    values = {
        "title": quiet(task.title),
        "state": _state(entry),
        "summary": quoted(task.body, _SUMMARY),
        "phases": phases(entry),
        "checks": _checks(task, entry, view),
        "cost": cost_of(entry),
        "time": f"Agents worked {spelled(entry.seconds)}; {_many(len(entry.paths), 'file')} changed.",
        "reproduce": _reproduce(view, again),
        "task": code(task.id),
        "run": code(view.id),
        "issue": issue,
    }
    closes = f"Closes {issue}\n" if issue else ""
    short = values | {"summary": "", "phases": f"{_many(len(entry.commits), 'phase')}."}
    # Only a template that says things many times is too long. Cut short, half a piece of code could act.
    tries = (
        template.filled(form, values),
        template.filled(form, short),
        template.filled(template.DEFAULT, short),
    )
    text = next(text for text in tries if len(text) + len(closes) < LONGEST)
    return f"{text}\n{closes}" if closes else text


def _state(entry: TaskView) -> str:
    if entry.status is TaskStatus.CONFLICT:
        named = [link(marker(name), f"{code(name)} ({NUMBER})", code(name)) for name in entry.conflict_with]
        others = ", ".join(named) or "the target"
        files = ", ".join(code(path) for path in entry.conflict_files[:20])
        more = f" and {len(entry.conflict_files) - 20} more" if len(entry.conflict_files) > 20 else ""
        return f"**In conflict** with {others}: {files}{more}"
    if entry.status is TaskStatus.UNMERGED:
        return f"**Not merged:** {inline(entry.reason, 300)}"
    return ""


def phases(entry: TaskView) -> str:
    """A table; empty where nothing was committed."""
    if not entry.commits:
        return ""
    lines = ["| phase | commit | agents |", "|---|---|---|"]
    for phase, oid in entry.commits[:_ROWS]:
        agents = "; ".join(
            f"{agent.name}: {agent.summary}" if agent.summary else agent.name
            for agent in entry.agents
            if agent.phase == phase and agent.ok and not agent.parent
        )
        lines.append(f"| {inline(phase, 64)} | {oid[:10]} | {inline(agents, _WORDS)} |")
    if len(entry.commits) > _ROWS:
        lines.append(f"| … and {len(entry.commits) - _ROWS} more | | |")
    return "\n".join(lines)


def _checks(task: Task, entry: TaskView, view: RunView) -> str:
    gates = [(seconds, passed) for name, seconds, passed in view.gates if name == task.id]
    lines = []
    if view.gate and gates:
        seconds, passed = gates[-1]
        lines.append(
            f"- Gate {code(first_sentence(view.gate, 200))}: "
            f"{'passed' if passed else 'failed'} in {spelled(seconds)} on the merged tree."
        )
    elif entry.status is TaskStatus.MERGED:
        lines.append("- Merges without a conflict with the other tasks of its run; no gate is configured.")
    if task.evidence:
        lines.append(f"- Evidence asked for: {inline(task.evidence, 200)}")
    for agent in [agent for agent in entry.agents if agent.counts and agent.ok][:10]:
        counted = ", ".join(f"{count} {name}" for name, count in agent.counts.items())
        lines.append(f"- {inline(agent.name, 64)}: {inline(counted, 200)}")
    return "\n".join(lines)


def cost_of(entry: TaskView) -> str:
    if entry.bill.calls:
        return f"Models: {bills.bill(entry.bill)}."
    if read(entry) + written(entry):
        usd = bills.dollars(cost(entry))
        return f"Models: {read(entry):,} tokens read, {written(entry):,} written, {usd}."
    return ""


def _reference(task: Task, repository: str) -> str:
    if task.issue is None:
        return ""
    return f"{'' if issue_in(task, repository) else task.issue.repository}#{task.issue.number}"


def _reproduce(view: RunView, again: str) -> str:
    if not again:
        return f"Run {code(view.id)} on {view.base[:10]}."
    return f"Run {code(view.id)}. To do it again: {code(again)}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
