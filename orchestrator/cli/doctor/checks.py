"""What one look at something finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    state: Literal["ok", "warn", "fail"]
    what: str
    detail: str
    hints: tuple[str, ...] = ()


def guarded(what: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    """What ``look`` finds; an expected error is a finding too."""
    from shared.errors import InvalidInput, SpinneyError

    try:
        yield from look()
    except InvalidInput as error:
        for problem in error.problems:
            yield Check("fail", what, str(problem))
    except SpinneyError as error:
        yield Check("fail", what, error.message, error.hints)
    except OSError as error:
        yield Check("fail", what, str(error))


def size(count: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
