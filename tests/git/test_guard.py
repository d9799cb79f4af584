"""Which writes outside the worktrees are held against a task, and which are only told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestrator.guard import Guard
from shared.model import RepositoryFacts
from tests.support.repository import Repo

pytestmark = pytest.mark.git


def guard(repo: Repo, *, contained: bool) -> Guard:
    facts = RepositoryFacts(str(repo.git_dir), str(repo.path), f"{repo.path}.spinney", f"{repo.git_dir}/run")
    return Guard(facts, contained=contained)


def test_without_bubblewrap_every_write_is_held_against_whoever_ran(repo: Repo) -> None:
    repo.git("tag", "mine")
    watching, began = guard(repo, contained=False), time.time()
    (repo.path / "README.md").write_text("x")
    repo.git("update-ref", "-d", "refs/tags/mine")
    found = watching.written_during([(began, None)])
    assert found == [str(repo.git_dir / "refs/tags/mine"), str(repo.path / "README.md")]
    assert watching.written_during([(began - 9, began - 5)]) == []
    assert watching.noticed_during([(began, None)]) == []


def test_with_bubblewrap_the_user_may_work_in_the_checkout(repo: Repo) -> None:
    watching, began = guard(repo, contained=True), time.time()
    (repo.path / "README.md").write_text("by the user")
    repo.git("branch", "users")
    assert watching.written_during([(began, None)]) == []


def test_with_bubblewrap_what_makes_git_run_programs_is_held_against_whoever_ran(repo: Repo) -> None:
    watching, began = guard(repo, contained=True), time.time()
    repo.git("config", "core.hooksPath", "/tmp/evil")
    assert watching.written_during([(began, None)]) == [str(repo.git_dir / "config")]


def test_with_bubblewrap_the_rest_is_told_when_a_look_is_cheap_enough(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching, began = guard(repo, contained=True), time.time()
    (repo.path / "README.md").write_text("by the user")
    repo.git("config", "core.hooksPath", "/tmp/evil")
    watching.written_during([(began, None)])
    assert watching.noticed_during([(began, None)]) == []  # the last look was just now
    later = time.monotonic() + 3600
    monkeypatch.setattr("orchestrator.guard.time.monotonic", lambda: later)
    assert watching.noticed_during([(began, None)]) == [str(Path(repo.path, "README.md"))]
