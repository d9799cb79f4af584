"""``spinney plan --commands``: which commands of a list would run at the same time, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Spinney

pytestmark = pytest.mark.git

BATCH = """\
version: 1
tasks:
  - id: pages
    title: Make the pages
    run:
      - mkdir -p out
      - cd out
      - echo a > a
      - echo b > b
      - cat a b > all
      - make publish
      - cat all
  - id: one
    title: One command
    run: echo x > x
  - id: list
    title: A list
    workflow: implement
"""
WITHOUT = """\
version: 1
tasks:
  - {id: one, title: One command, run: echo x > x}
"""
SHOWN = """
pages / COMMAND: 6 commands in 5 batches
     2  cd out  (in front of each later command)
  batch 1
     1  mkdir -p out
  batch 2
     3  echo a > a
          after 1: needs the folder out, which 1 makes
     4  echo b > b
          after 1: needs the folder out, which 1 makes
  batch 3
     5  cat a b > all
          after 3: reads out/a, which 3 writes
          after 4: reads out/b, which 4 writes
  batch 4
     6  make publish
          after 5: it runs `make publish`, and what that changes cannot be told
  batch 5
     7  cat all
          after 6: 6 runs `make publish`, and what that changes cannot be told

list / EXECUTOR: commands are known when ANALYST has planned them

list / CHECKER: checks are known when CRITERIA has planned them
"""


@pytest.fixture
def batch(project: Path) -> str:
    (project / "spinney.yaml").write_text("backend: scripted\n")
    (project / "batch.yaml").write_text(BATCH)
    return "batch.yaml"


def test_batches_are_shown_with_a_reason_for_every_wait(spinney: Spinney, batch: str) -> None:
    done = spinney("plan", "--commands", batch)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(SHOWN)
    assert SHOWN not in spinney("plan", batch).stdout


def test_machines_get_the_same_as_data(spinney: Spinney, batch: str) -> None:
    pages, executor, checker = json.loads(spinney("plan", "--commands", "--json", batch).stdout)["commands"]
    assert (pages["task"], pages["agent"]) == ("pages", "COMMAND")
    assert pages["batches"] == [[1], [3, 4], [5], [6], [7]]
    assert pages["commands"][1] == {
        "number": 2,
        "command": "cd out",
        "batch": None,
        "rest": False,
        "after": [],
    }
    assert pages["commands"][2] == {
        "number": 3,
        "command": "echo a > a",
        "batch": 2,
        "rest": False,
        "after": [{"number": 1, "reason": "needs the folder out, which 1 makes"}],
    }
    assert executor["planned"] == {"agent": "ANALYST", "part": "commands"}
    assert checker["planned"] == {"agent": "CRITERIA", "part": "checks"}
    assert "commands" not in json.loads(spinney("plan", "--json", batch).stdout)


def test_a_batch_without_lists_says_so(spinney: Spinney, project: Path) -> None:
    (project / "batch.yaml").write_text(WITHOUT)
    done = spinney("plan", "--commands", "batch.yaml")
    assert done.returncode == 0
    assert done.stdout.endswith("\nno agent has a list of commands\n")
    assert json.loads(spinney("plan", "--commands", "--json", "batch.yaml").stdout)["commands"] == []


def test_a_list_that_needs_one_shell_says_so(spinney: Spinney, project: Path) -> None:
    (project / "batch.yaml").write_text(
        WITHOUT.replace("echo x > x", "[touch a, 'export X=$(mktemp)', touch b]")
    )
    shown = spinney("plan", "--commands", "batch.yaml").stdout
    assert (
        "     2  export X=$(mktemp)  (and all after it, in one shell)\n          after 1: it changes" in shown
    )


def test_a_list_that_is_too_long_is_bad_input(spinney: Spinney, project: Path) -> None:
    listed = json.dumps(["true"] * 1001)
    (project / "batch.yaml").write_text(f"version: 1\ntasks:\n  - {{id: one, title: One, run: {listed}}}\n")
    done = spinney("plan", "--commands", "batch.yaml")
    assert done.returncode == 2
    assert "a list of 1,001 commands is too long" in done.stderr
    assert "put some of them into a script" in done.stderr
