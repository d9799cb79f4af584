"""What becomes of tasks: through the console script, with real agents, commits and worktrees."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.running import Done, Spinney, until

pytestmark = pytest.mark.process


def run(spinney: Spinney, text: str, *arguments: str) -> Done:
    return spinney("run", spinney.batch(text), "--json", *arguments)


def workflow(spinney: Spinney, agents: str, name: str = "work") -> None:
    spinney.repo.write(
        f"{name}.yaml", f"version: 1\nname: {name}\nphases:\n  - name: work\n    agents:\n{agents}"
    )
    spinney.repo.commit("a workflow")


ONE_TASK = "version: 1\ntasks:\n  - {{id: task, title: Task, {}}}\n"


def test_a_command_that_ends_well_and_changes_nothing_is_no_change(spinney: Spinney) -> None:
    done = run(spinney, ONE_TASK.format("run: echo nothing to do"))
    assert done.code == 0
    assert done.statuses == {"task": "no-change"}
    assert done.tasks["task"]["commits"] == []
    assert done.tasks["task"]["pull_request"] is None
    assert done.json["merged"] == done.json["base"]


def test_a_command_that_fails_fails_its_task_with_its_last_line(spinney: Spinney) -> None:
    done = run(spinney, ONE_TASK.format("run: echo half > half.txt; echo it broke >&2; exit 3"))
    assert done.code == 1
    assert done.tasks["task"]["status"] == "failed"
    assert done.tasks["task"]["reason"] == "COMMAND: exit status 3: it broke"
    [salvaged] = spinney.repo.refs("refs/spinney/salvage").values()
    assert spinney.repo.read(salvaged, "half.txt") == "half"


def test_evidence_that_fails_fails_the_task(spinney: Spinney) -> None:
    done = run(
        spinney,
        """\
version: 1
tasks:
  - {id: proven, title: Proven, run: "echo x > x.txt", evidence: "test -s x.txt"}
  - {id: claimed, title: Claimed, run: "echo y > y.txt", evidence: "echo no proof; false"}
""",
    )
    assert done.statuses == {"proven": "merged", "claimed": "failed"}
    assert done.tasks["claimed"]["reason"] == "evidence: exit status 1: no proof"
    assert spinney.repo.read("spinney/claimed", "y.txt") == "y", "its work is kept"


def test_a_task_that_takes_too_long_is_ended(both: Spinney) -> None:
    done = run(both, ONE_TASK.format("run: sleep 60, timeout: 0.3"))
    assert done.tasks["task"]["status"] == "failed"
    assert done.tasks["task"]["reason"].startswith("COMMAND: timed out after 0 s")
    both.gone()


def test_an_agent_is_tried_again_as_often_as_it_may(spinney: Spinney, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    workflow(
        spinney,
        f"      - {{name: A, retries: 2, run: 'echo x >> {tries}; test $(wc -l < {tries}) = 3 && echo y > y.txt'}}\n",
    )
    done = run(spinney, ONE_TASK.format("workflow: work.yaml"))
    assert done.statuses == {"task": "merged"}
    assert done.tasks["task"]["attempts"] == 1
    assert len(tries.read_text().split()) == 3


# --- two agents of one phase


def test_agents_that_write_apart_work_in_one_worktree_at_once(spinney: Spinney, tmp_path: Path) -> None:
    meet = (
        f"touch {tmp_path}/$SPINNEY_AGENT; until test -e {tmp_path}/A -a -e {tmp_path}/B; do sleep 0.01; done"
    )
    workflow(
        spinney,
        f"      - {{name: A, writes: ['a/**'], run: '{meet}; mkdir -p a; pwd > a/where'}}\n"
        f"      - {{name: B, writes: ['b/**'], run: '{meet}; mkdir -p b; pwd > b/where'}}\n",
    )
    done = run(spinney, ONE_TASK.format("workflow: work.yaml"), "-j2")
    assert done.statuses == {"task": "merged"}, done
    merged = done.json["merged"]
    assert spinney.repo.read(merged, "a/where") == spinney.repo.read(merged, "b/where")
    assert len(done.tasks["task"]["commits"]) == 1


def test_agents_that_could_collide_get_scratch_worktrees_and_both_land(
    spinney: Spinney, tmp_path: Path
) -> None:
    meet = (
        f"touch {tmp_path}/$SPINNEY_AGENT; until test -e {tmp_path}/A -a -e {tmp_path}/B; do sleep 0.01; done"
    )
    workflow(
        spinney,
        f"      - {{name: A, run: '{meet}; pwd > a.txt; rm src/app.py; git add -A; git commit -qm own'}}\n"
        f"      - {{name: B, run: '{meet}; pwd > b.txt'}}\n",
    )
    done = run(spinney, ONE_TASK.format("workflow: work.yaml"), "-j2")
    assert done.statuses == {"task": "merged"}, done
    merged = done.json["merged"]
    assert spinney.repo.read(merged, "a.txt") != spinney.repo.read(merged, "b.txt")
    assert "src/app.py" not in spinney.repo.files(merged)
    assert spinney.repo.log(f"main..{done.tasks['task']['branch']}") == ["[work] Task"]
    assert spinney.repo.refs("refs/spinney/scratch") == {}
    assert not spinney.worktree_folder().exists()


def test_agents_that_do_collide_are_reported_and_nothing_is_lost(spinney: Spinney) -> None:
    workflow(
        spinney,
        "      - {name: A, run: 'echo a > same.txt; echo a > a.txt'}\n"
        "      - {name: B, run: 'echo b > same.txt; echo b > b.txt'}\n",
    )
    done = run(spinney, ONE_TASK.format("workflow: work.yaml"))
    assert done.statuses == {"task": "failed"}
    assert done.tasks["task"]["reason"] == "B: its changes conflict with another agent's in same.txt"
    kept = [spinney.repo.files(oid) for oid in spinney.repo.refs("refs/spinney/salvage").values()]
    assert any("b.txt" in files for files in kept), "what B did"
    assert any("a.txt" in files for files in kept), "what A did"


@pytest.mark.parametrize("isolation", ["shared", "scratch"])
def test_writing_outside_the_declared_paths_is_refused(spinney: Spinney, isolation: str) -> None:
    workflow(
        spinney,
        f"      - {{name: A, isolation: {isolation}, writes: ['docs/**'], run: 'mkdir -p docs; echo x > docs/x; echo y > y'}}\n",
    )
    done = run(spinney, ONE_TASK.format("workflow: work.yaml"))
    assert done.statuses == {"task": "failed"}
    assert "A wrote outside" in done.tasks["task"]["reason"]
    assert done.tasks["task"]["reason"].endswith(": y")
    [salvaged] = spinney.repo.refs("refs/spinney/salvage").values()
    assert set(spinney.repo.files(salvaged)) >= {"docs/x", "y"}, "it is kept"


def test_what_a_failed_agent_left_in_its_scratch_worktree_is_kept(spinney: Spinney) -> None:
    workflow(spinney, "      - {name: A, isolation: scratch, run: 'echo half > half.txt; false'}\n")
    done = run(spinney, ONE_TASK.format("workflow: work.yaml"))
    assert done.statuses == {"task": "failed"}
    [salvaged] = spinney.repo.refs("refs/spinney/salvage").values()
    assert spinney.repo.read(salvaged, "half.txt") == "half"


# --- the worktree


def test_included_files_are_copied_in_and_never_committed(spinney: Spinney) -> None:
    repo = spinney.repo
    repo.write(".gitignore", "*.env\nlocal/\n")
    repo.write(".worktreeinclude", "*.env\nlocal/\nnotes.txt\n")
    repo.commit()
    repo.write(".env", "SECRET=1\n")
    repo.write("local/deep/settings", "x\n")
    repo.write("notes.txt", "untracked, not ignored\n")
    done = run(spinney, ONE_TASK.format("run: cat .env local/deep/settings notes.txt > seen.txt"))
    merged = done.json["merged"]
    assert repo.read(merged, "seen.txt") == "SECRET=1\nx\nuntracked, not ignored"
    assert repo.files(merged) == [".gitignore", ".worktreeinclude", "README.md", "seen.txt", "src/app.py"]


def test_what_set_up_leaves_is_never_committed(spinney: Spinney) -> None:
    text = "setup: echo made > made.txt; echo changed >> README.md\n" + ONE_TASK.format(
        "run: cat made.txt > seen.txt; tail -1 README.md >> seen.txt"
    )
    done = run(spinney, text)
    assert done.statuses == {"task": "merged"}, done
    merged = done.json["merged"]
    assert spinney.repo.read(merged, "seen.txt") == "made\nchanged"
    assert spinney.repo.files(merged) == ["README.md", "seen.txt", "src/app.py"]
    assert spinney.repo.read(merged, "README.md") == "# A repository for tests"


def test_a_set_up_that_fails_fails_the_task_before_any_agent(spinney: Spinney) -> None:
    done = run(spinney, "setup: echo no network; false\n" + ONE_TASK.format("run: echo x > x.txt"))
    assert done.tasks["task"]["reason"] == "set-up command: exit status 1: no network"
    assert not any(event["event"] == "agent.started" for event in spinney.events())


def test_tasks_are_told_who_they_are_and_get_ports_of_their_own(spinney: Spinney, tmp_path: Path) -> None:
    def entry(name: str) -> str:
        others = " -a ".join(f"-e {tmp_path}/{other}" for other in "abc")
        wait = f"touch {tmp_path}/{name}; until test {others}; do sleep 0.01; done"
        return f"  - {{id: {name}, title: Task {name}, run: '{wait}; env | grep ^SPINNEY_ > {tmp_path}/env-{name}'}}\n"

    done = run(spinney, "version: 1\njobs: 3\nports: 7\ntasks:\n" + "".join(map(entry, "abc")))
    assert set(done.statuses.values()) == {"no-change"}
    told = {
        name: dict(line.split("=", 1) for line in (tmp_path / f"env-{name}").read_text().splitlines())
        for name in "abc"
    }
    a = told["a"]
    assert {key: a[f"SPINNEY_{key}"] for key in ("TASK", "TITLE", "BRANCH", "BASE", "RUN", "PHASE", "AGENT", "ATTEMPT")} == {
        "TASK": "a", "TITLE": "Task a", "BRANCH": "spinney/a", "BASE": spinney.repo.head, "RUN": done.json["run"],
        "PHASE": "command", "AGENT": "COMMAND", "ATTEMPT": "1",
    }  # fmt: skip
    assert a["SPINNEY_WORKTREE"] == str(spinney.worktree_folder() / "a")
    assert a["SPINNEY_TASKS_DIR"] == f"{a['SPINNEY_WORKTREE']}/.tasks"
    ranges = [
        range(int(e["SPINNEY_PORT_BASE"]), int(e["SPINNEY_PORT_BASE"]) + int(e["SPINNEY_PORT_COUNT"]))
        for e in told.values()
    ]
    assert all(len(ports) == 7 and ports.start >= 1024 and ports.stop <= 65536 for ports in ranges)
    assert len(set().union(*ranges)) == 21


def test_the_users_git_variables_do_not_reach_agents(spinney: Spinney) -> None:
    spinney.extra = {"GIT_INDEX_FILE": "/evil", "GIT_DIR": "/evil", "GIT_AUTHOR_NAME": "Grace"}
    done = run(spinney, ONE_TASK.format("run: git status --porcelain && env | grep ^GIT_AUTHOR > seen.txt"))
    assert done.statuses == {"task": "merged"}, done
    assert spinney.repo.read(done.json["merged"], "seen.txt") == "GIT_AUTHOR_NAME=Grace"


def test_the_tasks_folder_tells_what_happened_and_is_never_committed(spinney: Spinney) -> None:
    spinney.repo.write(
        "work.yaml",
        """\
version: 1
name: work
phases:
  - name: first
    agents:
      - name: A
        run: |
          mkdir -p .tasks/A
          echo '{"summary": "Found it", "next_steps": ["mend it"], "warnings": []}' > .tasks/A/output.json
          git add -f .tasks 2>/dev/null; echo a > a.txt
  - name: second
    agents: [{name: B, run: "grep -q mend .tasks/A/output.json && cp .tasks/manifest.json seen.json"}]
""",
    )
    spinney.repo.commit()
    done = run(spinney, ONE_TASK.format("workflow: work.yaml"), "--keep-worktrees")
    assert done.statuses == {"task": "merged"}, done
    merged = done.json["merged"]
    seen = json.loads(spinney.repo.read(merged, "seen.json"))
    assert (seen["completed"], seen["in_progress"], seen["pending"]) == (["A"], ["B"], [])
    assert not any(name.startswith(".tasks") for name in spinney.repo.files(merged))
    kept = spinney.worktree_folder() / "task/.tasks"
    assert json.loads((kept / "A/artifacts.json").read_text()) == ["a.txt"]
    assert json.loads((kept / "manifest.json").read_text())["completed"] == ["A", "B"]
    assert "- A: Found it" in spinney.repo.git(
        "log", "-1", "--format=%b", done.tasks["task"]["commits"][0]["oid"]
    )


# --- needs


def test_a_task_that_needs_several_starts_from_all_of_them(spinney: Spinney) -> None:
    done = run(
        spinney,
        """\
version: 1
tasks:
  - {id: a, title: A, run: "echo a > a.txt"}
  - {id: b, title: B, run: "echo b > b.txt"}
  - {id: both, title: Both, needs: [a, b], run: "cat a.txt b.txt > both.txt"}
""",
    )
    assert set(done.statuses.values()) == {"merged"}
    assert spinney.repo.read(done.json["merged"], "both.txt") == "a\nb"


def test_needs_that_conflict_with_each_other_fail_the_task_that_needs_both(spinney: Spinney) -> None:
    done = run(
        spinney,
        """\
version: 1
tasks:
  - {id: a, title: A, run: "echo a > same.txt"}
  - {id: b, title: B, run: "echo b > same.txt"}
  - {id: both, title: Both, needs: [a, b], run: "echo x > x.txt"}
""",
    )
    assert done.statuses["a"] == "merged"
    assert done.statuses["b"] == "conflict"
    assert done.statuses["both"] in ("failed", "skipped")


def test_what_waits_for_a_failed_task_is_skipped_unless_it_says_always(spinney: Spinney) -> None:
    done = run(
        spinney,
        """\
version: 1
tasks:
  - {id: broken, title: Broken, run: "false"}
  - {id: waits, title: Waits, needs: [broken], run: "echo x > x.txt"}
  - {id: after, title: After, needs: [waits], run: "echo x > x.txt"}
  - {id: always, title: Always, needs: [{task: broken, when: always}], run: "echo anyway > anyway.txt"}
""",
    )
    assert done.statuses == {"broken": "failed", "waits": "skipped", "after": "skipped", "always": "merged"}
    assert done.tasks["waits"]["reason"] == "its need broken ended as failed"
    assert done.tasks["after"]["reason"] == "its need waits ended as skipped"


def test_a_chain_builds_on_what_came_before_without_waiting_for_the_merge(spinney: Spinney) -> None:
    done = run(
        spinney,
        """\
version: 1
tasks:
  - {id: a, title: A, run: "echo 1 > chain.txt"}
  - {id: b, title: B, needs: [a], run: "echo 2 >> chain.txt"}
  - {id: c, title: C, needs: [b], run: "echo 3 >> chain.txt"}
""",
    )
    assert spinney.repo.read(done.json["merged"], "chain.txt") == "1\n2\n3"


# --- worktrees that others meddle with


def test_a_link_that_an_agent_rewrote_runs_nothing(both: Spinney, tmp_path: Path) -> None:
    """The attack matrix holds through a whole run: rewritten link, filters, nested repository, reuse."""
    marker, program = tmp_path / "marker", both.repo.path.parent / "evil.sh"
    program.write_text(f"#!/bin/sh\necho ran >> {marker}\ncat\n")
    program.chmod(0o755)
    script = both.repo.path.parent / "agent.sh"
    script.write_text(
        f"""
admin=$(cut -c9- .git)
git init -q --bare evil
git --git-dir=evil config core.fsmonitor {program}
git --git-dir=evil config filter.evil.clean {program}
git --git-dir=evil config filter.evil.smudge {program}
echo "* filter=evil" > .gitattributes
echo "$PWD/evil" > $admin/commondir
printf '[core]\\n\\tfsmonitor = {program}\\n[filter "evil"]\\n\\tclean = {program}\\n\\tsmudge = {program}\\n' > $admin/config.worktree
echo "gitdir: $PWD/evil" > .git
echo changed > README.md
"""
    )
    both.repo.git("config", "extensions.worktreeConfig", "true")
    entries = "".join(
        f"  - {{id: t{number}, title: T, allow: [git-attributes], run: 'sh {script}; echo {number} > {number}.txt'}}\n"
        for number in range(3)
    )
    done = run(both, f"version: 1\njobs: 1\ntasks:\n{entries}")
    assert not marker.exists(), marker.read_text()
    assert done.code in (0, 1)
    assert both.repo.git("fsck", "--strict", "--no-dangling") == ""


def test_a_worktree_removed_by_the_user_during_the_run_is_a_clear_failure(
    spinney: Spinney, tmp_path: Path
) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    process = spinney.start(
        "run", "--json", "-c", f"touch {started}; until test -e {go}; do sleep 0.01; done", "--title", "gone"
    )
    until(started.exists, "the task")
    [worktree] = spinney.worktree_folder().glob("gone*")
    spinney.repo.git("worktree", "remove", "--force", "--force", str(worktree))
    go.touch()
    done = spinney.end(process)
    assert done.code == 1, done
    assert done.json["tasks"][0]["status"] == "failed"
    assert "a bug" not in done.json["tasks"][0]["reason"]


def test_gc_and_prune_by_the_user_during_the_run_lose_nothing(spinney: Spinney, tmp_path: Path) -> None:
    started, go = tmp_path / "started", tmp_path / "go"
    spinney.repo.write(
        "work.yaml",
        f"""\
version: 1
name: work
phases:
  - name: first
    agents: [{{name: A, run: "echo a > a.txt"}}]
  - name: second
    agents: [{{name: B, run: "touch {started}; until test -e {go}; do sleep 0.01; done; echo b > b.txt"}}]
""",
    )
    spinney.repo.commit()
    process = spinney.start("run", spinney.batch(ONE_TASK.format("workflow: work.yaml")), "--json")
    until(started.exists, "the second phase")
    spinney.repo.git("gc", "--prune=now", "--quiet")
    spinney.repo.git("worktree", "prune", "--expire=now")
    spinney.repo.git("pack-refs", "--all")
    go.touch()
    done = spinney.end(process)
    assert done.json["status"] == "succeeded", done
    assert set(spinney.repo.files(done.json["merged"])) >= {"a.txt", "b.txt"}
    assert spinney.repo.git("fsck", "--strict", "--no-dangling") == ""


def test_the_worktrees_are_beside_the_repository_and_gone_afterwards(spinney: Spinney) -> None:
    done = run(spinney, ONE_TASK.format("run: pwd > where.txt"))
    where = Path(spinney.repo.read(done.json["merged"], "where.txt"))
    assert where == spinney.worktree_folder() / "task"
    assert sorted(os.listdir(spinney.repo.path.parent)) == ["batch.yaml", "repo"]
