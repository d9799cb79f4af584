from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.fields import size_in_bytes
from shared.model import (
    Agent,
    AgentName,
    ChangeType,
    Component,
    Evidence,
    Layer,
    Outputs,
    Phase,
    Planned,
    Profile,
    Step,
    SubAgent,
    When,
    Workflow,
)
from tests.support.build import agent, phase, workflow
from workflow_manager.workflows import find, preset_names, read, to_yaml


def again(flow: Workflow) -> Workflow:
    """As it reads after it was printed; mistakes in the print would be raised."""
    return read(to_yaml(flow).encode(), "printed.yaml", flow.source)


@pytest.mark.parametrize("name", preset_names())
def test_preset_reads_as_it_prints(name: str) -> None:
    preset = find(name, Path("/nowhere"))
    assert again(preset) == preset


def test_everything_a_workflow_can_say_survives_printing() -> None:
    first = Agent(
        AgentName("FIRST"),
        backend="scripted",
        prompt="Line one\nLine two\n",
        script=(
            Step("write", "a.txt", "text\n"),
            Step("sleep", seconds=1.5),
            Step("fail", times=3),
            Step("plan", "commands", "make a\nmake b"),
            Step("spawn", agents=(SubAgent("one", "make", script=(Step("say"),), tier="deep", timeout=3.0),
                                  SubAgent("two", prompt="Do\nit."))),
        ),
        outputs=Outputs(("docs/**",), ("stack", "layers"), True, True, True),
        evidence=Evidence("make test", "approve", ("docs/x.md",)),
    )  # fmt: skip
    full = Agent(
        AgentName("FULL"),
        commands=("make a", "make b\nmake c"),
        needs=(first.name,),
        reads=("src/**",),
        context=(Component("task"), Component("FIRST", "decisions", "compressed")),
        writes=("docs/**",),
        tier="deep",
        when=When(("bug",), ("src/**",), (ChangeType.TYPO, ChangeType.FULL), ("web",)),
        estimate=12.5,
        timeout=90.0,
        retries=2,
        isolation="scratch",
        budget=200,
        evidence=Evidence("make test"),
    )
    flow = replace(
        workflow(
            phase("one", first, agent("SIDE", run="x", writes=())),
            phase("two", full, agent("FREE")),
            phase("three"),
            phase("four", agent("LAST", planned=Planned(first.name, "checks"), needs=["FULL"])),
        ),
        description="One line\nand another",
        budget=8000,
        layers=(Layer("web", ("browser", "page"), True), Layer("cli", ("terminal",))),
        profiles=(Profile("small", 2, 2 * 1024**3, 512 * 1024**2, 0.5), Profile("odd", 9, 1536 * 1024**2, 1024**2, 1.0)),
        profile="small",
        resolve=agent("RESOLVER", prompt="Mend it."),
    )  # fmt: skip
    assert again(flow) == flow


def test_defaults_are_left_out_but_needs_are_shown() -> None:
    flow = workflow(phase("one", agent("A", run="make")), phase("two", agent("B", needs=["A"]), agent("C")))
    assert to_yaml(flow) == (
        """\
version: 1
name: test
phases:
  - name: one
    agents:
      - name: A
        run: make
  - name: two
    agents:
      - name: B
        needs:
          - A
      - name: C
        needs: []
"""
    )


_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=60)
_ODD = st.sampled_from(
    ["- x", "a: b # c", "yes", "1", "'quoted'", "*x", "trailing ", "tab\there", "é ✔", " leading\n", "\n", "a\n\n",
     "a \nb", "a\n b\n", "x\n\n\ny", "---\n", "a\x85b\n", "a\u2028b\nc", "\x1b[31m\n", "#\n#", "|\n", "% x\n", "null", "~"]
)  # fmt: skip


@given(_TEXTS | _ODD, _TEXTS | _ODD)
def test_any_text_survives_printing(command: str, text: str) -> None:
    prompt = f"{text}\n"  # one line that ends with .md would be a file
    flow = workflow(
        phase("p", agent("A", run=command), agent("B", prompt=prompt, script=(Step("say", text=text),)))
    )
    assert again(flow) == flow


@st.composite
def flows(draw: st.DrawFn) -> Workflow:
    phases: list[Phase] = []
    before: list[AgentName] = []
    for number in range(draw(st.integers(1, 4))):
        agents = []
        for _ in range(draw(st.integers(0, 3))):
            needs = draw(st.sets(st.sampled_from(before))) if before else ()
            name = AgentName(f"A{len(before)}")
            agents.append(Agent(name, needs=tuple(sorted(needs)), retries=draw(st.integers(0, 2))))
            before.append(name)
        phases.append(Phase(f"p{number}", tuple(agents)))
    size = (
        size_in_bytes(f"{draw(st.integers(1, 10**9)) / 1000:.3f}{draw(st.sampled_from(['MB', 'GB']))}") or 0
    )
    return Workflow(
        "w", tuple(phases), profiles=(Profile("s", 1, size, size, draw(st.floats(0.1, 64))),), source="w"
    )


@given(flows())
def test_any_graph_and_size_survives_printing(flow: Workflow) -> None:
    assert again(flow) == flow
