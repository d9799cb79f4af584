"""Finding a program among the processes that hold it, so that it alone is asked to come to an end.

A signal to the whole group would end bubblewrap first, and with it everything inside before it could say a word.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path


def called(name: str, among: Iterable[int]) -> set[int]:
    """Those of the processes ``among`` that run the program ``name``, without those that another of them started."""
    import psutil

    parents: dict[int, int] = {}
    for pid in among:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if runs(name, process.cmdline()):
                parents[pid] = process.ppid()
    return {pid for pid, parent in parents.items() if parent not in parents}


def runs(name: str, command: Sequence[str]) -> bool:
    """Whether ``command`` is the program ``name``, or an interpreter with it as its script."""
    script = next((word for word in command[1:] if not word.startswith("-")), "")
    return any(Path(word).name == name for word in (*command[:1], script))
