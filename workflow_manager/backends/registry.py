"""Backends by name. The factories import, so that nobody pays for what is not used."""

from __future__ import annotations

from workflow_manager.backends.port import Backend

PROGRAMS = ("claude-code", "aider", "codex", "gemini", "opencode")
NAMES = ("command", "scripted", "anthropic", *PROGRAMS)


def make(name: str) -> Backend:
    """The backend called ``name``. Raises KeyError for an unknown one."""
    if name == "command":
        from workflow_manager.backends.command import CommandBackend

        return CommandBackend()
    if name == "scripted":
        from workflow_manager.backends.scripted import ScriptedBackend

        return ScriptedBackend()
    if name == "anthropic":
        from workflow_manager.backends.anthropic.backend import AnthropicBackend

        return AnthropicBackend()
    if name in PROGRAMS:
        from workflow_manager.backends.programs.backend import ProgramBackend

        return ProgramBackend(name)
    raise KeyError(name)
