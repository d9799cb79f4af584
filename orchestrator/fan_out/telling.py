"""What a manager would have said, told from what a job handed back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from orchestrator.fan_out.result import AgentEntry, CallEntry, Result
from shared.messages import (
    AgentEnded,
    AgentSkipped,
    AgentStarted,
    FromManager,
    ModelCalled,
    Note,
    PhaseEnded,
    PhaseStarted,
    WorkedElsewhere,
)
from shared.model import AgentName, PhaseCommit, Task, Tokens
from shared.text import first_sentence, printable

_SUMMARY = 300  # characters


def strangers(task: Task, result: Result) -> str:
    """What ``result`` names that the task's workflow does not have, in a sentence; empty if nothing."""
    workflow = task.workflow
    phases = {phase.name for phase in workflow.phases}
    agents = {str(agent.name) for agent in workflow.agents}
    agents |= {str(workflow.resolve.name)} if workflow.resolve else set()
    phases_named = [
        *(entry.phase for entry in result.phases),
        *(entry.phase for entry in result.agents),
        *(entry.phase for entry in result.skipped),
        *(call.phase for call in result.calls if call.phase),
    ]
    for phase in phases_named:
        if phase not in phases:
            return f"the workflow has no phase {first_sentence(phase, 40)!r}"
    agents_named = [
        *(entry.agent for entry in result.agents),
        *(entry.agent for entry in result.skipped),
        *(call.agent for call in result.calls),
    ]
    for agent in agents_named:
        if agent.partition("/")[0] not in agents or printable(agent) != agent:
            return f"the workflow has no agent {first_sentence(agent, 40)!r}"
    return ""


def told(
    result: Result, commits: Iterable[PhaseCommit], window: tuple[float, float]
) -> Iterator[FromManager]:
    """In the order of phases. ``commits`` are those that were found in the bundle, whatever the result says of them.

    ``window`` is when the job can have been at work: times outside it are brought back into it.
    """
    oids = {commit.phase: commit.oid for commit in commits}
    ended = {entry.phase: entry.oid for entry in result.phases}
    calls: dict[tuple[str, int], list[CallEntry]] = {}
    for call in result.calls:
        calls.setdefault((call.agent, call.attempt), []).append(call)
    started, over = _clamped(result.started, window), _clamped(result.ended, window)
    yield WorkedElsewhere(started, max(started, over))
    agents = [entry.phase for entry in result.agents] + [entry.phase for entry in result.skipped]
    for phase in dict.fromkeys([*ended, *agents, *oids]):
        yield PhaseStarted(phase)
        for agent in result.agents:
            if agent.phase == phase:
                yield from _agent(agent, calls.pop((agent.agent, agent.attempt), []), (started, over))
        for skipped in result.skipped:
            if skipped.phase == phase:
                reason = first_sentence(skipped.reason, _SUMMARY)
                yield AgentSkipped(phase, AgentName(skipped.agent), reason)
        if phase in oids:
            yield PhaseEnded(phase, oids[phase])
        elif phase in ended and ended[phase] is None:
            yield PhaseEnded(phase, None)
    yield from _left(calls)
    for note in result.notes:
        yield Note(f"{result.task}, in its job: {first_sentence(note, _SUMMARY)}")


def _left(calls: Mapping[tuple[str, int], list[CallEntry]]) -> Iterator[FromManager]:
    """Calls of agents that came to no end: they were paid for all the same."""
    for some in calls.values():
        yield from map(_call, some)


def _agent(entry: AgentEntry, calls: list[CallEntry], window: tuple[float, float]) -> Iterator[FromManager]:
    name = AgentName(entry.agent)
    started = _clamped(entry.started, window)
    yield AgentStarted(entry.phase, name, entry.attempt, entry.kind, entry.tier)
    yield from map(_call, calls)
    yield AgentEnded(
        phase=entry.phase,
        agent=name,
        attempt=entry.attempt,
        ok=entry.ok,
        seconds=min(entry.seconds, max(0.0, window[1] - started)),
        summary=first_sentence(entry.summary, _SUMMARY),
        started=started,
        tokens=Tokens(input=entry.input_tokens, output=entry.output_tokens),
        cost_usd=entry.cost_usd,
        counts=tuple((first_sentence(key), count) for key, count in entry.counts.items()),
        warnings=tuple(first_sentence(text, _SUMMARY) for text in entry.warnings),
    )


def _call(entry: CallEntry) -> ModelCalled:
    return ModelCalled(
        phase=entry.phase,
        agent=AgentName(entry.agent),
        attempt=entry.attempt,
        model=first_sentence(entry.model, 100),
        tokens=Tokens(
            entry.input_tokens,
            entry.output_tokens,
            entry.cache_write_tokens,
            entry.cache_write_1h_tokens,
            entry.cache_read_tokens,
        ),
        cost_usd=entry.cost_usd,
        tries=entry.tries,
        held=entry.held,
        source="model" if entry.source == "model" else "record",
        reserved_tokens=entry.reserved_tokens,
        reserved_usd=entry.reserved_usd,
    )


def _clamped(moment: float, window: tuple[float, float]) -> float:
    return min(max(moment, window[0]), max(window))
