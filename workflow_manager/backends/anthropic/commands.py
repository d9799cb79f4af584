"""Running commands in the sandbox: a fresh shell each, in the folder and with the exported variables of the one before.

A shell that is kept open hangs when a command reads its input, and dies with it when it is killed. One that is started
for each command and says at its end where it stands cannot.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import Field, model_validator

from shared import process
from shared.containment import contained
from shared.process import EndReason
from workflow_manager.backends.anthropic.bounds import Gathered
from workflow_manager.backends.anthropic.tool import Input, Tool, ToolError
from workflow_manager.backends.port import AgentCall

COMMAND_SECONDS = 600.0  # for one command, if the agent has that much time left
_MOST_STATE = 64 * 1024  # bytes of variables that are carried on
_OWN = frozenset(
    {"PWD", "OLDPWD", "SHLVL", "_", "SPINNEY_MARK", "BASH_ENV", "ENV"}
)  # not the agent's to carry
# Says at the end, whatever end that is, where the shell stands; then what it exports.
_SCRIPT = 'trap \'printf "%s%s\\0" "{mark}" "$PWD"; /usr/bin/env -0\' EXIT\n{command}\n'


class Bash(Input):
    """As the SDK's own type defines it."""

    command: str | None = Field(None, min_length=1)
    restart: bool = Field(False, description="forget folder and variables")

    @model_validator(mode="after")
    def _complete(self) -> Bash:
        if not self.restart and not self.command:
            raise ValueError("a command is needed")
        return self


class Split:
    """Hands on what comes before a mark in a stream of bytes, and keeps what comes after it."""

    def __init__(self, mark: bytes, before: Callable[[bytes], None]) -> None:
        self._mark, self._before = mark, before
        self._held = b""  # may be the beginning of the mark
        self.after: bytearray | None = None

    def add(self, data: bytes) -> None:
        if self.after is not None:
            if len(self.after) <= _MOST_STATE:
                self.after += data
            return
        data = self._held + data
        place = data.find(self._mark)
        if place < 0:
            keep = len(self._mark) - 1
            self._held = data[-keep:]
            self._before(data[:-keep])
            return
        self._before(data[:place])
        self._held, self.after = b"", bytearray(data[place + len(self._mark) :])

    def close(self) -> None:
        self._before(self._held)
        self._held = b""


def stands(after: bytes, given: Mapping[str, str]) -> tuple[str, dict[str, str]] | None:
    """Where a shell stood at its end, and its variables other than those ``given``; None where it did not say."""
    folder, *entries = after.decode(errors="replace").split("\0")
    if not folder.startswith("/") or len(after) > _MOST_STATE:
        return None
    pairs = (entry.partition("=") for entry in entries if "=" in entry)
    told = {name: value for name, _, value in pairs if name not in _OWN and name.isidentifier()}
    return folder, {name: value for name, value in told.items() if given.get(name) != value}


@dataclass(slots=True)
class Shell:
    """What one agent's commands leave to the next one."""

    call: AgentCall
    left: Callable[[], float]  # seconds that the agent has
    folder: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self, given: Bash) -> str:
        with self._lock:
            if given.restart:
                self.folder, self.variables = "", {}
            return self._command(given.command) if given.command else "the shell is as at the beginning"

    def _command(self, command: str) -> str:
        mark, gathered = secrets.token_hex(16), Gathered()

        def show(data: bytes) -> None:
            if data:
                gathered.add(data)
                self.call.write(data)

        split = Split(mark.encode(), show)
        limit = min(COMMAND_SECONDS, max(self.left(), 1.0))
        end = process.stream(
            contained(self.call.containment, self._argv(mark, command)),
            cwd=self.call.worktree,
            env=self.call.environment,
            on_output=split.add,
            timeout=limit,
            cancel=self.call.cancel,
            on_work=self.call.beat,
        )
        split.close()
        if split.after is not None and (stood := stands(bytes(split.after), self.call.environment)):
            self.folder, self.variables = stood
        if end.ok:
            return gathered.text or "(no output)"
        if end.reason is EndReason.TIMEOUT:
            raise ToolError(f"{gathered.text}\n[stopped after {limit:.0f} s]")
        raise ToolError(f"{gathered.text}\n[{end}]".lstrip())

    def _argv(self, mark: str, command: str) -> list[str]:
        script = _SCRIPT.format(mark=mark, command=command)
        shell = shutil.which("bash", path="/usr/bin:/bin") or "/bin/sh"
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        # The folder may be gone, or not be there in the sandbox: then the worktree's top, where it starts, has to do.
        enter = 'cd -- "$0" 2>/dev/null; '
        return [
            "/usr/bin/env",
            *variables,
            shell,
            "-c",
            enter + script,
            self.folder or str(self.call.worktree),
        ]


def runner(call: AgentCall, left: Callable[[], float]) -> Tool:
    return Tool(
        "bash",
        "Run a command with bash. Each starts in the folder and with the exported variables that the one before"
        " left; background processes end with it.",
        Bash,
        Shell(call, left).run,
        changes=lambda given: True,
        native="bash_20250124",
    )
