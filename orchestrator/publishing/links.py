"""Numbers of a run's other pull requests in the text of one. Pure.

They are known when it is opened and not when it is written: until then a mark stands there, of characters that no
text of agents or strangers keeps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NUMBER = "\x02"  # in what is said when it is known
_MARK = re.compile("\x00([^\x00\x01]*)\x01([^\x00\x01]*)\x01([^\x00\x01]*)\x00")


def link(marker: str, known: str, unknown: str) -> str:
    """``known``, with the number of the pull request of ``marker`` in it, or else ``unknown``."""
    return f"\x00{marker}\x01{known}\x01{unknown}\x00"


def linked(text: str, numbers: Mapping[str, int]) -> str:
    """``text`` with what is known now; ``numbers`` are by marker."""

    def found(mark: re.Match[str]) -> str:
        number = numbers.get(mark[1])
        return mark[3] if number is None else mark[2].replace(NUMBER, f"#{number}")

    return _MARK.sub(found, text)
