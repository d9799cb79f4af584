"""Text of strangers, as far as people who look at it can see it. Pure.

Left out and counted: what ``markup`` says is never shown, terminal escapes, control characters, and characters
without a shape of their own (Unicode's ``Default_Ignorable_Code_Point``: zero-width and bidirectional ones, soft
hyphens, tag characters, fillers). Nothing is normalised: code means what it meant. All of it takes time in proportion
to the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.intake import markup

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b\n]{0,256}(?:\x07|\x1b\\)?"  # operating system commands
    r"|\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]"  # control sequences
    r"|\x1b[PX^_][^\x1b\n]{0,256}(?:\x1b\\)?"  # device control and other strings
    r"|\x1b[ -/]{0,8}[0-~]?"
)
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_PICTURE = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
# Behind a picture, one selector and before another one a joiner are how it is written, and hide nothing.
_WRITTEN = re.compile(
    f"(?<=[{_PICTURE}])(?:\ufe0f(?![\ufe00-\ufe0f])|\u200d(?=[{_PICTURE}])|\ufe0f\u200d(?=[{_PICTURE}]))"
)
_LINE_ENDS = re.compile("\r\n|[\r\u0085\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class Cleaned:
    text: str
    hidden: int = 0  # characters that nobody would have seen, and that were left out
    cut: int = 0  # characters past the limit that were left out


def clean(text: str, limit: int = 65_536) -> Cleaned:
    """``text`` as it is seen, at most ``limit`` characters of it; line ends become ``\\n``.

    What lies more than four times past the limit is not even looked at, and counts as cut.
    """
    looked_at, beyond = text[: limit * 4], max(0, len(text) - limit * 4)
    plain = _WRITTEN.sub("", _LINE_ENDS.sub("\n", looked_at))
    # Characters first: what was hidden inside the mark of a comment must not keep it from being one.
    shaped = _UNSEEN.sub("", _ESCAPES.sub("", plain))
    seen = markup.visible(shaped)
    text = seen.strip("\n").rstrip()
    return Cleaned(text[:limit], len(plain) - len(seen), max(0, len(text) - limit) + beyond)
