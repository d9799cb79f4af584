"""What a forge acts on in a text: people who are told, issues that are closed, checks that are left out. Pure.

Text of agents and of strangers must do none of it: ``fixes #7`` in the title of an issue would close another one when
the commit that bears the title is merged, and with ``[skip ci]`` there nothing would check that commit. GitHub reads
names and numbers in code as code, in Markdown and in messages of commits alike, so that they are put in backticks. What
turns checks off holds in code, too (https://docs.github.com/en/actions/managing-workflow-runs/skipping-workflow-runs);
it loses its brackets or its colon.
"""

from __future__ import annotations

import re

from shared.text import first_sentence

# A letter or digit before it makes it an address of mail. An underscore does not: it may be Markdown's emphasis.
MENTION = r"(?<![A-Za-z0-9])@[A-Za-z0-9][A-Za-z0-9_.-]{0,99}(?:/[A-Za-z0-9_.-]{1,100})?"
REFERENCE = (
    r"(?i:https?://|www\.)[^\s<>`]{1,500}/(?i:issues|pull|discussions)/\d{1,18}(?:[/?#][^\s<>`]{0,200})?"
    r"|(?<![A-Za-z0-9_./-])(?:[A-Za-z0-9-]{1,39}/[A-Za-z0-9_.-]{1,100})?#\d{1,18}"
    r"|#\d{1,18}"
    r"|(?<![A-Za-z0-9])[Gg][Hh]-\d{1,18}"
)
_EITHER = re.compile(f"{MENTION}|{REFERENCE}")
_IN_BACKTICKS = re.compile(f"`(?:{MENTION}|{REFERENCE})`")
# Of GitHub, and of others' services, which name themselves or everything: [skip travis], [ci skip], [skip-ci].
_SKIP = re.compile(
    r"\[(?P<words>\s{0,9}(?:(?:skip|no)[\s_-]{1,9}[A-Za-z]{1,30}|[A-Za-z]{1,30}[\s_-]{1,9}skip)\s{0,9})\]"
    r"|(?P<trailer>\bskip-checks\s{0,9}):|\*{3}(?P<stars>no_ci)\*{3}",
    re.IGNORECASE,
)


def unlinked(text: str) -> str:
    """``text`` for a title or a message, with every name and number of an issue in backticks.

    Other backticks beside them become apostrophes: one that is left open would make code of what is between, and a
    link of the number behind it.
    """
    if not _EITHER.search(text):
        return text
    return _EITHER.sub(lambda found: f"`{found[0]}`", text.replace("`", "'"))


def checked(text: str) -> str:
    """``text`` without what turns checks of a commit off; no longer than it was."""
    return _SKIP.sub(_said_only, text)


def _said_only(found: re.Match[str]) -> str:
    if found["trailer"]:
        return f"{found['trailer']}."
    return f"({found['words'] or found['stars']})"


def skips(text: str) -> bool:
    """Whether something in ``text`` turns checks of the commit off that says it."""
    return _SKIP.search(text) is not None


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
    while len(shown := unlinked(checked(first_sentence(text, room)))) > limit:
        room -= 1
    return shown
