"""What only the ``scripted`` backend does; what it shares with others is in tests/conformance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.globs import matches
from shared.model import (
    Agent,
    AgentName,
    ChangeType,
    Containment,
    Evidence,
    Outputs,
    Planned,
    Settings,
    Step,
    SubAgent,
)
from shared.process import Cancel
from tests.support.build import agent, phase, task, workflow
from workflow_manager.backends.declared import name_for
from workflow_manager.backends.port import AgentCall, AgentReport
from workflow_manager.backends.scripted import ScriptedBackend
from workflow_manager.selection import change_of


@dataclass(slots=True)
class Stage:
    """Somewhere for a scripted agent to work, and what it asked for."""

    worktree: Path
    cancel: Cancel
    beats: int = 0
    asked: list[Sequence[SubAgent]] = field(default_factory=list)
    answers: Callable[[SubAgent], AgentReport] = lambda sub: AgentReport(True)

    def run(
        self, one: Agent, *others: Agent, attempt: int = 1, timeout: float = 60.0, **of_task: object
    ) -> AgentReport:
        of_task.setdefault("workflow", workflow(phase("work", one, *others)))
        return ScriptedBackend().run(
            AgentCall(
                agent=one,
                task=task("fix", **of_task),
                settings=Settings(),
                attempt=attempt,
                worktree=self.worktree,
                environment={},
                containment=Containment(),
                prompt_file=self.worktree / "prompt.md",
                output_folder=self.worktree,
                timeout=timeout,
                cancel=self.cancel,
                write=lambda data: None,
                beat=self.beat,
                spawn=self.spawn,
            )
        )

    def follow(self, *steps: Step, **of_call: object) -> AgentReport:
        return self.run(agent("CODER", script=steps), **of_call)

    def beat(self) -> None:
        self.beats += 1

    def spawn(self, agents: Sequence[SubAgent]) -> tuple[AgentReport, ...]:
        self.asked.append(agents)
        return tuple(self.answers(sub) for sub in agents)

    @property
    def files(self) -> list[str]:
        found = (path for path in self.worktree.rglob("*") if path.is_file() and not path.is_symlink())
        return sorted(str(path.relative_to(self.worktree)) for path in found)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    cancel = Cancel()
    yield Stage(worktree, cancel)
    cancel.close()


# --- steps


def test_steps_are_followed_in_order(stage: Stage) -> None:
    assert stage.follow(
        Step("write", "a/b.txt", "one\n"),
        Step("append", "a/b.txt", "two\n"),
        Step("append", "new.txt", "three\n"),
        Step("write", "gone.txt", "x"),
        Step("delete", "gone.txt"),
        Step("delete", "never-there.txt"),
        Step("output", text="all done"),
    ) == AgentReport(True, summary="all done")
    assert (stage.worktree / "a" / "b.txt").read_text() == "one\ntwo\n"
    assert stage.files == ["a/b.txt", "new.txt"]


def test_names_in_paths_and_texts_are_replaced(stage: Stage) -> None:
    stage.follow(Step("write", "{task}-{attempt}.txt", "{agent}: {title}"), title="Do it", attempt=2)
    assert (stage.worktree / "fix-2.txt").read_text() == "CODER: Do it"


def test_failure_comes_as_often_as_it_was_asked_for(stage: Stage) -> None:
    step = Step("fail", text="not yet", times=2)
    assert [stage.follow(step, attempt=attempt).ok for attempt in (1, 2, 3)] == [False, False, True]


@pytest.mark.parametrize("title", ["../outside", "/tmp/outside", "a/../../outside"])
def test_title_cannot_lead_a_step_out_of_the_worktree(stage: Stage, title: str) -> None:
    report = stage.follow(Step("write", "{title}.txt", "x"), title=title)
    assert report == AgentReport(
        False, reason=f"its script cannot be followed: {title}.txt leaves the worktree"
    )
    assert [path.name for path in stage.worktree.parent.iterdir()] == ["worktree"]


def test_link_cannot_lead_a_step_out_of_the_worktree(stage: Stage) -> None:
    (stage.worktree / "link").symlink_to(stage.worktree.parent)
    assert not stage.follow(Step("write", "link/outside.txt", "x")).ok
    assert not (stage.worktree.parent / "outside.txt").exists()


def test_decisions_verdict_and_plan_are_reported(stage: Stage) -> None:
    report = stage.follow(
        Step("decide", "stack", "sqlite for {title}"),
        Step("verdict", text="request-changes"),
        Step("plan", "commands", "make a\n\n  make b  \n"),
        Step("plan", "checks", "test -s a"),
        Step("plan", "fallbacks", "make a => touch a\n"),
        title="Notes",
    )
    assert report.ok
    assert report.decisions == {"stack": "sqlite for Notes"}
    assert report.verdict == "request-changes"
    assert report.plan == {
        "commands": ("make a", "make b"),
        "checks": ("test -s a",),
        "fallbacks": ("make a => touch a",),
    }


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (
            Step("plan", "comands", "make"),
            "there is nothing to plan called 'comands'; known: commands, checks, fallbacks",
        ),
        (Step("plan", "fallbacks", "make a"), "'make a' is not `command => fallback`"),
    ],
)
def test_plan_that_nobody_could_read_is_refused(stage: Stage, step: Step, reason: str) -> None:
    assert stage.follow(step).reason == f"its script cannot be followed: {reason}"


def test_sub_agents_of_a_step_are_asked_for_at_once(stage: Stage) -> None:
    pair = (SubAgent("unit", run="true"), SubAgent("types", run="true"))
    assert stage.follow(Step("spawn", agents=pair), Step("output", text="both done")).summary == "both done"
    assert stage.asked == [pair]


def test_sub_agent_that_fails_fails_the_agent_that_asked(stage: Stage) -> None:
    stage.answers = lambda sub: AgentReport(sub.name == "unit", reason="no luck")
    step = Step("spawn", agents=(SubAgent("unit"), SubAgent("types"), SubAgent("style")))
    assert stage.follow(step, Step("write", "late.txt", "x")) == AgentReport(
        False, reason="types: no luck; style: no luck"
    )
    assert stage.files == []


def test_agent_whose_sub_agents_were_stopped_was_stopped(stage: Stage) -> None:
    stage.answers = lambda sub: AgentReport(False, reason="stopped", cancelled=True)
    report = stage.follow(Step("spawn", agents=(SubAgent("unit"),)))
    assert (report.ok, report.cancelled) == (False, True)


def test_agent_that_sleeps_gives_signs_of_life(stage: Stage) -> None:
    assert stage.follow(Step("sleep", seconds=0.01), Step("sleep", seconds=0.01)).ok
    assert stage.beats >= 2


def test_sleeps_add_up_to_the_timeout(stage: Stage) -> None:
    report = stage.follow(Step("sleep", seconds=0.03), Step("sleep", seconds=30.0), timeout=0.05)
    assert report == AgentReport(False, reason="timed out after 0 s")


# --- an agent without steps


def test_agent_that_declares_nothing_leaves_nothing(stage: Stage) -> None:
    assert stage.run(agent("CODER")) == AgentReport(True, summary="left nothing: it declares nothing")
    assert stage.files == []


def test_agent_leaves_exactly_what_it_declares(stage: Stage) -> None:
    declaring = agent(
        "TL_UI_WEB",
        outputs=Outputs(files=("docs/plan.md", "src/ui/web/**"), decisions=("stack", "layers"), verdict=True),
        evidence=Evidence(files=("docs/proof.txt",)),
    )
    report = stage.run(declaring, title="A shop\nfor tea")
    assert stage.files == ["docs/plan.md", "docs/proof.txt", "src/ui/web/tl_ui_web-fix.md"]
    assert report == AgentReport(
        True,
        summary=(
            "left docs/plan.md, src/ui/web/tl_ui_web-fix.md, docs/proof.txt; decided stack, layers; said approve"
        ),
        decisions={
            "stack": "stack as TL_UI_WEB sees it",
            "layers": "layers as TL_UI_WEB sees it",
        },
        verdict="approve",
    )
    assert (stage.worktree / "docs/plan.md").read_text() == (
        "# TL_UI_WEB: A shop for tea\n#\n# Left by the scripted backend for the task fix.\n"
    )


def test_verdict_is_the_one_its_evidence_asks_for(stage: Stage) -> None:
    assert stage.run(agent("A", evidence=Evidence(verdict="request-changes"))).verdict == "request-changes"
    assert stage.run(agent("A")).verdict == ""


def test_agent_plans_what_it_declares_and_what_others_take_from_it(stage: Stage) -> None:
    taker = agent("RUNNER", planned=Planned(AgentName("CRITERIA"), "checks"))
    assert stage.run(agent("ANALYST", outputs=Outputs(commands=True)), taker).plan == {"commands": ("true",)}
    assert stage.run(agent("CRITERIA"), taker).plan == {"checks": ("true",)}


def test_file_that_is_there_already_is_left_alone(stage: Stage) -> None:
    (stage.worktree / "README.md").write_text("the user's own")
    stage.run(agent("WRITER", outputs=Outputs(files=("README.md",))))
    assert (stage.worktree / "README.md").read_text() == "the user's own"


@pytest.mark.parametrize("kind", list(ChangeType))
def test_change_is_of_the_kind_that_the_task_is(stage: Stage, kind: ChangeType) -> None:
    stage.run(agent("CODER", outputs=Outputs(change=True)), change=kind)
    [name] = stage.files
    assert change_of({name: len((stage.worktree / name).read_text().splitlines())}) is kind


@pytest.mark.parametrize(
    ("writes", "name"),
    [
        ("docs/**", "docs/coder-fix.md"),
        ("docs", "docs/coder-fix.md"),
        ("docs/a.txt", "docs/a.txt"),
        ("**/*.rst", "coder-fix.rst"),
    ],
)
def test_change_lies_where_the_agent_may_write(stage: Stage, writes: str, name: str) -> None:
    stage.run(agent("CODER", writes=(writes, "other/**"), outputs=Outputs(change=True)))
    assert stage.files == [name]


def test_change_is_a_change_the_second_time_too(stage: Stage) -> None:
    coder = agent("CODER", outputs=Outputs(change=True))
    stage.run(coder)
    before = (stage.worktree / "scripted/coder-fix.txt").read_text()
    stage.run(coder)
    assert (stage.worktree / "scripted/coder-fix.txt").read_text() == before * 2


def test_sub_agents_name_makes_no_folder(stage: Stage) -> None:
    stage.run(agent("CODER/unit", outputs=Outputs(change=True)))
    assert stage.files == ["scripted/coder-unit-fix.txt"]


@pytest.mark.parametrize("target", ["..", "inside"])
def test_declared_file_is_not_made_through_a_link(stage: Stage, target: str) -> None:
    (stage.worktree / "inside").mkdir()
    (stage.worktree / "link").symlink_to(target)
    report = stage.run(agent("CODER", outputs=Outputs(files=("link/made.txt",))))
    assert report.reason == (
        "its script cannot be followed: link/made.txt leads out of the worktree or through a link"
    )
    (stage.worktree / "dangling").symlink_to("../outside.txt")
    assert not stage.run(agent("CODER", outputs=Outputs(files=("dangling",)))).ok
    assert stage.files == []
    assert [path.name for path in stage.worktree.parent.iterdir()] == ["worktree"]


def test_agent_that_was_stopped_before_it_began_leaves_nothing(stage: Stage) -> None:
    stage.cancel.set()
    report = stage.run(agent("CODER", outputs=Outputs(change=True)))
    assert (report.ok, report.cancelled) == (False, True)
    assert stage.files == []


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("src/ui/web/**", "src/ui/web/coder-fix.md"),
        ("src/**/test_*.py", "src/test_coder-fix.py"),
        ("**/*test*", "coder-fix-test"),
        ("docs/*.md", "docs/coder-fix.md"),
        ("Dockerfile*", "Dockerfile-coder-fix"),
        ("part-?.txt", "part-x.txt"),
        ("/docs/plan.md", "docs/plan.md"),
    ],
)
def test_name_made_for_a_pattern_is_readable(pattern: str, name: str) -> None:
    assert name_for(pattern, "coder-fix") == name


_COMPONENTS = st.one_of(
    st.just("**"), st.text("ab*?.-", min_size=1, max_size=6).filter(lambda p: p.strip("."))
)


@given(st.lists(_COMPONENTS, min_size=1, max_size=5).map("/".join))
def test_a_name_made_for_a_pattern_fits_it_and_has_no_wildcard(pattern: str) -> None:
    name = name_for(pattern, "coder-fix")
    assert matches(pattern, name)
    assert not set("*?") & set(name)
