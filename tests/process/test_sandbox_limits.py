"""Bombs inside a sandbox: they end at its limits, and a sibling finishes meanwhile."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from shared.clock import SystemClock
from shared.containment import contained, find_bubblewrap
from shared.messages import FromManager, ToManager
from shared.model import Containment, Limits, Sandbox
from shared.sandbox import groups
from tests.support import build
from tests.support.repository import Repo
from tests.support.running import until
from tests.support.sandboxes import IN_SANDBOX, World, alive, world
from workflow_manager.agents import AgentDone, Agents, Seat
from workflow_manager.growth import Growth, Room
from workflow_manager.schedule import StartAgent

pytestmark = [pytest.mark.process, IN_SANDBOX]
MIB = 1024**2
LIMITS = Limits(memory=256 * MIB, processes=60, file_size=8 * MIB, temporary=16 * MIB)


@pytest.fixture
def there(repo: Repo, tmp_path: Path) -> Iterator[World]:
    with world(repo, tmp_path) as it:
        yield it


def limited(there: World) -> Containment:
    """The agent's sandbox, within ``LIMITS``."""
    held = there.held(limits=LIMITS)
    assert held.sandbox is not None
    counted = groups.make(f"limits-{os.getpid()}", LIMITS)
    return replace(held, sandbox=replace(held.sandbox, groups=counted))


BOMBS = {
    "processes": "i=0; while [ $i -lt 300 ]; do sleep 27182 & i=$((i+1)); done; kill $(jobs -p); exit 0",
    "processes of a script": "$PYTHON -c 'import os, time\\nfor i in range(300):\\n if not os.fork(): time.sleep(27182)'",
    "memory": "$PYTHON -c 'x = bytearray(1 << 30)'",
    "memory of several": 'for i in 1 2 3 4 5 6 7 8; do $PYTHON -c \'import time; x = bytearray(b"x") * (100 << 20); '
    "time.sleep(27182)' & done; wait -n; exit $?",
    "memory in files": "for i in 1 2 3 4 5 6 7 8; do head -c 6M /dev/zero >/tmp/bomb$i || exit 1; done",
    "the home": "for i in 1 2 3 4 5 6 7 8; do head -c 6M /dev/zero >$HOME/bomb$i || exit 1; done",
    "shared memory": "head -c 1G /dev/zero >/dev/shm/bomb",
    "one large file": "head -c 64M /dev/zero >bomb",
    "the root": "head -c 64M /dev/zero >/bomb || head -c 64M /dev/zero >/dev/bomb",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_ends_at_the_limit_and_a_sibling_finishes(there: World, bomb: str) -> None:
    held = limited(there)
    if bomb == BOMBS["memory of several"] and not (held.sandbox and held.sandbox.groups):
        pytest.skip("no control group may be made here: memory is limited for each process only")
    sibling = there.held()
    with ThreadPoolExecutor() as pool:
        beside = pool.submit(there.act, "for i in 1 2 3 4 5 6 7 8; do sleep 0.02; done; echo done", sibling)
        exploded = there.act(bomb.replace("\\n", "\n"), held, timeout=30)
        assert beside.result().out == "done\n"
    assert not exploded.ok
    until(lambda: not alive("27182"), "the end of everything in the sandbox")


def test_groups_of_managers_that_are_gone_are_removed(there: World) -> None:
    made = groups.make("mine", LIMITS)
    if not made:
        pytest.skip("no control group may be made here")
    gone = [Path(group).with_name("spinney-999999999-task") for group in made]
    for group in gone:
        group.mkdir()
    assert groups.make("mine", LIMITS) == made
    assert not any(group.exists() for group in gone)
    assert all(Path(group).exists() for group in made)


@pytest.fixture
def ordinary() -> Iterator[tuple[Path, list[str]]]:
    """A folder of an ordinary user's, and how to start something as that user."""
    if os.getuid() != 0:
        pytest.skip(
            "this test run is an ordinary user's already: every other test of sandboxes shows the same"
        )
    setpriv = shutil.which("setpriv")
    assert setpriv, "setpriv is part of util-linux"
    folder = Path("/var/tmp", f"spinney-test-{os.getpid()}")
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    yield folder, [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("echo x >mine && cat /proc/self/status", 0),
        ("cat /etc/shadow", 1),
        ("unshare -Ur true", 1),
        ("mount -t tmpfs none /mnt", 32),
        ("i=0; while [ $i -lt 100 ]; do sleep 27182 & i=$((i+1)); done; kill $(jobs -p); exit 0", 2),
        ("head -c 64M /dev/zero >bomb", 153),
        ("for i in 1 2 3 4; do head -c 6M /dev/zero >/tmp/bomb$i || exit 1; done", 1),
        ("awk 'BEGIN { while (1) s = s s \"xxxxxxxx\" }'", 2),
    ],
)
def test_an_ordinary_users_sandbox_holds_without_any_group(
    ordinary: tuple[Path, list[str]], command: str, status: int
) -> None:
    folder, as_user = ordinary
    held = Containment(find_bubblewrap(), sandbox=Sandbox(str(folder), limits=LIMITS))
    argv = contained(held, ["/bin/sh", "-c", command])
    done = subprocess.run(
        [*as_user, *argv], cwd=folder, env={"PATH": "/usr/bin:/bin"}, capture_output=True, timeout=30
    )
    assert done.returncode == status, done


class Orchestrator:
    """Somebody to talk to who never says anything."""

    def send(self, message: FromManager) -> None: ...

    def receive(self, timeout: float) -> ToManager | None: ...


def test_an_agent_whose_worktree_grows_without_end_is_stopped(there: World) -> None:
    writer = build.agent(
        "WRITER", run="while sleep 0.005; do head -c 1M /dev/zero >>bomb; done", backend="command"
    )
    posted: queue.SimpleQueue[object] = queue.SimpleQueue()
    work = build.phase("work", writer)
    assignment = there.assignment(build.task("task", workflow=build.workflow(work)))
    agents = Agents(assignment, Orchestrator(), SystemClock(), posted.put)
    homes = str(Path(assignment.facts.run_dir, "transcripts", "task"))
    assert agents._growth.places == [there.worktree.path, homes]
    agents._growth = Growth([there.worktree.path], Room(20 * MIB, 1000))
    seat = Seat(there.worktree.path, assignment.containment, there.root)
    agents.start(StartAgent(work, writer, 1, scratch=False), seat, "")

    def over() -> object:
        agents.end_hung(60)
        return None if posted.empty() else posted.get()

    done = until(over, "the end of the agent")
    assert isinstance(done, AgentDone)
    assert (
        done.report.reason
        == "its worktree and homes have grown to 0.0 GB, which is all that one task may have"
    )
    agents.ended("WRITER")
    assert Path(there.worktree.path, "bomb").stat().st_size < 500 * MIB
