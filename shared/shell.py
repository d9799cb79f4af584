"""A shell command of the user's or an agent's, held and watched: the one way such commands run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared import process
from shared.containment import contained
from shared.model import Containment
from shared.process import Cancel, End
from shared.text import last_line

_REMEMBERED = 4096  # bytes of output in which the last line is looked for


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and the last line it said."""

    end: End
    said: str

    @property
    def ok(self) -> bool:
        return self.end.ok

    @property
    def problem(self) -> str:
        """What went wrong, in one line; empty where nothing did."""
        return "" if self.ok else f"{self.end}{f': {self.said}' if self.said else ''}"


def run(
    command: str,
    *,
    containment: Containment,
    cwd: str | Path,
    env: Mapping[str, str],
    write: Callable[[bytes], None],
    timeout: float,
    cancel: Cancel,
    on_work: Callable[[], None] | None = None,
) -> Ran:
    """Run ``command`` with /bin/sh; all its output goes to ``write``. Blocks; ``timeout`` is in seconds.

    ``on_work`` is called while it works, however silently.
    """
    tail = bytearray()

    def on_output(data: bytes) -> None:
        write(data)
        tail.extend(data)
        del tail[:-_REMEMBERED]

    end = process.stream(
        contained(containment, ["/bin/sh", "-c", command]),
        cwd=cwd,
        env=env,
        on_output=on_output,
        timeout=timeout,
        cancel=cancel,
        on_work=on_work,
    )
    return Ran(end, last_line(tail.decode(errors="replace")))
