"""A Workflow as a workflow file."""

from __future__ import annotations

import io
from dataclasses import fields
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

from shared.model import Agent, Component, Layer, Phase, Planned, Profile, Step, SubAgent, Workflow

_AGENT_KEYS = (  # in the order in which they are read best
    "backend", "tier", "needs", "reads", "writes", "when", "run", "prompt", "script", "outputs", "evidence",
    "isolation", "estimate", "timeout", "retries", "escalate", "budget",
)  # fmt: skip


def to_yaml(workflow: Workflow) -> str:
    """``workflow`` as a file that reads as the same again; defaults are left out, needs are not."""
    out = io.StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 100
    yaml.dump(_workflow(workflow), out)
    return out.getvalue()


def _workflow(workflow: Workflow) -> dict[str, Any]:
    shown: dict[str, Any] = {"version": 1, "name": workflow.name}
    shown |= _set(
        description=_text(workflow.description),
        budget=workflow.budget,
        layers={layer.name: _layer(layer) for layer in workflow.layers},
        profiles={profile.name: _profile(profile) for profile in workflow.profiles},
        profile=workflow.profile,
    )
    shown["phases"] = []
    first = True  # who names no needs needs everything before: nothing, as long as there is no agent
    for phase in workflow.phases:
        shown["phases"].append(_phase(phase, first=first))
        first = first and not phase.agents
    if workflow.resolve:
        shown["resolve"] = _agent(workflow.resolve, first=True)
    return shown


def _layer(layer: Layer) -> dict[str, Any]:
    return {"words": list(layer.words)} | _set(default=layer.default)


def _profile(profile: Profile) -> dict[str, Any]:
    return {
        "agents": profile.agents,
        "memory": _size(profile.memory),
        "memory_per_agent": _size(profile.memory_per_agent),
        "cpu_per_agent": profile.cpu_per_agent,
    }


def _size(count: int) -> str:
    gigabytes, rest = divmod(count, 1024**3)
    return f"{count / 1024**2:.3f}".rstrip("0").rstrip(".") + "MB" if rest else f"{gigabytes}GB"


def _phase(phase: Phase, *, first: bool) -> dict[str, Any]:
    agents = [_agent(agent, first=first) for agent in phase.agents]
    return {"name": phase.name} | _set(summary=_text(phase.summary), agents=agents)


def _agent(agent: Agent, *, first: bool) -> dict[str, Any]:
    """Nothing is before the ``first`` agents, so that they need not say that they need nothing."""
    shown = _said(agent, Agent(agent.name))
    shown |= _set(run=_run(agent), prompt=_text(agent.prompt), script=[_step(step) for step in agent.script])
    shown |= _set(reads=[*agent.reads, *(_component(component) for component in agent.context)])
    if agent.needs or not first:
        shown["needs"] = [str(need) for need in agent.needs]
    if agent.writes is not None:
        shown["writes"] = list(agent.writes)
    for key, default in (("when", Agent(agent.name).when), ("outputs", Agent(agent.name).outputs)):
        shown |= _set(**{key: _said(getattr(agent, key), default)})
    evidence = _said(agent.evidence, Agent(agent.name).evidence)
    shown |= _set(evidence=_text(agent.evidence.command) if list(evidence) == ["command"] else evidence)
    return {"name": str(agent.name)} | {key: shown[key] for key in _AGENT_KEYS if key in shown}


def _run(agent: Agent) -> Any:
    if agent.planned:
        return {"from": str(agent.planned.agent)} | _set(
            part=_other(agent.planned.part, Planned(agent.name).part)
        )
    return _text(agent.run) or [_text(command) for command in agent.commands]


def _component(component: Component) -> dict[str, Any]:
    default = Component("")
    parts = {"part": _other(component.part, default.part), "form": _other(component.form, default.form)}
    return {"from": component.source} | _set(**parts)


def _step(step: Step) -> dict[str, Any]:
    shown = {"action": step.action} | _said(step, Step(step.action))
    return shown | _set(agents=[_sub_agent(agent) for agent in step.agents])


def _sub_agent(agent: SubAgent) -> dict[str, Any]:
    shown = _said(agent, SubAgent(agent.name))
    return {"name": agent.name} | shown | _set(script=[_step(step) for step in agent.script])


def _said(item: Any, default: Any) -> dict[str, Any]:
    """The plain fields of ``item`` that differ from ``default``, as a file says them."""
    shown: dict[str, Any] = {}
    for field in fields(item):
        value = getattr(item, field.name)
        if value == getattr(default, field.name):
            continue
        if isinstance(value, tuple) and all(isinstance(entry, str) for entry in value):
            shown[field.name] = [_text(str(entry)) for entry in value]
        elif isinstance(value, str):
            shown[field.name] = _text(str(value))
        elif isinstance(value, bool | int | float):
            shown[field.name] = value
    return shown


def _set(**values: Any) -> dict[str, Any]:
    """Those of ``values`` that say something."""
    return {key: value for key, value in values.items() if value}


def _other(value: str, default: str) -> str:
    return "" if value == default else value


def _text(value: str) -> str:
    """Several lines as a block, if a block can hold them."""
    lines = value.split("\n")
    if len(lines) == 1:
        return value
    plain = all(line.isprintable() and line == line.rstrip() for line in lines) and not value[0].isspace()
    quoted: str = LiteralScalarString(value) if plain else DoubleQuotedScalarString(value)
    return quoted
