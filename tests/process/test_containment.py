"""What an agent can reach: its own worktree, and nothing of the user's or of the other tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.running import Spinney, snapshot

pytestmark = pytest.mark.process


def run_script(spinney: Spinney, script: str, *arguments: str, title: str = "probe") -> dict[str, object]:
    """Run one task with a script; returns its entry in the result."""
    path = spinney.repo.path.parent / "agent.sh"
    path.write_text(script)
    done = spinney("run", "--json", "-c", f"sh {path}", "--title", title, *arguments)
    assert done.code in (0, 1), done
    return dict(done.json["tasks"][0])


def test_places_of_others_are_read_only_and_ones_own_is_not(held: Spinney) -> None:
    repo = held.repo
    batch_ref = "$(dirname $SPINNEY_WORKTREE)"
    task = run_script(
        held,
        f"""
try() {{ name=$1; shift; if "$@" 2>/dev/null; then echo "$name yes"; else echo "$name no"; fi >> probe.txt; }}
try checkout touch {repo.path}/evil
try tracked sh -c 'echo evil > {repo.path}/README.md'
try remove rm {repo.path}/src/app.py
try config sh -c 'echo evil >> {repo.git_dir}/config'
try hooks mkdir -p {repo.git_dir}/hooks/x
try head sh -c 'echo evil > {repo.git_dir}/HEAD'
try index sh -c 'echo evil > {repo.git_dir}/index'
try main git --git-dir={repo.git_dir} update-ref refs/heads/main HEAD~0 0000000000000000000000000000000000000000
try tag git tag evil
try stash git --git-dir={repo.git_dir} update-ref refs/stash HEAD
try siblings mkdir {batch_ref}/evil
try journal sh -c 'echo evil >> {repo.git_dir}/spinney/runs/'$SPINNEY_RUN'/journal.jsonl'
try lock sh -c 'echo evil > {repo.git_dir}/spinney/holder.json'
try own touch own.txt
try folder mkdir -p deep/er
try tmp sh -c 'f=$(mktemp) && rm $f'
try object sh -c 'echo x | git hash-object -w --stdin >/dev/null'
try status git status --porcelain
""",
    )
    assert task["status"] == "merged", task
    answers = dict(line.split() for line in repo.read(f"spinney/{task['id']}", "probe.txt").splitlines() if " " in line
                   and line.split()[1] in ("yes", "no"))  # fmt: skip
    places = ("checkout", "tracked", "remove", "config", "hooks", "head", "index", "main", "tag", "stash", "siblings",
              "journal", "lock")  # fmt: skip
    assert answers == {
        **dict.fromkeys(places, "no"),
        **dict.fromkeys(("own", "folder", "tmp", "object", "status"), "yes"),
    }
    assert repo.git("status", "--porcelain") == ""


def test_siblings_are_read_only(held: Spinney, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    batch = held.batch(
        f"""\
version: 1
jobs: 2
tasks:
  - id: victim
    title: Victim
    run: "echo mine > mine.txt; touch {one}; until test -e {two}; do sleep 0.01; done"
  - id: attacker
    title: Attacker
    run: |
      until test -e {one}; do sleep 0.01; done
      echo evil > ../victim/mine.txt && echo wrote > wrote.txt
      echo evil > $(cat ../victim/.git | cut -c9-)/HEAD && echo wrote > wrote.txt
      echo tried > tried.txt
      touch {two}
"""
    )
    done = held("run", batch, "--json")
    assert done.statuses == {"victim": "merged", "attacker": "merged"}, done
    assert held.repo.read("spinney/victim", "mine.txt") == "mine"
    assert "wrote.txt" not in held.repo.files("spinney/attacker")


def test_agents_see_no_processes_but_their_own(held: Spinney) -> None:
    task = run_script(held, "ls /proc | grep -c '^[0-9]' > count.txt")
    assert int(held.repo.read(f"spinney/{task['id']}", "count.txt")) < 8


@pytest.mark.parametrize(
    "write", ["echo evil > {checkout}/README.md", "touch {checkout}/evil.txt", "rm {checkout}/src/app.py"]
)
def test_a_write_into_the_checkout_fails_the_task_without_bubblewrap(free: Spinney, write: str) -> None:
    command = write.format(checkout=free.repo.path)
    batch = free.batch(
        f"""\
version: 1
jobs: 1
tasks:
  - {{id: honest, title: Honest, run: "echo x > x.txt"}}
  - {{id: intruder, title: Intruder, run: "echo y > y.txt; {command}"}}
  - {{id: later, title: Later, run: "echo z > z.txt"}}
"""
    )
    done = free("run", batch, "--json")
    assert done.code == 1
    assert done.statuses == {"honest": "merged", "intruder": "failed", "later": "merged"}, [
        task["reason"] for task in done.json["tasks"]
    ]
    assert f"was written: {command.rpartition(' ')[2]}" in done.tasks["intruder"]["reason"]
    assert "(`outside_writes: warn` lets this pass)" in done.tasks["intruder"]["reason"]
    assert free.repo.read("spinney/intruder", "y.txt") == "y", "its work is kept"


def test_with_bubblewrap_the_write_is_refused_and_the_task_goes_on(held: Spinney) -> None:
    before = snapshot(held.repo.path / "src")
    task = run_script(held, f"echo evil > {held.repo.path}/src/app.py || echo refused > refused.txt")
    assert task["status"] == "merged"
    assert snapshot(held.repo.path / "src") == before


def test_outside_writes_can_be_let_pass_with_a_note(free: Spinney) -> None:
    free.repo.write("spinney.yaml", "version: 1\noutside_writes: warn\n")
    free.repo.commit()
    task = run_script(free, f"echo x > x.txt; touch {free.repo.path}/new.txt")
    assert task["status"] == "merged"
    notes = [event["text"] for event in free.events() if event["event"] == "note"]
    assert any(f"was written: {free.repo.path}/new.txt" in note for note in notes)


def test_an_agents_own_commits_end_in_the_one_phase_commit(both: Spinney) -> None:
    task = run_script(
        both,
        """
set -e
echo 1 > one.txt; git add one.txt; git commit -q -m "mine 1"
echo 2 > two.txt; git add two.txt; git commit -q -m "mine 2"
git switch -q -c my-branch 2>/dev/null || true
echo 3 > three.txt
""",
        title="Commits by itself",
    )
    assert task["status"] == "merged", task
    branch = str(task["branch"])
    assert both.repo.log(f"main..{branch}") == ["[command] Commits by itself"]
    assert set(both.repo.files(branch)) >= {"one.txt", "two.txt", "three.txt"}


MOVER = """\
version: 1
jobs: 2
tasks:
  - {{id: first, title: First, run: "echo 1 > one.txt"}}
  - id: evil
    title: Evil
    needs: [first]
    run: |
      echo 2 > two.txt; git add two.txt; git commit -q -m evil
      until ref=$(git for-each-ref --format='%(refname)' refs/heads/spinney/{name} | grep .); do sleep 0.01; done
      for ref in $ref; do
        echo $ref >> ../../tried.txt
        git update-ref $ref HEAD
      done
"""


def test_an_agent_cannot_move_the_merged_result(held: Spinney) -> None:
    done = held("run", held.batch(MOVER.format(name="batch")), "--json")
    result = done.json
    assert (held.repo.path.parent / "tried.txt").read_text() == f"{result['merged_ref']}\n"
    assert held.repo.git("rev-parse", result["merged_ref"]) == result["merged"]
    assert "evil" not in held.repo.log(result["merged"])


def test_an_agent_that_moves_a_siblings_branch_changes_nothing_of_what_is_merged(held: Spinney) -> None:
    """All tasks' branches lie in one folder, which agents need to commit: moving one is possible, and idle."""
    done = held("run", held.batch(MOVER.format(name="first")), "--json")
    assert (held.repo.path.parent / "tried.txt").exists()
    first = done.tasks["first"]["commits"][0]["oid"]
    merges = held.repo.git(
        "log", "--first-parent", "--reverse", "--format=%P", f"main..{done.json['merged']}"
    )
    assert merges.splitlines()[0].split()[1] == first
    assert "evil" not in held.repo.log(done.json["merged"])


@pytest.mark.parametrize("folder", [".tasks", ".tasks/COMMAND"])
def test_a_tasks_folder_that_became_a_link_is_not_followed(both: Spinney, folder: str) -> None:
    """Otherwise the manager, which is not contained, would write the agent's files where the link leads."""
    outside = both.repo.path.parent / "outside"
    outside.mkdir()
    (outside / "manifest.json").write_text("mine")
    task = run_script(both, f"rm -rf {folder}; ln -s {outside} {folder}; echo x > x.txt")
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"manifest.json": "mine"}, task


def test_the_manifest_survives_an_agent_that_removes_it(spinney: Spinney) -> None:
    task = run_script(spinney, "rm -rf .tasks; echo x > x.txt", "--keep-worktrees")
    assert task["status"] == "merged", task
    manifest = json.loads((spinney.worktree_folder() / str(task["id"]) / ".tasks/manifest.json").read_text())
    assert manifest["completed"] == ["COMMAND"]
