"""What the agents of one task are given to read, counted in tokens and held to the budgets of agent and workflow."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.model import Agent, AgentName, Component, Task
from shared.tokens import estimate
from workflow_manager.context.components import Components, Form, Read, name_of
from workflow_manager.context.compression import compress, gist
from workflow_manager.context.needs import Choice, choose
from workflow_manager.context.note import Item, note, prompt
from workflow_manager.task_files import TaskFiles
from workflow_manager.untrusted import read_small

_NEAR = 0.8  # of a budget; beyond it the largest components are compressed


@dataclass(frozen=True, slots=True)
class Given:
    """What an agent is given; figures in tokens."""

    prompt: str
    tokens: int = 0  # counted now: role text, title, pointer, note, and what the note tells it to read
    saved: int = 0  # by compression, and of what it had on an earlier try
    budget: int = 0  # the tighter one of the agent's and what is left of the workflow's; 0: none
    compressed: tuple[str, ...] = ()
    refused: str = ""  # by how much it passes the budget, and what to do about it


@dataclass(slots=True)
class _Offer:
    """What an agent could be given, while it is made to fit."""

    agent: Agent
    choice: Choice
    prompt: str
    prompt_tokens: int
    task_tokens: int
    failure: str  # of the try before
    items: list[tuple[Component, Item]] = field(default_factory=list)
    had: list[Item] = field(default_factory=list)  # on an earlier try, and unchanged
    absent: list[str] = field(default_factory=list)
    brief: bool = False  # the note

    @property
    def note(self) -> str:
        return note(
            self.agent,
            self.choice,
            [item for _, item in self.items],
            had=self.had,
            absent=self.absent,
            failure=self.failure,
            task_tokens=self.task_tokens,
            brief=self.brief,
        )

    @property
    def parts(self) -> dict[str, int]:
        """Tokens of everything that is given."""
        own = {"role text, title and pointer": self.prompt_tokens, "note": estimate(self.note)}
        return own | {item.name: item.tokens for _, item in self.items}

    @property
    def tokens(self) -> int:
        return sum(self.parts.values())

    @property
    def compressed(self) -> tuple[str, ...]:
        return tuple(item.name for _, item in self.items if item.compressed)

    @property
    def saved(self) -> int:
        return sum(item.whole - item.tokens for _, item in self.items) + sum(item.whole for item in self.had)


@dataclass(frozen=True, slots=True)
class _Limit:
    tokens: int  # 0: none
    what: str = ""
    hint: str = ""


class Context:
    """Of one task; used by the manager's main thread, which makes one and keeps it to the task's end."""

    def __init__(self, files: TaskFiles, task: Task, read: Read = read_small) -> None:
        self._files, self._task = files, task
        self._components = Components(files, task, read)
        self._had: dict[AgentName, dict[str, Item]] = {}
        self._used = 0

    def event(self, line: str) -> None:
        """Tell what happened, for agents that ask for ``events``."""
        self._components.event(line)

    def give(self, agent: Agent, attempt: int) -> Given:
        """What ``agent`` is given at this attempt. Its note is written, unless it is refused.

        Only what a model reads is counted: nothing for an agent that only runs a command.
        """
        if attempt == 1:
            self._had.pop(agent.name, None)
        offer = self._offer(agent)
        if not (agent.prompt or agent.context or agent.budget):
            self._write(agent, offer.note)
            return Given(offer.prompt)
        limit = self._limit(agent)
        self._fit(offer, limit.tokens)
        given = _judged(offer, limit)
        if given.refused:
            self._files.refused(agent.name, given.refused)
        else:
            self._write(agent, offer.note)
            self._used += given.tokens
            self._had.setdefault(agent.name, {}).update({item.name: item for _, item in offer.items})
        return given

    def _offer(self, agent: Agent) -> _Offer:
        """What the graph says ``agent`` needs, each component in the form it asks for."""
        choice = choose(
            self._task.workflow,
            agent,
            skipped=lambda name: self._files.status(name) == "skipped",
            decided=lambda name: bool(self._files.decisions(name)),
        )
        text, failure = prompt(self._task, agent), self._files.failure(agent.name)
        offer = _Offer(agent, choice, text, estimate(text), self._components.task_tokens(), failure)
        before = self._had.get(agent.name, {})
        for component in dict.fromkeys(choice.wanted):
            item = self._components.find(component)
            if item is None:
                offer.absent.append(name_of(component))
            elif item.name in before and before[item.name].digest == item.digest:
                offer.had.append(before[item.name])
            elif component.form == "compressed":
                offer.items.append((component, self._components.shortened(component, item)))
            else:
                offer.items.append((component, item))
        return offer

    def _fit(self, offer: _Offer, limit: int) -> None:
        """Compress what is near ``limit``; what would still pass it is cut to the gist before it is refused."""
        if not limit or offer.tokens <= _NEAR * limit:
            return
        self._shorten(offer, int(_NEAR * limit), compress)
        if offer.tokens > limit:
            offer.brief = True
            self._shorten(offer, limit, gist)

    def _shorten(self, offer: _Offer, limit: int, form: Form) -> None:
        """The largest components first, until all of it is within ``limit``."""
        tokens = offer.tokens
        for place in sorted(range(len(offer.items)), key=lambda place: -offer.items[place][1].tokens):
            if tokens <= limit:
                return
            component, item = offer.items[place]
            shorter = self._components.shortened(component, item, form)
            offer.items[place] = component, shorter
            tokens -= item.tokens - shorter.tokens

    def _limit(self, agent: Agent) -> _Limit:
        """The tighter one of an agent's budget and of what is left of its workflow's."""
        workflow = self._task.workflow
        own = _Limit(
            agent.budget,
            f"its budget of {agent.budget}",
            f"raise `budget:` of {agent.name}, shorten its prompt, or let it read less (`reads:`)",
        )
        if not workflow.budget:
            return own
        left = max(1, workflow.budget - self._used)
        if agent.budget and agent.budget <= left:
            return own
        return _Limit(
            left,
            f"the {left} left of the workflow's budget of {workflow.budget}",
            f"raise `budget:` of the workflow {workflow.name}, or let its agents read less (`reads:`)",
        )

    def _write(self, agent: Agent, text: str) -> None:
        self._files.keep(f"{agent.name}/note.md", text)


def _judged(offer: _Offer, limit: _Limit) -> Given:
    parts = offer.parts
    tokens, refused = sum(parts.values()), ""
    if limit.tokens and tokens > limit.tokens:
        largest = sorted(parts.items(), key=lambda part: -part[1])[:4]
        shown = ", ".join(
            f"{name} {size}{' compressed' if name in offer.compressed else ''}" for name, size in largest
        )
        refused = (
            f"its context has {tokens} tokens, {tokens - limit.tokens} more than {limit.what} ({shown});"
            f" {limit.hint}"
        )
    return Given(offer.prompt, tokens, offer.saved, limit.tokens, offer.compressed, refused)
