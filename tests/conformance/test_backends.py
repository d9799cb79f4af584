"""What every backend promises, whatever it executes agents with."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from shared.model import Agent, AgentName, Containment, Planned, Settings, Step, SubAgent
from shared.process import Cancel
from tests.support.build import agent, task
from tests.support.messages import Fault, Reply, ToolUse
from tests.support.model_agent import Thinking, bash, create, finish
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
        return THINKING if self.name == "anthropic" else registry.make(self.name)


def script(*steps: Step) -> Agent:
    return agent("CODER", script=steps)


def prompt(text: str) -> Agent:
    return agent("CODER", prompt=text)


WHO = 'echo "$SPINNEY_AGENT $SPINNEY_TASK $SPINNEY_ATTEMPT" > names.txt'
THINKING = Thinking(
    write=[[Reply(tools=[create("sub/made.txt", "text")]), finish()]],
    say=[[Reply("hello", [ToolUse("finish", {"summary": "hello"})])]],
    fail=[[Fault(400, message="no luck")]],
    fail_once=[[Fault(400, message="no luck")], [Reply(tools=[create("late.txt", "x")]), finish()]],
    forever=[[Reply("begun", [bash("sleep 60; touch late.txt")])]],
    named=[[Reply(tools=[bash(WHO)]), finish()]],
)
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
    pytest.param(
        Kind(
            "anthropic",
            write=prompt("write"),
            say=prompt("say"),
            fail=prompt("fail"),
            fail_once=prompt("fail_once"),
            forever=prompt("forever"),
            impossible=prompt("without a gateway"),
            named=prompt("named"),
        ),
        marks=pytest.mark.process,
    ),
]


@dataclass(slots=True)
class Bench:
    """Somewhere for an agent to work, and what came of it."""

    worktree: Path
    cancel: Cancel
    asked: list[tuple[SubAgent, ...]] = field(default_factory=list)
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
            beat=lambda: None,
            spawn=self.spawn,
        )

    def spawn(self, agents: Sequence[SubAgent]) -> tuple[AgentReport, ...]:
        """All of them at once, each in a thread, as a manager with enough slots does it."""
        self.asked.append(tuple(agents))
        reports: dict[str, AgentReport] = {}

        def work(sub: SubAgent) -> None:
            name = "command" if sub.run else "scripted"
            call = self.call(
                agent(f"CODER/{sub.name}", run=sub.run, script=sub.script), timeout=sub.timeout or SOON
            )
            reports[sub.name] = registry.make(name).run(call)

        threads = [threading.Thread(target=work, args=(sub,)) for sub in agents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return tuple(reports[sub.name] for sub in agents)

    def planned(self, planner: str, **output: object) -> None:
        """What an agent before left in its output file."""
        folder = self.worktree / ".tasks" / planner
        folder.mkdir(parents=True)
        (folder / "output.json").write_text(json.dumps(output))

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
    assert report.cost_usd == 0.0
    assert bool(report.tokens.total) == (kind.name == "anthropic")


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


# --- lists of commands


def listed(*commands: str) -> Agent:
    return agent("CODER", commands=commands)


def from_plan(part: str = "commands") -> Agent:
    return agent("CODER", needs=["ANALYST", "CRITERIA"], planned=Planned(AgentName("ANALYST"), part))


def names(bench: Bench) -> list[list[str]]:
    return [[sub.name for sub in batch] for batch in bench.asked]


@pytest.mark.process
def test_a_list_runs_batch_by_batch_each_command_as_an_agent_of_its_own(bench: Bench) -> None:
    commands = ("mkdir -p out", "cd out", "echo a > a", "echo b > b", "cat a b > c")
    report = registry.make("command").run(bench.call(listed(*commands)))
    assert report == AgentReport(True, summary="4 commands in 3 batches")
    assert names(bench) == [["c1"], ["c3", "c4"], ["c5"]]
    assert (bench.worktree / "out" / "c").read_text() == "a\nb\n"
    assert bytes(bench.output).startswith(b"batch 1 of 3: command 1\nbatch 2 of 3: commands 3, 4\n")


@pytest.mark.process
def test_a_command_that_fails_is_named_and_ends_the_list_after_its_batch(bench: Bench) -> None:
    commands = ("touch a", "echo no luck >&2; exit 3", "cat a > b", "touch c")
    report = registry.make("command").run(bench.call(listed(*commands)))
    assert not report.ok
    assert report.reason == "command 2 (`echo no luck >&2; exit 3`) failed: exit status 3: no luck"
    assert names(bench) == [["c1", "c2", "c4"]]
    assert not (bench.worktree / "b").exists()


@pytest.mark.process
def test_several_failures_of_a_batch_are_counted(bench: Bench) -> None:
    report = registry.make("command").run(bench.call(listed("false", "false 2", "true", "false 3")))
    assert report.reason == "command 1 (`false`) failed: exit status 1; so did 2 others of its batch"


@pytest.mark.process
def test_a_change_of_the_shell_that_fails_fails_the_command_behind_it(bench: Bench) -> None:
    report = registry.make("command").run(bench.call(listed("cd nowhere", "touch here")))
    assert report.reason.startswith("command 2 (`touch here`) failed: exit status ")
    assert not (bench.worktree / "here").exists()


@pytest.mark.process
def test_what_only_one_shell_can_know_is_known_to_the_rest_of_the_list(bench: Bench) -> None:
    commands = (
        "touch first",
        "export NAME=$(mktemp -u file-XXXX)",
        "touch $NAME",
        "mkdir d",
        "cd d",
        "cp ../$NAME b",
    )
    report = registry.make("command").run(bench.call(listed(*commands)))
    assert report == AgentReport(True, summary="6 commands in 2 batches")
    assert names(bench) == [["c1"], ["c2"]]
    assert (bench.worktree / "d" / "b").exists()


@pytest.mark.process
def test_in_one_shell_too_the_command_that_fails_is_named(bench: Bench) -> None:
    report = registry.make("command").run(
        bench.call(listed("X=$(echo a)", "touch $X", "echo 'quote", "touch b"))
    )
    assert report.reason == "command 1 (`X=$(echo a)`) failed: exit status 2: command 3 failed"
    assert (bench.worktree / "a").exists()
    assert not (bench.worktree / "b").exists()


@pytest.mark.process
def test_a_list_ends_soon_after_it_is_stopped(bench: Bench) -> None:
    stopper = threading.Thread(target=lambda: (bench.said.wait(SOON), bench.cancel.set()))
    stopper.start()
    call = bench.call(listed("echo begun; sleep 60", "touch late.txt"))
    report, seconds = timed(lambda: registry.make("command").run(call))
    stopper.join()
    assert (report.ok, report.reason, report.cancelled) == (False, "stopped", True)
    assert seconds < SOON


@pytest.mark.process
def test_each_command_of_a_list_has_the_whole_timeout(bench: Bench) -> None:
    report = registry.make("command").run(bench.call(listed("true", "sleep 60"), timeout=0.2))
    assert report.reason.startswith("command 2 (`sleep 60`) failed: timed out after ")
    assert {sub.timeout for batch in bench.asked for sub in batch} == {0.2}


@pytest.mark.process
def test_links_in_the_worktree_are_followed_before_anything_runs_at_once(bench: Bench) -> None:
    (bench.worktree / "v2").mkdir()
    (bench.worktree / "latest").symlink_to("v2")
    report = registry.make("command").run(bench.call(listed("echo x > latest/a", "cat v2/a", "cat v?/a")))
    assert report.ok
    assert names(bench) == [["c1"], ["c2", "c3"]]


@pytest.mark.process
def test_planned_commands_are_read_from_what_the_planner_left(bench: Bench) -> None:
    bench.planned("ANALYST", commands=["touch a", "touch b"], checks=["test -e a", "test -e b", "test -e c"])
    assert registry.make("command").run(bench.call(from_plan())).summary == "2 commands in 1 batch"
    report = registry.make("command").run(bench.call(from_plan("checks")))
    assert report.reason == "command 3 (`test -e c`) failed: exit status 1"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (None, "ANALYST left no commands in .tasks/ANALYST/output.json"),
        ({"checks": ["true"]}, "ANALYST left no commands in .tasks/ANALYST/output.json"),
        (
            {"commands": "true"},
            "commands in .tasks/ANALYST/output.json is not a list with at least one command",
        ),
        ({"commands": []}, "commands in .tasks/ANALYST/output.json is not a list with at least one command"),
        (
            {"commands": ["true", 1]},
            "entry 2 of commands in .tasks/ANALYST/output.json is not a command: text of 1 to 10,000 characters",
        ),
        (
            {"commands": [" "]},
            "entry 1 of commands in .tasks/ANALYST/output.json is not a command: text of 1 to 10,000 characters",
        ),
        (
            {"commands": ["x" * 10_001]},
            "entry 1 of commands in .tasks/ANALYST/output.json is not a command: text of 1 to 10,000 characters",
        ),
        (
            {"commands": ["true"] * 1001},
            "1,001 commands in .tasks/ANALYST/output.json: at most 1,000 can be run",
        ),
    ],
)
def test_a_plan_that_is_no_list_of_commands_fails_the_agent(
    bench: Bench, output: dict[str, object] | None, reason: str
) -> None:
    if output is not None:
        bench.planned("ANALYST", **output)
    report = registry.make("command").run(bench.call(from_plan()))
    assert (report.ok, report.reason) == (False, reason)
    assert bench.asked == []


def test_a_list_that_is_too_long_fails_the_agent(bench: Bench) -> None:
    report = registry.make("command").run(bench.call(listed(*["true"] * 1001)))
    assert report.reason == "a list of 1,001 commands is too long: 1,000 can be put in order"


@pytest.mark.process
def test_a_fallback_does_the_work_of_a_planned_command_that_failed(bench: Bench) -> None:
    bench.planned("ANALYST", commands=["mkdir out", "cd out", "no-such-program", "touch b"])
    bench.planned("CRITERIA", fallbacks={"no-such-program": "touch a", "touch b": "true", "other": 1})
    report = registry.make("command").run(bench.call(from_plan()))
    assert report.ok
    assert report.summary == "3 commands in 3 batches, 1 fallback needed"
    [warning] = report.warnings
    assert warning.startswith("command 3 (`no-such-program`) failed: exit status 127: ")
    assert warning.endswith("; its fallback `touch a` did the work instead")
    assert names(bench) == [["c1"], ["c3"], ["c3-fallback"], ["c4"]]
    assert sorted(path.name for path in (bench.worktree / "out").iterdir()) == ["a", "b"], "in the same shell"


@pytest.mark.process
def test_a_fallback_that_fails_too_is_not_tried_again(bench: Bench) -> None:
    bench.planned("ANALYST", commands=["false"], fallbacks={"false": "exit 4"})
    report = registry.make("command").run(bench.call(from_plan()))
    assert (report.ok, report.reason) == (False, "command 1 (`false`) failed: exit status 1")
    assert report.warnings == (
        "command 1 (`false`) failed: exit status 1; its fallback `exit 4` failed as well: exit status 4",
    )
    assert names(bench) == [["c1"], ["c1-fallback"]]


@pytest.mark.process
def test_a_check_has_no_fallback(bench: Bench) -> None:
    bench.planned("ANALYST", checks=["false"], fallbacks={"false": "true"})
    assert not registry.make("command").run(bench.call(from_plan("checks"))).ok


def test_unknown_backend_is_an_error() -> None:
    with pytest.raises(KeyError):
        registry.make("nobody")


def test_every_backend_that_ships_passes_this_suite() -> None:
    shipped = {entry.name if isinstance(entry, Kind) else entry.values[0].name for entry in KINDS}
    # What a program does is its own; tests/process have the one that is installed.
    assert shipped == set(registry.NAMES) - set(registry.PROGRAMS)
