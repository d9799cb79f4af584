"""Variables that a command sets."""

from __future__ import annotations

import re

from workflow_manager.commands.syntax import Unclear, Word

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\+?=")
# Variables that make a program work elsewhere, or do more, than its arguments say.
_MISLEADING = re.compile(r"GIT_\w*|CDPATH|IFS|ENV|BASH_ENV|LD_\w*|\w*(?:OPTIONS|OPTS|ADDOPTS)")


def assigned(word: Word) -> str:
    """The name that ``word`` gives a value, or an empty string."""
    match = _ASSIGNMENT.match(word.text)
    return match.group(1) if match and match.end() <= word.quoted_from else ""


def refuse_misleading(name: str) -> None:
    if _MISLEADING.fullmatch(name):
        raise Unclear(f"sets {name}, and what that changes cannot be told")
