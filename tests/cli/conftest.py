"""A small repository, and the installed console script run in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SPINNEY = Path(sys.executable).with_name("spinney")
Spinney = Callable[..., subprocess.CompletedProcess[str]]

BATCH = r"""
version: 1
gate: "echo gating; ! grep -q BAD *.txt"
tasks:
  - id: good
    title: A good one
    run: "printf '\\033[31mred\\033[0m\\033]0;title\\007 and\\nplain\\n'; echo good > good.txt"
  - id: refused
    title: The gate says no
    run: echo BAD > bad.txt
  - id: broken
    title: It fails
    run: "for i in $(seq 30); do echo line $i; done; exit 3"
"""


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home), "GIT_CONFIG_GLOBAL": "/dev/null"}


@pytest.fixture
def project(tmp_path: Path, environment: dict[str, str]) -> Path:
    """A repository with two commits on ``main``."""
    path = tmp_path / "project"
    path.mkdir()

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=path, env=environment, check=True, capture_output=True)

    git("init", "-b", "main")
    git("config", "user.name", "Ada Lovelace")
    git("config", "user.email", "ada@example.com")
    for name in ("one", "two"):
        (path / name).write_text(f"{name}\n")
        git("add", name)
        git("commit", "-m", name)
    return path


@pytest.fixture
def spinney(project: Path, environment: dict[str, str]) -> Spinney:
    """Run ``spinney`` in the project, or in ``cwd``."""

    def call(*arguments: str, cwd: Path = project) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SPINNEY, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=60
        )

    return call


@pytest.fixture
def finished(project: Path, spinney: Spinney) -> subprocess.CompletedProcess[str]:
    """A run that is over: one task merged, one refused by the gate, one failed."""
    batch = project / "batch.yaml"
    batch.write_text(BATCH)
    done = spinney("run", "batch.yaml")
    batch.unlink()
    assert done.returncode == 1, done.stderr
    return done
