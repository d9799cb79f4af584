"""Several agents on one task: conflicts that are resolved, agents that ask for agents, and ones that hang."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.running import Done, Spinney, until


def run(spinney: Spinney, workflow: str, *options: str, settings: str = "") -> Done:
    spinney.repo.write("team.yaml", f"version: 1\nname: team\n{workflow}")
    spinney.repo.commit("workflow")
    text = f"version: 1\n{settings}tasks:\n  - {{id: task, title: Task, workflow: team.yaml}}\n"
    return spinney("run", spinney.batch(text), "--json", *options)


def events(spinney: Spinney, *names: str) -> list[dict[str, Any]]:
    return [event for event in spinney.events() if event["event"] in names]


COLLIDING = """
phases:
  - name: work
    agents:
      - {name: A, run: 'echo from A > same.txt'}
      - {name: B, run: 'echo from B > same.txt; echo b > b.txt'}
      - {name: C, needs: [B], writes: [], run: 'grep -q both same.txt && cat b.txt'}
"""


def test_conflict_between_agents_is_answered_by_the_workflows_resolver(spinney: Spinney) -> None:
    resolver = (
        'resolve: {name: FIXER, run: \'test "$SPINNEY_CONFLICTS" = same.txt; grep -q "<<<<<<<" same.txt; '
        'grep -q "from A" same.txt; grep -q "from B" same.txt; echo both > same.txt\'}\n'
    )
    done = run(spinney, resolver + COLLIDING)
    assert done.statuses == {"task": "merged"}, done
    assert spinney.repo.read(done.json["merged"], "same.txt") == "both"
    assert spinney.repo.read(done.json["merged"], "b.txt") == "b"
    [conflict] = events(spinney, "agent.conflicted")
    assert (conflict["agent"], conflict["paths"], conflict["resolver"]) == ("B", ["same.txt"], "FIXER")
    assert spinney.repo.refs("refs/spinney/scratch") == {}
    assert spinney.repo.refs("refs/spinney/salvage") == {}
    assert "- FIXER: done" in spinney.repo.log("main..spinney/task", "%B")


def test_resolver_that_leaves_markers_loses_nothing(spinney: Spinney) -> None:
    done = run(spinney, "resolve: {name: FIXER, retries: 1, run: 'true'}\n" + COLLIDING)
    assert done.statuses == {"task": "failed"}
    assert done.tasks["task"]["reason"] == (
        "B: its conflict was not resolved, FIXER: conflict markers are left in same.txt"
    )
    assert [event["attempt"] for event in events(spinney, "agent.started") if event["agent"] == "FIXER"] == [
        1,
        2,
    ]
    kept = [spinney.repo.files(oid) for oid in spinney.repo.refs("refs/spinney/salvage").values()]
    assert any("b.txt" in files for files in kept), "what B did"
    assert spinney.repo.refs("refs/spinney/scratch") == {}
    assert not any("@" in name for name in spinney.admin_folders())


SPAWNING = """
phases:
  - name: work
    agents:
      - name: LEAD
        backend: scripted
        script:
          - action: spawn
            agents:
              - {name: one, run: 'echo 1 > one.txt'}
              - {name: two, script: [{action: write, path: two.txt, text: '2'}]}
          - {action: write, path: lead.txt, text: l}
"""


def test_agents_that_an_agent_asks_for_have_slots_of_their_own_even_where_there_is_one(
    spinney: Spinney,
) -> None:
    done = run(spinney, SPAWNING, "--jobs", "1")
    assert done.statuses == {"task": "merged"}, done
    assert set(spinney.repo.files(done.json["merged"])) >= {"one.txt", "two.txt", "lead.txt"}
    started = [event["agent"] for event in events(spinney, "agent.started")]
    assert started[0] == "LEAD"
    assert set(started[1:]) == {"LEAD/one", "LEAD/two"}
    held: set[str] = set()
    for event in events(spinney, "slot.granted", "slot.returned"):
        (held.add if event["event"] == "slot.granted" else held.discard)(event["agent"])
        assert len(held) <= 1
    assert held == set()


def test_failure_of_a_sub_agent_is_its_parents_to_answer_for(spinney: Spinney) -> None:
    done = run(spinney, SPAWNING.replace("echo 1 > one.txt", "echo no such thing; false"))
    assert done.statuses == {"task": "failed"}
    assert "no such thing" in done.tasks["task"]["reason"]


def test_commands_of_a_list_run_side_by_side_where_they_do_not_depend_on_each_other(spinney: Spinney) -> None:
    workflow = """
phases:
  - name: work
    agents:
      - name: LIST
        run:
          - mkdir out
          - printf a > out/a
          - printf b > out/b
          - cat out/a out/b > out/c
"""
    done = run(spinney, workflow, "--jobs", "2")
    assert done.statuses == {"task": "merged"}, done
    assert spinney.repo.read(done.json["merged"], "out/c") == "ab"
    ends = {event["agent"]: event for event in events(spinney, "agent.ended")}
    assert set(ends) == {"LIST", "LIST/c1", "LIST/c2", "LIST/c3", "LIST/c4"}
    slots = [(event["event"], event["agent"]) for event in events(spinney, "slot.granted", "slot.returned")]
    both = {slots.index(("slot.granted", f"LIST/c{number}")) for number in (2, 3)}
    back = {slots.index(("slot.returned", f"LIST/c{number}")) for number in (2, 3)}
    assert max(both) < min(back), "two at once"
    assert max(back) < slots.index(("slot.granted", "LIST/c4")), "the second batch is over before the third"


def test_stop_while_sub_agents_work_ends_them_and_the_run_goes_on_later(
    spinney: Spinney, tmp_path: Path
) -> None:
    there, go = tmp_path / "there", tmp_path / "go"
    command = f"touch {there}; until test -e {go}; do sleep 0.02; done; echo 1 > one.txt"
    spinney.repo.write(
        "team.yaml", f"version: 1\nname: team\n{SPAWNING.replace('echo 1 > one.txt', command)}"
    )
    spinney.repo.commit("workflow")
    text = "version: 1\ntasks:\n  - {id: task, title: Task, workflow: team.yaml}\n"
    process = spinney.start("run", spinney.batch(text), "-q")
    until(there.exists, "the sub-agent")
    assert spinney("stop").code == 0
    assert spinney.end(process).code == 4
    spinney.gone()
    go.touch()
    done = spinney("resume", "--json")
    assert done.statuses == {"task": "merged"}, done
    assert "one.txt" in spinney.repo.files(done.json["merged"])


def test_silent_agent_that_does_nothing_is_ended_long_before_its_timeout(spinney: Spinney) -> None:
    workflow = """
phases:
  - name: work
    agents:
      - {name: SLEEPER, run: 'sleep 60', timeout: 50}
"""
    done = run(spinney, workflow, settings="silence: 3\n")
    assert done.statuses == {"task": "failed"}
    assert done.tasks["task"]["reason"].startswith("SLEEPER: hung: no output and no work for ")
    assert done.tasks["task"]["seconds"] < 20


def test_silent_agent_that_works_is_left_alone(spinney: Spinney) -> None:
    busy = "end=$(($(date +%s) + 6)); while test $(date +%s) -lt $end; do :; done; echo x > x"
    workflow = f"phases:\n  - name: work\n    agents:\n      - {{name: BUSY, run: '{busy}'}}\n"
    done = run(spinney, workflow, settings="silence: 3\n")
    assert done.statuses == {"task": "merged"}, done


def test_agent_that_must_change_something_and_does_not_has_failed(spinney: Spinney) -> None:
    workflow = (
        "phases:\n  - name: work\n    agents:\n      - {name: IDLE, run: 'true', outputs: {change: true}}\n"
    )
    done = run(spinney, workflow)
    assert done.tasks["task"]["reason"] == "IDLE: it changed nothing"


def test_evidence_that_does_not_hold_is_no_success_whatever_the_exit_status(spinney: Spinney) -> None:
    verdict = (
        'mkdir -p .tasks/JUDGE; echo "{\\"verdict\\": \\"request-changes\\", \\"summary\\": \\"no tests\\"}"'
    )
    workflow = f"""
phases:
  - name: work
    agents:
      - {{name: MAKER, run: 'echo x > x'}}
      - name: JUDGE
        needs: [MAKER]
        writes: []
        run: '{verdict} > .tasks/JUDGE/output.json'
        evidence: {{verdict: approve}}
"""
    done = run(spinney, workflow)
    assert done.statuses == {"task": "failed"}
    assert done.tasks["task"]["reason"] == "JUDGE: its verdict is request-changes: no tests"


def test_context_that_passes_its_budget_refuses_the_agent_and_says_by_how_much(spinney: Spinney) -> None:
    words = "word " * 400
    workflow = f"""
phases:
  - name: work
    agents:
      - {{name: TALKER, backend: scripted, budget: 150, retries: 2, prompt: '{words}'}}
"""
    done = run(spinney, workflow)
    assert done.statuses == {"task": "failed"}
    assert "more than its budget of 150" in done.tasks["task"]["reason"]
    [given] = events(spinney, "context.given")
    assert given["refused"]
    assert not events(spinney, "agent.started"), "and it is not tried again in vain"


def test_every_skip_is_told_by_a_commit_also_where_its_own_phase_made_none(spinney: Spinney) -> None:
    workflow = """
phases:
  - name: research
    agents:
      - {name: READER, writes: [], when: {changes: [full]}, run: 'true'}
  - name: work
    agents:
      - {name: WRITER, when: {changes: [full]}, run: 'echo x > x'}
      - {name: MENDER, run: 'echo y > y'}
"""
    spinney.repo.write("team.yaml", f"version: 1\nname: team\n{workflow}")
    spinney.repo.commit("workflow")
    text = "version: 1\ntasks:\n  - {id: typo, title: Typo, workflow: team.yaml, change: typo}\n"
    done = spinney("run", spinney.batch(text), "--json")
    assert done.statuses == {"typo": "merged"}, done
    shown = spinney.repo.git("log", "--format=%B", "main..spinney/typo")
    assert "- READER: skipped, not needed for a typo change (declared by the task)" in shown
    assert "- WRITER: skipped, not needed for a typo change (declared by the task)" in shown


def test_agents_in_worktrees_of_their_own_find_them_set_up_and_commit_nothing_of_it(spinney: Spinney) -> None:
    spinney.repo.write(".gitignore", "secret.env\n")
    spinney.repo.write(".worktreeinclude", "secret.env\n")
    spinney.repo.commit("include")
    spinney.repo.write("secret.env", "token\n")
    workflow = """
phases:
  - name: work
    agents:
      - {name: A, run: 'test -e made/by-setup && test -e secret.env && echo a > a.txt'}
      - {name: B, run: 'test -e made/by-setup && echo b > b.txt && echo more >> made/changed'}
"""
    settings = "setup: 'mkdir made; echo x > made/by-setup; echo x > made/changed'\n"
    done = run(spinney, workflow, settings=settings)
    assert done.statuses == {"task": "merged"}, done
    files = spinney.repo.files(done.json["merged"])
    assert {"a.txt", "b.txt", "made/changed"} <= set(files), "what an agent itself changes is its work"
    assert "made/by-setup" not in files
    assert "secret.env" not in files


def test_set_up_that_fails_in_a_worktree_of_its_own_fails_the_agent_with_its_reason(spinney: Spinney) -> None:
    workflow = """
phases:
  - name: work
    agents:
      - {name: A, run: 'echo a > a.txt'}
      - {name: B, run: 'echo b > b.txt'}
"""
    settings = "setup: 'case $PWD in *@*) echo no room; exit 3;; esac'\n"
    done = run(spinney, workflow, settings=settings)
    assert done.statuses == {"task": "failed"}
    assert "set-up command: exit status 3: no room" in done.tasks["task"]["reason"]


def test_commands_in_a_worktree_of_their_own_share_its_one_set_up_and_lose_nothing(spinney: Spinney) -> None:
    workflow = """
phases:
  - name: work
    agents:
      - name: LIST
        isolation: scratch
        run: ['printf 1 > one.txt', 'cat one.txt > two.txt', 'cat two.txt > three.txt']
"""
    settings = "setup: 'echo again >> set-up-ran'\n"
    done = run(spinney, workflow, settings=settings)
    assert done.statuses == {"task": "merged"}, done
    files = set(spinney.repo.files(done.json["merged"]))
    assert {"one.txt", "two.txt", "three.txt"} <= files, "each command's work is work, not set-up"
    assert "set-up-ran" not in files, "and set-up ran once there"
