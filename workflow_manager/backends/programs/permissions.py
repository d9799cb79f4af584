"""What an agent may do, in the words of the program that carries it out. Pure.

This is for the model's sake, which hears at once what it may not do; what holds is the sandbox, and the inspection of
what an agent left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_CLAUDE = {  # by the names of the port's tools
    "read": ("Read",),
    "search": ("Glob", "Grep"),
    "write": ("Write",),
    "edit": ("Edit",),
    "run": ("Bash",),
}


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one agent may do."""

    tools: Sequence[str]  # of the port
    writes: tuple[str, ...] | None  # None: anywhere in its worktree
    outputs: tuple[str, ...]  # its own folder: below the worktree, and where that leads to
    sandboxed: bool  # nothing is there to read that it may not


def claude(allowed: Allowed) -> list[str]:
    """For Claude Code: the tools that are there at all, and rules for them; nobody is asked, the rest is refused.

    Rules are relative to the worktree. One that names a file without a folder holds in every folder.
    """
    names = [name for tool in allowed.tools for name in _CLAUDE.get(tool, ())]
    tools = ",".join(dict.fromkeys((*names, "Write")))  # of its own folder at least
    rules = {"permissions": {"allow": list(_rules(allowed))}}
    return ["--permission-mode", "dontAsk", "--tools", tools, "--settings", json.dumps(rules)]


def _rules(allowed: Allowed) -> Iterable[str]:
    for folder in allowed.outputs:
        yield f"Edit({_place(folder)}/**)"
        yield f"Read({_place(folder)}/**)"
    if not {"write", "edit"}.isdisjoint(allowed.tools):
        for pattern in ("**",) if allowed.writes is None else allowed.writes:
            yield f"Edit({_place(pattern)})"
    if "run" in allowed.tools:
        yield "Bash"
    if allowed.sandboxed:
        yield "Read(//**)"


def _place(path: str) -> str:
    """Absolute paths begin with two slashes there; one would be relative to where the rules are written."""
    return f"/{path}" if path.startswith("/") else f"./{path}"
