from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from shared.errors import InvalidInput, Problem
from shared.model import Workflow
from workflow_manager.workflows import find, read

BASE = """\
name: base
description: The base.
budget: 5000
layers: {web: {words: [web]}, cli: {words: [terminal]}}
phases:
  - name: plan
    summary: Think.
    agents:
      - {name: PLANNER, tier: deep, prompt: Plan it., writes: [], when: {labels: [a], paths: [src]}}
  - name: make
    agents:
      - {name: MAKER, needs: [PLANNER], prompt: Make it.}
      - {name: TESTER, needs: [MAKER], run: make test}
  - name: review
    agents:
      - {name: REVIEWER, needs: [TESTER], prompt: Review it.}
"""
Own = Callable[..., Workflow]


@pytest.fixture
def own(tmp_path: Path) -> Own:
    """The workflow ``own.yaml`` with this text beside ``base.yaml`` and other files."""

    def call(text: str, **others: str) -> Workflow:
        for name, content in {"base": BASE, "own": text, **others}.items():
            (tmp_path / f"{name}.yaml").write_text(content)
        return find("own", tmp_path)

    return call


def problems(own: Own, text: str, **others: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        own(text, **others)
    return [str(problem) for problem in caught.value.problems]


def names(flow: Workflow) -> list[tuple[str, list[str]]]:
    return [(phase.name, [str(agent.name) for agent in phase.agents]) for phase in flow.phases]


def test_file_that_only_extends_is_its_base_under_another_name(own: Own, tmp_path: Path) -> None:
    flow = own("name: own\nextends: base\n")
    base = find("base", tmp_path)
    assert (flow.name, flow.source) == ("own", "own")
    assert (flow.phases, flow.description, flow.budget) == (base.phases, base.description, base.budget)


def test_own_keys_win_and_the_rest_stays(own: Own) -> None:
    flow = own(
        """\
name: own
extends: base
budget: 900
layers: {web: {words: [browser]}, app: {words: [phone]}}
phases:
  - name: plan
    agents: [{name: PLANNER, tier: fast, writes: [docs], when: {labels: [b]}}]
"""
    )
    planner = flow.agents[0]
    assert (flow.budget, flow.description) == (900, "The base.")
    assert {layer.name: layer.words for layer in flow.layers} == {
        "web": ("browser",),
        "cli": ("terminal",),
        "app": ("phone",),
    }
    assert (planner.tier, planner.prompt, planner.writes) == ("fast", "Plan it.", ("docs",))
    assert (planner.when.labels, planner.when.paths) == (("b",), ("src",))
    assert flow.phases[0].summary == "Think."


def test_new_ones_come_after_what_they_follow_or_at_the_end(own: Own) -> None:
    flow = own(
        """\
name: own
extends: base
phases:
  - {name: release, agents: [{name: RELEASER, run: make release}]}
  - name: make
    agents: [{name: LINTER, run: make lint}, {name: MAKER, tier: fast}, {name: FORMATTER, needs: [MAKER]}]
  - {name: document, agents: [{name: WRITER}]}
"""
    )
    assert names(flow) == [
        ("plan", ["PLANNER"]),
        ("make", ["MAKER", "FORMATTER", "TESTER", "LINTER"]),
        ("document", ["WRITER"]),
        ("review", ["REVIEWER"]),
        ("release", ["RELEASER"]),
    ]


def test_command_replaces_a_prompt_and_a_prompt_a_command(own: Own) -> None:
    flow = own(
        """\
name: own
extends: base
phases:
  - name: make
    agents: [{name: MAKER, run: make all}, {name: TESTER, prompt: Test it.}]
"""
    )
    assert [(agent.run, agent.prompt) for agent in flow.phases[1].agents] == [
        ("make all", ""),
        ("", "Test it."),
    ]


def test_presets_can_be_extended_also_by_a_file_of_their_name(own: Own, tmp_path: Path) -> None:
    feature = find("feature", tmp_path)
    assert own("name: own\nextends: feature\n").phases == feature.phases
    (tmp_path / "feature.yaml").write_text("name: feature\nextends: feature\nbudget: 777\n")
    assert find("feature.yaml", tmp_path).budget == 777
    assert find("feature.yaml", tmp_path).phases == feature.phases


def test_several_files_extend_each_other_in_turn(own: Own) -> None:
    middle = (
        "name: middle\nextends: base.yaml\nphases: [{name: plan, agents: [{name: PLANNER, tier: fast}]}]\n"
    )
    text = "name: own\nextends: middle\nphases: [{name: plan, agents: [{name: PLANNER, retries: 2}]}]\n"
    planner = own(text, middle=middle).agents[0]
    assert (planner.tier, planner.retries, planner.prompt) == ("fast", 2, "Plan it.")


def test_base_is_looked_up_beside_the_file_and_its_prompts_beside_it(tmp_path: Path) -> None:
    (tmp_path / "flows" / "roles").mkdir(parents=True)
    (tmp_path / "flows" / "roles" / "A.md").write_text("From the base.\n")
    (tmp_path / "flows" / "below.yaml").write_text(
        "name: below\nphases: [{name: p, agents: [{name: A, prompt: roles/A.md}]}]\n"
    )
    (tmp_path / "own.yaml").write_text("name: own\nextends: flows/below.yaml\n")
    assert find("own", tmp_path).agents[0].prompt == "From the base.\n"


# --- mistakes


def test_mistake_points_to_where_the_file_says_it_otherwise_to_its_base(own: Own) -> None:
    text = """\
extends: base
name: own
layers:
  cli: {words: 3}
phases:
  - name: review
    summry: x
    agents:
      - {name: REVIEWER, teir: fast, needs: [TESTR]}
      - {name: OTHER, needs: [OTHER]}
  - name: make
    agents:
      - {name: TESTER, needs: [REVIEWER]}
      - {name: TESTER}
"""
    assert problems(own, text) == [
        "own.yaml:4:16: expected a list, found a number",
        "own.yaml:7:5: unknown key 'summry' (did you mean 'summary'?)",
        "own.yaml:9:26: unknown key 'teir' (did you mean 'tier'?)",
        "own.yaml:9:46: REVIEWER needs TESTR, which is not an agent (did you mean 'TESTER'?)",
        "own.yaml:10:9: cycle: OTHER → OTHER (remove one of these needs)",
        "own.yaml:13:32: TESTER needs REVIEWER, which belongs to a later phase",
        "own.yaml:14:16: the agent TESTER is there twice",
    ]


def test_what_only_the_base_says_is_told_where_it_is_extended(own: Own) -> None:
    """The base is sound; a cycle that the file closes through an agent it does not name is its mistake."""
    base = BASE.replace("{name: MAKER, needs: [PLANNER]", "{name: MAKER, needs: []")
    text = "name: own\nextends: base\nphases: [{name: make, agents: [{name: MAKER, needs: [TESTER]}]}]\n"
    assert problems(own, text, base=base) == [
        "own.yaml:3:32: cycle: MAKER → TESTER → MAKER (remove one of these needs)"
    ]
    tester = "name: own\nextends: base\nphases: [{name: make, agents: [{name: TESTER, needs: [TESTER]}]}]\n"
    assert problems(own, tester) == ["own.yaml:3:32: cycle: TESTER → TESTER (remove one of these needs)"]
    layers = "name: own\nextends: base\nlayers: 3\n"
    base = BASE.replace("when: {labels: [a], paths: [src]}", "when: {layers: [web]}")
    assert problems(own, layers, base=base) == [
        "own.yaml:2:10: unknown layer 'web' (this workflow has no `layers`)",
        "own.yaml:3:9: expected a mapping, found a number",
    ]


def test_name_is_the_files_own(own: Own) -> None:
    assert problems(own, "extends: base\n") == ["own.yaml:1:1: 'name' is missing"]


def test_list_without_entries_does_not_empty_a_phase(own: Own) -> None:
    text = "name: own\nextends: base\nphases: [{name: plan, agents: []}]\n"
    assert "own.yaml:3:31: at least one entry is needed" in problems(own, text)


def test_mistakes_of_base_and_file_are_told_each_in_its_place(own: Own) -> None:
    base = BASE.replace("tier: deep", "tier: deap")
    text = "name: own\nextends: base\nphases: [{name: new, agents: [{name: N, retries: x}]}]\n"
    assert problems(own, text, base=base) == [
        "base.yaml:9:31: 'deap' is not one of: 'fast', 'balanced', 'deep' (did you mean 'deep'?)",
        "own.yaml:3:50: expected a whole number, found text",
    ]


def test_base_that_is_not_there_is_told_with_the_other_mistakes(own: Own) -> None:
    text = "name: own\nextends: bsae\nphases: [{name: make, agents: [{name: MAKER, needs: [PLANNER], tier: x}]}]\n"
    assert problems(own, text) == [
        "own.yaml:2:10: there is no workflow 'bsae' (did you mean 'base'?)",
        "own.yaml:3:70: 'x' is not one of: 'fast', 'balanced', 'deep'",
    ]
    assert problems(own, "name: own\nextends: bsae\n") == [
        "own.yaml:2:10: there is no workflow 'bsae' (did you mean 'base'?)"
    ]


def test_base_that_is_no_yaml_is_told_there(own: Own) -> None:
    (told,) = problems(own, "name: own\nextends: base\n", base="a: [\n")
    assert told.startswith("base.yaml:2:1: not valid YAML")


def test_cycle_of_files_is_printed(own: Own) -> None:
    assert problems(own, "name: own\nextends: own\n") == [
        "own.yaml:2:10: cycle of `extends`: own.yaml → own.yaml"
    ]
    assert problems(
        own, "name: own\nextends: a\n", a="name: a\nextends: b.yaml\n", b="name: b\nextends: a\n"
    ) == ["b.yaml:2:10: cycle of `extends`: a.yaml → b.yaml → a.yaml"]


@pytest.mark.parametrize("text", ["name: own\nextends: [base]\n", "name: own\nextends: 3\nphases: []\n"])
def test_base_that_is_no_name_is_told(own: Own, text: str) -> None:
    assert any(told.startswith("own.yaml:2:10: expected text") for told in problems(own, text))


# --- whatever the file holds

_KEYS = ["name", "phases", "agents", "needs", "reads", "run", "prompt", "from", "when", "layers", "profiles", "profile",
         "resolve", "tier", "evidence", "outputs", "script", "action", "budget", "memory", "str", "zebra"]  # fmt: skip
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["A", "MAKER", "make", "plan", "x.md", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=8),
    max_leaves=40,
)
_AGENTS = st.lists(st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=4), max_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("flows")
    (made / "base.yaml").write_text(BASE)
    return made


@given(st.dictionaries(st.sampled_from(_KEYS), _VALUES, max_size=8), _AGENTS, st.booleans())
def test_whatever_a_file_holds_is_read_or_told_with_positions(
    folder: Path, value: dict[str, object], agents: list[dict[str, object]], extends: bool
) -> None:
    own = {**value, **({"extends": "base"} if extends else {})}
    own.setdefault("phases", [{"name": "make", "agents": [{"name": "MAKER"}, *agents]}])
    text = io.StringIO()
    YAML().dump(own, text)
    told: list[Problem] = []
    try:
        read(text.getvalue().encode(), "own.yaml", "own", folder=folder)
    except InvalidInput as error:
        told = error.problems
        sound = False
    else:
        sound = True
    assert sound or told
    assert all(problem.file == "own.yaml" and problem.line and problem.column for problem in told)


def test_misspelt_override_is_told_from_a_new_agent(own: Own) -> None:
    text = "name: own\nextends: base\nphases:\n  - name: review\n    agents:\n      - {name: REVIEWR, tier: fast}\n"
    assert problems(own, text) == [
        "own.yaml:6:16: REVIEWR is new, and has neither `run` nor `prompt` (did you mean 'REVIEWER'?)"
    ]


def test_new_agent_that_has_something_to_do_is_no_mistake(own: Own) -> None:
    text = "name: own\nextends: base\nphases:\n  - name: review\n    agents:\n      - {name: LAST, run: 'true'}\n"
    assert names(own(text))[-1] == ("review", ["REVIEWER", "LAST"])
