"""A manager and its task in one process, with an orchestrator that grants slots exactly when a test says so."""

from __future__ import annotations

import os
import queue
import statistics
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shared.clock import ManualClock
from shared.git.worktrees import Worktree, Worktrees
from shared.mentions import linked, skips
from shared.messages import (
    AgentConflicted,
    AgentEnded,
    AgentStarted,
    ChannelClosed,
    FromManager,
    PhaseEnded,
    SlotGranted,
    SlotWanted,
    Stop,
    TaskEnded,
    ToManager,
)
from shared.model import (
    Agent,
    AgentName,
    Assignment,
    Containment,
    Oid,
    Phase,
    RepositoryFacts,
    Settings,
    Step,
    SubAgent,
    TaskOutcome,
    TaskResult,
)
from tests.git.conftest import IDENTITY
from tests.support import build
from tests.support.build import phase, workflow
from tests.support.repository import Repo
from workflow_manager.agents import AgentDone, Agents, CommandDone, Seat, SpawnAsked
from workflow_manager.backends.port import AgentReport
from workflow_manager.manager import carry
from workflow_manager.schedule import StartAgent

SECONDS = 20.0  # after which a manager counts as stuck


class Orchestrator:
    """The other end of a manager's channel. ``holds`` says which wishes have to wait by what was said so far."""

    def __init__(self, holds: Callable[[str, list[FromManager]], bool] = lambda name, said: False) -> None:
        self._holds = holds
        self._to: queue.SimpleQueue[ToManager | None] = queue.SimpleQueue()
        self._waiting: list[str] = []
        self._lock = threading.Lock()
        self._asked = threading.Condition()
        self._receives = 0
        self.said: list[FromManager] = []
        self.together: set[str] = set()
        self.on: Callable[[FromManager], object] = lambda message: None

    def send(self, message: FromManager) -> None:
        self.on(message)
        with self._lock:
            self.said.append(message)
            if isinstance(message, SlotWanted):
                self._waiting.append(message.agent)
            for name in list(self._waiting):
                if not self._holds(name, self.said) and not self._too_early(name):
                    self._waiting.remove(name)
                    self._to.put(SlotGranted(AgentName(name)))

    def _too_early(self, name: str) -> bool:
        """Those that write at the same time wait until all of them have started."""
        return name.endswith("/together") and not all(
            self.has(AgentStarted, other) for other in self.together
        )

    def receive(self, timeout: float) -> ToManager | None:
        with self._asked:
            self._receives += 1
            self._asked.notify_all()
        message = self._to.get(timeout=timeout)
        if message is None:
            raise ChannelClosed
        return message

    def close(self) -> None:
        self._to.put(None)

    def stop(self) -> None:
        self._to.put(Stop())

    def stop_now(self) -> None:
        """Return when the stop has arrived: the manager only asks for more after it took what came before."""
        with self._asked:
            before = self._receives
            self.stop()
            assert self._asked.wait_for(lambda: self._receives > before, SECONDS)

    def has(self, kind: type, agent: str) -> bool:
        return any(
            isinstance(message, kind) and getattr(message, "agent", "") == agent for message in self.said
        )


Carry = Callable[..., TaskResult]
TOGETHER = Step("spawn", agents=(SubAgent("together", script=(Step("say"),)),))


@pytest.fixture
def carried(repo: Repo, make: Callable[..., Worktree], tmp_path: Path) -> Carry:
    """Carry a task of these phases to its end."""

    def carried(
        orchestrator: Orchestrator,
        *phases: Phase,
        resolve: Agent | None = None,
        setup: str = "",
        **fields: object,
    ) -> TaskResult:
        task = build.task("task", workflow=replace(workflow(*phases), resolve=resolve), **fields)
        worktree = make()
        facts = (str(repo.git_dir), str(repo.path), str(Path(worktree.path).parent), str(tmp_path / "run"))
        assignment: Assignment = build.assignment(
            task,
            facts=RepositoryFacts(*facts),
            worktree=worktree.path,
            admin_dir=worktree.admin_dir,
            base=Oid(repo.head),
            identity=IDENTITY,
            settings=Settings(setup=setup, unsafe_no_sandbox=True),
        )
        orchestrator.together = {agent.name for agent in task.workflow.agents if TOGETHER in agent.script}
        thread = threading.Thread(target=carry, args=(assignment, orchestrator), daemon=True)
        thread.start()
        thread.join(SECONDS)
        orchestrator.close()
        assert not thread.is_alive(), "it is stuck"
        (end,) = [message.result for message in orchestrator.said if isinstance(message, TaskEnded)]
        return end

    return carried


def scripted(name: str, *steps: Step, **fields: object) -> Agent:
    return build.agent(name, backend="scripted", script=steps, **fields)


def writing(name: str, path: str = "same.txt", **fields: object) -> Agent:
    return scripted(name, Step("write", path, name), **fields)


def colliding(name: str, **fields: object) -> Agent:
    return scripted(name, TOGETHER, Step("write", "same.txt", name), **fields)


def assert_nothing_left(repo: Repo, worktrees: Worktrees) -> None:
    assert [name for name in worktrees.names() if "@" in name] == []
    assert repo.refs("refs/spinney/scratch") == {}


def salvaged(repo: Repo) -> set[str]:
    return {repo.read(oid, "same.txt") for oid in repo.refs("refs/spinney/salvage").values()}


FIXER = writing("FIXER")


@pytest.mark.parametrize("way", ["failure", "stop"])
def test_end_that_comes_while_a_conflict_waits_for_a_slot_loses_nothing(
    repo: Repo, worktrees: Worktrees, carried: Carry, way: str
) -> None:
    """C has done its work and waits for B's conflict, which waits for a slot that will not come."""

    def holds(name: str, said: list[FromManager]) -> bool:
        waits = orchestrator.has(AgentConflicted, "B") and orchestrator.has(AgentEnded, "C")
        if waits and way == "stop" and not any(isinstance(message, Stop) for message in said):
            orchestrator.stop()
        return name == "FIXER" or (name == "LAST" and (way == "stop" or not waits))

    orchestrator = Orchestrator(holds)
    last = scripted("LAST", Step("fail", text="no"), writes=())
    abc = [colliding(name) for name in "ABC"]
    result = carried(orchestrator, phase("work", *abc, last), resolve=FIXER)
    if way == "failure":
        assert (result.outcome, result.reason) == (TaskOutcome.FAILED, "LAST: no")
    else:
        assert result.outcome is TaskOutcome.INTERRUPTED
    assert {"B", "C"} <= salvaged(repo)
    assert_nothing_left(repo, worktrees)


def test_resolver_that_may_not_even_start_leaves_the_agent_its_own_tries(
    repo: Repo, worktrees: Worktrees, carried: Carry
) -> None:
    refused = build.agent("FIXER", backend="scripted", prompt="word " * 2000, budget=150)
    result = carried(
        Orchestrator(), phase("work", colliding("A"), colliding("B", retries=1)), resolve=refused
    )
    assert result.outcome is TaskOutcome.DONE, result.reason
    assert repo.read(result.tip, "same.txt") == "B"
    assert "B" in salvaged(repo), "the first try's work"
    assert_nothing_left(repo, worktrees)


def test_conflicts_are_resolved_one_after_another(repo: Repo, worktrees: Worktrees, carried: Carry) -> None:
    orchestrator = Orchestrator()
    agents = [colliding(name) for name in "ABC"]
    result = carried(orchestrator, phase("work", *agents), resolve=FIXER)
    assert result.outcome is TaskOutcome.DONE, result.reason
    assert repo.read(result.tip, "same.txt") == "FIXER"
    conflicts = [message.agent for message in orchestrator.said if isinstance(message, AgentConflicted)]
    assert conflicts == ["B", "C"]
    assert_nothing_left(repo, worktrees)


def test_resolution_that_collides_with_what_came_meanwhile_is_tried_again(
    repo: Repo, worktrees: Worktrees, carried: Carry
) -> None:
    def holds(name: str, said: list[FromManager]) -> bool:
        if name == "MEANWHILE":
            return not orchestrator.has(SlotWanted, "FIXER/wait")
        return name == "FIXER/wait" and not orchestrator.has(AgentEnded, "MEANWHILE")

    orchestrator = Orchestrator(holds)
    wait = Step("spawn", agents=(SubAgent("wait", script=(Step("say"),)),))
    fixer = scripted(
        "FIXER",
        Step("write", "same.txt", "fixed"),
        Step("write", "other-{attempt}", "fixer"),
        wait,
        retries=1,
    )
    both = [colliding(name, writes=("same.txt",)) for name in "AB"]
    meanwhile = writing("MEANWHILE", path="other-1", writes=("other-1",))
    result = carried(orchestrator, phase("work", *both, meanwhile), resolve=fixer)
    assert result.outcome is TaskOutcome.DONE, result.reason
    got = {name: repo.read(result.tip, name) for name in ("same.txt", "other-1", "other-2")}
    assert got == {"same.txt": "fixed", "other-1": "MEANWHILE", "other-2": "fixer"}
    assert_nothing_left(repo, worktrees)


def test_agent_that_is_asked_for_again_has_a_number_of_its_own(carried: Carry) -> None:
    orchestrator = Orchestrator()
    ask = Step("spawn", agents=(SubAgent("tester", script=(Step("say"),)),))
    other = Step("spawn", agents=(SubAgent("docs", script=(Step("say"),)),))
    result = carried(orchestrator, phase("work", scripted("CODER", ask, other, ask, Step("write", "a", "b"))))
    assert result.outcome is TaskOutcome.DONE, result.reason
    for kind in (AgentStarted, AgentEnded):
        told = [(m.agent, m.attempt) for m in orchestrator.said if isinstance(m, kind) and "/" in m.agent]
        assert told == [("CODER/tester", 1), ("CODER/docs", 1), ("CODER/tester", 2)]


def test_stop_between_the_last_commit_and_the_evidence_does_not_wait_for_the_evidence(
    repo: Repo, carried: Carry
) -> None:
    orchestrator = Orchestrator()
    orchestrator.on = lambda message: orchestrator.stop_now() if isinstance(message, PhaseEnded) else None
    result = carried(orchestrator, phase("work", writing("A")), evidence="sleep 60")
    assert (result.outcome, result.reason) == (TaskOutcome.INTERRUPTED, "the run was stopped")
    assert [commit.phase for commit in result.commits] == ["work"]


def test_set_up_that_is_deaf_to_its_end_is_over_before_its_manager(tmp_path: Path, carried: Carry) -> None:
    orchestrator, pid = Orchestrator(), tmp_path / "pid"
    os.mkfifo(pid)

    def stop_when_it_runs() -> None:
        found.append(int(pid.read_text()))
        orchestrator.stop()

    found: list[int] = []
    watcher = threading.Thread(target=stop_when_it_runs)
    watcher.start()
    deaf = f"trap '' TERM; echo $$ > {pid}; while :; do sleep 0.1; done"
    result = carried(orchestrator, phase("work", writing("A")), setup=deaf)
    watcher.join()
    assert result.outcome is TaskOutcome.INTERRUPTED
    with pytest.raises(ProcessLookupError):
        os.kill(found[0], 0)


def test_agents_of_a_task_that_cannot_go_on_are_over_before_its_manager(
    tmp_path: Path, carried: Carry
) -> None:
    """One agent breaks the index, so that nothing can be found out any more; another one is deaf."""
    pid = tmp_path / "pid"
    os.mkfifo(pid)
    deaf = f"trap '' TERM; echo $$ > {pid}; while :; do sleep 0.1; done"
    breaking = f"cat {pid} > {tmp_path}/found; echo broken > $(git rev-parse --git-dir)/index"
    result = carried(
        Orchestrator(),
        phase(
            "work",
            build.agent("DEAF", run=deaf, writes=()),
            build.agent("BREAKER", run=breaking, writes=("x",)),
        ),
        phase("next", build.agent("NEXT", run="true", needs=("BREAKER",), writes=("y",))),
    )
    assert result.outcome is TaskOutcome.FAILED
    assert "index" in result.reason
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "found").read_text()), 0)


def test_long_chain_of_agents_gives_back_what_each_of_them_took(repo: Repo, carried: Carry) -> None:
    orchestrator, used = Orchestrator(), []

    def look(message: FromManager) -> None:
        if isinstance(message, AgentStarted):
            used.append((len(os.listdir("/proc/self/fd")), threading.active_count()))

    orchestrator.on = look
    chain = [writing(f"A{n}", f"f{n % 7}", needs=(f"A{n - 1}",) if n else ()) for n in range(120)]
    result = carried(orchestrator, *(phase(f"p{n}", *chain[n * 30 : n * 30 + 30]) for n in range(4)))
    assert result.outcome is TaskOutcome.DONE, result.reason
    assert len(result.commits) == 4
    assert len(used) == 120
    for kind in zip(*used, strict=True):  # a phase's commit, in its own threads, holds some for a moment
        assert statistics.median(kind[90:]) <= statistics.median(kind[:30]) + 1


@pytest.mark.parametrize("frozen", [True, False])
def test_time_in_which_the_machine_stood_still_is_no_silence_of_an_agent(
    repo: Repo, tmp_path: Path, frozen: bool
) -> None:
    posted: queue.SimpleQueue[AgentDone | CommandDone | SpawnAsked] = queue.SimpleQueue()
    facts = RepositoryFacts(str(repo.git_dir), str(repo.path), "", str(tmp_path / "run"))
    assignment = build.assignment(build.task("task"), facts=facts)
    clock, work = ManualClock(), phase("work", scripted("SILENT", TOGETHER))
    agents = Agents(assignment, Orchestrator(), clock, posted.put)
    start = StartAgent(work, work.agents[0], 1, scratch=False)
    agents.start(start, Seat(str(repo.path), Containment(), tmp_path), "")
    asked = posted.get(timeout=SECONDS)
    assert isinstance(asked, SpawnAsked)
    for seconds in [500.0] if frozen else [5.0] * 100:
        clock.advance(seconds)
        agents.end_hung(400.0)
    asked.reply.put((AgentReport(True),))
    done = posted.get(timeout=SECONDS)
    assert isinstance(done, AgentDone)
    assert done.report.ok is frozen
    assert done.report.reason == ("" if frozen else "hung: no output and no work for 405 s")
    agents.ended("SILENT")


def test_commit_of_foreign_work_tells_nobody_and_closes_and_turns_off_nothing(
    repo: Repo, carried: Carry
) -> None:
    words = "closes https://github.com/o/r/issues/7. [skip ci]"
    talker = scripted("A", Step("write", "a", "1"), Step("output", text=f"{words} and skip-checks: true"))
    result = carried(Orchestrator(), phase("work", talker), title=f"Do it, {words}", foreign=True)
    assert result.outcome is TaskOutcome.DONE, result.reason
    message = repo.git("log", "-1", "--format=%B", result.tip)
    assert "Do it, closes `https://github.com/o/r/issues/7`." in message
    assert not linked(message)
    assert not skips(message)


def test_agent_turns_no_checks_off(repo: Repo, carried: Carry) -> None:
    talker = scripted("A", Step("write", "a", "1"), Step("output", text="done for #7 [ci skip]"))
    result = carried(Orchestrator(), phase("work", talker))
    assert "- A: done for #7 (ci skip)" in repo.git("log", "-1", "--format=%B", result.tip)
