"""What a coding program is told beside the agent's own prompt. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from shared.text import first_sentence

GUIDES = ("CLAUDE.md", "AGENTS.md")  # in which repositories say how to work in them
_ALONE = "Nobody answers questions or grants permissions: decide yourself, and say at the end what you could not do."
_CHANGED = "The files may not be as you left them: look before you change anything."
GO_ON = "Your last answer broke off. Go on from there."


def beginning(prompt: str, guides: Sequence[str]) -> str:
    """For a program that knows nothing yet."""
    lines = [_ALONE]
    if guides:
        names = " and ".join(f"`{name}`" for name in guides)
        lines.append(f"How to work in this repository is said in {names}: read that first.")
    return f"{prompt.strip()}\n\n" + "\n".join(lines) + "\n"


def going_on(prompt: str, failure: str) -> str:
    """For one that remembers its earlier try."""
    before = f"Your try before failed: {first_sentence(failure, 300)}" if failure else "You were interrupted."
    return f"{before}\n{_CHANGED} What there is to do is still this:\n\n{prompt.strip()}\n"
