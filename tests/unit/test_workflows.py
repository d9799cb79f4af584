from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import InvalidInput, UserError
from shared.model import Agent, Step, When
from tests.support.build import agent, phase, workflow
from workflow_manager.workflows import find, preset_names, read, single_command, to_yaml, with_command


def problems(text: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read(text.encode(), "w.yaml", "w")
    return [str(problem) for problem in caught.value.problems]


def test_presets_are_sound_and_print_as_they_read() -> None:
    assert preset_names() == ["command", "feature"]
    for name in preset_names():
        preset = find(name, Path("/nowhere"))
        assert (preset.name, preset.source) == (name, name)
        assert read(to_yaml(preset).encode(), "again.yaml", name) == preset


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


def test_everything_an_agent_can_say_survives_printing() -> None:
    full = Agent(
        name=agent("FULL").name,
        backend="scripted",
        run="make",
        prompt="Line one\nLine two\n",
        script=(Step("write", "a.txt", "text\n"), Step("sleep", seconds=1.5), Step("fail", times=3)),
        needs=(agent("FIRST").name,),
        reads=("src/**",),
        writes=("docs/**",),
        tier="deep",
        when=When(("bug",), ("src/**",)),
        timeout=90.0,
        retries=2,
        isolation="scratch",
        evidence="make test",
    )
    made = workflow(phase("one", agent("FIRST", run="x", writes=())), phase("two", full), phase("three"))
    assert read(to_yaml(made).encode(), "w.yaml", "test") == made


@pytest.mark.parametrize(
    "text", ["- x", "a: b # c", "yes", "1", "'quoted'", "*x", "trailing ", "tab\there", "é ✔"]
)
def test_any_text_survives_printing(text: str) -> None:
    made = workflow(phase("p", agent("A", run=text, prompt=f"{text}\n{text}\n")))
    assert read(to_yaml(made).encode(), "w.yaml", "test") == made


def test_needs_must_exist_and_may_not_point_forward() -> None:
    assert problems(
        """\
name: w
phases:
  - name: one
    agents:
      - name: A
        needs: [B, C, NOBODY]
      - name: B
  - name: two
    agents:
      - name: C
        needs: [A]
"""
    ) == [
        "w.yaml:6:20: A needs C, which belongs to a later phase",
        "w.yaml:6:23: A needs NOBODY, which is not an agent (known: A, B, C)",
    ]


@pytest.mark.parametrize(
    ("agents", "cycle"),
    [
        ("[{name: A, needs: [A]}]", "A → A"),
        ("[{name: A, needs: [B]}, {name: B, needs: [A]}]", "A → B → A"),
        (
            "[{name: X}, {name: A, needs: [C, X]}, {name: B, needs: [A]}, {name: C, needs: [B]}]",
            "A → C → B → A",
        ),
    ],
)
def test_cycle_of_agents_is_printed_in_the_direction_of_needs(agents: str, cycle: str) -> None:
    (told,) = problems(f"name: w\nphases: [{{name: p, agents: {agents}}}]\n")
    message, hint = told.rsplit(" (", 1)
    assert hint == "remove one of these needs)"
    shown = message.rpartition("cycle: ")[2].split(" → ")
    wanted = cycle.split(" → ")
    assert " ".join(shown) in " ".join(wanted[:-1] * 2 + wanted[:1])


def test_names_are_there_once() -> None:
    text = "name: w\nphases:\n- name: p\n  agents: [{name: A}]\n- name: p\n  agents: [{name: A}]\n"
    assert problems(text) == [
        "w.yaml:5:9: the phase 'p' is there twice",
        "w.yaml:6:19: the agent A is there twice",
    ]


def test_short_form_is_one_phase_with_one_command() -> None:
    made = single_command("make x")
    assert [(entry.name, [a.run for a in entry.agents]) for entry in made.phases] == [("command", ["make x"])]


def test_command_goes_to_agents_that_have_nothing_to_do_yet() -> None:
    made = with_command(
        workflow(
            phase("p", agent("EMPTY"), agent("RUNS", run="own"), agent("ASKED", prompt="own")),
            phase("q", agent("PLAYS", script=(Step("say"),)), agent("ALSO")),
        ),
        "make x",
    )
    assert [entry.run for entry in made.agents] == ["make x", "own", "", "", "make x"]


def test_unknown_workflow_names_the_presets() -> None:
    with pytest.raises(UserError) as caught:
        find("featur", Path("/nowhere"))
    assert caught.value.message == "there is no workflow 'featur'"
    assert caught.value.hints == ("presets: command, feature; or the path of a .yaml file",)


def test_file_of_that_path_is_read(tmp_path: Path) -> None:
    (tmp_path / "flow.yml").write_text("name: own\nphases: [{name: p}]\n")
    assert find("flow.yml", tmp_path).name == "own"
