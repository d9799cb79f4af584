"""What a run took, as lines for people: times, waiting, the path that decided, context, skips. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict

from orchestrator.reporting import bills
from orchestrator.reporting.critical_path import Cause, Step, critical_path
from orchestrator.reporting.metrics import metrics, skips
from orchestrator.reporting.savings import savings
from orchestrator.reporting.times import spelled
from orchestrator.reporting.waiting import waiting
from orchestrator.view import GATE, AgentView, Bill, RunView

_ROWS = 10  # of a list; the rest is counted
_NOTICED = 0.05  # seconds; what took less would be printed as nothing
_CAUSES = {
    "start": "to be set up",
    "needs": "for needs",
    "slot": "for a slot",
    "gate": "for the gate",
    "merge": "to be merged",
    "rate_limit": "for a rate limit",
}
_WHY: Mapping[Cause, str] = {
    "start": "after the run's start",
    "needs": "after what it needed",
    "slot": "after a slot was free",
    "place": "after a place was free",
    "merge": "after its task was over",
    "gate": "after the gate before",
}


def figures(view: RunView, now: float) -> list[str]:
    """Sections with a heading each and an empty line before it; those without anything to say are left out."""
    sections: list[tuple[str, Iterable[str]]] = [
        ("time", _times(view, now)),
        ("waited, summed over all that did", _waits(view, now)),
        ("what decided how long it took", _path(view, now)),
        ("time by agent", _by(view, lambda agent: agent.name)),
        ("time by phase", _by(view, lambda agent: agent.phase)),
        ("time by task", _by(view, lambda agent: agent.task)),
        ("models", [*bills.models(view), *savings(view)]),
        ("cost by agent", _costs(view, lambda agent: agent.name)),
        ("cost by phase", _costs(view, lambda agent: agent.phase)),
        ("cost by task", _costs(view, lambda agent: agent.task)),
        ("context", _context(view)),
        ("skipped agents", _skipped(view)),
        ("agents that ran again", _again(view)),
        ("slowest agents", _slowest(view)),
    ]
    lines: list[str] = []
    for heading, content in sections:
        if found := list(content):
            lines += ["", heading, *(f"  {line}" for line in found)]
    return lines


def _times(view: RunView, now: float) -> Iterator[str]:
    found = metrics(view, now)
    for name, value in (
        ("in all", spelled(found["total_time_seconds"])),
        ("one after another", spelled(found["sequential_time_seconds"])),
        ("speedup", f"{found['speedup']:.2f}"),
        ("efficiency", f"{found['parallel_efficiency']:.2f} of {_many(found['slots'], 'slot')}"),
        ("overhead", f"{spelled(found['overhead_seconds'])} beyond the longest chain of agents"),
        ("gate", _gates(view)),
        ("models", _models(view)),
    ):
        if value:
            yield f"{name:<18} {value}"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _gates(view: RunView) -> str:
    if not view.gates:
        return ""
    failed = sum(not passed for _, _, passed in view.gates)
    seconds = sum(seconds for _, seconds, _ in view.gates)
    return f"{spelled(seconds)}, {_many(len(view.gates), 'time')}, {failed} failed"


def _models(view: RunView) -> str:
    total = view.spending.total
    if total.calls:
        return bills.bill(total)
    read, written = (
        sum(agent.input_tokens for agent in view.agents),
        sum(agent.output_tokens for agent in view.agents),
    )
    if not read + written:
        return ""
    usd = bills.dollars(sum(agent.cost_usd for agent in view.agents))
    return f"{read:,} tokens read, {written:,} written, {usd}"


def _waits(view: RunView, now: float) -> Iterator[str]:
    for cause, seconds in asdict(waiting(view, now)).items():
        if seconds >= _NOTICED:
            yield f"{_CAUSES[cause]:<18} {spelled(seconds)}"


def _path(view: RunView, now: float) -> Iterator[str]:
    """The steps of the critical path; where there are many, the longest ones, in their order."""
    steps = critical_path(view, now)
    if len(steps) < 2:
        return
    worked, waited = sum(step.seconds for step in steps), sum(step.waited for step in steps)
    yield f"{_many(len(steps), 'step')}, {spelled(worked)} of work and {spelled(waited)} between"
    noticed = [step for step in steps if step.seconds + step.waited >= _NOTICED]
    longest = sorted(noticed, key=lambda step: -step.seconds - step.waited)[: 2 * _ROWS]
    for step in steps:
        if step in longest:
            yield _step(step)
    yield from _more(len(steps) - len(longest))


def _step(step: Step) -> str:
    who = f"{step.task or 'the target'}: {'the gate' if step.agent == GATE else step.agent}"
    wait = f"  ({spelled(step.waited)} {_WHY[step.cause]})" if step.waited >= _NOTICED else ""
    return f"{spelled(step.seconds):>10}  {who}{wait}"


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"… and {count} more"


def _by(view: RunView, key: Callable[[AgentView], str]) -> Iterator[str]:
    """Work by ``key``, most first; nothing where there is only one."""
    found: dict[str, list[float]] = {}
    for agent in view.agents:
        if agent.ended is not None:
            found.setdefault(key(agent), []).append(agent.work)
    if len(found) < 2:
        return
    order = sorted(found.items(), key=lambda item: -sum(item[1]))
    shown = [(name, times) for name, times in order if sum(times) >= _NOTICED][:_ROWS]
    for name, times in shown:
        yield f"{spelled(sum(times)):>10}  {name}" + (f", {len(times)} times" if len(times) > 1 else "")
    yield from _more(len(order) - len(shown) if shown else 0)


def _costs(view: RunView, key: Callable[[AgentView], str]) -> Iterator[str]:
    """The dearest first, where models were asked by more than one."""
    found: dict[str, Bill] = {}
    for agent in view.agents:
        if agent.bill.calls:
            found[key(agent)] = found.get(key(agent), Bill()) + agent.bill
    dearest = sorted(found.items(), key=lambda item: (-item[1].usd, -item[1].tokens))
    if len(dearest) > 1:
        yield from (f"{name:<18} {bills.bill(one)}" for name, one in dearest[:_ROWS])
        yield from _more(len(dearest) - _ROWS)


def _context(view: RunView) -> Iterator[str]:
    width = max((len(task.id) for task in view.tasks.values() if task.contexts), default=0)
    for task in view.tasks.values():
        if not task.contexts:
            continue
        used = sum(context.tokens for context in task.contexts.values())
        saved = sum(context.saved for context in task.contexts.values())
        refused = sum(context.refused for context in task.contexts.values())
        of = f" of {task.budget}" if task.budget else ""
        line = f"{task.id:<{width}}  {used}{of} tokens for {_many(len(task.contexts), 'agent')}"
        line += f", {saved} saved" if saved else ""
        yield line + (f", {refused} refused" if refused else "")


def _skipped(view: RunView) -> Iterator[str]:
    """By reason, with how many and whom."""
    reasons = skips(view)
    for reason, count in reasons.most_common(_ROWS):
        names = [name for task in view.tasks.values() for name, why in task.skipped_agents if why == reason]
        yield f"{count:>4}  {reason}: {_names(list(dict.fromkeys(names)))}"
    yield from _more(len(reasons) - _ROWS)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _ROWS} more" if len(names) > _ROWS else ""
    return ", ".join(names[:_ROWS]) + more


def _again(view: RunView) -> Iterator[str]:
    tries: dict[tuple[str, str], int] = {}
    for agent in (agent for agent in view.agents if not agent.parent):
        tries[agent.task, agent.name] = tries.get((agent.task, agent.name), 0) + 1
    again = [(key, count) for key, count in tries.items() if count > 1]
    for (task, name), count in again[:_ROWS]:
        yield f"{task}: {name}, {count} tries"
    yield from _more(len(again) - _ROWS)


def _slowest(view: RunView) -> Iterator[str]:
    """Single executions; nothing where each agent had one, since the time by agent says that already."""
    agents = sorted((a for a in view.agents if a.ended is not None), key=lambda agent: -agent.work)
    if len({agent.name for agent in agents}) == len(agents):
        return
    for agent in (agent for agent in agents[:5] if agent.work >= _NOTICED):
        attempt = f", try {agent.attempt}" if agent.attempt > 1 else ""
        yield f"{spelled(agent.work):>10}  {agent.task}: {agent.phase} / {agent.name}{attempt}"
