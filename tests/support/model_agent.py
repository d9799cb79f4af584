"""Somewhere for an agent of the ``anthropic`` backend to work, against a scripted server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared.model import Agent, Containment, GatewayAccess, Settings, SubAgent
from shared.process import Cancel
from tests.support.build import agent, task
from tests.support.messages import Asked, Fault, MessagesServer, Reply, ToolUse
from workflow_manager.backends.port import WRITING, AgentCall, AgentReport, Tool

Turn = Reply | Fault | Callable[[Asked], Reply | Fault]
EDITOR = "str_replace_based_edit_tool"


def finish(summary: str = "done", **fields: object) -> Reply:
    return Reply(tools=[ToolUse("finish", {"summary": summary, **fields})])


def edit(command: str, path: str, **fields: object) -> ToolUse:
    return ToolUse(EDITOR, {"command": command, "path": path, **fields})


def create(path: str, text: str) -> ToolUse:
    return edit("create", path, file_text=text)


def bash(command: str) -> ToolUse:
    return ToolUse("bash", {"command": command})


class Script:
    """Turns in order, one a request, whoever asks; a script that is over fails the agent."""

    def __init__(self, *turns: Turn) -> None:
        self._turns = list(turns)

    def __call__(self, asked: Asked) -> Reply | Fault:
        if not self._turns:
            return Fault(400, message="the script is over")
        turn = self._turns.pop(0)
        return turn if isinstance(turn, Reply | Fault) else turn(asked)


class Thinking:
    """The backend with a model that does what the agent's prompt names of ``turns``; of several, one a try."""

    def __init__(self, **turns: Sequence[Sequence[Turn]]) -> None:
        self._turns = turns

    def run(self, call: AgentCall) -> AgentReport:
        from workflow_manager.backends import registry

        backend = registry.make("anthropic")
        tries = self._turns.get(call.agent.prompt)
        if tries is None:
            return backend.run(call)  # without a gateway
        script = Script(*tries[min(call.attempt, len(tries)) - 1])
        call.prompt_file.write_text(call.agent.prompt)
        with MessagesServer(script) as server:
            return backend.run(replace(call, gateway=GatewayAccess(server.url, "", ""), token=server.key))


@dataclass(slots=True)
class Desk:
    """A worktree, and what an agent there says and asks for."""

    root: Path
    cancel: Cancel
    said: bytearray = field(default_factory=bytearray)
    beats: int = 0
    spawned: list[Sequence[SubAgent]] = field(default_factory=list)
    server: MessagesServer | None = None  # the last one

    @property
    def worktree(self) -> Path:
        return self.root / "worktree"

    @property
    def transcript(self) -> Path:
        return self.root / "run" / "CODER.jsonl"

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.transcript.read_text().splitlines()]

    def call(
        self, one: Agent | None = None, *, tools: tuple[Tool, ...] = WRITING, **fields: Any
    ) -> AgentCall:
        made = AgentCall(
            agent=one or agent("CODER"),
            task=task("fix"),
            settings=Settings(),
            attempt=1,
            worktree=self.worktree,
            environment={"PATH": "/usr/bin:/bin", "HOME": str(self.root)},
            containment=Containment(),
            prompt_file=self.root / "prompt.md",
            output_folder=self.worktree / ".tasks" / "CODER",
            timeout=60.0,
            cancel=self.cancel,
            write=self.said.extend,
            beat=self._beat,
            spawn=self._spawn,
            tools=tools,
            transcript=self.transcript,
        )
        return replace(made, **fields)

    def run(self, *turns: Turn, one: Agent | None = None, **fields: Any) -> AgentReport:
        """Have the agent work through ``turns``."""
        from workflow_manager.backends import registry

        with MessagesServer(Script(*turns)) as server:
            self.server = server
            gateway = GatewayAccess(server.url, "", "")
            return registry.make("anthropic").run(self.call(one, gateway=gateway, token=server.key, **fields))

    @property
    def asked(self) -> list[Asked]:
        assert self.server is not None
        return self.server.asked

    def read(self, name: str) -> str:
        return (self.worktree / name).read_text()

    def _beat(self) -> None:
        self.beats += 1

    def _spawn(self, agents: Sequence[SubAgent]) -> tuple[AgentReport, ...]:
        self.spawned.append(agents)
        return tuple(AgentReport(True, summary=f"{one.name} did it") for one in agents)


@contextmanager
def desk_in(root: Path) -> Iterator[Desk]:
    cancel = Cancel()
    made = Desk(root, cancel)
    (made.worktree / ".tasks" / "CODER").mkdir(parents=True)
    (root / "prompt.md").write_text("Fix the bug.\n")
    yield made
    cancel.close()
