from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Agent, AgentName, Workflow
from tests.support.build import agent, phase, workflow
from workflow_manager.workflows import find, preset_names, read
from workflow_manager.workflows.drawing import to_dot, to_mermaid

FLOW = read(
    b"""\
name: small-one
layers: {web: {words: [web]}}
phases:
  - {name: branch}
  - name: plan
    agents: [{name: PM, tier: deep}, {name: END, needs: [PM], when: {layers: [web]}}]
  - {name: check, agents: [{name: TEST, tier: fast, needs: [PM, END]}]}
""",
    "w.yaml",
    "w",
)


def test_graph_for_graphviz() -> None:
    assert to_dot(FLOW) == (
        """\
digraph "small-one" {
  rankdir=LR;
  node [shape=box, style="rounded,filled", fontname="sans-serif"];
  graph [style=rounded, color="#999999", fontname="sans-serif"];
  subgraph cluster_1 {
    label="1 branch";
    engine_1 [label="by the engine", style=rounded];
  }
  subgraph cluster_2 {
    label="2 plan";
    "PM" [label="PM\\ndeep", fillcolor="#f8d7da"];
    "END" [label="END\\nbalanced", fillcolor="#fff2cc", style="rounded,filled,dashed"];
  }
  subgraph cluster_3 {
    label="3 check";
    "TEST" [label="TEST\\nfast", fillcolor="#d9f2e6"];
  }
  "PM" -> "END";
  "END" -> "TEST";
}
"""
    )


def test_graph_for_mermaid() -> None:
    assert to_mermaid(FLOW) == (
        """\
flowchart LR
  subgraph phase_1["1 branch"]
    engine_1(["by the engine"])
  end
  subgraph phase_2["2 plan"]
    agent_PM["PM<br/>deep"]
    agent_END["END<br/>balanced"]
  end
  subgraph phase_3["3 check"]
    agent_TEST["TEST<br/>fast"]
  end
  agent_PM --> agent_END
  agent_END --> agent_TEST
  classDef fast fill:#d9f2e6,stroke:#666,color:#222
  class agent_TEST fast
  classDef balanced fill:#fff2cc,stroke:#666,color:#222
  class agent_END balanced
  classDef deep fill:#f8d7da,stroke:#666,color:#222
  class agent_PM deep
  classDef conditional stroke-dasharray:5
  class agent_END conditional
"""
    )


def edges(text: str) -> set[tuple[str, str]]:
    return set(re.findall(r'^  "?(?:agent_)?(\w+)"? -+> "?(?:agent_)?(\w+)"?;?$', text, re.MULTILINE))


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_drawn_whole_and_readable(name: str) -> None:
    preset = find(name, Path("/nowhere"))
    for text in (to_dot(preset), to_mermaid(preset)):
        assert all(f"{entry.name}" in text for entry in preset.agents)
        assert {need for need, _ in edges(text)} | {who for _, who in edges(text)} <= {
            a.name for a in preset.agents
        }
        assert len(edges(text)) <= 2 * len(preset.agents)
    for line in to_mermaid(preset).splitlines()[1:]:
        assert re.fullmatch(
            r'  subgraph phase_\d+\["[^"]+"\]|    agent_\w+\["\w+<br/>\w+"\]|    engine_\d+\(\["[^"]+"\]\)|  end'
            r"|  agent_\w+ --> agent_\w+|  classDef \w+ [\w:#,-]+|  class [\w,]+ \w+",
            line,
        ), line


@st.composite
def graphs(draw: st.DrawFn) -> Workflow:
    made: list[Agent] = []
    for number in range(draw(st.integers(1, 9))):
        needs = draw(st.sets(st.integers(0, number - 1))) if number else set()
        made.append(agent(f"A{number}", needs=[f"A{need}" for need in sorted(needs)]))
    return workflow(phase("p", *draw(st.permutations(made))))


def closure(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    while more := {(a, d) for a, b in pairs for c, d in pairs if b == c} - pairs:
        pairs = pairs | more
    return pairs


@given(graphs())
def test_drawn_edges_imply_all_needs_and_none_of_them_is_spare(flow: Workflow) -> None:
    needs = {(str(need), str(entry.name)) for entry in flow.agents for need in entry.needs}
    drawn = edges(to_dot(flow))
    assert drawn == edges(to_mermaid(flow)) <= needs
    assert closure(drawn) == closure(needs)
    assert all(edge not in closure(drawn - {edge}) for edge in drawn)


def test_long_chains_are_drawn() -> None:
    chain = [agent(f"A{n}", needs=[AgentName(f"A{n + 1}")] if n < 2000 else []) for n in range(2001)]
    assert len(edges(to_dot(workflow(phase("p", *chain))))) == 2000
