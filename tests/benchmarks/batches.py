"""Whole batches through the console script, against a shell script and against the ideal."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.benchmarks.measure import SPINNEY, Figure, copy, environment, pairs, template, timed

# What people do by hand: a worktree a task, the commands in parallel, then one merge after another.
_SCRIPT = r"""
set -eu
mkdir ../wt
seq 1 24 | xargs -P "$(nproc)" -I{} sh -c '
  git worktree add -q -b task{} ../wt/{} HEAD || { sleep 0.1; git worktree add -q -f ../wt/{} task{}; }
  cd ../wt/{}
  mkdir -p pkg{} && echo changed >> pkg{}/new.txt
  git add -A && git commit -q -m "task {}"'
for n in $(seq 1 24); do git merge -q --no-ff -m "merge $n" "task$n"; done
"""


def _batch(folder: Path, command: str, count: int = 24) -> Path:
    lines = ["version: 1", "tasks:"]
    lines += [f"  - {{id: t{n}, title: Task {n}, run: '{command.format(n=n)}'}}" for n in range(1, count + 1)]
    path = folder / "batch.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def trivial(scratch: Path) -> Figure:
    """24 trivial tasks on 5,000 files against the script."""
    source, env = template(scratch, 5000), environment(scratch)

    def ours() -> float:
        repository = copy(source, scratch / "ours")
        batch = _batch(scratch, "mkdir -p pkg{n} && echo changed >> pkg{n}/new.txt")
        return timed([SPINNEY, "run", str(batch), "-q"], repository, env)

    def theirs() -> float:
        return timed(["sh", "-c", _SCRIPT], copy(source, scratch / "theirs"), env)

    ratio, a, b = pairs(ours, theirs, 3)
    what = "wall time, 24 trivial tasks, 5,000 files, against a shell script"
    return Figure(what, ratio, 0.5, detail=f"{a:.2f} s against {b:.2f} s")


def waiting(scratch: Path) -> Figure:
    """24 tasks of 2 s with 8 jobs on 500 files against the ideal of 6 s."""
    source, env = template(scratch, 500), environment(scratch)
    seconds = []
    for _ in range(3):
        repository = copy(source, scratch / "wait")
        batch = _batch(scratch, "sleep 2; mkdir -p pkg{n} && echo changed >> pkg{n}/new.txt")
        seconds.append(timed([SPINNEY, "run", str(batch), "-q", "--jobs", "8"], repository, env))
    median = statistics.median(seconds)
    return Figure(
        "wall time, 24 tasks of 2 s, 8 jobs, against the ideal",
        median / 6.0,
        1.10,
        detail=f"{median:.2f} s against 6 s",
    )


def first_instruction(scratch: Path) -> Figure:
    """From `spinney run` to the first instruction of the first agent, against an empty Python."""
    source, env = template(scratch, 20), environment(scratch)

    def ours() -> float:
        repository = copy(source, scratch / "first")
        stamp = scratch / "stamp"
        started = time.time()
        timed([SPINNEY, "run", "-c", f"date +%s.%N > {stamp}; echo x > new", "-q"], repository, env)
        return float(stamp.read_text()) - started

    ratio, a, b = pairs(ours, lambda: timed([sys.executable, "-c", "pass"], scratch, env), 5)
    what = "from `spinney run` to the first agent's first instruction, against `python -c pass`"
    return Figure(what, ratio, 40, detail=f"{a * 1000:.0f} ms against {b * 1000:.0f} ms")


def help_text(scratch: Path) -> Figure:
    env = environment(scratch)
    ratio, a, b = pairs(
        lambda: timed([SPINNEY, "--help"], scratch, env),
        lambda: timed([sys.executable, "-c", "pass"], scratch, env),
        9,
    )
    return Figure(
        "`spinney --help`, against `python -c pass`",
        ratio,
        6,
        detail=f"{a * 1000:.0f} ms against {b * 1000:.0f} ms",
    )


def _has_agent(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        names = {child.name() for child in process.children()}
        return process.name().startswith("python") and bool(names & {"bwrap", "sh", "sleep"})
    return False


def memory(scratch: Path) -> Figure:
    """Private memory of WorkflowManagers whose agents are at work, so that they only wait."""
    source, env = template(scratch, 20), environment(scratch)
    repository = copy(source, scratch / "memory")
    batch = _batch(scratch, "sleep 3", 6)
    run = subprocess.Popen([SPINNEY, "run", str(batch), "-q", "--jobs", "6"], cwd=repository, env=env)
    try:
        managers: list[psutil.Process] = []
        deadline = time.monotonic() + 20
        while len(managers) < 6 and time.monotonic() < deadline:
            time.sleep(0.2)  # between two looks, not for a result
            everyone = psutil.Process(run.pid).children(recursive=True)
            managers = [process for process in everyone if _has_agent(process)]
        used = [process.memory_full_info().uss / 1e6 for process in managers]
    finally:
        run.wait(30)
    assert used, "no manager was seen"
    return Figure(
        "private memory of a waiting WorkflowManager",
        statistics.median(used),
        20,
        "MB",
        f"{len(used)} managers",
    )
