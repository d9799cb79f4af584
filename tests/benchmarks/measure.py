"""Measuring: pairs in turn, medians, and repositories to measure on."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared import profiling as timing
from shared.git.sample import make_repository
from shared.model import Identity

SPINNEY = str(Path(sys.executable).with_name("spinney"))
WHO = Identity("Benchmark", "bench@example.invalid")


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table; ``reached`` and ``aim`` are in ``unit``."""

    what: str
    reached: float
    aim: float
    unit: str = "×"
    detail: str = ""

    @property
    def kept(self) -> bool:
        return self.reached <= self.aim

    def row(self) -> str:
        mark = "" if self.kept else " (missed)"
        unit = f" {self.unit}" if self.unit else ""  # without one it is counted, and whole
        reached = f"{self.reached:.2f}{unit}" if unit else f"{self.reached:.0f}"
        return f"| {self.what} | ≤ {self.aim:g}{unit} | **{reached}**{mark} | {self.detail} |"


def environment(home: Path) -> dict[str, str]:
    """A clean environment, so that nobody's git configuration is measured."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "SPINNEY_"))}
    return {**kept, "HOME": str(home), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def template(folder: Path, files: int) -> Path:
    """A repository of about ``files`` files of ordinary size in folders of fifty, with a little history."""
    repository = folder / f"template-{files}"
    body = "".join(f"line {number} of a file that is neither large nor small\n" for number in range(40))
    content = {f"pkg{n // 50:03d}/module{n:05d}.py": f"# file {n}\n{body}" for n in range(files)}
    make_repository(repository, [("Begin", {"README.md": "# Benchmark\n"}), ("Add files", content)], WHO)
    subprocess.run(
        ["git", "gc", "-q"], cwd=repository, env=environment(folder), check=True
    )  # packed, as a clone is
    return repository


def copy(repository: Path, folder: Path) -> Path:
    """A fresh copy of ``repository`` in a fresh ``folder``."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return Path(shutil.copytree(repository, folder / "repo", symlinks=True))


def timed(argv: Sequence[str], cwd: Path, env: dict[str, str], accept: Sequence[int] = (0,)) -> float:
    """Wall seconds of a command. Raises AssertionError with its output when it fails."""
    with timing.timed(argv[0]) as taken:
        done = subprocess.run(
            argv, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=600
        )
    assert done.returncode in accept, (
        f"{argv}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    )
    return taken.seconds


def pairs(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """The median of the ratios of ``rounds`` runs in turn, after one of each that does not count."""
    ours(), theirs()
    measured = [(ours(), theirs()) for _ in range(rounds)]
    ratio = statistics.median(a / b for a, b in measured)
    return ratio, statistics.median(a for a, _ in measured), statistics.median(b for _, b in measured)
