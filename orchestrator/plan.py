"""From tasks to a plan: graph, order, waves and the forecast of conflicts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

from shared.errors import UserError
from shared.globs import first_overlap
from shared.model import Forecast, LeftOut, Plan, Settings, Task, TaskId


def make_plan(tasks: Sequence[Task], settings: Settings, left_out: Sequence[LeftOut] = ()) -> Plan:
    """The plan of a batch, without what was ``left_out`` of it. Raises UserError that prints the cycle where needs
    form one."""
    position = {task.id: index for index, task in enumerate(tasks)}
    graph = {task.id: [need.task for need in task.needs] for task in tasks}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = " → ".join(reversed(error.args[1]))
        raise UserError(
            f"the tasks need each other in a circle: {cycle}", "remove one of these needs"
        ) from None
    waves: list[tuple[TaskId, ...]] = []
    while sorter.is_active():
        wave = sorted(sorter.get_ready(), key=position.__getitem__)
        waves.append(tuple(wave))
        sorter.done(*wave)
    return Plan(
        tasks=tuple(tasks),
        settings=settings,
        order=_order(tasks),
        waves=tuple(waves),
        forecasts=tuple(_forecast(tasks, ancestors(tasks))),
        left_out=tuple(left_out),
    )


def _order(tasks: Sequence[Task]) -> tuple[TaskId, ...]:
    """Topological; among tasks that could come next, always the first one of the batch."""
    missing = [{need.task for need in task.needs} for task in tasks]
    dependents: dict[TaskId, list[int]] = {task.id: [] for task in tasks}
    for index, needs in enumerate(missing):
        for need in needs:
            dependents[need].append(index)
    ready = [index for index, needs in enumerate(missing) if not needs]
    order: list[TaskId] = []
    while ready:
        task_id = tasks[heappop(ready)].id
        order.append(task_id)
        for index in dependents[task_id]:
            missing[index].remove(task_id)
            if not missing[index]:
                heappush(ready, index)
    return tuple(order)


def ancestors(tasks: Iterable[Task]) -> dict[TaskId, frozenset[TaskId]]:
    """For each task, every task that it waits for, directly or not."""
    by_id = {task.id: task for task in tasks}
    found: dict[TaskId, frozenset[TaskId]] = {}
    for task_id in _order(list(by_id.values())):
        direct = [need.task for need in by_id[task_id].needs]
        found[task_id] = frozenset(direct).union(*(found[need] for need in direct))
    return found


def _forecast(tasks: Sequence[Task], above: dict[TaskId, frozenset[TaskId]]) -> Iterable[Forecast]:
    """Pairs without an order between them that say they touch the same paths."""
    touching = [task for task in tasks if task.touches]
    for index, first in enumerate(touching):
        for second in touching[index + 1 :]:
            if first.id in above[second.id] or second.id in above[first.id]:
                continue
            if pattern := first_overlap(first.touches, second.touches):
                yield Forecast(first.id, second.id, pattern)


def remaining_paths(tasks: Sequence[Task], length: Mapping[TaskId, float]) -> dict[TaskId, float]:
    """Per task, the longest chain of dependents after it, itself not included; ``length`` is each task's own."""
    after = {task.id: 0.0 for task in tasks}
    by_id = {task.id: task for task in tasks}
    for task_id in reversed(_order(tasks)):
        chain = length[task_id] + after[task_id]
        for need in by_id[task_id].needs:
            after[need.task] = max(after[need.task], chain)
    return after


def to_dot(plan: Plan) -> str:
    """The graph in Graphviz's language; forecast conflicts are dashed."""
    lines = ["digraph spinney {", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    for task in plan.tasks:
        title = task.title.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'  "{task.id}" [label="{task.id}\\n{title}"];')
    for task in plan.tasks:
        for need in task.needs:
            style = " [style=dotted]" if need.always else ""
            lines.append(f'  "{need.task}" -> "{task.id}"{style};')
    for forecast in plan.forecasts:
        lines.append(f'  "{forecast.first}" -> "{forecast.second}" [dir=none, style=dashed, color=red];')
    return "\n".join([*lines, "}", ""])
