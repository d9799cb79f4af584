"""`make bench`: every figure, as a table; `--write` also puts it into the README."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import (
    batches,
    deciding,
    gateway,
    github,
    github_batches,
    model_context,
    model_loop,
    repository,
    workflows,
)
from tests.benchmarks.measure import Figure

ALL: dict[str, Callable[[Path], Figure]] = {
    "trivial": batches.trivial,
    "waiting": batches.waiting,
    "merging": repository.merging,
    "committing": repository.committing,
    "memory": batches.memory,
    "first": batches.first_instruction,
    "help": batches.help_text,
    **workflows.ALL,
    "deciding": deciding.deciding,
    "gateway": gateway.overhead,
    **model_loop.ALL,
    "model-context": model_context.autodev,
    **github.ALL,
    **github_batches.ALL,
}
_BEGIN, _END = "<!-- bench: begin -->", "<!-- bench: end -->"


def main(arguments: list[str]) -> int:
    names = [name for name in arguments if not name.startswith("-")] or list(ALL)
    figures = []
    for name in names:
        with tempfile.TemporaryDirectory(prefix="spinney-bench-") as scratch:
            figure = ALL[name](Path(scratch))
        print(figure.row(), flush=True)
        figures.append(figure)
    git = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout.split()[2]
    lines = ["| what | aim | reached | |", "|---|---|---|---|", *(figure.row() for figure in figures), ""]
    lines.append(f"Medians on {os.cpu_count()} processors, Python {platform.python_version()}, git {git}.")
    print("\n" + "\n".join(lines))
    if "--write" in arguments:
        readme = Path("README.md")
        before, _, rest = readme.read_text().partition(_BEGIN)
        readme.write_text(f"{before}{_BEGIN}\n" + "\n".join(lines) + f"\n{_END}" + rest.partition(_END)[2])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
