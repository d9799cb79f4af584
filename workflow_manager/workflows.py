"""Workflow files: reading, checking and printing them. Presets ship beside this module."""

from __future__ import annotations

from pathlib import Path

from shared.config.document import Document
from shared.config.schema import AgentModel, WorkflowModel, validate
from shared.errors import InvalidInput, UserError
from shared.model import Agent, AgentName, Phase, Step, When, Workflow

PRESETS = Path(__file__).parent / "presets"


def preset_names() -> list[str]:
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def find(name: str, root: Path) -> Workflow:
    """The preset called ``name``, or the workflow file at that path below ``root``.

    Raises InvalidInput for a file with mistakes and UserError where there is none.
    """
    preset = PRESETS / f"{name}.yaml"
    if "/" not in name and preset.is_file():
        return read(preset.read_bytes(), preset.name, name)
    path = root / name
    if not path.is_file() or path.suffix not in (".yaml", ".yml"):
        raise UserError(
            f"there is no workflow {name!r}",
            f"presets: {', '.join(preset_names())}; or the path of a .yaml file",
        )
    return read(path.read_bytes(), name, name)


def read(data: bytes, file: str, source: str) -> Workflow:
    """A workflow file's content as a Workflow. Raises InvalidInput with every mistake in it."""
    document = Document(file, data)
    workflow = None
    if not document.problems:
        model = validate(document, WorkflowModel, document.value)
        if model is not None:
            workflow = _workflow(model, source)
            _check(document, workflow)
    if workflow is None or document.problems:
        raise InvalidInput(document.problems)
    return workflow


def single_command(command: str) -> Workflow:
    """The short form of a task: one phase with one command."""
    agent = Agent(AgentName("COMMAND"), backend="command", run=command)
    return Workflow("command", (Phase("command", (agent,)),), source="command")


def with_command(workflow: Workflow, command: str) -> Workflow:
    """``workflow`` with ``command`` run by the agents that name neither a command nor a prompt."""
    phases = tuple(
        Phase(
            phase.name,
            tuple(_filled(agent, command) for agent in phase.agents),
            phase.summary,
        )
        for phase in workflow.phases
    )
    return Workflow(workflow.name, phases, workflow.description, workflow.source)


def _filled(agent: Agent, command: str) -> Agent:
    from dataclasses import replace

    return agent if agent.run or agent.prompt or agent.script else replace(agent, run=command)


def _workflow(model: WorkflowModel, source: str) -> Workflow:
    phases = tuple(Phase(p.name, tuple(_agent(a) for a in p.agents), p.summary) for p in model.phases)
    return Workflow(model.name, phases, model.description, source)


def _agent(model: AgentModel) -> Agent:
    return Agent(
        name=AgentName(model.name),
        backend=model.backend,
        run=model.run,
        prompt=model.prompt,
        script=tuple(Step(s.action, s.path or "", s.text, s.seconds, s.times) for s in model.script),
        needs=tuple(AgentName(need) for need in model.needs),
        reads=tuple(model.reads),
        writes=None if model.writes is None else tuple(model.writes),
        tier=model.tier,
        when=When(tuple(model.when.labels), tuple(model.when.paths)),
        timeout=model.timeout,
        retries=model.retries,
        isolation=model.isolation,
        evidence=model.evidence,
    )


def _check(document: Document, workflow: Workflow) -> None:
    """What types cannot say: names once, needs that exist and do not point forward, no cycles."""
    place: dict[str, int] = {}
    names_of_phases: set[str] = set()
    for i, phase in enumerate(workflow.phases):
        if phase.name in names_of_phases:
            document.problem(("phases", i, "name"), f"the phase {phase.name!r} is there twice")
        names_of_phases.add(phase.name)
        for j, agent in enumerate(phase.agents):
            if agent.name in place:
                document.problem(("phases", i, "agents", j, "name"), f"the agent {agent.name} is there twice")
            place[agent.name] = i
    for i, phase in enumerate(workflow.phases):
        for j, agent in enumerate(phase.agents):
            for k, need in enumerate(agent.needs):
                where = ("phases", i, "agents", j, "needs", k)
                if need not in place:
                    known = ", ".join(sorted(place))
                    document.problem(
                        where, f"{agent.name} needs {need}, which is not an agent", f"known: {known}"
                    )
                elif place[need] > i:
                    document.problem(where, f"{agent.name} needs {need}, which belongs to a later phase")
        if cycle := _cycle(phase):
            j = next(j for j, agent in enumerate(phase.agents) if agent.name == cycle[0])
            document.problem(
                ("phases", i, "agents", j), f"cycle: {' → '.join(cycle)}", "remove one of these needs"
            )


def _cycle(phase: Phase) -> list[str]:
    from graphlib import CycleError, TopologicalSorter

    inside = {agent.name for agent in phase.agents}
    graph = {agent.name: [need for need in agent.needs if need in inside] for agent in phase.agents}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [str(name) for name in reversed(error.args[1])]
    return []


def to_yaml(workflow: Workflow) -> str:
    """A workflow as a workflow file, with every default left out."""
    import io

    from ruamel.yaml import YAML
    from ruamel.yaml.scalarstring import LiteralScalarString

    def text(value: str) -> str:
        return LiteralScalarString(value) if "\n" in value else value

    def agent(item: Agent) -> dict[str, object]:
        shown: dict[str, object] = {"name": str(item.name)}
        for key in ("backend", "run", "prompt", "evidence"):
            if value := getattr(item, key):
                shown[key] = text(value)
        for key in ("needs", "reads"):
            if value := getattr(item, key):
                shown[key] = [str(entry) for entry in value]
        if item.writes is not None:
            shown["writes"] = list(item.writes)
        if item.when != When():
            shown["when"] = {
                key: list(getattr(item.when, key)) for key in ("labels", "paths") if getattr(item.when, key)
            }
        for key, default in (("tier", "balanced"), ("timeout", None), ("retries", 0), ("isolation", "auto")):
            if getattr(item, key) != default:
                shown[key] = getattr(item, key)
        if item.script:
            shown["script"] = [_step(step) for step in item.script]
        return shown

    phases = []
    for phase in workflow.phases:
        entry: dict[str, object] = {"name": phase.name}
        if phase.summary:
            entry["summary"] = phase.summary
        if phase.agents:
            entry["agents"] = [agent(item) for item in phase.agents]
        phases.append(entry)
    data: dict[str, object] = {"version": 1, "name": workflow.name}
    if workflow.description:
        data["description"] = text(workflow.description)
    data["phases"] = phases
    out = io.StringIO()
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 100
    yaml.dump(data, out)
    return out.getvalue()


def _step(step: Step) -> dict[str, object]:
    shown: dict[str, object] = {"action": step.action}
    defaults = Step("say")
    for key in ("path", "text", "seconds", "times"):
        if getattr(step, key) != getattr(defaults, key):
            shown[key] = getattr(step, key)
    return shown
