"""A failed command, and what could be done about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TAIL = 16_384  # bytes of a command's output that are looked at


class Kind(StrEnum):
    """Why a command failed, as far as its output tells."""

    MISSING_COMMAND = "missing command"
    MISSING_MODULE = "missing module"
    MISSING_DEPENDENCY = "missing dependency"
    OTHER_SHELL = "another shell's syntax"
    PERMISSION = "permission"
    PORT = "port in use"
    DISK = "disk full"
    NETWORK = "network"
    BUSY = "held by somebody else"
    MERGE_CONFLICT = "merge conflict"
    SYNTAX = "syntax error"
    FOLDER = "missing folder"
    EXISTS = "already there"
    WRONG_PLACE = "wrong folder"
    TIMEOUT = "timeout"
    MEMORY = "out of memory"
    TESTS = "failing tests"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Failure:
    """A command that ended badly: how, in our own words, and the end of what it said."""

    command: str
    how: str  # such as ``exit status 127`` or ``timed out after 60 s``
    output: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What there is where a command runs."""

    root: str = ""  # the worktree
    files: frozenset[str] = frozenset()  # names at its top
    programs: frozenset[str] = frozenset()  # below it, in places where dependencies put them, by path
    ignored: frozenset[str] = frozenset()  # names that git ignores: what is made there is not committed
    network: bool = True


@dataclass(frozen=True, slots=True)
class Proposal:
    """What could help. One that ``changes_machine`` is only ever told."""

    why: str  # what the matter is, such as ``eslint is not installed``
    advice: str = ""  # for a person, where we do nothing
    before: str = ""  # a command that is run first
    instead: str = ""  # what is run in place of the one that failed
    pause: float = 0.0  # seconds before it is run again
    changes_machine: bool = False
    by_model: bool = False  # what is run are a model's words: only ever in a sandbox

    @property
    def runnable(self) -> bool:
        return not self.changes_machine and bool(self.before or self.instead or self.pause)

    def __str__(self) -> str:
        command = "; ".join((self.before or self.instead).split("\n"))[:200]
        told = self.advice or (f"`{command}` could help" if command and self.runnable else "")
        return f"{self.why}; {told}" if told else self.why


@dataclass(frozen=True, slots=True)
class Case:
    """A failure that a row of the table has recognised. ``what`` is the thing that the output names."""

    what: str
    failure: Failure
    around: Surroundings


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the table says of a failure. ``signature`` is the same for the same trouble elsewhere."""

    kind: Kind
    signature: str = ""
    proposals: tuple[Proposal, ...] = ()  # the best first
