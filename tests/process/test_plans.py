"""The preset ``implement`` with models: real processes, the real SDK behind the gateway, and a scripted server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.messages import Asked, Fault, MessagesServer, Reply
from tests.support.model_agent import finish
from tests.support.running import Done, Spinney
from tests.support.teams import pointer

pytestmark = [pytest.mark.process, pytest.mark.git]
BATCH = """\
version: 1
backend: anthropic
workflow: implement
tasks:
  - id: {id}
    title: Write the pages
    body: |
      - [ ] 1. Make a page in docs/{id} that says hello to everybody who reads it
      - [ ] 2. Make an index of all pages that are in that folder, in the order of their names
"""
HELLO = ("echo hello > docs/{id}/a.md", "ls docs/{id} > docs/{id}/index")  # nobody makes the folder first


class Model:
    """Plans ``commands`` for any task, and does what ``help`` says about one that failed."""

    def __init__(self, commands: Sequence[str], check: str, help: str = "") -> None:
        self.commands, self.check, self.help = commands, check, help
        self.agents: list[str] = []  # who asked
        self.prompts: dict[str, str] = {}

    def __call__(self, asked: Asked) -> Reply | Fault:
        name = next((name for name in ("ANALYST", "CRITERIA") if pointer(name) in asked.opening), "HELP")
        self.agents.append(name)
        self.prompts[name] = asked.opening
        if name == "ANALYST":
            return finish("two steps", commands=list(self.commands), decisions={"approach": "plainly"})
        if name == "CRITERIA":
            return finish("it says hello", checks=[self.check])
        return finish("looked", decisions={"recovery": self.help} if self.help else {})


@contextmanager
def asking(spinney: Spinney, model: Model) -> Iterator[None]:
    with MessagesServer(model) as server:
        spinney.extra |= {"ANTHROPIC_API_KEY": server.key, "ANTHROPIC_BASE_URL": server.url}
        yield


def run(spinney: Spinney, name: str, *options: str) -> Done:
    batch = spinney.batch(BATCH.replace("{id}", name), f"{name}.yaml")
    return spinney("run", batch, "--json", "--pull-requests", "none", *options)


def said(spinney: Spinney, agent: str) -> dict[str, Any]:
    """The last end of an agent in the journal of the last run."""
    return [
        event for event in spinney.events() if event["event"] == "agent.ended" and event["agent"] == agent
    ][-1]


def model_for(name: str, **fields: Any) -> Model:
    commands = [command.replace("{id}", name) for command in HELLO]
    return Model(commands, f"grep -q hello docs/{name}/a.md", **fields)


def test_plan_is_made_in_two_calls_and_its_slips_cost_no_further_one(held: Spinney) -> None:
    model = model_for("pages")
    with asking(held, model):
        done = run(held, "pages")
    assert done.statuses == {"pages": "merged"}, done.out + done.err
    assert sorted(model.agents) == ["ANALYST", "CRITERIA"]
    assert held.repo.read(done.json["merged"], "docs/pages/index") == "a.md\nindex"
    assert "1 recovered" in said(held, "EXECUTOR")["summary"]


def test_plan_that_worked_is_served_to_the_same_task_and_no_model_is_asked(held: Spinney) -> None:
    model = model_for("pages")
    with asking(held, model):
        first = run(held, "pages")
        assert first.statuses == {"pages": "merged"}, first.out + first.err
        again = run(held, "pages", "--fresh")
    assert again.statuses == {"pages": "merged"}, again.out + again.err
    assert sorted(model.agents) == ["ANALYST", "CRITERIA"]
    assert said(held, "ANALYST")["summary"] == "from the cache: two steps"
    assert again.json["metrics"]["cost_usd"] == 0
    trees = [held.repo.git("rev-parse", f"{done.json['merged']}^{{tree}}") for done in (first, again)]
    assert trees[0] == trees[1]


def test_plan_of_a_similar_task_is_offered(held: Spinney) -> None:
    with asking(held, model_for("pages")):
        assert run(held, "pages").code == 0
    other = model_for("sheets")
    with asking(held, other):
        done = run(held, "sheets", "--keep-worktrees")
    assert done.statuses == {"sheets": "merged"}, done.out + done.err
    assert sorted(other.agents) == ["ANALYST", "CRITERIA"]
    assert (
        "A plan that worked for a similar task is in `.tasks/ANALYST/similar.md`" in other.prompts["ANALYST"]
    )
    offered = held.worktree_folder() / "sheets/.tasks/ANALYST/similar.md"
    assert "echo hello > docs/pages/a.md" in offered.read_text()


@pytest.mark.slow
def test_plan_whose_check_failed_is_not_served(held: Spinney) -> None:
    model = model_for("pages")
    model.check = "grep -q farewell docs/pages/a.md"
    with asking(held, model):
        assert run(held, "pages").statuses == {"pages": "failed"}
        model.check = "grep -q hello docs/pages/a.md"
        done = run(held, "pages", "--fresh")
    assert done.statuses == {"pages": "merged"}, done.out + done.err
    assert model.agents.count("ANALYST") == 2


@pytest.mark.slow
def test_plan_that_the_gate_refused_is_not_served(held: Spinney) -> None:
    model = model_for("pages")
    with asking(held, model):
        assert run(held, "pages", "--gate", "false").statuses == {"pages": "unmerged"}
        done = run(held, "pages", "--fresh")
    assert done.statuses == {"pages": "merged"}, done.out + done.err
    assert model.agents.count("ANALYST") == 2


def test_model_is_asked_about_a_failure_that_nothing_else_explains(held: Spinney) -> None:
    touchy = "{ test -e ready || { echo it is not ready; exit 3; }; } && touch made"
    model = Model([touchy, "cp made done"], "test -e done", help="touch ready")
    with asking(held, model):
        done = run(held, "pages")
        assert done.statuses == {"pages": "merged"}, done.out + done.err
        assert model.agents.count("HELP") == 1
        assert "it is not ready" in model.prompts["HELP"]
        again = run(held, "pages", "--fresh")
    assert again.statuses == {"pages": "merged"}, again.out + again.err
    assert model.agents.count("HELP") == 1, "what helped is remembered"


def test_planned_commands_change_nothing_outside_and_do_not_read_the_home(held: Spinney) -> None:
    home, outside = Path(os.environ["HOME"]), held.repo.path.parent
    (home / "secret").write_text("hidden in the home")
    commands = [
        f"cat ~/secret {home}/secret > seen 2>&1; touch {outside}/written ~/written; true",
        "cp seen copy",
    ]
    with asking(held, Model(commands, f"! cat {home}/secret && (touch {outside}/written; test -s seen)")):
        done = run(held, "pages")
    assert done.statuses == {"pages": "merged"}, done.out + done.err
    assert "hidden" not in held.repo.read(done.json["merged"], "copy")
    assert not (outside / "written").exists()
    assert not (home / "written").exists()


@pytest.mark.slow
def test_replay_of_a_run_that_knew_things_needs_no_server(held: Spinney) -> None:
    with asking(held, model_for("pages")):
        assert run(held, "pages").code == 0
    with asking(held, model_for("sheets")):
        before = run(held, "sheets")
    assert before.code == 0
    del held.extra["ANTHROPIC_API_KEY"]
    after = run(held, "sheets", "--replay", before.json["run"], "--fresh")
    assert after.statuses == {"sheets": "merged"}, after.out + after.err
    trees = [held.repo.git("rev-parse", f"{done.json['merged']}^{{tree}}") for done in (before, after)]
    assert trees[0] == trees[1]


@pytest.mark.slow
def test_journal_tells_how_the_plan_came_about(held: Spinney) -> None:
    with asking(held, model_for("pages")):
        run(held, "pages")
        run(held, "pages", "--fresh")
    explained = held("explain", "pages")
    assert "from the cache: two steps" in explained.out, json.dumps(explained.out)
