"""What every backend promises, whatever it executes agents with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from shared.model import Agent, Containment, Settings, Step
from shared.process import Cancel
from tests.support.build import agent, task
from workflow_manager.backends import registry
from workflow_manager.backends.port import AgentCall, AgentReport, Backend

SOON = 5.0  # seconds; far below any time that an agent here would take by itself


@dataclass(frozen=True, slots=True)
class Kind:
    """A backend and how its agents are told what to do."""

    name: str
    write: Agent  # writes "text" into sub/made.txt
    say: Agent  # says "hello"
    fail: Agent  # fails with the reason "no luck"
    fail_once: Agent  # fails the first time
    forever: Agent  # says "begun", then takes a minute
    impossible: Agent  # cannot even begin
    named: Agent  # writes its name, its task and its attempt into names.txt

    @property
    def backend(self) -> Backend:
        return registry.make(self.name)


def script(*steps: Step) -> Agent:
    return agent("CODER", script=steps)


KINDS = [
    Kind(
        "scripted",
        write=script(Step("write", "sub/made.txt", "text")),
        say=script(Step("say", text="hello"), Step("output", text="hello")),
        fail=script(Step("fail", text="no luck", times=9)),
        fail_once=script(Step("fail", text="no luck"), Step("write", "late.txt", "x")),
        forever=script(
            Step("say", text="begun"), Step("sleep", seconds=60.0), Step("write", "late.txt", "x")
        ),
        impossible=script(Step("write", "file/below", "x")),
        named=script(Step("write", "names.txt", "{agent} {task} {attempt}\n")),
    ),
    pytest.param(
        Kind(
            "command",
            write=agent("CODER", run="mkdir sub && printf text > sub/made.txt"),
            say=agent("CODER", run="echo hello"),
            fail=agent("CODER", run="echo no luck >&2; exit 3"),
            fail_once=agent(
                "CODER", run='test "$SPINNEY_ATTEMPT" = 2 && touch late.txt || { echo no luck; exit 1; }'
            ),
            forever=agent("CODER", run="echo begun; sleep 60; touch late.txt"),
            impossible=agent("CODER", run="no\0command"),
            named=agent("CODER", run='echo "$SPINNEY_AGENT $SPINNEY_TASK $SPINNEY_ATTEMPT" > names.txt'),
        ),
        marks=pytest.mark.process,
    ),
]


@dataclass(slots=True)
class Bench:
    """Somewhere for an agent to work, and what came of it."""

    worktree: Path
    cancel: Cancel
    output: bytearray = field(default_factory=bytearray)
    said: threading.Event = field(default_factory=threading.Event)

    def call(self, one: Agent, *, attempt: int = 1, timeout: float = 60.0) -> AgentCall:
        folder = self.worktree / ".tasks" / one.name
        folder.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": "/usr/bin:/bin",
            "SPINNEY_AGENT": one.name,
            "SPINNEY_TASK": "fix",
            "SPINNEY_ATTEMPT": str(attempt),
        }
        return AgentCall(
            agent=one,
            task=task("fix"),
            settings=Settings(),
            attempt=attempt,
            worktree=self.worktree,
            environment=environment,
            containment=Containment(),
            prompt_file=self.worktree / "prompt.md",
            output_folder=folder,
            timeout=timeout,
            cancel=self.cancel,
            write=self.write,
        )

    def write(self, data: bytes) -> None:
        self.output += data
        self.said.set()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    (worktree / "file").write_text("in the way")
    cancel = Cancel()
    yield Bench(worktree, cancel)
    cancel.close()


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param


def timed(run: Callable[[], AgentReport]) -> tuple[AgentReport, float]:
    started = time.monotonic()
    return run(), time.monotonic() - started


def test_agent_works_in_its_worktree(kind: Kind, bench: Bench) -> None:
    report = kind.backend.run(bench.call(kind.write))
    assert report.ok
    assert report.reason == ""
    assert not report.cancelled
    assert (bench.worktree / "sub" / "made.txt").read_text() == "text"


def test_output_is_handed_on_and_its_end_is_the_summary(kind: Kind, bench: Bench) -> None:
    report = kind.backend.run(bench.call(kind.say))
    assert bytes(bench.output) == b"hello\n"
    assert report.summary == "hello"


def test_success_always_has_a_summary(kind: Kind, bench: Bench) -> None:
    assert kind.backend.run(bench.call(kind.write)).summary


def test_failure_is_a_report_with_a_reason(kind: Kind, bench: Bench) -> None:
    report = kind.backend.run(bench.call(kind.fail))
    assert not report.ok
    assert "no luck" in report.reason
    assert not report.cancelled


def test_agent_that_cannot_begin_is_a_failure_too(kind: Kind, bench: Bench) -> None:
    report = kind.backend.run(bench.call(kind.impossible))
    assert not report.ok
    assert report.reason


def test_agent_knows_who_it_is(kind: Kind, bench: Bench) -> None:
    kind.backend.run(bench.call(kind.named, attempt=3))
    assert (bench.worktree / "names.txt").read_text() == "CODER fix 3\n"


def test_attempts_are_told_apart(kind: Kind, bench: Bench) -> None:
    assert not kind.backend.run(bench.call(kind.fail_once, attempt=1)).ok
    assert not (bench.worktree / "late.txt").exists()
    assert kind.backend.run(bench.call(kind.fail_once, attempt=2)).ok
    assert (bench.worktree / "late.txt").exists()


def test_agent_ends_soon_after_it_is_stopped(kind: Kind, bench: Bench) -> None:
    stopper = threading.Thread(target=lambda: (bench.said.wait(SOON), bench.cancel.set()))
    stopper.start()
    report, seconds = timed(lambda: kind.backend.run(bench.call(kind.forever)))
    stopper.join()
    assert (report.ok, report.cancelled) == (False, True)
    assert report.reason.startswith("stopped")
    assert seconds < SOON
    assert not (bench.worktree / "late.txt").exists()


def test_agent_that_is_stopped_before_it_began_does_not_work(kind: Kind, bench: Bench) -> None:
    bench.cancel.set()
    report, seconds = timed(lambda: kind.backend.run(bench.call(kind.forever)))
    assert (report.ok, report.cancelled) == (False, True)
    assert seconds < SOON
    assert not (bench.worktree / "late.txt").exists()


def test_agent_ends_soon_after_its_time_is_over(kind: Kind, bench: Bench) -> None:
    report, seconds = timed(lambda: kind.backend.run(bench.call(kind.forever, timeout=0.2)))
    assert (report.ok, report.cancelled) == (False, False)
    assert report.reason.startswith("timed out after ")
    assert seconds < SOON
    assert not (bench.worktree / "late.txt").exists()


def test_figures_that_were_not_measured_are_zero(kind: Kind, bench: Bench) -> None:
    report = kind.backend.run(bench.call(kind.say))
    assert (report.tokens.input, report.tokens.output, report.cost_usd) == (0, 0, 0.0)


def test_one_backend_serves_several_agents_at_once(kind: Kind, bench: Bench) -> None:
    backend, reports = kind.backend, []
    calls = [replace(bench.call(kind.say), worktree=bench.worktree) for _ in range(4)]
    threads = [threading.Thread(target=lambda c=call: reports.append(backend.run(c))) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.ok for report in reports] == [True] * 4


@pytest.mark.process
@pytest.mark.parametrize("run", ["yes", "yes & exec sleep 60"])
def test_flood_of_output_does_not_drown_a_stop(bench: Bench, run: str) -> None:
    stopper = threading.Thread(target=lambda: (bench.said.wait(SOON), bench.cancel.set()))
    stopper.start()
    call = replace(
        bench.call(agent("CODER", run=run)), write=lambda data: (slow_disk(data), bench.said.set())
    )
    report, seconds = timed(lambda: registry.make("command").run(call))
    stopper.join()
    assert report.cancelled
    assert seconds < SOON


@pytest.mark.process
def test_flood_of_output_does_not_drown_the_timeout(bench: Bench) -> None:
    call = replace(bench.call(agent("CODER", run="yes"), timeout=0.2), write=slow_disk)
    report, seconds = timed(lambda: registry.make("command").run(call))
    assert report.reason.startswith("timed out after ")
    assert seconds < SOON


@pytest.mark.process
def test_flood_from_the_background_ends_with_the_agent(bench: Bench) -> None:
    call = replace(
        bench.call(
            agent("CODER", run="mkfifo go; (echo > go; exec yes) & read x < go; exit 0"), timeout=SOON
        ),
        write=slow_disk,
    )
    report, seconds = timed(lambda: registry.make("command").run(call))
    assert report.ok
    assert seconds < SOON


def slow_disk(data: bytes) -> None:
    """A log that takes longer to write than the next piece takes to come."""
    time.sleep(0.002)


def test_unknown_backend_is_an_error() -> None:
    with pytest.raises(KeyError):
        registry.make("nobody")


def test_every_backend_that_ships_passes_this_suite() -> None:
    shipped = {entry.name if isinstance(entry, Kind) else entry.values[0].name for entry in KINDS}
    assert shipped == set(registry.NAMES)
