"""A program's home: empty at first, one an agent, kept with the run so that a later try finds its session there.

It is the agent's to write, so whatever lies in it can be a link or a pipe: nothing there is opened by name.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from shared.files import replace_file
from shared.globs import matches
from workflow_manager import beneath
from workflow_manager.backends.port import AgentCall
from workflow_manager.backends.programs.definition import Definition
from workflow_manager.beneath import Unreachable

_SESSIONS = uuid.UUID("6f7a2f3e-5d0b-4c52-9b8e-2f9d4a1c7e60")
_LOOKED_AT = 100_000  # names, for a session


@dataclass(frozen=True, slots=True)
class Home:
    path: Path
    session_id: str  # the same whenever this agent of this task is carried out, so that a run can be replayed

    @classmethod
    def of(cls, call: AgentCall) -> Home:
        """Makes it where there is none. Nobody else on this machine can look into it."""
        assert call.transcript is not None, "agents of a run have a place for what they say"
        path = call.transcript.with_name(f"{call.agent.name.rpartition('/')[2]}.home")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(path, str(uuid.uuid5(_SESSIONS, f"{call.task.id}/{call.agent.name}")))

    @property
    def identity(self) -> str:
        """64 hexadecimal digits, as some programs want to be known by."""
        return hashlib.sha256(self.session_id.encode()).hexdigest()

    def sessions(self, definition: Definition) -> list[str]:
        """What there is of an earlier session, as paths in it, if the program can go on with one."""
        if not definition.again or not definition.session:
            return []
        pattern = definition.session.replace("{session_id}", self.session_id)
        parts = tuple(pattern.split("/"))
        known = tuple(takewhile(lambda part: "*" not in part, parts))
        if known == parts:
            return [pattern] if beneath.exists(self.path, parts) else []
        with contextlib.suppress(Unreachable, OSError):  # there is no such folder, or a link in its place
            found = beneath.walk(self.path, known, _LOOKED_AT, frozenset())
            return [path for path in found if matches(pattern, path) and not path.endswith("/")]
        return []

    def furnish(self, definition: Definition) -> None:
        """Put in what it has at first; what the program has made of that since stays. Raises Unreachable."""
        for name, text in definition.files:
            beneath.make(
                self.path, tuple(name.split("/")), text.replace("{identity}", self.identity).encode()
            )

    def forget(self, definition: Definition) -> None:
        for path in self.sessions(definition):
            beneath.remove(self.path, tuple(path.split("/")))

    def prompt(self, text: str) -> Path:
        """A file with ``text``; beside the home, where no agent can write."""
        path = self.path.with_suffix(".prompt.md")
        replace_file(path, text)
        return path
