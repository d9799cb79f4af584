"""From a workflow file's checked model to a Workflow. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.config.fields import size_in_bytes
from shared.config.schema import (
    AgentModel,
    EvidenceModel,
    OutputsModel,
    PlannedModel,
    ProfileModel,
    ReadModel,
    StepModel,
    SubAgentModel,
    WhenModel,
    WorkflowModel,
)
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


def workflow_of(model: WorkflowModel, source: str) -> Workflow:
    """The workflow that a checked file describes."""
    phases: list[Phase] = []
    for p in model.phases:
        before = [agent for phase in phases for agent in phase.agents]
        everything = _last(before)
        agents = tuple(_agent(a, everything) for a in p.agents or ())
        phases.append(Phase(p.name, agents, p.summary))
    return Workflow(
        name=model.name,
        phases=tuple(phases),
        description=model.description,
        source=source,
        budget=model.budget or 0,
        layers=tuple(Layer(name, tuple(m.words), m.default) for name, m in model.layers.items()),
        profiles=tuple(_profile(name, m) for name, m in model.profiles.items()),
        profile=model.profile or "",
        resolve=_agent(model.resolve, ()) if model.resolve else None,
    )


def _last(agents: Sequence[Agent]) -> tuple[AgentName, ...]:
    """Those of ``agents`` that none of the others waits for: who needs these needs all of them."""
    needed = {need for agent in agents for need in agent.needs}
    return tuple(agent.name for agent in agents if agent.name not in needed)


def _profile(name: str, model: ProfileModel) -> Profile:
    memory, each = size_in_bytes(model.memory) or 0, size_in_bytes(model.memory_per_agent) or 0
    return Profile(name, model.agents, memory, each, model.cpu_per_agent)


def _agent(model: AgentModel, everything: tuple[AgentName, ...]) -> Agent:
    """``everything`` is what an agent needs that names no needs: all of the phases before."""
    run, evidence = model.run, model.evidence
    return Agent(
        name=AgentName(model.name),
        backend=model.backend,
        run=run if isinstance(run, str) else "",
        commands=tuple(run) if isinstance(run, list) else (),
        planned=Planned(AgentName(run.agent), run.part) if isinstance(run, PlannedModel) else None,
        prompt=model.prompt,
        script=_script(model.script),
        needs=everything if model.needs is None else tuple(AgentName(need) for need in model.needs),
        reads=tuple(read for read in model.reads if isinstance(read, str)),
        context=tuple(
            Component(read.source, read.part, read.form)
            for read in model.reads
            if isinstance(read, ReadModel)
        ),
        writes=None if model.writes is None else tuple(model.writes),
        tier=model.tier,
        when=_when(model.when),
        estimate=model.estimate,
        timeout=model.timeout,
        retries=model.retries,
        escalate=model.escalate,
        isolation=model.isolation,
        budget=model.budget or 0,
        outputs=_outputs(model.outputs, evidence),
        evidence=_evidence(evidence),
    )


def _when(model: WhenModel) -> When:
    changes = tuple(ChangeType(change) for change in model.changes)
    return When(tuple(model.labels), tuple(model.paths), changes, tuple(model.layers))


def _outputs(model: OutputsModel, evidence: str | EvidenceModel) -> Outputs:
    """A verdict that is asked for as evidence must be left as well."""
    verdict = model.verdict or (isinstance(evidence, EvidenceModel) and evidence.verdict is not None)
    return Outputs(tuple(model.files), tuple(model.decisions), verdict, model.change, model.commands)


def _evidence(model: str | EvidenceModel) -> Evidence:
    if isinstance(model, str):
        return Evidence(model)
    return Evidence(model.command, model.verdict or "", tuple(model.files))


def _script(steps: Iterable[StepModel]) -> tuple[Step, ...]:
    return tuple(
        Step(s.action, s.path or "", s.text, s.seconds, s.times, tuple(_sub_agent(a) for a in s.agents))
        for s in steps
    )


def _sub_agent(model: SubAgentModel) -> SubAgent:
    return SubAgent(model.name, model.run, model.prompt, _script(model.script), model.tier, model.timeout)
