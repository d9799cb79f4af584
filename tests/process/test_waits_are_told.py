"""Whoever waits for GitHub hears of it, and programs that read standard output do not."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.github.faults import Fault
from tests.support.github.standin import GitHub
from tests.support.repository import Repo
from tests.support.running import Spinney, running

pytestmark = [pytest.mark.process, pytest.mark.git]

HELD = r"GitHub asks to wait until \d\d:\d\d:\d\d: .+"


@pytest.fixture
def here(repo: Repo, github: GitHub) -> Iterator[Spinney]:
    repo.write("spinney.yaml", "backend: scripted\n")
    repo.commit("how we work")
    repo.git("push", "--quiet", str(github.bare.path), "main")
    repo.git("remote", "add", "origin", github.git_url)
    with running(repo) as spinney:
        spinney.extra |= github.environment()
        yield spinney


def test_a_plan_says_that_github_is_slow_and_that_it_asks_to_wait(here: Spinney, github: GitHub) -> None:
    github.issue("First", "Do it.")
    github.faults.add(Fault("slow", r"^GET /repos/acme/widgets$", seconds=1.3))
    github.faults.add(Fault("slow", r"^GRAPHQL", at=2, seconds=1.3))
    github.faults.add(Fault("secondary", r"^GRAPHQL", headers={"retry-after": "2"}))
    done = here("plan", "--json", "#1")
    assert done.code == 0, done.err
    assert [task["id"] for task in json.loads(done.out)["tasks"]] == ["issue-1"]
    said = [line for line in done.err.splitlines() if "GitHub" in line]
    assert said[0] == "asking GitHub about the repository …"
    assert "asking GitHub for issues …" in said
    assert any(re.fullmatch(HELD, line) for line in said), said


def test_a_quiet_run_says_nothing_of_waits(here: Spinney, github: GitHub) -> None:
    github.issue("First", "Do it.")
    github.faults.add(Fault("slow", r"^GET /repos/acme/widgets$", seconds=1.3))
    done = here("run", "--quiet", "#1")
    assert done.code == 0, done.err
    assert "GitHub" not in done.err


def test_a_check_and_a_look_at_pull_requests_say_so_too(here: Spinney, github: GitHub) -> None:
    github.faults.add(Fault("slow", r"^GET /repos/acme/widgets$", times=0, seconds=1.3))
    for arguments in (
        ("doctor", "--github"),
        ("follow", "--once", "--json"),
        ("pr", "list", "--forge", "github"),
    ):
        assert "asking GitHub about the repository …" in here(*arguments).err.splitlines(), arguments
