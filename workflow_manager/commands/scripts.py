"""Scripts of ``sed`` and ``awk``: whether they only change what flows through them."""

from __future__ import annotations

import re

_ADDRESS_NUMBER = re.compile(r"[0-9]{1,9}(?:~[0-9]{1,9})?|\$|\+[0-9]{1,9}")
_ALONE = frozenset("dDpPnNhHgGxl=qQ")  # commands without an argument
_FLAGS = frozenset("gpiImM0123456789")  # of ``s``; ``w`` writes a file and ``e`` runs a command
_AWK_REACHES_OUT = re.compile(r"[>|@]|system|getline")


def awk_is_harmless(program: str) -> bool:
    """Whether the program can neither write a file nor run or read anything else."""
    return _AWK_REACHES_OUT.search(program) is None


def sed_is_harmless(script: str) -> bool:
    """Whether the script is understood and neither reads nor writes other files nor runs a command."""
    at = 0
    while True:
        while at < len(script) and script[at] in " \t\n;{}":
            at += 1
        if at >= len(script):
            return True
        after = _command(script, at)
        if after is None:
            return False
        at = after


def _command(script: str, at: int) -> int | None:
    """Where the command at ``at`` ends; None where it is not understood or not harmless."""
    start = _addresses(script, at)
    if start is None:
        return None
    letter, after = script[start : start + 1], start + 1
    if letter in ("{", "}"):
        return after
    if letter and letter in "sy":
        return _substitution(script, after)
    if letter and letter in "aic":
        end = script.find("\n", after)
        end = len(script) if end < 0 else end
        return None if script.endswith("\\", after, end) else end
    if letter not in _ALONE:
        return None
    return after if script[after : after + 1] in ("", ";", "\n", "}", " ") else None


def _addresses(script: str, at: int) -> int | None:
    while at < len(script) and script[at] in "0123456789$/+, !\\":
        if match := _ADDRESS_NUMBER.match(script, at):
            at = match.end()
        elif script[at] == "/":
            after = _delimited(script, at + 1, "/")
            if after is None:
                return None
            at = after + 1 if script[after : after + 1] == "I" else after
        elif script[at] in ", !":
            at += 1
        else:
            return None
    return at


def _substitution(script: str, at: int) -> int | None:
    delimiter = script[at : at + 1]
    if delimiter in ("", "\\", "\n"):
        return None
    middle = _delimited(script, at + 1, delimiter)
    end = None if middle is None else _delimited(script, middle, delimiter)
    if end is None:
        return None
    while end < len(script) and script[end] in _FLAGS:
        end += 1
    return end if script[end : end + 1] in ("", ";", "\n", "}", " ") else None


def _delimited(script: str, at: int, delimiter: str) -> int | None:
    """After the next ``delimiter`` that is not escaped; None where there is none, or it may stand in brackets."""
    bracket = False
    while at < len(script):
        char = script[at]
        if char == "\\":
            at += 1
        elif char == delimiter:
            return None if bracket else at + 1
        elif char == "[":
            bracket = True
        elif char == "]":
            bracket = False
        at += 1
    return None
