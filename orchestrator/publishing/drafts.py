"""Pull requests of a run: how they are found again, and what they say in the repository's own refs. Pure."""

from __future__ import annotations

from orchestrator.publishing.markdown import code, inline
from orchestrator.reporting import bills
from orchestrator.reporting.times import duration
from orchestrator.view import RunView, TaskView
from shared.forge.port import Draft, Sought
from shared.model import Plan, PullRequestPolicy, Task, TaskStatus
from shared.text import first_sentence, printable

_LISTED = 200  # tasks of a batch; GitHub takes 65,536 characters


def marker(task_id: str) -> str:
    """What finds a task's pull request again: a second run of the same task updates it."""
    return f"spinney-task:{task_id}"


def sought(plan: Plan) -> tuple[Sought, ...]:
    """The pull requests that the tasks of a plan may have."""
    return tuple(Sought(task.branch, marker(task.id)) for task in plan.tasks)


def draft_for(task: Task, view: RunView, policy: PullRequestPolicy, base: str) -> Draft:
    """The pull request of one task on the local forge; ``stacked`` puts it on the branch of its first need."""
    entry = view.tasks[task.id]
    return Draft(
        head=task.branch,
        base=base_of(task, view, policy, base),
        title=first_sentence(task.title),
        body=body(task, entry, view),
        marker=marker(task.id),
        labels=("conflict",) if entry.status is TaskStatus.CONFLICT else (),
    )


def base_of(task: Task, view: RunView, policy: PullRequestPolicy, base: str) -> str:
    """The branch that the task's pull request goes into."""
    if policy == "stacked" and task.needs and view.tasks[task.needs[0].task].commits:
        return view.tasks[task.needs[0].task].branch
    return base


def body(task: Task, entry: TaskView, view: RunView) -> str:
    """Summary, phases, how it was checked, time; all of it measured or absent."""
    lines = [printable(task.body, limit=4000).strip(), ""] if task.body.strip() else []
    if entry.status is TaskStatus.CONFLICT:
        lines += [
            f"**In conflict** with {', '.join(entry.conflict_with) or 'the target'}: "
            + first_sentence(", ".join(entry.conflict_files), 1000),
            "",
        ]
    elif entry.status is TaskStatus.UNMERGED:
        lines += [f"**Not merged:** {first_sentence(entry.reason, 300)}", ""]
    lines += ["| phase | commit | agents |", "|---|---|---|"]
    for phase, oid in entry.commits:
        agents = "; ".join(
            f"{agent.name}: {agent.summary}"
            for agent in entry.agents
            if agent.phase == phase and agent.ok and not agent.parent
        )
        lines.append(f"| {phase} | {oid[:10]} | {first_sentence(agents, 300).replace('|', chr(92) + '|')} |")
    gates = [(seconds, passed) for name, seconds, passed in view.gates if name == task.id]
    lines.append("")
    if view.gate and gates:
        seconds, passed = gates[-1]
        lines.append(
            f"Gate `{view.gate}`: {'passed' if passed else 'failed'} in {duration(seconds)} on the merged tree."
        )
    if entry.bill.calls:
        lines.append(f"Models: {bills.bill(entry.bill)}.")
    lines.append(f"Agents worked {duration(entry.seconds)}; {len(entry.paths)} files changed. Run {view.id}.")
    return "\n".join([*lines, ""])


def batch_draft(view: RunView, base: str) -> Draft:
    """The pull request of a whole run, on any forge: titles of strangers are in it."""
    merged = [task for task in view.tasks.values() if task.status is TaskStatus.MERGED]
    count = f"{len(merged)} task{'' if len(merged) == 1 else 's'}"
    lines = [
        f"{count}, merged one after another:" if len(merged) > 1 else f"{count}:",
        "",
        *(f"- {inline(task.title, 72)} ({code(task.branch)})" for task in merged[:_LISTED]),
        *([f"- … and {len(merged) - _LISTED} more"] if len(merged) > _LISTED else []),
        "",
    ]
    return Draft(
        head=view.merged_ref.removeprefix("refs/heads/"),
        base=base,
        title=f"Batch {view.id}: {count}",
        body="\n".join(lines),
        marker=f"spinney-batch:{view.id}",
    )
