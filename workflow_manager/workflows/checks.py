"""What the types of a workflow file cannot say: names, needs, cycles, profiles. Pure.

The checks look at the file's value before it becomes a Workflow, so that a file with wrong types as well is
told all of its mistakes at once; what has a wrong type is passed over here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.config.document import Path, Source, suggestion
from shared.config.fields import size_in_bytes
from shared.model import Machine, Profile
from shared.profiles import too_large

_CONTEXT = ("task", "events")  # what can be read besides agents


@dataclass(frozen=True, slots=True)
class _Seen:
    """An agent as the file gives it. ``needs`` is None where it names none."""

    name: str
    phase: int
    path: Path
    value: Mapping[str, Any]
    needs: tuple[tuple[Path, str], ...] | None


def check_workflow(source: Source, value: Any, machine: Machine | None = None) -> None:
    """Report every mistake in a workflow file's ``value``; with a ``machine``, also what is too large for it."""
    agents = list(_agents(value))
    _check_names(source, value, agents)
    needs = _check_needs(source, agents)
    _check_cycles(source, agents, needs)
    for agent in (*agents, *_resolver(value)):
        _check_kind(source, agent)
        _check_sources(source, agent, needs)
        _check_layers(source, agent, _mapping(value, "layers"))
    for resolver in _resolver(value):
        if resolver.needs:
            message = f"{resolver.name} answers conflicts whenever there are any"
            source.problem(resolver.needs[0][0], message, "leave out `needs`")
    _check_profile(source, value, machine)


# --- what the file gives, as far as its types allow


def _agents(value: Any) -> Iterator[_Seen]:
    for i, phase in enumerate(_list(value, "phases")):
        for j, agent in enumerate(_list(phase, "agents")):
            yield from _seen(agent, i, ("phases", i, "agents", j))


def _resolver(value: Any) -> Iterator[_Seen]:
    """The agent that answers conflicts; it comes after all others."""
    if isinstance(value, dict) and "resolve" in value:
        yield from _seen(value["resolve"], len(_list(value, "phases")), ("resolve",))


def _seen(agent: Any, phase: int, path: Path) -> Iterator[_Seen]:
    if isinstance(agent, dict) and isinstance(agent.get("name"), str):
        needs = tuple(_texts(agent, "needs", path)) if isinstance(agent.get("needs"), list) else None
        yield _Seen(agent["name"], phase, path, agent, needs)


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _mapping(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _texts(value: Any, key: str, path: Path) -> Iterator[tuple[Path, str]]:
    for index, item in enumerate(_list(value, key)):
        if isinstance(item, str):
            yield (*path, key, index), item


# --- names, needs and cycles


def _check_names(source: Source, value: Any, agents: list[_Seen]) -> None:
    phases: set[str] = set()
    for i, phase in enumerate(_list(value, "phases")):
        name = phase.get("name") if isinstance(phase, dict) else None
        if isinstance(name, str) and name in phases:
            source.problem(("phases", i, "name"), f"the phase {name!r} is there twice")
        if isinstance(name, str):
            phases.add(name)
    names: set[str] = set()
    for agent in (*agents, *_resolver(value)):
        if agent.name in names:
            source.problem((*agent.path, "name"), f"the agent {agent.name} is there twice")
        names.add(agent.name)


def _check_needs(source: Source, agents: list[_Seen]) -> dict[str, list[str]]:
    """The graph of the needs that hold: those that are agents, and for who names none all of the phases before."""
    first: dict[str, _Seen] = {}
    for agent in agents:
        first.setdefault(agent.name, agent)
    graph: dict[str, list[str]] = {}
    for name, agent in first.items():
        graph[name] = (
            [other for other, seen in first.items() if seen.phase < agent.phase]
            if agent.needs is None
            else [need for _, need in agent.needs if need in first]
        )
    for agent in agents:
        for where, need in agent.needs or ():
            if need not in first:
                message = f"{agent.name} needs {need}, which is not an agent"
                source.problem(where, message, suggestion(need, first))
            elif first[need].phase > agent.phase:
                loop = _way(graph, need, agent.name)
                cycle = f"; cycle: {' → '.join((agent.name, *loop))}" if loop else ""
                source.problem(where, f"{agent.name} needs {need}, which belongs to a later phase{cycle}")
    return graph


def _check_cycles(source: Source, agents: list[_Seen], graph: Mapping[str, list[str]]) -> None:
    """Cycles within a phase. Those across phases hold a need of a later phase, which is told with the cycle."""
    told: set[str] = set()
    for phase in sorted({agent.phase for agent in agents}):
        here = {agent.name: agent for agent in agents if agent.phase == phase}
        inside = {name: [need for need in graph[name] if need in here] for name in here}
        for name in inside:
            loop = [] if name in told else _way(inside, name, name)
            if loop:
                told.update(loop)
                source.problem(here[name].path, f"cycle: {' → '.join(loop)}", "remove one of these needs")


def _way(graph: Mapping[str, Sequence[str]], start: str, end: str) -> list[str]:
    """The shortest way along needs from ``start`` to ``end``, with both; at least one step. Empty if none."""
    before: dict[str, str] = {}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for need in graph.get(here, ()):
            if need in before:
                continue
            before[need] = here
            if need == end:
                way = [end, before[end]]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return way[::-1]
            queue.append(need)
    return []


# --- what one agent says


def _check_kind(source: Source, agent: _Seen) -> None:
    if agent.value.get("run") and agent.value.get("prompt"):
        message = f"{agent.name} has both `run` and `prompt`"
        source.problem((*agent.path, "prompt"), message, "keep one: a command or instructions")


def _check_sources(source: Source, agent: _Seen, graph: Mapping[str, list[str]]) -> None:
    """Whoever's output an agent reads or whose commands it runs must be done before."""
    for where, name, verb in _sources(agent):
        if name not in graph:
            known = graph if verb == "runs" else [*graph, *_CONTEXT]
            source.problem(
                where,
                f"{agent.name} {verb} what {name} leaves, which is not an agent",
                suggestion(name, known),
            )
        elif agent.path != ("resolve",) and (name == agent.name or not _way(graph, agent.name, name)):
            message = f"{agent.name} {verb} what {name} leaves, which need not be done before"
            hint = "" if name == agent.name else f"add {name} to its needs"
            source.problem(where, message, hint)


def _sources(agent: _Seen) -> Iterator[tuple[Path, str, str]]:
    planner = _mapping(agent.value, "run").get("from")
    if isinstance(planner, str):
        yield (*agent.path, "run", "from"), planner, "runs"
    for index, read in enumerate(_list(agent.value, "reads")):
        name = read.get("from") if isinstance(read, dict) else None
        if isinstance(name, str) and name not in _CONTEXT:
            yield (*agent.path, "reads", index, "from"), name, "reads"


def _check_layers(source: Source, agent: _Seen, layers: Mapping[str, Any]) -> None:
    for where, layer in _texts(_mapping(agent.value, "when"), "layers", (*agent.path, "when")):
        if layer not in layers:
            hint = suggestion(layer, layers) or "this workflow has no `layers`"
            source.problem(where, f"unknown layer {layer!r}", hint)


# --- sizes


def _check_profile(source: Source, value: Any, machine: Machine | None) -> None:
    name = value.get("profile") if isinstance(value, dict) else None
    profiles = _mapping(value, "profiles")
    if not isinstance(name, str):
        return
    if name not in profiles:
        hint = suggestion(name, profiles) or "this workflow has no `profiles`"
        source.problem(("profile",), f"unknown profile {name!r}", hint)
    elif machine is not None:
        made = [profile for key, entry in profiles.items() if (profile := _profile(key, entry))]
        if told := too_large(name, made, machine):
            source.problem(("profile",), *told)


def _profile(name: str, value: Any) -> Profile | None:
    """The sizes of a profile, as far as they are ones."""
    if not isinstance(value, dict):
        return None
    memory, cpu = value.get("memory"), value.get("cpu_per_agent")
    size = size_in_bytes(memory) if isinstance(memory, str) else None
    return Profile(name, 1, size or 0, 0, float(cpu) if isinstance(cpu, int | float) else 0.0)
