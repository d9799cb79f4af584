"""What a forge makes links of: people who are then told, and issues that are then closed. Pure.

Text of agents and of strangers must do neither: ``fixes #7`` in the title of an issue would close another one when the
commit that bears the title is merged. GitHub reads names and numbers in code as code, in Markdown and in messages of
commits alike, so that they are put in backticks.
"""

from __future__ import annotations

import re

from shared.text import first_sentence

# A letter or digit before it makes it an address of mail. An underscore does not: it may be Markdown's emphasis.
MENTION = r"(?<![A-Za-z0-9])@[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(?:/[A-Za-z0-9_.-]{1,100})?"
REFERENCE = (
    r"https?://[^\s<>`]{1,500}/(?:issues|pull|discussions)/\d{1,18}(?![^\s<>`/?#])(?:[/?#][^\s<>`]{0,200})?"
    r"|(?<![A-Za-z0-9_./-])(?:[A-Za-z0-9-]{1,39}/[A-Za-z0-9_.-]{1,100})?#\d{1,18}"
    r"|#\d{1,18}"
    r"|(?<![A-Za-z0-9])[Gg][Hh]-\d{1,18}"
)
_EITHER = re.compile(f"{MENTION}|{REFERENCE}")
_IN_BACKTICKS = re.compile(f"`(?:{MENTION}|{REFERENCE})`")


def unlinked(text: str) -> str:
    """``text`` for a title or a message, with every name and number of an issue in backticks.

    Other backticks beside them become apostrophes: one that is left open would make code of what is between, and a
    link of the number behind it.
    """
    if not _EITHER.search(text):
        return text
    return _EITHER.sub(lambda found: f"`{found[0]}`", text.replace("`", "'"))


def linked(text: str) -> bool:
    """Whether a line of ``text`` is not as ``unlinked`` leaves it: a forge would make a link of something there."""
    for line in text.splitlines():
        rest = _IN_BACKTICKS.sub("", line)
        if _EITHER.search(rest) or (rest != line and "`" in rest):
            return True
    return False


def quiet(text: str, limit: int = 72) -> str:
    """One short line of it; what nobody sees goes first, since it can hide a name.

    No longer than ``limit``: who cut it again could cut between two backticks.
    """
    room = limit
    while len(shown := unlinked(first_sentence(text, room))) > limit:
        room -= 1
    return shown
