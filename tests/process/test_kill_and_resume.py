"""Killed without warning and resumed, a run ends as if nothing had happened."""

from __future__ import annotations

import collections
import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.support.running import Done, Spinney, until

pytestmark = pytest.mark.process

# Thirteen tasks: independent ones, a chain, three phases, two agents in scratch worktrees, a team whose phases
# overlap and of whom two may collide, no change, a conflict.
BATCH = """\
version: 1
into: release
gate: test -f README.md
jobs: 4
tasks:
  - {id: one, title: First, run: "sleep 0.1; echo 1 > one.txt"}
  - {id: two, title: Second, run: "echo 2 > two.txt; sleep 0.1"}
  - {id: three, title: Third, run: "mkdir -p deep/er; echo 3 > deep/er/three.txt"}
  - {id: remove, title: Remove the program, run: "git rm -q src/app.py; echo gone > src.txt"}
  - {id: base, title: Bottom of the chain, run: "sleep 0.05; echo a > chain.txt"}
  - {id: middle, title: Middle of the chain, needs: [base], run: "sleep 0.05; echo b >> chain.txt"}
  - {id: top, title: Top of the chain, needs: [middle], run: "echo c >> chain.txt"}
  - {id: steps, title: In three phases, workflow: steps.yaml}
  - {id: pair, title: By two agents, workflow: pair.yaml}
  - {id: team, title: By a team, workflow: team.yaml}
  - {id: nothing, title: Nothing to do, run: "true"}
  - {id: left, title: The left side, run: "sleep 0.1; echo left > README.md"}
  - {id: right, title: The right side, run: "echo right > README.md"}
"""
STEPS = """\
version: 1
name: steps
phases:
  - name: begin
    agents: [{name: BEGIN, run: "echo begin > steps.txt"}]
  - name: go-on
    agents:
      - {name: GO_ON, run: "sleep 0.05; echo go on >> steps.txt"}
      - {name: WATCH, needs: [GO_ON], writes: [], run: "cat steps.txt"}
  - name: finish
    agents: [{name: FINISH, run: "echo finish >> steps.txt"}]
"""
PAIR = """\
version: 1
name: pair
phases:
  - name: work
    agents:
      - {name: ADA, run: "echo ada > ada.txt; sleep 0.05"}
      - {name: BEN, run: "sleep 0.05; echo ben > ben.txt"}
"""
# BOB and CAT collide where they are at work at once, and whatever happens, both lines are there in the end.
TEAM = """\
version: 1
name: team
resolve: {name: FIXER, run: "sleep 0.05; printf 'one\\ntwo\\n' > shared.txt"}
phases:
  - name: lay
    agents:
      - {name: ANN, writes: [ann/**], run: "mkdir -p ann; echo 1 > ann/1; sleep 0.1; echo 2 > ann/2"}
      - {name: BOB, writes: [shared.txt, new], run: "(echo one; cat shared.txt) > new 2> /dev/null; sleep 0.05; mv new shared.txt"}
      - {name: CAT, writes: [shared.txt], run: "sleep 0.05; echo two >> shared.txt"}
  - name: build
    agents:
      - {name: DAN, needs: [], writes: [dan/**], run: "mkdir -p dan; echo a > dan/a; sleep 0.1; echo b > dan/b"}
      - {name: EVE, needs: [ANN], writes: [ann/**], run: "echo eve >> ann/1; sleep 0.05; rm ann/2"}
      - {name: FAY, needs: [], writes: [fay/**], run: ["mkdir -p fay", "echo 1 > fay/1", "echo 2 > fay/2", "cat fay/1 fay/2 > fay/3"]}
  - name: end
    agents: [{name: GUS, needs: [BOB, CAT], writes: [gus], run: "cat shared.txt > gus"}]
"""
FILES = {
    "ann/1": "1\neve",
    "dan/a": "a",
    "dan/b": "b",
    "fay/1": "1",
    "fay/2": "2",
    "fay/3": "1\n2",
    "gus": "one\ntwo",
    "shared.txt": "one\ntwo",
    "team.yaml": TEAM.rstrip(),
    "README.md": "left",
    "ada.txt": "ada",
    "ben.txt": "ben",
    "chain.txt": "a\nb\nc",
    "deep/er/three.txt": "3",
    "one.txt": "1",
    "pair.yaml": PAIR.rstrip(),
    "src.txt": "gone",
    "steps.txt": "begin\ngo on\nfinish",
    "steps.yaml": STEPS.rstrip(),
    "two.txt": "2",
}
MERGED = ["one", "two", "three", "remove", "base", "middle", "top", "steps", "pair", "team", "left"]
STATUSES = {**dict.fromkeys(MERGED, "merged"), "nothing": "no-change", "right": "conflict"}
PHASES = {("steps", "begin"), ("steps", "go-on"), ("steps", "finish"), ("pair", "work")}
PHASES |= {("team", "lay"), ("team", "build"), ("team", "end")}
PHASES |= {(name, "command") for name in [*MERGED, "right"] if name not in ("steps", "pair", "team")}
EVENTS = 300  # about as many as the batch has


def prepare(spinney: Spinney) -> str:
    spinney.repo.write("steps.yaml", STEPS)
    spinney.repo.write("pair.yaml", PAIR)
    spinney.repo.write("team.yaml", TEAM)
    spinney.repo.commit("workflows")
    spinney.repo.git("branch", "release")
    return spinney.batch(BATCH)


def assert_as_undisturbed(spinney: Spinney, done: Done) -> None:
    repo = spinney.repo
    assert done.code in (0, 1), done
    result = done.json
    assert done.statuses == STATUSES, {name: task["reason"] for name, task in done.tasks.items()}
    assert done.code == 1, "a conflict was left"
    tip = result["merged"]
    assert repo.git("rev-parse", result["merged_ref"]) == tip
    assert repo.git("rev-parse", "release") == tip, spinney.lock_files()
    assert {name: repo.read(tip, name) for name in repo.files(tip)} == FILES
    titles = [f"Merge spinney/{name}: {done.tasks[name]['title']}" for name in MERGED]
    assert repo.log(f"{result['base']}..{tip}")[::-1] == titles
    form = (
        "%(trailers:key=Spinney-Task,valueonly,separator=)|%(trailers:key=Spinney-Phase,valueonly,separator=)"
    )
    lines = repo.git("log", "--branches", f"--format={form}").splitlines()
    commits = collections.Counter(tuple(line.split("|")) for line in lines if not line.endswith("|"))
    assert commits == dict.fromkeys(PHASES, 1)
    heads = collections.Counter(pull["head"] for pull in spinney.pulls())
    assert heads == {f"spinney/{name}": 1 for name in STATUSES if name != "nothing"}
    assert [str(path) for path in spinney.worktree_folder().rglob("*")] == []
    assert spinney.admin_folders() == []
    assert not spinney.worktree_folder().exists()
    assert spinney.lock_files() == []
    assert repo.refs("refs/spinney/scratch") == {}
    assert repo.git("status", "--porcelain") == ""
    fsck = repo.git("fsck", "--strict", "--no-dangling")
    assert fsck == ""


def kill(spinney: Spinney, process: subprocess.Popen[bytes]) -> None:
    spinney.alive()  # learn the session before it ends
    process.kill()
    process.wait()


def read_events(process: subprocess.Popen[bytes], count: int) -> None:
    """Wait until ``count`` events were printed, or the process has ended."""
    assert process.stdout is not None
    for _ in range(count):
        if not process.stdout.readline():
            return


def finish(spinney: Spinney, batch: str) -> Done:
    done = spinney("resume", "--json")
    if done.code == 2 and "nothing has been run" in done.err:  # killed before anything was recorded
        return spinney("run", batch, "--json")
    return done


def test_a_run_that_nobody_disturbs(both: Spinney) -> None:
    assert_as_undisturbed(both, both("run", prepare(both), "--json"))
    both.gone()


@pytest.mark.parametrize(
    "events", [1, 50, *(pytest.param(events, marks=pytest.mark.slow) for events in (13, 30, 75, 100))]
)
def test_killed_orchestrator_is_resumed(spinney: Spinney, events: int) -> None:
    spinney.bubblewrap = events % 2 == 0
    batch = prepare(spinney)
    process = spinney.start("run", batch, "--events")
    read_events(process, events)
    kill(spinney, process)
    spinney.gone()
    assert_as_undisturbed(spinney, finish(spinney, batch))
    spinney.gone()


def test_killed_again_and_again_it_still_gets_there(spinney: Spinney) -> None:
    batch = prepare(spinney)
    process = spinney.start("run", batch, "--events")
    for events in (20, 15, 25):
        read_events(process, events)
        kill(spinney, process)
        process = spinney.start("resume", "--events")  # at once, whatever is still dying
    kill(spinney, process)
    spinney.gone()
    assert_as_undisturbed(spinney, finish(spinney, batch))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_killed_at_any_time_it_is_resumed(spinney: Spinney, seed: int) -> None:
    chance = random.Random(seed)
    spinney.bubblewrap = bool(seed % 2)
    batch = prepare(spinney)
    process = spinney.start("run", batch, "--events")
    if chance.random() < 0.1:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.05, 0.5))
    else:
        read_events(process, chance.randrange(EVENTS))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.0, 0.05))
    finished = process.poll() is not None
    kill(spinney, process)
    if chance.random() < 0.5:
        spinney.gone()
    if finished:
        return
    done = finish(spinney, batch)
    if done.code == 2 and "is finished" in done.err:
        return
    assert_as_undisturbed(spinney, done)
    spinney.gone()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_up_to_five_kills_in_a_row(spinney: Spinney, seed: int) -> None:
    chance = random.Random(1000 + seed)
    spinney.bubblewrap = bool(seed % 2)
    batch = prepare(spinney)
    process = spinney.start("run", batch, "--events")
    read_events(process, chance.randrange(1, EVENTS // 2))
    for _ in range(chance.randrange(5)):
        kill(spinney, process)
        process = spinney.start("resume", "--events")
        read_events(process, chance.randrange(EVENTS // 4))
    finished = process.poll() is not None
    kill(spinney, process)
    spinney.gone()
    if not finished:
        done = finish(spinney, batch)
        if "is finished" not in done.err:
            assert_as_undisturbed(spinney, done)


def manager_of(spinney: Spinney, task: str) -> psutil.Process | None:
    """The manager of a task: the ancestor of its agent that the forkserver started."""
    for process in spinney.alive():
        with contextlib.suppress(psutil.Error):
            environ = process.environ()
            if environ.get("SPINNEY_TASK") != task:
                continue
            for ancestor in process.parents():
                if "forkserver" in " ".join(ancestor.cmdline()):
                    return ancestor
    return None


@pytest.mark.parametrize("victim", ["manager", "agent"])
def test_only_the_task_whose_process_was_killed_is_tried_again(
    both: Spinney, tmp_path: Path, victim: str
) -> None:
    blocked = tmp_path / "blocked"
    go = f"test -e {blocked} || {{ touch {blocked}; sleep 60; }}"
    retries = "\n          retries: 1" if victim == "agent" else ""
    both.repo.write(
        "work.yaml",
        f"""\
version: 1
name: work
phases:
  - name: before
    agents: [{{name: BEFORE, run: "echo before > before.txt"}}]
  - name: during
    agents:
        - name: DURING
          run: "{go}; echo during > during.txt"{retries}
""",
    )
    both.repo.commit()
    batch = both.batch(
        """\
version: 1
tasks:
  - {id: hit, title: Hit, workflow: work.yaml}
  - {id: spared, title: Spared, run: "echo spared > spared.txt"}
"""
    )
    process = both.start("run", batch, "--json", "-j2")
    until(blocked.exists, "the agent to start")
    manager = until(lambda: manager_of(both, "hit"), "the manager of the task")
    if victim == "manager":
        manager.kill()
    else:
        os.kill(agent_shell(both, "hit").pid, signal.SIGKILL)
    done = both.end(process)
    assert done.statuses == {"hit": "merged", "spared": "merged"}, done
    assert {name: task["attempts"] for name, task in done.tasks.items()} == {
        "hit": 2 if victim == "manager" else 1,
        "spared": 1,
    }
    assert [commit["phase"] for commit in done.tasks["hit"]["commits"]] == ["before", "during"]
    assert both.repo.read(done.json["merged"], "during.txt") == "during"
    assert both.admin_folders() == []
    both.gone()


# Everything at once: a conflict being resolved by somebody deaf to SIGTERM, an agent that waits for those it asked
# for, and one of a later phase in the shared worktree.
BUSY = """\
version: 1
name: busy
resolve: {{name: FIXER, run: "trap '' TERM; touch {there}/fixer; until test -e {there}/go; do sleep 0.02; done; printf 'a\\nb\\n' > same"}}
phases:
  - name: work
    agents:
      - {{name: ADA, writes: [same], run: "touch {there}/ada; until test -e {there}/ben; do sleep 0.02; done; echo a >> same"}}
      - {{name: BEN, writes: [same], run: "touch {there}/ben; until test -e {there}/ada; do sleep 0.02; done; echo b >> same"}}
      - name: LEAD
        writes: [lead/**]
        backend: scripted
        script:
          - {{action: write, path: lead/half, text: x}}
          - {{action: spawn, agents: [{{name: sub, run: "touch {there}/sub; until test -e {there}/go; do sleep 0.02; done; echo s > lead/sub"}}]}}
  - name: later
    agents:
      - {{name: EARLY, needs: [], writes: [early], run: "echo half > early; touch {there}/early; until test -e {there}/go; do sleep 0.02; done; echo all > early"}}
"""


@pytest.mark.parametrize(
    "both", ["bubblewrap", pytest.param("bookkeeping", marks=pytest.mark.slow)], indirect=True
)
@pytest.mark.parametrize("way", ["orchestrator", "manager", "stop", "interrupt twice"])
def test_team_that_is_ended_in_the_middle_of_everything_gets_there(
    both: Spinney, tmp_path: Path, way: str
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    both.repo.write("busy.yaml", BUSY.format(there=there))
    both.repo.commit()
    batch = both.batch("version: 1\ntasks:\n  - {id: busy, title: Busy, workflow: busy.yaml}\n")
    process = both.start("run", batch, "--json", "-j6")
    until(lambda: all((there / name).exists() for name in ("fixer", "sub", "early")), "everybody at work")
    done = end_by(both, process, way, there / "go")
    assert done.statuses == {"busy": "merged"}, done
    tip = done.json["merged"]
    assert sorted(both.repo.read(tip, "same").split()) == ["a", "b"]
    assert both.repo.read(tip, "early") == "all"
    assert {"lead/half", "lead/sub"} <= set(both.repo.files(tip))
    assert [commit["phase"] for commit in done.tasks["busy"]["commits"]] == ["work", "later"]
    assert "early" not in both.repo.files(done.tasks["busy"]["commits"][0]["oid"])
    assert both.repo.refs("refs/spinney/scratch") == {}
    assert both.admin_folders() == []
    assert not both.worktree_folder().exists()
    both.gone()


def end_by(spinney: Spinney, process: subprocess.Popen[bytes], way: str, go: Path) -> Done:
    """End the run, or its manager, in this way; returns how it ended after that."""
    if way == "manager":
        manager = manager_of(spinney, "busy")
        assert manager is not None
        manager.kill()
        manager.wait(5)
        go.touch()
        return spinney.end(process)
    if way == "orchestrator":
        kill(spinney, process)
    elif way == "stop":
        assert spinney("stop").code == 0
        assert spinney.end(process).code == 4
    else:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        assert spinney.end(process).code == 130
    spinney.gone()
    go.touch()
    return spinney("resume", "--json")


def agent_shell(spinney: Spinney, task: str) -> psutil.Process:
    """The outermost process of a task's agent."""
    found = []
    for process in spinney.alive():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("SPINNEY_TASK") == task:
                found.append(process)
    return min(found, key=lambda process: process.create_time())


def test_a_manager_lost_twice_fails_its_task(spinney: Spinney, tmp_path: Path) -> None:
    started = tmp_path / "started"
    batch = spinney.batch(
        f"""\
version: 1
tasks:
  - {{id: doomed, title: Doomed, run: "echo x >> {started}; echo half > half.txt; sleep 60"}}
  - {{id: other, title: Other, run: "echo other > other.txt"}}
"""
    )
    process = spinney.start("run", batch, "--json")
    for lines in (1, 2):
        until(lambda n=lines: started.exists() and len(started.read_text().split()) == n, "a try")
        manager = until(lambda: manager_of(spinney, "doomed"), "the manager")
        manager.kill()
        manager.wait(5)
    done = spinney.end(process)
    assert done.code == 1
    assert done.statuses == {"doomed": "failed", "other": "merged"}
    assert "its manager was lost 2 times" in done.tasks["doomed"]["reason"]
    # what the first try left was put on a ref before the second one began
    salvaged = spinney.repo.refs("refs/spinney/salvage/doomed")
    assert [spinney.repo.read(oid, "half.txt") for oid in salvaged.values()] == ["half"]
    spinney.gone()


SLOW_TASK = """\
version: 1
tasks:
  - {{id: done, title: Done, run: "echo done > done.txt"}}
  - {{id: long, title: Long, run: "echo half > half.txt; touch {marker}; test -e {go} || sleep 60; echo all > long.txt"}}
"""


def interrupted(spinney: Spinney, tmp_path: Path) -> tuple[subprocess.Popen[bytes], Path]:
    marker, go = tmp_path / "marker", tmp_path / "go"
    process = spinney.start("run", spinney.batch(SLOW_TASK.format(marker=marker, go=go)), "-j2")
    until(marker.exists, "the long task")
    return process, go


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_with_130_and_it_can_be_resumed(
    both: Spinney, tmp_path: Path, number: signal.Signals
) -> None:
    process, go = interrupted(both, tmp_path)
    process.send_signal(number)
    asked = time.monotonic()
    done = both.end(process)
    assert done.code == 130, done
    assert time.monotonic() - asked < 5
    assert "spinney resume" in done.out
    both.gone()
    go.touch()
    resumed = both("resume", "--json")
    assert resumed.code == 0, resumed
    assert resumed.statuses == {"done": "merged", "long": "merged"}
    assert both.repo.read(resumed.json["merged"], "long.txt") == "all"
    assert both.admin_folders() == []


def test_stop_ends_the_run_with_4_and_it_can_be_resumed(spinney: Spinney, tmp_path: Path) -> None:
    process, go = interrupted(spinney, tmp_path)
    stopped = spinney("stop")
    assert stopped.code == 0, stopped
    assert stopped.out.splitlines()[-1] == "stopped; go on with: spinney resume"
    assert spinney.end(process).code == 4
    spinney.gone()
    go.touch()
    assert spinney("resume", "--json").statuses == {"done": "merged", "long": "merged"}


def test_a_second_orchestrator_ends_with_3_while_the_first_goes_on(spinney: Spinney, tmp_path: Path) -> None:
    process, _ = interrupted(spinney, tmp_path)
    for arguments in (["run", "-c", "true", "--title", "Another"], ["resume"], ["clean"], ["merge"]):
        second = spinney(*arguments)
        assert second.code == 3, (arguments, second)
        assert f"another spinney holds this repository (process {process.pid}" in second.err
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert spinney.end(process).code == 130


@pytest.mark.parametrize("way", ["setsid", "double fork", "nohup", "all at once"])
def test_no_descendant_outlives_a_killed_orchestrator(both: Spinney, tmp_path: Path, way: str) -> None:
    marker = tmp_path / "marker"
    start = {
        "setsid": "setsid sleep 300 &",
        "double fork": "(sh -c 'sleep 300 &' &)",
        "nohup": "nohup sleep 300 >/dev/null 2>&1 &",
        "all at once": "(setsid nohup sh -c 'setsid sleep 300 & sleep 300' >/dev/null 2>&1 &)",
    }[way]
    script = both.repo.path.parent / "agent.sh"
    script.write_text(f"{start}\ntouch {marker}\nsleep 300\n")
    process = both.start("run", "-c", f"sh {script}", "--title", "Leaves things")
    until(marker.exists, "the agent")
    kill(both, process)
    both.gone()


def test_agents_of_a_killed_manager_are_gone_before_the_next_try(both: Spinney, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    script = both.repo.path.parent / "agent.sh"
    script.write_text(f"(setsid nohup sleep 300 >/dev/null 2>&1 &)\necho x >> {tries}\nexec sleep 300\n")
    process = both.start("run", "-c", f"sh {script}", "--title", "Sleeper")
    until(tries.exists, "the first try")

    def sleepers() -> set[int]:
        return {p.pid for p in both.alive() if p.name() == "sleep"}

    first = until(lambda: len(found := sleepers()) == 2 and found, "both sleepers")
    manager = until(lambda: manager_of(both, only_task(both)), "the manager")
    manager.kill()
    until(lambda: len(tries.read_text().split()) == 2, "the second try")
    until(lambda: not first & sleepers(), "the end of the first try's processes", 5)
    assert process.poll() is None, "the run goes on"
    process.send_signal(signal.SIGTERM)
    assert both.end(process).code == 130
    both.gone()


def only_task(spinney: Spinney) -> str:
    return str(next(event for event in spinney.events() if event["event"] == "run.started")["tasks"][0]["id"])
