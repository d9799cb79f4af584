"""The text of pull requests as the repository wants it: Markdown with names in braces for what is known. Pure.

``{word}`` with a word that means nothing is a mistake, since it would be found in a pull request otherwise. Other
braces are text, and ``{{`` and ``}}`` are braces. What closes the issue is no part of it: that line follows by itself.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

from shared.errors import InvalidInput, Problem

NAMES = ("title", "state", "summary", "phases", "checks", "cost", "time", "reproduce", "task", "run", "issue")
DEFAULT = "{state}\n\n{summary}\n\n{phases}\n\n{checks}\n\n{cost}\n\n{time}\n\n{reproduce}\n"
LARGEST = 20_000  # characters

_PLACE = re.compile(r"\{\{|\}\}|\{([a-z_]{1,40})\}")
_GAPS = re.compile(r"\n{3,}")


def check(text: str, file: str) -> str:
    """``text`` if it can be filled in. Raises InvalidInput with every mistake and its place."""
    if len(text) > LARGEST:
        raise InvalidInput([Problem(file, 0, 0, f"longer than {LARGEST:,} characters", "shorten it")])
    problems = []
    for found in _PLACE.finditer(text):
        if (name := found[1]) and name not in NAMES:
            before = text[: found.start()]
            close = difflib.get_close_matches(name, NAMES, 1)
            hint = f"did you mean {{{close[0]}}}?" if close else "there are: " + ", ".join(NAMES)
            line, column = before.count("\n") + 1, found.start() - (before.rfind("\n") + 1) + 1
            problems.append(Problem(file, line, column, f"unknown placeholder {{{name}}}", hint))
    if problems:
        raise InvalidInput(problems)
    return text


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with its values in place; where those are empty, no gap is left."""

    def value(found: re.Match[str]) -> str:
        return values[found[1]] if found[1] else found[0][0]

    return _GAPS.sub("\n\n", _PLACE.sub(value, template)).strip("\n") + "\n"
