"""A program's home: empty at first, one an agent, kept with the run so that a later try finds its session there."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from pathlib import Path

from workflow_manager.backends.port import AgentCall
from workflow_manager.backends.programs.definition import Definition

_SESSIONS = uuid.UUID("6f7a2f3e-5d0b-4c52-9b8e-2f9d4a1c7e60")
_PROMPT = ".prompt.md"


@dataclass(frozen=True, slots=True)
class Home:
    path: Path
    session_id: str  # the same whenever this agent of this task is carried out, so that a run can be replayed

    @classmethod
    def of(cls, call: AgentCall) -> Home:
        """Makes it where there is none. Nobody else on this machine can look into it."""
        assert call.transcript is not None, "agents of a run have a place for what they say"
        path = call.transcript.with_name(f"{call.transcript.name.removesuffix('.jsonl')}.home")
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return cls(path, str(uuid.uuid5(_SESSIONS, f"{call.task.id}/{call.agent.name}")))

    @property
    def identity(self) -> str:
        """64 hexadecimal digits, as some programs want to be known by."""
        return hashlib.sha256(self.session_id.encode()).hexdigest()

    def sessions(self, definition: Definition) -> list[Path]:
        """What there is of an earlier session, if the program can go on with one."""
        if not definition.again or not definition.session:
            return []
        return sorted(self.path.glob(definition.session.replace("{session_id}", self.session_id)))

    def furnish(self, definition: Definition) -> None:
        """Put in what it has at first; what the program has made of that since stays."""
        for name, text in definition.files:
            path = self.path / name
            if not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text.replace("{identity}", self.identity))

    def forget(self, definition: Definition) -> None:
        for path in self.sessions(definition):
            path.unlink(missing_ok=True)

    def prompt(self, text: str) -> Path:
        """A file with ``text``."""
        path = self.path / _PROMPT
        path.write_text(text)
        return path
