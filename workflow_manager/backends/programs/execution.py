"""One execution of a coding program: started in the worktree, held, heard, and ended when it is time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared import process
from shared.containment import contained, environment_in
from shared.model import Containment, GatewayAccess
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.backends.programs import holding, judging, permissions, places
from workflow_manager.backends.programs.claude_code import ClaudeEar
from workflow_manager.backends.programs.definition import Definition, Filling
from workflow_manager.backends.programs.hearing import Ear, Heard, JsonEar, TextEar
from workflow_manager.backends.programs.home import Home
from workflow_manager.backends.programs.lines import Lines
from workflow_manager.backends.programs.timing import Timing

_FOREVER = 24 * 3600  # seconds that it waits for an answer: the gateway knows how long a limit lasts
_GRACE = 1.0  # seconds to say what was done, and again as many to end


@dataclass(frozen=True, slots=True)
class Executed:
    """What was heard, how the process ended, and what to say of both."""

    heard: Heard
    end: process.End
    report: AgentReport

    @property
    def session_lost(self) -> bool:
        return judging.session_lost(self.heard)

    @property
    def broke_off(self) -> bool:
        return judging.broke_off(self.heard, self.end)

    @property
    def advanced(self) -> bool:
        """Whether it got anywhere before its end."""
        return bool(self.heard.tools)


@dataclass(frozen=True, slots=True)
class Execution:
    """What all executions of one call have in common."""

    call: AgentCall
    definition: Definition
    program: Path  # the file
    gateway: GatewayAccess
    home: Home
    timing: Timing

    def __call__(self, told: str) -> Executed:
        """Have the program do what it is ``told``. Blocks until it and everything it started has ended."""
        call, definition = self.call, self.definition
        prompt = self.home.prompt(told)
        filling = self._filling(told, prompt)
        own = {name: filling.text(value) for name, value in definition.environment}
        reads = places.needs(self.program)
        containment = holding.held(call.containment, str(self.home.path), str(prompt), reads, own)
        ear, lines = _ear(definition), Lines()
        end = process.stream(
            contained(containment, [str(self.program), *filling.arguments(definition.command[1:])]),
            cwd=call.worktree,
            env=self._environment(containment, own),
            on_output=lambda data: _hear(ear, lines.feed(data), call.write),
            timeout=self.timing.start(),
            extra=self.timing.extra,
            cancel=call.cancel,
            on_work=call.beat,
            grace=_GRACE,
            stdin=prompt if definition.reads_prompt else None,
            interrupt=self.program.name if definition.interrupt else "",
        )
        _hear(ear, lines.last(), call.write)
        ear.end()
        return Executed(ear.heard, end, judging.report(definition, ear.heard, end, lines.dropped))

    def _environment(self, containment: Containment, own: Mapping[str, str]) -> dict[str, str]:
        passed = self.call.settings.pass_environment
        given = holding.environment(self.call.environment, passed, str(self.home.path))
        # The token looks like a secret, which no sandbox is given; this one is worth nothing elsewhere.
        return {**environment_in(containment, given), **own}

    def _filling(self, told: str, prompt: Path) -> Filling:
        call, home = self.call, self.home
        words = {
            "model": call.settings.models.of(call.agent.tier),
            "steps": str(call.settings.models.steps),
            "prompt": told,
            "prompt_file": str(prompt),
            "session_id": home.session_id,
            "home": str(home.path),
            "gateway": holding.gateway_url(call.containment, self.gateway.url),
            "token": call.token,
            "patience": str(_FOREVER),
            "patience_ms": str(_FOREVER * 1000),
        }
        session = self.definition.again if home.sessions(self.definition) else self.definition.new
        claude = self.definition.permissions == "claude"
        return Filling(words, session, permissions.claude(_allowed(call)) if claude else ())


def _ear(definition: Definition) -> Ear:
    match definition.output:
        case "claude":
            return ClaudeEar()
        case "lines" | "object":
            return JsonEar(definition)
        case "text":
            return TextEar()


def _hear(ear: Ear, lines: list[bytes], write: Callable[[bytes], None]) -> None:
    for line in lines:
        if shown := ear.line(line):
            write(shown.encode() + b"\n")


def _allowed(call: AgentCall) -> permissions.Allowed:
    """In a scratch worktree ``.tasks`` is a link to the task's own, and both paths are named."""
    real = call.output_folder.resolve()
    beside = () if real.is_relative_to(call.worktree.resolve()) else (str(real),)
    return permissions.Allowed(
        tools=call.tools,
        writes=call.agent.writes,
        outputs=(f".tasks/{call.output_folder.name}", *beside),
        sandboxed=call.containment.sandbox is not None,
    )
