from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import UserError
from shared.model import (
    AgentName,
    Component,
    Evidence,
    Layer,
    Outputs,
    Planned,
    Profile,
    Step,
    SubAgent,
    Workflow,
)
from tests.support.build import agent, phase, workflow
from workflow_manager.workflows import find, own_names, preset_names, read, single_command, with_command
from workflow_manager.workflows.picking import only_phase


def made(text: str) -> Workflow:
    return read(text.encode(), "w.yaml", "w")


@pytest.mark.parametrize("name", preset_names())
def test_preset_is_sound_and_says_what_it_is(name: str) -> None:
    preset = find(name, Path("/nowhere"))
    assert (preset.name, preset.source) == (name, name)
    assert preset.description
    assert "\n" not in preset.description


def test_feature_has_nine_phases_and_agents_of_three_tiers() -> None:
    feature = find("feature", Path("/nowhere"))
    assert [entry.name for entry in feature.phases] == [
        "set-up",
        "issue",
        "branch",
        "research-and-planning",
        "implementation",
        "testing",
        "documentation",
        "pull-request",
        "review",
    ]
    assert {entry.tier for entry in feature.agents} == {"fast", "balanced", "deep"}
    assert all(entry.prompt for entry in feature.agents)


def test_short_form_is_one_phase_with_one_command() -> None:
    short = single_command("make x")
    assert [(entry.name, [a.run for a in entry.agents]) for entry in short.phases] == [
        ("command", ["make x"])
    ]


def test_command_goes_to_agents_that_have_nothing_to_do_yet() -> None:
    filled = with_command(
        workflow(
            phase("p", agent("EMPTY"), agent("RUNS", run="own"), agent("ASKED", prompt="own")),
            phase("q", agent("PLAYS", script=(Step("say"),)), agent("ALSO")),
        ),
        "make x",
    )
    assert [entry.run for entry in filled.agents] == ["make x", "own", "", "", "make x"]


def test_unknown_workflow_names_the_presets() -> None:
    with pytest.raises(UserError) as caught:
        find("featur", Path("/nowhere"))
    assert caught.value.message == "there is no workflow 'featur'"
    presets = f"presets: {', '.join(preset_names())}; or the path of a .yaml file"
    assert caught.value.hints == ("did you mean 'feature'?", presets)
    with pytest.raises(UserError) as caught:
        find("zebra", Path("/nowhere"))
    assert caught.value.hints == (presets,)


def test_file_of_that_path_is_read(tmp_path: Path) -> None:
    (tmp_path / "flow.yml").write_text("name: own\nphases: [{name: p}]\n")
    assert find("flow.yml", tmp_path).name == "own"


def test_name_means_the_file_of_that_name_at_the_root(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: own\nphases: [{name: p}]\n")
    (tmp_path / "other.yml").write_text("name: other\nphases: [{name: p}]\n")
    assert (find("mine", tmp_path).name, find("mine", tmp_path).source) == ("own", "mine")
    assert find("other", tmp_path).name == "other"
    with pytest.raises(UserError) as caught:
        find("mien", tmp_path)
    assert caught.value.hints[0] == "did you mean 'mine'?"


def test_preset_wins_over_a_file_of_its_name_which_has_a_path(tmp_path: Path) -> None:
    (tmp_path / "feature.yaml").write_text("name: own\nphases: [{name: p}]\n")
    assert find("feature", tmp_path).name == "feature"
    assert find("feature.yaml", tmp_path).name == "own"


def test_own_workflows_are_the_files_at_the_root_with_phases_or_a_base(tmp_path: Path) -> None:
    for name, text in {
        "b.yaml": "name: b\nphases: []\n",
        "a.yml": "# mine\nname: a\nextends: feature\n",
        "broken.yaml": "phases: [\n",
        "spinney.yaml": "version: 1\nworkflow: b\n",
        "batch.yaml": "version: 1\ntasks:\n  - title: x\n",
        "lint.yaml": "extends: default\n",
        ".hidden.yaml": "phases:\n",
        "notes.txt": "phases:\n",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "folder.yaml").mkdir()
    assert own_names(tmp_path) == ["a.yml", "b.yaml", "broken.yaml"]


def test_who_names_no_needs_needs_everything_before() -> None:
    flow = made(
        """\
name: w
phases:
  - name: one
    agents: [{name: A}, {name: B, needs: [A]}, {name: C}]
  - name: two
    agents: [{name: D}, {name: E, needs: []}]
  - name: three
    agents: [{name: F}]
"""
    )
    assert {entry.name: entry.needs for entry in flow.agents} == {
        "A": (),
        "B": ("A",),
        "C": (),
        "D": ("B", "C"),
        "E": (),
        "F": ("D", "E"),
    }


def test_everything_that_a_workflow_can_say_is_taken() -> None:
    flow = made(
        """\
name: w
budget: 8000
layers: {web: {words: [browser], default: true}}
profiles: {small: {agents: 2, memory: 1.5GB, memory_per_agent: 512 MB, cpu_per_agent: 0.5}}
profile: small
resolve: {name: RESOLVER, prompt: Mend it.}
phases:
  - name: one
    agents:
      - name: PLANNER
        outputs: {files: [docs/**], decisions: [stack], change: true, commands: true}
        evidence: {verdict: approve, command: make check, files: [docs/plan.md]}
        script: [{action: spawn, agents: [{name: a, run: x, script: [{action: say}], tier: fast, timeout: 5}]}]
      - name: MAKER
        needs: [PLANNER]
        run: {from: PLANNER, part: checks}
        reads: [src/**, {from: PLANNER, part: decisions, form: compressed}, {from: task}]
        estimate: 30
      - {name: SEVERAL, run: [make a, make b]}
"""
    )
    planner, maker, several = flow.agents
    assert (flow.budget, flow.layers, flow.profile) == (8000, (Layer("web", ("browser",), True),), "small")
    assert flow.profiles == (Profile("small", 2, 1536 * 1024**2, 512 * 1024**2, 0.5),)
    assert flow.resolve == agent("RESOLVER", prompt="Mend it.")
    assert planner.outputs == Outputs(("docs/**",), ("stack",), verdict=True, change=True, commands=True)
    assert planner.evidence == Evidence("make check", "approve", ("docs/plan.md",))
    assert planner.script == (Step("spawn", agents=(SubAgent("a", "x", "", (Step("say"),), "fast", 5.0),)),)
    assert maker.planned == Planned(planner.name, "checks")
    assert maker.reads == ("src/**",)
    assert maker.context == (Component("PLANNER", "decisions", "compressed"), Component("task"))
    assert (maker.estimate, several.commands) == (30.0, ("make a", "make b"))


def test_list_of_commands_goes_where_one_would() -> None:
    assert single_command(["make a", "make b"]).agents[0].commands == ("make a", "make b")
    flow = with_command(workflow(phase("p", agent("EMPTY"), agent("BUSY", commands=("x",)))), ["a", "b"])
    assert [entry.commands for entry in flow.agents] == [("a", "b"), ("x",)]


# --- one phase of it


def test_one_phase_stands_alone_without_what_it_needs_of_others() -> None:
    fixer = agent("FIXER", needs=["CODER", "HELPER"], context=(Component("CODER"), Component("task")))
    whole = workflow(phase("work", agent("CODER")), phase("fix", agent("HELPER", needs=["CODER"]), fixer))
    alone = only_phase(whole, "fix")
    assert alone is not None
    assert [(a.name, a.needs, a.context) for a in alone.agents] == [
        ("HELPER", (), ()),
        ("FIXER", ("HELPER",), (Component("task"),)),
    ]


def test_phase_that_runs_what_another_plans_cannot_stand_alone() -> None:
    runs = agent("RUNNER", planned=Planned(AgentName("PLANNER")))
    assert only_phase(workflow(phase("work", agent("PLANNER")), phase("fix", runs)), "fix") is None
    assert only_phase(workflow(phase("fix", agent("PLANNER"), runs)), "fix") is not None
    assert only_phase(workflow(phase("work", agent("PLANNER"))), "fix") is None
