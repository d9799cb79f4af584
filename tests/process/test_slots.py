"""Slots in the journals of real runs whose managers and orchestrators are killed."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.running import Spinney, until
from tests.support.slots import check_slots

# Agents of one task side by side, one that asks for others, one that is tried again, and one that waits for all.
TEAM = """\
version: 1
name: team
phases:
  - name: work
    agents:
      - {name: A, writes: ['a-*'], run: 'sleep 0.1; echo a > a-$SPINNEY_TASK'}
      - name: B
        backend: scripted
        writes: ['b-*']
        retries: 1
        script: [{action: fail, times: 1}, {action: write, path: 'b-{task}', text: b}]
      - name: LEAD
        backend: scripted
        writes: ['l-*']
        script:
          - action: spawn
            agents:
              - {name: one, run: 'sleep 0.05; echo 1 > l-1-$SPINNEY_TASK'}
              - {name: two, script: [{action: write, path: 'l-2-{task}', text: '2'}]}
  - name: last
    agents:
      - {name: LAST, writes: ['z-*'], run: 'echo z > z-$SPINNEY_TASK'}
"""


def batch(spinney: Spinney, *, settings: str = "", own: str = "") -> str:
    """Four tasks by the team, and what ``own`` adds."""
    spinney.repo.write("team.yaml", TEAM)
    spinney.repo.commit("workflow")
    lines = [f"  - {{id: t{number}, title: Task {number}, workflow: team.yaml}}" for number in range(4)]
    return spinney.batch(f"version: 1\n{settings}tasks:\n" + "\n".join(lines) + f"\n{own}")


@pytest.mark.parametrize("jobs", [1, 3])
def test_slots_hold_in_the_journal_of_a_batch_of_teams(spinney: Spinney, jobs: int) -> None:
    done = spinney("run", batch(spinney, settings="gate: sleep 0.1\n"), "--json", "--jobs", str(jobs))
    assert set(done.statuses.values()) == {"merged"}, done
    assert jobs <= check_slots(spinney.events(), all_back=True) <= jobs + 1  # with the gate's


def test_manager_that_is_killed_gives_its_slots_back_and_its_task_goes_on(
    free: Spinney, tmp_path: Path
) -> None:
    """Its agent does it: without bubblewrap the shell's parent is the manager, which holds the slot then."""
    mark = tmp_path / "killed"
    killer = f"test -e {mark} || {{ touch {mark}; kill -9 $PPID; sleep 60; }}; echo x > x"
    own = f"  - {{id: killer, title: Killer, run: '{killer}'}}"
    done = free("run", batch(free, own=own), "--json", "--jobs", "2")
    assert set(done.statuses.values()) == {"merged"}, done
    events = free.events()
    (lost,) = [place for place, event in enumerate(events) if event["event"] == "manager.lost"]
    assert events[lost - 1] | {"n": 0, "time": 0} == {
        "n": 0, "time": 0, "event": "slot.returned", "task": "killer", "agent": "COMMAND", "kind": "cpu",
    }  # fmt: skip
    assert check_slots(events, all_back=True) == 2
    free.gone()


def test_run_that_is_stopped_during_a_gate_gives_its_slot_back_and_gates_again_later(
    spinney: Spinney, tmp_path: Path
) -> None:
    mark = tmp_path / "gating"
    gate = f"gate: 'test -e {mark} || {{ touch {mark}; sleep 60; }}'\n"
    process = spinney.start("run", batch(spinney, settings=gate), "-q", "--jobs", "2")
    until(mark.exists, "the gate")
    process.send_signal(signal.SIGINT)
    assert spinney.end(process).code == 130
    check_slots(spinney.events(), all_back=True)
    done = spinney("resume", "--json")
    assert set(done.statuses.values()) == {"merged"}, done
    check_slots(spinney.events(), all_back=True)


@pytest.mark.parametrize("count", [12, 30, 60])
def test_orchestrator_that_is_killed_starts_again_with_all_slots_free(spinney: Spinney, count: int) -> None:
    process = spinney.start("run", batch(spinney), "--events", "--jobs", "2")
    assert process.stdout is not None
    for _ in range(count):
        process.stdout.readline()
    spinney.alive()  # learn the session before it ends
    process.kill()
    process.communicate()
    done = spinney("resume", "--json")
    assert set(done.statuses.values()) == {"merged"}, done
    assert check_slots(spinney.events(), all_back=True) == 2
    spinney.gone()


def test_run_that_goes_on_in_one_process_has_one_agent_at_a_time(spinney: Spinney) -> None:
    process = spinney.start("run", batch(spinney), "--events", "--jobs", "3")
    assert process.stdout is not None
    for _ in range(10):
        process.stdout.readline()
    spinney.alive()
    process.kill()
    process.communicate()
    done = spinney("resume", "--json", "--in-process")
    assert set(done.statuses.values()) == {"merged"}, done
    sizes = [event["total"] for event in spinney.events() if event["event"] == "slots.sized"]
    assert (sizes[0], sizes[-1]) == (3, 1)
    check_slots(spinney.events(), all_back=True)
