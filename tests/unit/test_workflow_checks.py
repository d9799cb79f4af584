from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidInput
from shared.model import Machine
from workflow_manager.workflows import read
from workflow_manager.workflows.checks import check_workflow

SMALL = Machine(processors=2, memory=4 * 1024**3)


def problems(text: str, machine: Machine | None = None) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        read(text.encode(), "w.yaml", "w", machine=machine)
    return [str(problem) for problem in caught.value.problems]


def flow(agents: str, *more: str) -> str:
    return "\n".join(["name: w", f"phases: [{{name: p, agents: [{agents}]}}]", *more, ""])


def test_mistakes_of_types_names_and_graph_are_told_together() -> None:
    assert problems(
        """\
name: w
profile: larg
profiles: {large: {agents: 2, memory: 1GB, memory_per_agent: 1GB, cpu_per_agent: 1}}
phases:
  - name: plan
    agents:
      - {name: PLANNER, needs: [MAKER], tier: deap}
      - {name: PLANNER, writes: [../etc]}
      - {name: WRITER, prompt: roles/writer.md, budget: 20}
  - name: make
    agents:
      - {name: MAKER, needs: [PLANER], backend: comand}
      - {name: X, needs: [Y], when: {layers: [web]}}
      - {name: Y, needs: [X], run: make, prompt: Make it.}
  - name: plan
    agents: []
"""
    ) == [
        "w.yaml:2:10: unknown profile 'larg' (did you mean 'large'?)",
        "w.yaml:7:33: PLANNER needs MAKER, which belongs to a later phase",
        "w.yaml:7:47: 'deap' is not one of: 'fast', 'balanced', 'deep' (did you mean 'deep'?)",
        "w.yaml:8:16: the agent PLANNER is there twice",
        "w.yaml:8:34: a path pattern is relative to the repository and stays inside it",
        "w.yaml:9:32: the prompt file 'roles/writer.md' does not exist "
        "(a text that ends with .md goes below `prompt: |`)",
        "w.yaml:9:57: a budget of at least 100 tokens is needed: the pointer to the task costs that",
        "w.yaml:12:31: MAKER needs PLANER, which is not an agent (did you mean 'PLANNER'?)",
        "w.yaml:12:49: 'comand' is not one of: 'command', 'scripted', 'anthropic', 'claude-code', 'codex', 'gemini', 'aider', 'opencode' (did you mean 'command'?)",
        "w.yaml:13:9: cycle: X → Y → X (remove one of these needs)",
        "w.yaml:13:47: unknown layer 'web' (this workflow has no `layers`)",
        "w.yaml:14:50: Y has both `run` and `prompt` (keep one: a command or instructions)",
        "w.yaml:15:11: the phase 'plan' is there twice",
        "w.yaml:16:13: at least one entry is needed",
    ]


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
        needs: [B]
"""
    ) == [
        "w.yaml:6:20: A needs C, which belongs to a later phase",
        "w.yaml:6:23: A needs NOBODY, which is not an agent (known: A, B, C)",
    ]


@pytest.mark.parametrize(
    ("needs", "cycle"),
    [("needs: [A]", "A → C → A"), ("needs: [B]", "A → C → B → A"), ("tier: deep", "A → C → A")],
)
def test_cycle_across_phases_is_told_with_the_need_that_points_forward(needs: str, cycle: str) -> None:
    """Who names no needs needs everything before, which closes a cycle as well."""
    text = f"""\
name: w
phases:
  - {{name: one, agents: [{{name: A, needs: [C]}}, {{name: B, needs: [A]}}]}}
  - {{name: two, agents: [{{name: C, {needs}}}]}}
"""
    assert problems(text) == [f"w.yaml:3:44: A needs C, which belongs to a later phase; cycle: {cycle}"]


@pytest.mark.parametrize(
    ("agents", "cycle"),
    [
        ("{name: A, needs: [A]}", "A → A"),
        ("{name: A, needs: [B]}, {name: B, needs: [A]}", "A → B → A"),
        (
            "{name: X}, {name: A, needs: [C, X]}, {name: B, needs: [A]}, {name: C, needs: [B]}",
            "A → C → B → A",
        ),
    ],
)
def test_cycle_of_agents_is_printed_in_the_direction_of_needs(agents: str, cycle: str) -> None:
    (told,) = problems(flow(agents))
    assert told.endswith(f": cycle: {cycle} (remove one of these needs)")


def test_every_cycle_of_a_phase_is_told_once() -> None:
    agents = ", ".join(f"{{name: {a}, needs: [{b}]}}" for a, b in ("AB", "BA", "CD", "DC", "EA"))
    assert [told.partition("cycle")[2] for told in problems(flow(agents))] == [
        ": A → B → A (remove one of these needs)",
        ": C → D → C (remove one of these needs)",
    ]


def test_names_are_there_once() -> None:
    text = "name: w\nphases:\n- name: p\n  agents: [{name: A}]\n- name: p\n  agents: [{name: A}]\n"
    assert problems(text + "resolve: {name: A}\n") == [
        "w.yaml:5:9: the phase 'p' is there twice",
        "w.yaml:6:19: the agent A is there twice",
        "w.yaml:7:17: the agent A is there twice",
    ]


@pytest.mark.parametrize(
    ("agents", "told"),
    [
        ("{name: A}, {name: B, run: {from: AA}}",
         "2:62: B runs what AA leaves, which is not an agent (did you mean 'A'?)"),
        ("{name: A}, {name: B, run: {from: A}}",
         "2:62: B runs what A leaves, which need not be done before (add A to its needs)"),
        ("{name: A}, {name: B, reads: [src, {from: A}]}",
         "2:70: B reads what A leaves, which need not be done before (add A to its needs)"),
        ("{name: A, reads: [{from: A}]}", "2:54: A reads what A leaves, which need not be done before"),
        ("{name: A, reads: [{from: taks}]}",
         "2:54: A reads what taks leaves, which is not an agent (did you mean 'task'?)"),
        ("{name: A, run: {from: task}}", "2:51: A runs what task leaves, which is not an agent (known: A)"),
    ],
)  # fmt: skip
def test_what_an_agent_reads_or_runs_must_be_there_before(agents: str, told: str) -> None:
    assert problems(flow(agents)) == [f"w.yaml:{told}"]


def test_needs_of_needs_are_there_before_and_the_resolver_is_last() -> None:
    text = """\
name: w
phases:
  - {name: one, agents: [{name: A}, {name: B, needs: [A]}]}
  - {name: two, agents: [{name: C, reads: [{from: A}, {from: task}, {from: events}], run: {from: B}}]}
resolve: {name: R, reads: [{from: C}]}
"""
    assert [entry.name for entry in read(text.encode(), "w.yaml", "w").agents] == ["A", "B", "C"]


def test_resolver_waits_for_nobody() -> None:
    assert problems(flow("{name: A}", "resolve: {name: R, needs: [A]}")) == [
        "w.yaml:3:28: R answers conflicts whenever there are any (leave out `needs`)"
    ]


def test_layers_of_conditions_are_those_of_the_workflow() -> None:
    text = flow(
        "{name: A, when: {layers: [web, dsktop]}}", "layers: {web: {words: [w]}, desktop: {words: [d]}}"
    )
    assert problems(text) == ["w.yaml:2:60: unknown layer 'dsktop' (did you mean 'desktop'?)"]


# --- sizes

PROFILES = """\
profiles:
  small: {agents: 2, memory: 2GB, memory_per_agent: 512MB, cpu_per_agent: 1}
  medium: {agents: 4, memory: 4GB, memory_per_agent: 1GB, cpu_per_agent: 2}
  large: {agents: 8, memory: 16GB, memory_per_agent: 2GB, cpu_per_agent: 2}
  wide: {agents: 1, memory: 1GB, memory_per_agent: 1GB, cpu_per_agent: 2.5}
"""


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ("large", "the profile 'large' wants 16 GB of memory, and this machine has 4 GB (these fit: small, medium)"),
        ("wide", "the profile 'wide' wants 2.5 processors an agent, and this machine has 2 (these fit: small, medium)"),
    ],
)  # fmt: skip
def test_profile_larger_than_the_machine_is_told_with_those_that_fit(profile: str, told: str) -> None:
    text = flow("{name: A}", f"profile: {profile}", PROFILES)
    assert problems(text, SMALL) == [f"w.yaml:3:10: {told}"]
    assert read(text.encode(), "w.yaml", "w").profile == profile


@pytest.mark.parametrize("profile", ["small", "medium"])
def test_profile_that_just_fits_is_taken(profile: str) -> None:
    text = flow("{name: A}", f"profile: {profile}", PROFILES)
    assert read(text.encode(), "w.yaml", "w", machine=SMALL).profile == profile


def test_machine_on_which_no_profile_fits_is_told_so() -> None:
    text = flow("{name: A}", "profile: small", PROFILES)
    assert problems(text, Machine(1, 1024**2))[0].endswith("this machine has 0 GB (none of them fits)")


# --- whatever the file holds


class _Silent:
    def problem(self, *told: object, **how: object) -> None: ...

    def unknown_key(self, *told: object, **how: object) -> None: ...


_KEYS = ["phases", "agents", "name", "needs", "reads", "run", "from", "when", "layers", "profiles", "profile", "resolve",
         "memory", "prompt", "cpu_per_agent"]  # fmt: skip
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["A", "B", "small", "8GB", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=6),
    max_leaves=40,
)


@given(_VALUES)
def test_no_value_of_any_type_makes_the_checks_fail(value: object) -> None:
    check_workflow(_Silent(), value, SMALL)
    check_workflow(_Silent(), {"phases": [{"name": "p", "agents": [value, value]}], "profiles": value}, SMALL)
