"""What an agent is told: a short prompt that points into ``.tasks/``, and the note there. Pure.

The note names files and what they are about in a line each; of a large workflow it names a few agents and
counts the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.model import Agent, Task
from shared.text import first_sentence
from workflow_manager.context.needs import Choice

_NAMED = 4  # agents of a line, after which the others are only counted


def pointer(agent: Agent) -> str:
    """Where everything is, in fewer than 100 tokens however much an agent needs."""
    own = f".tasks/{agent.name}"
    return (
        f"First read `{own}/note.md`; leave your result in `{own}/output.json`."
        " The task: `.tasks/task.md`; all agents: `.tasks/manifest.json`.\n"
    )


def prompt(task: Task, agent: Agent) -> str:
    """The whole of what an agent is given at once: its role, the task's title, and the pointer."""
    return f"{agent.prompt.strip()}\n\n# Task: {task.title}\n\n{pointer(agent)}".lstrip()


@dataclass(frozen=True, slots=True)
class Item:
    """A component as an agent is to read it."""

    name: str  # ``task``, ``events``, ``AGENT/output``
    path: str  # in the worktree
    says: str  # one line
    tokens: int
    whole: int  # tokens of the uncompressed form
    digest: str  # of the uncompressed content

    @property
    def compressed(self) -> bool:
        return self.tokens < self.whole


def note(
    agent: Agent,
    choice: Choice,
    given: Sequence[Item],
    *,
    had: Sequence[Item] = (),
    absent: Sequence[str] = (),
    failure: str = "",
    task_tokens: int = 0,
    brief: bool = False,
) -> str:
    """The text of ``note.md``; a ``brief`` one says only where to read and what to leave.

    ``had`` is unchanged since an earlier try of this agent, which failed with ``failure``; ``absent`` are
    components that nobody has left.
    """
    parts = [
        _before(agent, failure),
        _needed(agent, given, had, absent, brief),
        [] if brief else _not_needed(agent, choice, task_tokens),
        _to_leave(agent),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _before(agent: Agent, failure: str) -> list[str]:
    earlier = f"What it left is in `.tasks/{agent.name}/earlier.output.json`."
    return [f"Your try before failed: {first_sentence(failure, 200)}", earlier] if failure else []


def _needed(
    agent: Agent, given: Sequence[Item], had: Sequence[Item], absent: Sequence[str], brief: bool
) -> list[str]:
    lines = [_line(one, brief) for one in given]
    if agent.reads:
        lines.append(f"- the files {_paths(agent.reads)}")
    if had:
        lines.append(f"- as on your try before: {_paths([one.path for one in had])}")
    if absent:
        lines.append(f"- not there, or too large to read: {_some(absent)}")
    return ["You likely need:", *lines] if lines else []


def _line(one: Item, brief: bool) -> str:
    short = f"{one.name} in short"
    if brief:
        return f"- `{one.path}`" + (f": {short}" if one.compressed else "")
    if one.compressed:
        return f"- `{one.path}` ({one.tokens} of {one.whole} tokens): {short}"
    return f"- `{one.path}` ({one.tokens} tokens): {one.says}"


def _not_needed(agent: Agent, choice: Choice, task_tokens: int) -> list[str]:
    lines = []
    if not (agent.context or any(component.source == "task" for component in choice.wanted)):
        lines.append(f"- `.tasks/task.md` ({task_tokens} tokens), unless the above leaves a question")
    if choice.incorporated:
        why = "you did not ask for them" if agent.context else "the above builds on them"
        lines.append(f"- {_some(choice.incorporated)}: {why}")
    if choice.elsewhere:
        lines.append(f"- {_some(choice.elsewhere)}: work on other parts")
    return ["You likely do not need:", *lines] if lines else []


def _to_leave(agent: Agent) -> list[str]:
    outputs, evidence, own = agent.outputs, agent.evidence, f".tasks/{agent.name}"
    keys = ["summary", "next_steps", "warnings"]
    if outputs.verdict or evidence.verdict:
        keys.append("verdict (approve or request-changes)")
    if outputs.commands:
        keys += ["commands", "checks (lists)", "fallbacks (command to command)"]
    lines = [f"- `{own}/output.json`: {', '.join(keys)}"]
    if outputs.decisions:
        lines.append(f"- `{own}/decisions.json`: {', '.join(outputs.decisions)}")
    if files := (*outputs.files, *evidence.files):
        lines.append(f"- the files {_paths(dict.fromkeys(files))}")
    if outputs.change:
        lines.append("- a change to at least one file")
    if evidence.command:
        lines.append(f"- a state in which `{evidence.command}` exits 0")
    if agent.writes is not None:
        where = f"Besides, write only {_paths(agent.writes)}." if agent.writes else "Change no other file."
        lines.append(where)
    return ["Leave:", *lines]


def _paths(paths: Iterable[str]) -> str:
    return ", ".join(f"`{path}`" for path in paths)


def _some(names: Sequence[str]) -> str:
    """A few names and how many more there are."""
    if len(names) <= _NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} others"
