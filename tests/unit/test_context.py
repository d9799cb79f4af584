"""What agents are given: by the graph, counted, compressed, held to budgets. With real files, without a process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Agent, AgentName, Component, Evidence, Outputs, Workflow
from shared.tokens import estimate
from tests.support.build import agent, phase, task, workflow
from workflow_manager import workflows
from workflow_manager.backends.port import AgentReport
from workflow_manager.context import Context, Given
from workflow_manager.context.needs import choose
from workflow_manager.context.note import pointer
from workflow_manager.task_files import TaskFiles
from workflow_manager.untrusted import read_small

BODY = "Users sign in with an address and a password.\n\n- [ ] A form\n- [ ] At most 5 tries in 10 minutes\n"
PM = agent("PM", prompt="Say what is wanted.")
ARCHITECT = agent("ARCHITECT", needs=("PM",), prompt="Decide.")
LEAD = agent("TL_WEB", needs=("ARCHITECT",), prompt="Lead.")
OTHER_LEAD = agent("TL_CLI", needs=("ARCHITECT",), prompt="Lead.")
CODER = agent("DEV_WEB", needs=("TL_WEB",), prompt="Write the web part.", writes=("web/**",))
OTHER_CODER = agent("DEV_CLI", needs=("TL_CLI",), prompt="Write the program.")
TESTER = agent("TEST", needs=("DEV_WEB", "DEV_CLI"), prompt="Test it.", retries=1)
APP = workflow(
    phase("plan", PM, ARCHITECT),
    phase("lead", LEAD, OTHER_LEAD),
    phase("code", CODER, OTHER_CODER),
    phase("test", TESTER),
    name="app",
)


class Trial:
    """One task whose agents are given their context and leave something."""

    def __init__(self, folder: Path, flow: Workflow = APP, body: str = BODY) -> None:
        self.task = task("t", title="Add sign-in", body=body, workflow=flow)
        self.files = TaskFiles(folder, "s", self.task, flow, 0.0)
        self.reads: list[str] = []
        self.context = Context(self.files, self.task, self._read)

    def _read(self, path: Path, limit: int) -> bytes | None:
        self.reads.append(f"{path.parent.name}/{path.name}")
        return read_small(path, limit)

    def give(self, name: str, attempt: int = 1) -> Given:
        return self.context.give(self.agent(name), attempt)

    def agent(self, name: str) -> Agent:
        return next(one for one in self.task.workflow.agents if one.name == name)

    def leave(self, name: str, summary: str = "", **decisions: str) -> None:
        """``name`` runs and ends well; everything it says is in its output."""
        self.files.started(name, 0.0)
        report = AgentReport(True, summary or f"{name} did its part", decisions=decisions)
        self.files.ended(self.agent(name), report, 0.0)

    def note(self, name: str) -> str:
        return (self.files.folder / name / "note.md").read_text()

    def tokens(self, path: str) -> int:
        return estimate((self.files.folder / path).read_text())


@pytest.fixture
def trial(tmp_path: Path) -> Callable[..., Trial]:
    def make(flow: Workflow = APP, body: str = BODY) -> Trial:
        return Trial(tmp_path, flow, body)

    return make


# --- the prompt


def test_prompt_is_role_title_and_pointer(trial: Callable[..., Trial]) -> None:
    assert trial().give("DEV_WEB").prompt == (
        "Write the web part.\n\n"
        "# Task: Add sign-in\n\n"
        "First read `.tasks/DEV_WEB/note.md`; leave your result in `.tasks/DEV_WEB/output.json`."
        " The task: `.tasks/task.md`; all agents: `.tasks/manifest.json`.\n"
    )


@pytest.mark.parametrize("preset", workflows.preset_names())
def test_pointer_is_shorter_than_a_hundred_tokens(preset: str) -> None:
    flow = workflows.find(preset, Path())
    for one in (*flow.agents, *([flow.resolve] if flow.resolve else [])):
        assert estimate(pointer(one)) < 100, one.name


def test_pointer_is_as_short_for_the_longest_name_with_many_needs() -> None:
    many = agent("RESEARCHER_ARCHITECTURE_INTEGRATIONS_CLI", needs=[f"A{number}" for number in range(40)])
    assert estimate(pointer(many)) < 100


# --- the note


def test_note_names_direct_needs_and_the_nearest_decisions(trial: Callable[..., Trial]) -> None:
    made = trial()
    for name in ("PM", "TL_WEB", "TL_CLI"):
        made.leave(name)
    made.leave("ARCHITECT", stack="python", layers="web, cli")
    given = made.give("DEV_WEB")
    output, decisions = made.tokens("TL_WEB/output.json"), made.tokens("ARCHITECT/decisions.json")
    assert made.note("DEV_WEB") == (
        f"""You likely need:
- `.tasks/TL_WEB/output.json` ({output} tokens): TL_WEB did its part
- `.tasks/ARCHITECT/decisions.json` ({decisions} tokens): decided: stack, layers

You likely do not need:
- `.tasks/task.md` ({made.tokens("task.md")} tokens), unless the above leaves a question
- PM: the above builds on them
- TL_CLI, DEV_CLI: work on other parts

Leave:
- `.tasks/DEV_WEB/output.json`: summary, next_steps, warnings
Besides, write only `web/**`.
"""
    )
    assert given == Given(
        given.prompt, estimate(given.prompt) + estimate(made.note("DEV_WEB")) + output + decisions
    )


def test_first_agent_is_given_the_task(trial: Callable[..., Trial]) -> None:
    made = trial()
    made.give("PM")
    assert made.note("PM") == (
        f"""You likely need:
- `.tasks/task.md` ({made.tokens("task.md")} tokens): what is to be done

Leave:
- `.tasks/PM/output.json`: summary, next_steps, warnings
"""
    )


def test_commands_before_it_do_not_take_the_task_from_an_agent(trial: Callable[..., Trial]) -> None:
    setup = agent("SETUP", run="make")
    made = trial(
        workflow(phase("a", setup), phase("b", agent("CODER", needs=("SETUP",), prompt="Write it.")))
    )
    made.leave("SETUP")
    made.give("CODER")
    assert "- `.tasks/task.md` (" in made.note("CODER").partition("You likely do not need")[0]


def test_skipped_agent_is_stood_in_for_by_its_own_needs(trial: Callable[..., Trial]) -> None:
    made = trial()
    for name in ("PM", "ARCHITECT", "TL_WEB", "DEV_WEB"):
        made.leave(name)
    made.files.skipped("DEV_CLI", "not needed")
    made.files.skipped("TL_CLI", "not needed")
    made.give("TEST")
    read = [
        line
        for line in made.note("TEST").splitlines()
        if line.startswith("- `.tasks/") and "tokens): " in line
    ]
    assert [line.split("`")[1] for line in read] == [
        ".tasks/ARCHITECT/output.json",
        ".tasks/DEV_WEB/output.json",
    ]
    assert "CLI" not in made.note("TEST")


def test_decisions_nearer_by_hide_those_above_them(trial: Callable[..., Trial]) -> None:
    made = trial()
    made.leave("PM", audience="everybody")
    made.leave("ARCHITECT", stack="python")
    made.leave("TL_WEB", framework="none")
    made.leave("TL_CLI")
    made.leave("DEV_WEB")
    made.leave("DEV_CLI")
    made.give("TEST")
    decisions = [line.split("`")[1] for line in made.note("TEST").splitlines() if "decisions.json" in line]
    assert decisions == [".tasks/ARCHITECT/decisions.json", ".tasks/TL_WEB/decisions.json"]


def test_note_of_a_large_workflow_counts_what_it_does_not_name(trial: Callable[..., Trial]) -> None:
    crowd = [agent(f"DEV_{number}", prompt="Write it.") for number in range(30)]
    made = trial(workflow(phase("code", *crowd)))
    made.give("DEV_0")
    assert "- DEV_1, DEV_2, DEV_3, DEV_4 and 25 others: work on other parts\n" in made.note("DEV_0")


def test_note_says_everything_that_an_agent_must_leave(trial: Callable[..., Trial]) -> None:
    reviewer = agent(
        "REVIEWER",
        prompt="Review it.",
        writes=(),
        reads=("src/**", "docs/*.md"),
        outputs=Outputs(files=("review.md",), decisions=("risk",), verdict=True, change=True, commands=True),
        evidence=Evidence(command="make test", files=("review.md", "log.txt")),
    )
    made = trial(workflow(phase("review", reviewer)))
    made.give("REVIEWER")
    assert made.note("REVIEWER") == (
        f"""You likely need:
- `.tasks/task.md` ({made.tokens("task.md")} tokens): what is to be done
- the files `src/**`, `docs/*.md`

Leave:
- `.tasks/REVIEWER/output.json`: summary, next_steps, warnings, verdict (approve or request-changes), commands, \
checks (lists), fallbacks (command to command)
- `.tasks/REVIEWER/decisions.json`: risk
- the files `review.md`, `log.txt`
- a change to at least one file
- a state in which `make test` exits 0
Change no other file.
"""
    )


def test_agent_that_resolves_a_conflict_is_told_of_the_one_it_resolves_it_for(
    trial: Callable[..., Trial],
) -> None:
    made = trial()
    for name in ("PM", "ARCHITECT", "TL_WEB", "DEV_WEB"):
        made.leave(name)
    made.context.give(agent("RESOLVER", prompt="Resolve it.", needs=("DEV_WEB",)), 1)
    assert made.note("RESOLVER").partition("\n\nLeave")[0] == (
        f"""You likely need:
- `.tasks/DEV_WEB/output.json` ({made.tokens("DEV_WEB/output.json")} tokens): DEV_WEB did its part

You likely do not need:
- `.tasks/task.md` ({made.tokens("task.md")} tokens), unless the above leaves a question
- PM, ARCHITECT, TL_WEB: the above builds on them"""
    )


def test_agent_gets_what_it_asks_for(trial: Callable[..., Trial]) -> None:
    asks = (
        Component("task"),
        Component("events", form="compressed"),
        Component("PM", "artifacts"),
        Component("PM", "decisions"),
    )
    made = trial(workflow(phase("a", PM), phase("b", replace(ARCHITECT, context=asks))))
    made.leave("PM")
    made.files.artifacts("PM", ["docs/a.md", "docs/b.md"])
    for number in range(30):
        made.context.event(f"event {number} is over")
    given = made.give("ARCHITECT")
    short = next(
        line.split("`")[1] for line in made.note("ARCHITECT").splitlines() if "events in short" in line
    )
    assert made.note("ARCHITECT").partition("\n\nLeave")[0] == (
        f"""You likely need:
- `.tasks/task.md` ({made.tokens("task.md")} tokens): what is to be done
- `{short}` ({made.tokens(short.removeprefix(".tasks/"))} of {made.tokens("events.md")} tokens): events in short
- `.tasks/PM/artifacts.json` ({made.tokens("PM/artifacts.json")} tokens): 2 paths it changed
- not there, or too large to read: PM/decisions"""
    )
    assert (made.files.folder.parent / short).read_text() == "".join(
        f"- event {number} is over\n" for number in range(20, 30)
    )
    assert given.compressed == ("events",)
    assert given.saved == made.tokens("events.md") - made.tokens(short.removeprefix(".tasks/"))


def test_command_is_told_and_not_counted(trial: Callable[..., Trial]) -> None:
    made = trial(replace(workflow(phase("a", agent("BUILD", run="make"))), budget=10))
    assert made.give("BUILD") == Given(made.give("BUILD").prompt, tokens=0)
    assert "BUILD/output.json" in made.note("BUILD")


# --- components are known by their content


def test_unchanged_component_is_read_once_for_all_agents(trial: Callable[..., Trial]) -> None:
    made = trial()
    for name in ("PM", "ARCHITECT"):
        made.leave(name)
    first, second = made.give("TL_WEB"), made.give("TL_CLI")
    assert made.reads == ["ARCHITECT/output.json"]
    assert first.tokens - estimate(first.prompt) - estimate(made.note("TL_WEB")) == (
        second.tokens - estimate(second.prompt) - estimate(made.note("TL_CLI"))
    )
    made.leave("ARCHITECT", "thought again")
    made.give("TL_CLI")
    assert made.reads == ["ARCHITECT/output.json"] * 2


def test_unchanged_component_is_not_given_again_on_a_further_try(trial: Callable[..., Trial]) -> None:
    made = trial()
    for name in ("PM", "ARCHITECT", "TL_WEB", "TL_CLI", "DEV_WEB", "DEV_CLI"):
        made.leave(name)
    made.give("TEST")
    made.files.started("TEST", 0.0)
    made.files.ended(TESTER, AgentReport(False, reason="exit status 1"), 0.0)
    made.leave("DEV_CLI", "did it anew")
    again = made.give("TEST", 2)
    kept, new = made.tokens("DEV_WEB/output.json"), made.tokens("DEV_CLI/output.json")
    assert made.note("TEST").partition("\n\nYou likely do not")[0] == (
        f"""Your try before failed: exit status 1
What it left is in `.tasks/TEST/earlier.output.json`.

You likely need:
- `.tasks/DEV_CLI/output.json` ({new} tokens): did it anew
- as on your try before: `.tasks/DEV_WEB/output.json`"""
    )
    assert again.saved == kept
    assert again.tokens == estimate(again.prompt) + estimate(made.note("TEST")) + new


def test_first_try_of_a_later_attempt_begins_anew(trial: Callable[..., Trial]) -> None:
    made = trial()
    assert made.give("PM").tokens == made.give("PM", 1).tokens
    assert made.give("PM", 2).saved == made.tokens("task.md")


def test_large_link_and_broken_files_are_no_context(trial: Callable[..., Trial], tmp_path: Path) -> None:
    made = trial()
    for name in ("PM", "ARCHITECT", "TL_WEB", "TL_CLI", "DEV_WEB", "DEV_CLI"):
        made.leave(name)
    (made.files.folder / "DEV_WEB/output.json").write_bytes(b"x" * 300_000)
    (tmp_path / "secret").write_text("secret")
    (made.files.folder / "DEV_CLI/output.json").unlink()
    (made.files.folder / "DEV_CLI/output.json").symlink_to(tmp_path / "secret")
    made.give("TEST")
    assert "- not there, or too large to read: DEV_WEB/output, DEV_CLI/output\n" in made.note("TEST")


def test_note_that_an_agent_changed_is_written_again(trial: Callable[..., Trial]) -> None:
    made = trial()
    made.give("PM")
    wanted = made.note("PM")
    (made.files.folder / "PM/note.md").write_text("do what you like")
    (made.files.folder / "task.md").write_text("# Another task\n")
    made.give("PM")
    assert made.note("PM") == wanted
    assert (made.files.folder / "task.md").read_text() == f"# Add sign-in\n\n{BODY}"


# --- budgets

LONG = {
    "summary": "The accounts are kept in sqlite, and there are no sessions yet.",
    "next_steps": [
        f"Step {number} of the plan, which is described at length further down" for number in range(6)
    ],
    "details": "The form is made by hand. It has two fields. " * 12 + "We chose argon2id instead of bcrypt.",
}


def with_outputs(made: Trial, *names: str) -> Trial:
    for name in names:
        made.leave(name)
        (made.files.folder / name / "output.json").write_text(json.dumps(LONG, indent=2))
    return made


def two(budget: int = 0, whole: int = 0, **fields: Any) -> Workflow:
    second = replace(agent("CODER", needs=("PLANNER",), prompt="Write it."), budget=budget, **fields)
    flow = workflow(phase("plan", agent("PLANNER", prompt="Plan it.")), phase("code", second), name="two")
    return replace(flow, budget=whole)


def test_without_a_budget_everything_is_given_in_full(trial: Callable[..., Trial]) -> None:
    given = with_outputs(trial(two()), "PLANNER").give("CODER")
    assert (given.budget, given.compressed, given.saved, given.refused) == (0, (), 0, "")


def test_far_from_its_budget_an_agent_is_given_full_forms(trial: Callable[..., Trial]) -> None:
    full = with_outputs(trial(two()), "PLANNER").give("CODER").tokens
    given = with_outputs(trial(two(budget=full * 5 // 4 + 1)), "PLANNER").give("CODER")
    assert (given.budget, given.compressed, given.tokens) == (full * 5 // 4 + 1, (), full)


def test_near_its_budget_the_largest_component_is_compressed(trial: Callable[..., Trial]) -> None:
    full = with_outputs(trial(two()), "PLANNER").give("CODER").tokens
    made = with_outputs(trial(two(budget=full)), "PLANNER")
    given = made.give("CODER")
    assert given.compressed == ("PLANNER/output",)
    assert given.tokens < full * 0.8
    assert given.saved > 100
    short = next(line.split("`")[1] for line in made.note("CODER").splitlines() if "in short" in line)
    assert (made.files.folder.parent / short).read_text() == (
        "- summary: The accounts are kept in sqlite, and there are no sessions yet.\n"
        "- next_steps: Step 0 of the plan, which is described at length further down;"
        " Step 1 of the plan, which is described at length further down;"
        " Step 2 of the plan, which is described at length further down; and 3 more\n"
        "- details: The form is made by hand.\n"
        "  We chose argon2id instead of bcrypt.\n"
    )


def test_before_it_is_refused_an_agent_is_given_the_gist_and_a_brief_note(
    trial: Callable[..., Trial],
) -> None:
    made = with_outputs(trial(two(budget=200)), "PLANNER")
    given = made.give("CODER")
    assert given.refused == ""
    assert 160 < given.tokens <= 200
    short = next(line.split("`")[1] for line in made.note("CODER").splitlines() if "in short" in line)
    assert made.note("CODER") == (
        f"""You likely need:
- `{short}`: PLANNER/output in short

Leave:
- `.tasks/CODER/output.json`: summary, next_steps, warnings
"""
    )


def test_beyond_its_budget_an_agent_is_refused(trial: Callable[..., Trial]) -> None:
    made = with_outputs(trial(two(budget=120, whole=1000)), "PLANNER")
    given = made.give("CODER")
    assert given.refused == (
        "its context has 195 tokens, 75 more than its budget of 120"
        " (role text, title and pointer 71, note 63, PLANNER/output 61 compressed);"
        " raise `budget:` of CODER, shorten its prompt, or let it read less (`reads:`)"
    )
    assert not (made.files.folder / "CODER/note.md").exists()
    made.files.flush()
    shown = json.loads((made.files.folder / "manifest.json").read_text())["tasks"]["CODER"]
    assert shown == {"status": "failed", "dependencies": ["PLANNER"], "reason": given.refused}


def test_workflow_budget_is_used_up_by_all_agents_and_tries(trial: Callable[..., Trial]) -> None:
    made = trial(two(whole=1000))
    first = made.give("PLANNER")
    second = made.give("PLANNER", 2)
    made.leave("PLANNER")
    third = made.give("CODER")
    assert first.budget == 1000
    assert second.budget == 1000 - first.tokens
    assert third.budget == 1000 - first.tokens - second.tokens


def test_tighter_budget_applies(trial: Callable[..., Trial]) -> None:
    made = trial(two(budget=300, whole=500))
    assert made.give("PLANNER").budget == 500
    made.leave("PLANNER")
    left = 500 - made.give("CODER").tokens
    assert made.give("CODER").budget < left


def test_refused_agent_uses_nothing_of_the_workflows_budget(trial: Callable[..., Trial]) -> None:
    made = trial(two(budget=60, whole=1000))
    first = made.give("PLANNER")
    made.leave("PLANNER")
    assert made.give("CODER").refused
    assert made.give("PLANNER").budget == 1000 - first.tokens


def test_workflow_without_anything_left_says_what_was_used(trial: Callable[..., Trial]) -> None:
    made = trial(two(whole=250))
    left = 250 - made.give("PLANNER").tokens
    made.leave("PLANNER")
    given = made.give("CODER")
    assert given.budget == left > 0
    assert (
        f", {given.tokens - left} more than the {left} left of the workflow's budget of 250 ("
        in given.refused
    )
    assert given.refused.endswith(
        "; raise `budget:` of the workflow two, or let its agents read less (`reads:`)"
    )


# --- a feature as a whole

BUDGETS = {
    "RESEARCHER_LOCAL": (800, ()),
    "RESEARCHER_WEB": (600, ()),
    "PLANNER": (1200, ("RESEARCHER_LOCAL", "RESEARCHER_WEB")),
    "TEST_MASTER": (1500, ("PLANNER",)),
    "IMPLEMENTER": (2000, ("PLANNER", "TEST_MASTER")),
    "REVIEWER": (500, ("IMPLEMENTER",)),
    "SECURITY_AUDITOR": (800, ("IMPLEMENTER",)),
    "DOC_MASTER": (400, ("IMPLEMENTER",)),
}
ROLE = (
    "You do one part of a feature, and you do it well. Look before you write; say what you did not do. " * 4
)
DETAILED = {
    "summary": "The accounts are kept in sqlite by accounts/users.py, and there are no sessions yet.",
    "next_steps": ["Write the migration", "Write the form in web/forms.py", "Limit the tries by address"],
    "warnings": ["The test client keeps no cookies between requests", "web/forms.py has no tests at all"],
    "interfaces": ["def sign_in(email: str, password: str) -> Session", "POST /sign-in answers 303 or 422"],
    "details": "Addresses are lower-cased when they are looked up. We chose argon2id instead of bcrypt because"
    " it is installed. A token has 32 random bytes and lives for 12 hours.",
}


def through(made: Trial) -> list[Given]:
    """Every agent in turn, each of which leaves a detailed output."""
    given = []
    for one in made.task.workflow.agents:
        given.append(made.context.give(one, 1))
        made.leave(one.name)
        output = {**DETAILED, "summary": f"{one.name}: {DETAILED['summary']}", "verdict": "approve"}
        (made.files.folder / one.name / "output.json").write_text(json.dumps(output, indent=2))
        made.files.ended(one, AgentReport(True, decisions=dict.fromkeys(one.outputs.decisions, "yes")), 0.0)
    return given


def test_eight_agents_with_detailed_outputs_stay_within_their_budgets(trial: Callable[..., Trial]) -> None:
    agents = [
        agent(name, needs=needs, prompt=ROLE, budget=budget) for name, (budget, needs) in BUDGETS.items()
    ]
    made = trial(replace(workflow(phase("feature", *agents)), budget=8000))
    given = through(made)
    assert [one.refused for one in given] == [""] * 8
    assert all(one.tokens <= budget for one, (budget, _) in zip(given, BUDGETS.values(), strict=True))
    assert 150 <= made.tokens("PLANNER/output.json") <= 300
    assert sum(one.tokens for one in given) < 8000


@pytest.mark.parametrize("preset", workflows.preset_names())
def test_every_agent_of_a_preset_is_within_its_budget(trial: Callable[..., Trial], preset: str) -> None:
    given = through(made := trial(workflows.find(preset, Path())))
    assert [one.refused for one in given if one.refused] == []
    if preset == "autodev":
        assert made.task.workflow.budget == 8000
        assert sum(one.tokens for one in given) < 8000


# --- the graph


@st.composite
def flows(draw: st.DrawFn) -> tuple[Workflow, frozenset[AgentName], frozenset[AgentName]]:
    size = draw(st.integers(1, 8))
    agents = [
        agent(
            f"A{number}",
            needs=[f"A{need}" for need in sorted(draw(st.sets(st.integers(0, number - 1))))]
            if number
            else (),
            prompt=draw(st.sampled_from(["", "Do it."])),
        )
        for number in range(size)
    ]
    names = [one.name for one in agents]
    return (
        workflow(phase("all", *agents)),
        draw(st.frozensets(st.sampled_from(names))),
        draw(st.frozensets(st.sampled_from(names))),
    )


@given(flows())
def test_every_other_agent_is_in_one_place_at_most(
    made: tuple[Workflow, frozenset[AgentName], frozenset[AgentName]],
) -> None:
    flow, skipped, decided = made
    for one in flow.agents:
        choice = choose(flow, one, skipped.__contains__, decided.__contains__)
        read = {component.source for component in choice.wanted} - {"task"}
        parts = [*read, *choice.incorporated, *choice.elsewhere, one.name]
        assert len(parts) == len(set(parts))
        assert not (set(choice.incorporated) | set(choice.elsewhere) | set(choice.sources)) & skipped
        assert {need for need in one.needs if need not in skipped} <= set(choice.sources) <= read
