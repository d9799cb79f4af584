"""Each preset from its first agent to the merge: through the console script, with the scripted backend."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import Done, Spinney
from workflow_manager.workflows import find

pytestmark = pytest.mark.process

FEATURE = ["implementation", "testing", "documentation"]
FULL_APP = ["init", "planning", "architecture", "implementation", "quality", "ops"]
AUTODEV = ["tests", "implementation", "validation"]
IMPLEMENT = ["execute"]
FULLSTACK = ["planning", "architecture", "development", "quality", "production", "coordination"]


def run(spinney: Spinney, tasks: str, *arguments: str) -> Done:
    return spinney("run", spinney.batch(batch(tasks)), "--json", *arguments)


def batch(tasks: str) -> str:
    return f"version: 1\nbackend: scripted\ntasks:\n{tasks}"


def phases_committed(done: Done, task: str) -> list[str]:
    return [commit["phase"] for commit in done.tasks[task]["commits"]]


def of(events: Iterable[Mapping[str, Any]], kind: str, task: str = "") -> list[Mapping[str, Any]]:
    return [e for e in events if e["event"] == kind and (not task or e["task"] == task)]


def worked(spinney: Spinney, task: str) -> set[str]:
    """The agents of a task that ran, by the journal, and each of them once."""
    names = Counter(str(event["agent"]) for event in of(spinney.events(), "agent.ended", task) if event["ok"])
    assert set(names.values()) <= {1}
    return set(names)


def team(preset: str) -> set[str]:
    return {str(agent.name) for agent in find(preset, Path("/nowhere")).agents}


def changed_by(spinney: Spinney, commit: Mapping[str, str]) -> list[str]:
    shown = spinney.repo.git("show", "--format=", "--name-only", commit["oid"])
    return sorted(shown.splitlines())


# --- each by itself


def test_feature_leaves_three_commits_with_what_each_phase_wrote(spinney: Spinney) -> None:
    done = run(spinney, "  - {id: sign-in, title: Sign in, workflow: feature}\n")
    assert done.statuses == {"sign-in": "merged"}, done
    commits = done.tasks["sign-in"]["commits"]
    assert [commit["phase"] for commit in commits] == FEATURE
    assert [changed_by(spinney, commit) for commit in commits] == [
        ["scripted/implementer-sign-in.txt"],
        ["tester-sign-in-test"],
        ["writer-sign-in.md"],
    ]
    assert spinney.repo.read(done.json["merged"], "writer-sign-in.md").startswith("# WRITER: Sign in\n")
    assert worked(spinney, "sign-in") == team("feature")
    assert not spinney.worktree_folder().exists()


def test_full_app_with_all_agents_leaves_six_commits(spinney: Spinney) -> None:
    done = run(
        spinney,
        "  - {id: app, title: An app, body: It tells the tide., workflow: full-app}\n",
        "--all-agents",
        "--jobs=8",
    )
    assert done.statuses == {"app": "merged"}, done
    assert phases_committed(done, "app") == FULL_APP
    assert worked(spinney, "app") == team("full-app")
    assert of(spinney.events(), "agent.skipped") == []
    by_phase = {c["phase"]: changed_by(spinney, c) for c in done.tasks["app"]["commits"]}
    assert by_phase["init"] == ["docs/briefs/app.md"]
    assert by_phase["planning"] == ["docs/product/pm-app.md"]
    assert len(by_phase["implementation"]) == 32
    assert "src/ui/web/dev_ui_web-app.md" in by_phase["implementation"]
    assert by_phase["quality"] == [
        "docs/quality/code/cqr-app.md",
        "docs/quality/security/sr-app.md",
        "tests/test-app.md",
    ]
    assert by_phase["ops"] == ["ops/doe-app.md"]
    assert "It tells the tide." in spinney.repo.read(done.json["merged"], "docs/briefs/app.md")


def test_full_app_asks_only_those_whom_the_idea_needs(spinney: Spinney) -> None:
    title = "Build a todo app with React and FastAPI"
    done = run(spinney, f"  - {{id: todo, title: {title}, workflow: full-app}}\n")
    assert done.statuses == {"todo": "merged"}, done
    assert phases_committed(done, "todo") == FULL_APP
    everywhere = {"INIT", "PM", "ARCHITECT", "TEST", "CQR", "SR", "DOE"}
    web_and_api = {"UIUX_GUI", "TL_UI_WEB", "DEV_UI_WEB", "TL_CORE_API", "DEV_CORE_API"}
    assert worked(spinney, "todo") == everywhere | web_and_api
    skipped = {event["agent"]: event["reason"] for event in of(spinney.events(), "agent.skipped")}
    assert set(skipped) == team("full-app") - everywhere - web_and_api
    assert skipped["DEV_DATA"] == "the layer data is not needed; needed: core-api, ui-web (the task's words)"


def test_apps_of_one_batch_do_not_collide(spinney: Spinney) -> None:
    tasks = "".join(f"  - {{id: app-{n}, title: App {n}, workflow: full-app}}\n" for n in range(3))
    done = run(spinney, tasks, "--jobs=8")
    assert set(done.statuses.values()) == {"merged"}, done
    assert all(phases_committed(done, f"app-{n}") == FULL_APP for n in range(3))


def test_fullstack_merges_what_its_developers_made_apart(spinney: Spinney) -> None:
    done = run(spinney, "  - {id: shop, title: A shop, workflow: fullstack}\n", "--jobs=4")
    assert done.statuses == {"shop": "merged"}, done
    commits = done.tasks["shop"]["commits"]
    assert [commit["phase"] for commit in commits] == FULLSTACK
    assert changed_by(spinney, commits[2]) == [
        "scripted/backend_developer-shop.txt",
        "scripted/devops_engineer-shop.txt",
        "scripted/frontend_developer-shop.txt",
    ]
    assert worked(spinney, "shop") == team("fullstack")
    assert spinney.repo.refs("refs/spinney/scratch") == {}


def test_layers_that_the_product_manager_decides_win_over_the_words_of_the_idea(spinney: Spinney) -> None:
    extend(
        spinney,
        "full-app",
        "planning",
        """\
      - name: PM
        script:
          - {action: write, path: docs/product/scope.md, text: Terminal only.}
          - {action: decide, path: scope, text: everything in a terminal}
          - {action: decide, path: layers, text: "ui-cli, data"}
""",
    )
    done = run(spinney, "  - {id: app, title: A web page, workflow: own.yaml}\n")
    assert done.statuses == {"app": "merged"}, done
    developers = {name for name in worked(spinney, "app") if name.startswith("DEV_")}
    assert developers == {"DEV_UI_CLI", "DEV_DATA"}
    reason = "the layer ui-web is not needed; needed: data, ui-cli (an agent decided them)"
    assert f"DEV_UI_WEB skipped: {reason}" in spinney("explain", "app").out


def test_review_that_asks_for_changes_fails_the_task_and_keeps_its_work(spinney: Spinney) -> None:
    extend(
        spinney,
        "feature",
        "review",
        """\
      - name: REVIEWER
        script:
          - {action: verdict, text: request-changes}
          - {action: output, text: "app.py:2 answers 41"}
""",
    )
    done = run(spinney, "  - {id: fix, title: Fix, workflow: own.yaml}\n")
    assert done.statuses == {"fix": "failed"}
    assert done.tasks["fix"]["reason"] == "REVIEWER: its verdict is request-changes: app.py:2 answers 41"
    assert spinney.repo.read("spinney/fix", "scripted/implementer-fix.txt").startswith("# IMPLEMENTER: Fix\n")


def extend(spinney: Spinney, preset: str, phase: str, agents: str) -> None:
    """A workflow of the repository's own that says otherwise what some agents of a preset do."""
    head = f"version: 1\nname: own\nextends: {preset}\nphases:\n"
    spinney.repo.write("own.yaml", f"{head}  - name: {phase}\n    agents:\n{agents}")
    spinney.repo.commit("a workflow")


# --- the kind of change decides

CHANGES = {
    "documentation": {"TEST_MASTER", "SECURITY_AUDITOR"},
    "typo": {"RESEARCHER_LOCAL", "RESEARCHER_WEB", "TEST_MASTER"},
    "configuration": {"RESEARCHER_LOCAL", "RESEARCHER_WEB", "TEST_MASTER"},
    "tests": {"RESEARCHER_WEB", "IMPLEMENTER"},
    "full": set(),
}


def test_autodev_runs_only_whom_the_kind_of_change_needs_and_explain_says_why(spinney: Spinney) -> None:
    tasks = "".join(
        f"  - {{id: {kind}, title: A {kind} change, change: {kind}, workflow: autodev}}\n" for kind in CHANGES
    )
    done = run(spinney, tasks, "--jobs=8")
    assert set(done.statuses.values()) == {"merged"}, done
    for kind, skipped in CHANGES.items():
        assert worked(spinney, kind) == team("autodev") - skipped, kind
        explained = spinney("explain", kind).out
        for agent in skipped:
            assert f"{agent} skipped: not needed for a {kind} change (" in explained
    assert phases_committed(done, "full") == AUTODEV
    assert phases_committed(done, "typo") == ["implementation", "validation"]
    assert "skipped" not in spinney("explain", "full").out
    message = spinney.repo.log("spinney/documentation", "%B")
    assert any("SECURITY_AUDITOR: skipped, not needed for a documentation change" in line for line in message)


def test_autodev_stays_below_its_budget(spinney: Spinney) -> None:
    done = run(spinney, "  - {id: one, title: One change, workflow: autodev}\n")
    assert done.statuses == {"one": "merged"}, done
    given = of(spinney.events(), "context.given", "one")
    assert {event["agent"] for event in given} == team("autodev")
    assert all(0 < event["tokens"] <= event["budget"] for event in given)
    assert sum(event["tokens"] for event in given) < 8000


# --- one of each at once

FIVE = """\
  - {id: one, title: A feature, workflow: feature}
  - {id: two, title: An app with a web page and an API, workflow: full-app}
  - {id: three, title: A change, workflow: autodev}
  - {id: four, title: A list, body: "- [ ] 1. Make the folder\\n- [ ] 2. Fill it\\n", workflow: implement}
  - {id: five, title: A product, workflow: fullstack}
"""


def test_five_presets_at_once_are_merged_within_eight_slots(spinney: Spinney) -> None:
    process = spinney.start("run", spinney.batch(batch(FIVE)), "--json", "--jobs=8")
    seen: dict[str, set[str]] = {}
    while process.returncode is None:
        for task, statuses in manifests(spinney).items():
            seen.setdefault(task, set()).update(statuses)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.01)
    done = spinney.end(process)
    assert done.statuses == dict.fromkeys(("one", "two", "three", "four", "five"), "merged"), done
    assert set(seen) == set(done.statuses), "each task's .tasks/ could be read while it ran"
    assert set().union(*seen.values()) >= {"pending", "completed"}
    assert phases_committed(done, "one") == FEATURE
    assert phases_committed(done, "two") == FULL_APP
    assert phases_committed(done, "three") == AUTODEV
    assert phases_committed(done, "four") == IMPLEMENT
    assert phases_committed(done, "five") == FULLSTACK
    assert 1 < most_slots_at_once(spinney.events()) <= 8


def manifests(spinney: Spinney) -> dict[str, set[str]]:
    """What the manifests of all worktrees say just now; one that is there can always be read whole."""
    found: dict[str, set[str]] = {}
    for path in spinney.worktree_folder().glob("*/.tasks/manifest.json"):
        with contextlib.suppress(FileNotFoundError):  # a task that ended gave its worktree back
            tasks = json.loads(path.read_text())["tasks"]
            task, _, _ = path.parent.parent.name.partition("@")  # of a scratch worktree, its agent follows
            found.setdefault(task, set()).update(entry["status"] for entry in tasks.values())
    return found


def most_slots_at_once(events: Iterable[Mapping[str, Any]]) -> int:
    held: set[tuple[str, str]] = set()
    most = 0
    for event in events:
        if event["event"] == "slot.granted":
            slot = (event["task"], event["agent"])
            assert slot not in held, f"{slot} was granted twice"
            held.add(slot)
        elif event["event"] == "slot.returned":
            held.discard((event["task"], event["agent"]))
        most = max(most, len(held))
    assert not held, "every slot came back"
    return most
